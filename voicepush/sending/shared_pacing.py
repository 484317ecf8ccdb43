"""
Destinations per second, together with all who ask the same allowance.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import Protocol

import attrs

from voicepush import clock
from voicepush.errors import LedgerError
from voicepush.model.message import Priority
from voicepush.model.pace import Allowed, Taker, Urgency, kept, most_at, slower
from voicepush.sending.waiting import LONGEST_STEP, Line

#: Who has to wait no longer than that is told now that it may send then, so that no
#: time is lost by asking again; and asks half of that before its turn, in seconds.
_AHEAD = 0.01

#: Where there is no limit, it is asked so often whether there is one now, in seconds.
_LOOKS_AGAIN = 0.5

#: How long an allowance may be silent before waiting for it is an error, in seconds.
_PATIENCE = 10.0


class Allowance(Protocol):
    """
    Says how many may be sent by all who ask it; one serves a whole process.

    Each method raises `LedgerError` when there is no answer.
    """

    #: The rate that all share, as it was told last; None for no limit.
    rate: float | None

    async def take(self, number: int, taker: Taker) -> Allowed:
        """
        How many of *number* destinations *taker* may send, and when.
        """
        ...

    async def slow_down(
        self, retry_after: float | None = None, *, ago: float = 0.0
    ) -> None:
        """
        The service refused for speed what left so many seconds *ago*: everyone lowers
        the rate, and waits for *retry_after*.
        """
        ...


class SharedPacer:
    """
    Lets destinations through at a rate that others use up, too; stands where a `Pacer`
    does.

    What is submitted goes before all campaigns, and those go by the priority of their
    messages; a twentieth of the rate is kept for each lower class that waits.

    Args:
        campaign: The tag of the campaign whose own rate is kept to by all who send for
            it; without one, that rate is this pacer's alone.
        priority: That of its messages; medium where they have none.
        rate: The campaign's own rate; None for no limit but the shared one.
        ahead: How many seconds before its time a turn may be given.
        now: A clock that never goes back, in seconds.
        wall: The clock on the wall, in seconds since 1970.
    """

    def __init__(
        self,
        allowance: Allowance,
        *,
        campaign: str | None = None,
        priority: Priority | None = None,
        rate: float | None = None,
        ahead: float = _AHEAD,
        now: Callable[[], float] = clock.monotonic,
        sleep: Callable[[float], Awaitable[object]] = clock.sleep,
        wall: Callable[[], float] = clock.now,
    ) -> None:
        self.now = now
        self._wall = wall
        self._sleep = sleep
        self._allowance = allowance
        self._name = clock.random_hex(16)
        self._campaign = campaign or self._name
        self._own_rate = kept(rate)
        self._ahead = ahead
        # Who is in a hurry asks beside the others, not after them.
        self._urgent = self._line(Urgency.URGENT)
        self._usual = self._line(Urgency.of(priority))
        self._held_until = -inf
        #: Until when it need not be asked, since there was no limit.
        self._free_until = -inf
        #: Since when there is no answer.
        self._silent_since: float | None = None
        #: What the others have not been told yet.
        self._refusal: _Refusal | None = None
        self._telling = asyncio.Lock()

    @property
    def rate(self) -> float | None:
        """
        Destinations per second at present, as far as is known; None for no limit.
        """
        return slower(self._allowance.rate, self._own_rate)

    @property
    def is_silent(self) -> bool:
        """
        Whether there was no answer when it was asked last.
        """
        return self._silent_since is not None

    def set_rate(self, rate: float | None) -> None:
        """
        Go on at *rate* from now, or slower where the shared one is.
        """
        self._own_rate = kept(rate)
        self._free_until = -inf

    @property
    def most(self) -> int:
        """
        The most destinations that one request should hold at the present rate.
        """
        return most_at(self.rate)

    @property
    def held_until(self) -> float | None:
        """
        Until when everything is held, in seconds since 1970, if it is.
        """
        left = self._held()
        return self._wall() + left if left > 0 else None

    def hold_until(self, moment: float) -> None:
        """
        Let nothing through here before *moment*, in seconds since 1970.
        """
        self._hold(moment - self._wall())

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

        Raises:
            LedgerError: There is no answer, and was none for some seconds.
        """
        line = self._urgent if urgent else self._usual
        if self.now() < self._free_until and self._held() <= 0 and line.is_empty:
            return True
        return await line.wait(number, within=within, held_within=held_within)

    def slow_down(
        self, retry_after: float | None = None, *, sent_at: float | None = None
    ) -> Awaitable[None]:
        """
        The service asked for it: lower the rate, and hold everything for *retry_after*.

        Nothing is sent from here before the others are told.

        Args:
            sent_at: When the request left that it refused. What left before the rate
                was changed last says nothing about the rate since then.

        Returns:
            Ends when they are, or could not be told now.
        """
        now = self.now()
        refusal = _Refusal(
            now if sent_at is None else sent_at,
            -inf if retry_after is None else now + retry_after,
        )
        self._refusal = refusal if self._refusal is None else self._refusal | refusal
        self._free_until = -inf
        self._hold(refusal.held_until - now)
        return asyncio.shield(asyncio.ensure_future(self._try_to_tell()))

    def _line(self, urgency: Urgency) -> Line:
        async def ask(number: int, within: Callable[[], float]) -> tuple[int, float]:
            return await self._ask(number, within, urgency)

        return Line(ask, self._held, self._sleep, early=self._ahead / 2)

    def _held(self) -> float:
        return self._held_until - self.now()

    def _hold(self, seconds: float) -> None:
        self._held_until = max(self._held_until, self.now() + seconds)

    async def _ask(
        self, number: int, within: Callable[[], float], urgency: Urgency
    ) -> tuple[int, float]:
        taker = Taker(
            name=self._name,
            urgency=urgency,
            campaign=self._campaign,
            rate=self._own_rate,
            ahead=min(self._ahead, max(0.0, within())),
        )
        asked_at = self.now()
        try:
            await self._tell()
            allowed = await self._allowance.take(number, taker)
        except LedgerError:
            if self._silent_since is None:
                self._silent_since = asked_at
            if self.now() - self._silent_since >= _PATIENCE:
                raise
            return 0, LONGEST_STEP
        self._silent_since = None
        if allowed.held > 0:
            self._hold(allowed.held)
            return 0, 0.0
        if not allowed.number:
            return 0, allowed.wait
        if self.rate is None:
            self._free_until = asked_at + _LOOKS_AGAIN
        if allowed.wait > 0:
            await self._sleep(allowed.wait)
        return allowed.number, 0.0

    async def _try_to_tell(self) -> None:
        with suppress(LedgerError):  # then it is tried again before anything is sent
            await self._tell()

    async def _tell(self) -> None:
        if self._refusal is None:
            return
        async with self._telling:
            while (refusal := self._refusal) is not None:
                now = self.now()
                left = refusal.held_until - now
                await self._allowance.slow_down(
                    left if left > 0 else None, ago=now - refusal.sent_at
                )
                if self._refusal is refusal:
                    self._refusal = None


@attrs.frozen
class _Refusal:
    """
    What the service refused for speed.
    """

    sent_at: float
    held_until: float

    def __or__(self, other: _Refusal) -> _Refusal:
        return _Refusal(
            max(self.sent_at, other.sent_at), max(self.held_until, other.held_until)
        )
