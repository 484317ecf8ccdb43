"""
Destinations per second, by GCRA, and the search for what the service takes.
"""

from __future__ import annotations

import time
from collections.abc import (
    Awaitable,
    Callable,
)
from math import inf

from voicepush import clock
from voicepush.errors import InputError
from voicepush.model.recipients import MOST_PER_REQUEST
from voicepush.sending.slots import Slots

#: No campaign is slower, in destinations per second: one per hour.
_SLOWEST_RATE = 1 / 3600


def check_rate(rate: float) -> None:
    """
    Refuse what is no rate.
    """
    if not is_rate(rate):
        raise InputError(
            f"a rate must be at least one destination per hour, not {rate} per second"
        )


def is_rate(rate: float) -> bool:
    """
    Whether *rate* is a number of destinations per second that can be kept.
    """
    return _SLOWEST_RATE <= rate < inf


#: A request holds at most so much of a second's allowance: the flow stays even, and
#: no single request is larger than what the tenant's limit takes in a second.
_SHARE_OF_A_SECOND = 0.25


#: Where no rate is known, a refusal for speed begins a search here, in destinations
#: per second. It is doubled each second; the next refusal halves it and ends the
#: search.
_SEARCH_BEGINS = 50.0


_SEARCH_GROWTH = 2.0


_SEARCH_ENDS = 0.5


#: What a later refusal leaves of the rate, at most once a second, and how fast the
#: rate comes back.
_SLOWED = 0.85


_REGAINED_PER_SECOND = 1.05


_SLOWEST = 1.0


#: One a day; what is slower can't be told from a standstill, nor reckoned with.
_SLOWEST_EVER = 1 / 86_400


_SAYS_NOTHING_NEW = 1.0


_LONG_AGO = 300.0


_AS_GOOD_AS_NONE = 1_000_000.0


_LONGEST_STEP = 0.5


def gcra(due: float, now: float, cost: float, burst: float) -> tuple[float, float]:
    """
    The generic cell rate algorithm: what comes is spaced by its cost, but for a burst.

    Args:
        due: When everything taken so far is paid for, in seconds.
        now: The time at present.
        cost: How long what wants to be taken has to pay, in seconds.
        burst: How much may be unpaid after it, in seconds.

    Returns:
        The new *due*, and how long to wait; as long as there is a wait, nothing was
        taken and *due* stays.
    """
    paid = max(due, now) + cost
    wait = paid - burst - now
    return (paid, 0.0) if wait <= 0 else (due, wait)


class Pacer:
    """
    Lets destinations through at a rate, which falls when the service asks for it.

    The tenant's limit counts destinations, not requests. GCRA admits a burst of one
    request and then spaces the rest, so that no second sees much more than its share.

    Args:
        rate: Destinations per second; None for no limit of our own.
        now: A clock that never goes back, in seconds.
        wall: The clock on the wall, in seconds since 1970.
    """

    def __init__(
        self,
        rate: float | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = clock.sleep,
        wall: Callable[[], float] = clock.now,
    ) -> None:
        self.now = now
        self._sleep = sleep
        self._wall = wall
        self._turn = Slots(1)
        #: When everything taken so far is paid for.
        self._due = -inf
        self._held_until = -inf
        self._searches = False
        self._changed_at = -inf
        self._regained_at = now()
        self._ceiling: float | None = None
        self._rate: float | None = None
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
        self._ceiling = None if rate is None else max(rate, _SLOWEST_EVER)
        self._searches = False
        self._regained_at = self.now()
        self._adjust(rate)

    @property
    def most(self) -> int:
        """
        The most destinations that one request should hold at the present rate.
        """
        return most_at(self._rate)

    @property
    def held_until(self) -> float | None:
        """
        Until when everything is held, in seconds since 1970, if it is.
        """
        left = self._held_until - self.now()
        return self._wall() + left if left > 0 else None

    def hold_until(self, moment: float) -> None:
        """
        Let nothing through before *moment*, in seconds since 1970.
        """
        until = self.now() + moment - self._wall()
        self._held_until = max(self._held_until, until)
        # A time in which nothing may be sent proves nothing about the rate.
        self._regained_at = max(self._regained_at, self._held_until)

    async def take(
        self,
        number: int,
        *,
        within: Callable[[], float] = lambda: inf,
        held_within: Callable[[], float] = lambda: inf,
        urgent: bool = False,
    ) -> bool:
        """
        Wait until *number* destinations may be sent.

        Args:
            within: Gives the seconds for which they can still wait.
            held_within: The same for the time in which everything is held.
            urgent: Whether they go before those that wait already.

        Returns:
            Whether they may; False, at once, if the wait would be longer than that.
        """
        if self._rate is None and not self._held and not self._turn.are_taken:
            return True  # the rule where no limit is known
        while await self._sit_out(lambda: min(within(), held_within())):
            async with self._turn.one(urgent=urgent):
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

    def slow_down(
        self, retry_after: float | None = None, *, sent_at: float | None = None
    ) -> None:
        """
        The service asked for it: lower the rate, and hold everything for *retry_after*.

        Args:
            sent_at: When the request left that it refused. What left before the rate
                was changed last says nothing about the rate since then.
        """
        now = self.now()
        if retry_after:
            self._held_until = max(self._held_until, now + retry_after)
        if (now if sent_at is None else sent_at) >= self._changed_at:
            self._lower(now)
        self._regained_at = max(now, self._held_until)

    @property
    def _held(self) -> bool:
        return self.now() < self._held_until

    async def _sit_out(self, within: Callable[[], float]) -> bool:
        """
        Wait while everything is held; whether that was in time.
        """
        while (left := self._held_until - self.now()) > 0:
            if left >= within():
                return False
            await self._sleep(min(left, _LONGEST_STEP))
        return True

    def _lower(self, now: float) -> None:
        if self._rate is None:
            self._searches = True
            rate = _SEARCH_BEGINS
            # What went through before still fills the second that the service sees.
            self._held_until = max(self._held_until, now + 1.0)
        elif self._searches:
            self._searches = False
            rate = self._rate * _SEARCH_ENDS
        elif now - self._changed_at >= _SAYS_NOTHING_NEW:
            rate = self._rate * _SLOWED
        else:
            return
        lowest = _SLOWEST if self._rate is None else min(_SLOWEST, self._rate)
        self._changed_at = now
        self._adjust(max(lowest, rate))

    def _adjust(self, rate: float | None) -> None:
        if rate is not None:
            rate = max(rate, _SLOWEST_EVER)
            # No one waits for more than one burst at the new rate.
            self._due = min(self._due, self.now() + most_at(rate) / rate)
        self._rate = rate

    def _regain(self) -> None:
        if self._rate is None or self._rate == self._ceiling:
            return
        passed = self.now() - self._regained_at
        if passed < 1.0:
            return
        self._regained_at = self.now()
        growth = _SEARCH_GROWTH if self._searches else _REGAINED_PER_SECOND
        regained = self._rate * growth ** min(passed, _LONG_AGO)
        if self._ceiling is not None:
            self._adjust(min(regained, self._ceiling))
        elif regained < _AS_GOOD_AS_NONE:
            self._adjust(regained)
        else:
            self._searches = False
            self._adjust(None)

    def _wait_for(self, number: int) -> float:
        self._regain()
        if self._rate is None:
            return 0.0
        self._due, wait = gcra(
            self._due,
            self.now(),
            cost=number / self._rate,
            burst=self.most / self._rate,
        )
        return wait


def most_at(rate: float | None, size: int = MOST_PER_REQUEST) -> int:
    """
    The most destinations, *size* or fewer, that one request should hold at *rate*.
    """
    if rate is None:
        return size
    return max(1, min(size, int(rate * _SHARE_OF_A_SECOND)))
