"""
Destinations per second, by GCRA, and the search for what the service takes.
"""

from __future__ import annotations

from collections.abc import (
    Awaitable,
    Callable,
    Generator,
)
from math import inf
from typing import Protocol

from voicepush import clock
from voicepush.model.pace import (
    Pace,
    burst_at,
    check_rate,
    is_rate,
    most_at,
)
from voicepush.sending.waiting import Line

__all__ = ["Pacer", "Pacing", "check_rate", "gcra", "is_rate", "most_at"]


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


class Pacing(Protocol):
    """
    What a sender asks how fast it may send, and tells when that was too fast.

    `Pacer` paces one process alone; `SharedPacer` paces it together with others.
    """

    @property
    def now(self) -> Callable[[], float]:
        """
        A clock that never goes back, in seconds.
        """
        ...

    @property
    def rate(self) -> float | None:
        """
        Destinations per second at present, as far as is known; None for no limit.
        """
        ...

    @property
    def most(self) -> int:
        """
        The most destinations that one request should hold at the present rate.
        """
        ...

    @property
    def held_until(self) -> float | None:
        """
        Until when everything is held, in seconds since 1970, if it is.
        """
        ...

    def hold_until(self, moment: float) -> None:
        """
        Let nothing through before *moment*, in seconds since 1970.
        """
        ...

    def set_rate(self, rate: float | None) -> None:
        """
        Go on at *rate* from now.
        """
        ...

    async def take(
        self,
        number: int,
        *,
        within: Callable[[], float] = ...,
        held_within: Callable[[], float] = ...,
        urgent: bool = ...,
    ) -> bool:
        """
        Wait until *number* destinations may be sent; False if that would take too long.
        """
        ...

    def slow_down(
        self, retry_after: float | None = None, *, sent_at: float | None = None
    ) -> Awaitable[object]:
        """
        The service asked for it: lower the rate, and hold everything for *retry_after*.

        That is done without waiting for what is returned; it ends when all who share
        the rate are told.
        """
        ...


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
        now: Callable[[], float] = clock.monotonic,
        sleep: Callable[[float], Awaitable[object]] = clock.sleep,
        wall: Callable[[], float] = clock.now,
    ) -> None:
        self.now = now
        self._wall = wall
        self._line = Line(self._ask, lambda: self._pace.held_until - now(), sleep)
        #: When everything taken so far is paid for.
        self._due = -inf
        self._pace = Pace().set_to(rate, now())

    @property
    def rate(self) -> float | None:
        """
        Destinations per second at present; None for no limit.
        """
        return self._pace.rate

    def set_rate(self, rate: float | None) -> None:
        """
        Go on at *rate* from now.
        """
        self._adjust(self._pace.set_to(rate, self.now()))

    @property
    def most(self) -> int:
        """
        The most destinations that one request should hold at the present rate.
        """
        return self._pace.most

    @property
    def held_until(self) -> float | None:
        """
        Until when everything is held, in seconds since 1970, if it is.
        """
        left = self._pace.held_until - self.now()
        return self._wall() + left if left > 0 else None

    def hold_until(self, moment: float) -> None:
        """
        Let nothing through before *moment*, in seconds since 1970.
        """
        self._pace = self._pace.held(self.now() + moment - self._wall())

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
        pace = self._pace
        if pace.rate is None and pace.held_until <= self.now() and self._line.is_empty:
            return True  # the rule where no limit is known
        return await self._line.wait(
            number, within=within, held_within=held_within, urgent=urgent
        )

    def slow_down(
        self, retry_after: float | None = None, *, sent_at: float | None = None
    ) -> Awaitable[None]:
        """
        The service asked for it: lower the rate, and hold everything for *retry_after*.

        Args:
            sent_at: When the request left that it refused. What left before the rate
                was changed last says nothing about the rate since then.
        """
        now = self.now()
        sent_at = now if sent_at is None else sent_at
        self._adjust(self._pace.slowed(now, retry_after, sent_at=sent_at))
        return _Done()

    def _adjust(self, pace: Pace) -> None:
        if pace.rate is not None and pace.rate != self._pace.rate:
            # No one waits for more than one burst at the new rate.
            self._due = min(self._due, self.now() + burst_at(pace.rate))
        self._pace = pace

    async def _ask(
        self,
        number: int,
        within: Callable[[], float],  # noqa: ARG002 -- the answer comes at once
    ) -> tuple[int, float]:
        now = self.now()
        self._adjust(self._pace.raised(now))
        part, rate = min(number, self.most), self.rate
        if rate is None:
            return part, 0.0
        self._due, wait = gcra(self._due, now, cost=part / rate, burst=self.most / rate)
        return (0, wait) if wait > 0 else (part, 0.0)


class _Done:
    """
    There is nothing to wait for.
    """

    def __await__(self) -> Generator[None, None, None]:
        yield from ()
