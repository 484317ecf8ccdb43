"""
Those who wait for their turn to send, for as long as each of them can.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from voicepush.sending.slots import Slots

#: Nobody sleeps longer at a time, so that a change of rate or of heart is noticed.
LONGEST_STEP = 0.5


class Ask(Protocol):
    """
    Asks whether some of a number of destinations may be sent.
    """

    async def __call__(
        self, number: int, within: Callable[[], float]
    ) -> tuple[int, float]:
        """
        How many may, and how long to wait where none may.
        """
        ...


class Line:
    """
    Lets one after the other ask for what it wants to send, those in a hurry first.

    Args:
        ask: Says whether some may be sent.
        held: Gives for how many seconds everything is held.
        early: Who was told to wait asks again so many seconds before that is over.
    """

    def __init__(
        self,
        ask: Ask,
        held: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
        *,
        early: float = 0.0,
    ) -> None:
        self._ask = ask
        self._held = held
        self._sleep = sleep
        self._early = early
        self._turn = Slots(1)

    @property
    def is_empty(self) -> bool:
        """
        Whether nobody waits.
        """
        return not self._turn.are_taken

    async def wait(
        self,
        number: int,
        *,
        within: Callable[[], float],
        held_within: Callable[[], float],
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
        while await self._sit_out(lambda: min(within(), held_within())):
            async with self._turn.one(urgent=urgent):
                # Larger than a burst is what was cut for a higher rate; it waits for
                # one burst after the other.
                while number > 0 and self._held() <= 0:
                    passed, wait = await self._ask(number, within)
                    number -= passed
                    if passed or wait <= 0:
                        continue
                    if wait >= within():
                        return False
                    step = max(wait - self._early, self._early / 2)
                    await self._sleep(min(step, LONGEST_STEP))
            if number <= 0:
                return True
        return False

    async def _sit_out(self, within: Callable[[], float]) -> bool:
        """
        Wait while everything is held; whether that was in time.
        """
        while (left := self._held()) > 0:
            if left >= within():
                return False
            await self._sleep(min(left, LONGEST_STEP))
        return True
