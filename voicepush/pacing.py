"""
How fast: destinations per second, first come, first served.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from math import ceil, inf
from typing import TYPE_CHECKING

from voicepush.model import MOST_PER_REQUEST

if TYPE_CHECKING:
    from pyrate_limiter import StateBucket

#: A request holds at most so much of a second's allowance: the flow stays even, and
#: no single request is larger than what the tenant's limit takes in a second.
_SHARE_OF_A_SECOND = 0.25

#: What a refusal for speed leaves of the rate, and how fast the rate comes back.
_SLOWED = 0.5
_REGAINED_PER_SECOND = 1.05

_MICROSECONDS = 1_000_000
_SLOWEST = 1.0
_SAYS_NOTHING_NEW = 1.0
_LONG_AGO = 300.0
_AS_GOOD_AS_NONE = 1_000_000.0
_LONGEST_STEP = 0.5


class Pacer:
    """
    Lets destinations through at a rate, which falls when the service asks for it.

    The tenant's limit counts destinations, not requests. GCRA admits a burst of one
    request and then spaces the rest, so that no second sees much more than its share.

    Args:
        rate: Destinations per second; None for no limit of our own.
        now: A clock that never goes back, in seconds.
    """

    def __init__(
        self,
        rate: float | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._bucket: StateBucket | None = None
        self._taken: deque[tuple[float, int]] = deque()
        self._held_until = 0.0
        self._lowered_at = -inf
        self._regained_at = now()
        self._ceiling = rate
        self._rate = rate
        self.set_rate(rate)

    @property
    def rate(self) -> float | None:
        """
        Destinations per second at present; None for no limit.
        """
        return self._rate

    def set_rate(self, rate: float | None) -> None:
        """
        Go on at *rate* from now.
        """
        self._ceiling = rate
        self._adjust(rate)

    @property
    def most(self) -> int:
        """
        The most destinations that one request should hold at the present rate.
        """
        return most_at(self._rate)

    async def take(
        self,
        number: int,
        *,
        within: Callable[[], float] = lambda: inf,
        held_within: Callable[[], float] = lambda: inf,
    ) -> bool:
        """
        Wait until *number* destinations may be sent.

        Args:
            within: Gives the seconds for which they can still wait.
            held_within: The same for the time in which everything is held.

        Returns:
            Whether they may; False, at once, if the wait would be longer than that.
        """
        if self._rate is None and not self._held and not self._turn.locked():
            self._note(number)  # the rule where no limit is known
            return True
        while await self._sit_out(lambda: min(within(), held_within())):
            async with self._turn:
                # Larger than a burst is what was cut for a higher rate; it waits for
                # one burst after the other.
                while number > 0 and not self._held:
                    part = min(number, self.most)
                    wait = self._wait_for(part)
                    if wait <= 0:
                        number -= part
                    elif wait >= within():
                        return False
                    else:
                        # In steps, so that a change of rate or of heart is noticed.
                        await self._sleep(min(wait, _LONGEST_STEP))
            if number <= 0:
                return True
        return False

    def slow_down(self, retry_after: float | None = None) -> None:
        """
        The service asked for it: lower the rate, and hold everything for *retry_after*.
        """
        now = self._now()
        if retry_after:
            self._held_until = max(self._held_until, now + retry_after)
        # What was under way already is refused as well; that says nothing new.
        if now - self._lowered_at >= _SAYS_NOTHING_NEW:
            self._lowered_at = now
            rate = self._rate or self._measured()
            self._adjust(max(min(_SLOWEST, rate), rate * _SLOWED))
        # A time in which nothing may be sent proves nothing about the rate.
        self._regained_at = max(now, self._held_until)

    @property
    def held_until(self) -> float | None:
        """
        Until when nothing may be sent, in seconds since 1970; None if something may.
        """
        left = self._held_until - self._now()
        return time.time() + left if left > 0 else None

    def hold_until(self, moment: float, reason: str) -> None:  # noqa: ARG002 -- not yet
        """
        Send nothing until *moment*, in seconds since 1970.
        """
        left = moment - time.time()
        self._held_until = max(self._held_until, self._now() + left)

    @property
    def _held(self) -> bool:
        return self._now() < self._held_until

    async def _sit_out(self, within: Callable[[], float]) -> bool:
        """
        Wait while everything is held; whether that was in time.
        """
        while (left := self._held_until - self._now()) > 0:
            if left >= within():
                return False
            await self._sleep(min(left, _LONGEST_STEP))
        return True

    def _measured(self) -> float:
        self._forget()
        if not self._taken:
            return MOST_PER_REQUEST
        lasted = max(self._now() - self._taken[0][0], 1.0)
        return sum(number for _, number in self._taken) / lasted

    def _forget(self) -> None:
        long_ago = self._now() - 2.0
        while self._taken and self._taken[0][0] < long_ago:
            self._taken.popleft()

    def _adjust(self, rate: float | None) -> None:
        self._rate = rate
        if rate is None:
            return
        # Half of what importing voicepush would take; few services need it.
        from pyrate_limiter import GCRA, Rate, StateBucket  # noqa: PLC0415

        # The bucket holds time, not destinations: a request weighs the microseconds
        # that it may take at the present rate, which can so be changed at any time.
        rates = [Rate(_MICROSECONDS, 1000, burst=self._weight(most_at(rate)))]
        if self._bucket is None:
            self._bucket = StateBucket(rates, algorithm=GCRA())
        self._bucket.rates = rates

    def _weight(self, number: int) -> int:
        assert self._rate is not None  # noqa: S101 -- only called with a rate
        return max(1, ceil(number * _MICROSECONDS / self._rate))

    def _regain(self) -> None:
        if self._rate is None or self._rate == self._ceiling:
            return
        passed = self._now() - self._regained_at
        if passed < 1.0:
            return
        self._regained_at = self._now()
        regained = self._rate * _REGAINED_PER_SECOND ** min(passed, _LONG_AGO)
        if self._ceiling is not None:
            self._adjust(min(regained, self._ceiling))
        else:
            self._adjust(regained if regained < _AS_GOOD_AS_NONE else None)

    def _wait_for(self, number: int) -> float:
        self._regain()
        if self._rate is not None and self._bucket is not None:
            from pyrate_limiter import RateItem  # noqa: PLC0415 -- loaded with a rate

            now = int(self._now() * 1000)
            item = RateItem("destinations", now, self._weight(number))
            if not self._bucket.put(item):
                wait = self._bucket.waiting(item)
                return int(wait) / 1000  # type: ignore[arg-type]  # the store is local
        self._note(number)
        return 0.0

    def _note(self, number: int) -> None:
        self._forget()
        self._taken.append((self._now(), number))


def most_at(rate: float | None, size: int = MOST_PER_REQUEST) -> int:
    """
    The most destinations, *size* or fewer, that one request should hold at *rate*.
    """
    if rate is None:
        return size
    return max(1, min(size, int(rate * _SHARE_OF_A_SECOND)))
