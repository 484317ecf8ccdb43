"""A clock that a pacer lives by, and that only sleepers move."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from voicepush.sending.pacing import Pacer


class MovedClock:
    """
    A clock that moves only when someone sleeps, by as long as they want to.
    """

    def __init__(self) -> None:
        self.microseconds = 0
        #: What else happens while someone sleeps.
        self.meanwhile: Callable[[], object] = lambda: None
        self._later: list[tuple[int, int, Callable[[], object]]] = []

    def now(self) -> float:
        """
        The time in seconds.
        """
        return self.microseconds / 1_000_000

    def move(self, seconds: float) -> None:
        """
        Let *seconds* pass, and what was put off until then happen in its order.
        """
        until = self.microseconds + round(seconds * 1_000_000)
        while self._later and self._later[0][0] <= until:
            self.microseconds, _, act = heappop(self._later)
            act()
        self.microseconds = until

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """
        Put *act* off until *seconds* have passed.
        """
        when = self.microseconds + round(seconds * 1_000_000)
        heappush(self._later, (when, len(self._later), act))

    async def sleep(self, seconds: float) -> None:
        """
        Let *seconds* pass, and everyone else have a turn.
        """
        assert seconds > 0
        self.move(max(seconds, 0.000_001))
        self.meanwhile()
        await asyncio.sleep(0)

    def pacer(self, rate: float | None = None) -> Pacer:
        """
        A pacer that lives by this clock.
        """
        return Pacer(rate, now=self.now, sleep=self.sleep, wall=self.wall)

    def wall(self) -> float:
        """
        The time on the wall, some days after 1970.
        """
        return 1_000_000 + self.now()


async def take_for(clock: MovedClock, pacer: Pacer, seconds: float) -> float:
    """
    How many destinations per second get through, if everyone is in a hurry.
    """
    begun, taken = clock.now(), 0
    while clock.now() < begun + seconds:
        number = pacer.most
        assert await pacer.take(number)
        taken += number
    return taken / (clock.now() - begun)
