"""
A world: client, sending, campaign and ledger on simulated time, with all that goes
wrong decided by a seed, and the promises looked at all the while.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from random import Random

from others import Others
from places import PLACES
from planned import plan
from promises import Promises, Seen
from setups import BEGINNING, NAME, Setup
from simulated_loop import Process, SimulatedLoop
from simulated_network import Network
from simulated_service import Service
from watched_ledger import watched

from voicepush import (
    Campaign,
    Client,
)
from voicepush.errors import CampaignHeldError, InputError, LedgerError
from voicepush.ledger import Ledger
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.status import CampaignState, CampaignStatus

#: A world that takes longer has no end.
_LONGEST = 3 * 86_400.0

#: A campaign is dispatched so often at most.
_ROUNDS = 150

#: Its owner dispatches so often again, or looks whether another process has ended,
#: before they wait longer: what keeps it waiting may last for an hour.
_LOOKS = 20
_SOON_AGAIN = 60

#: Who gives no sign for so long is taken for dead, in seconds.
_SILENT = 15.0

_IN_FLIGHT = "in flight, not answered yet"
#: The most frequent first.
_OUTCOMES = sorted(Outcome, key=["accepted", "pending", "unknown"].__contains__)[::-1]
_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)


class World:
    """
    The owner of a campaign, the processes that dispatch it, and others beside them.
    """

    def __init__(self, setup: Setup, loop: SimulatedLoop, chance: Random) -> None:
        self.setup = setup
        self.loop = loop
        self.chance = chance
        self.begun = loop.time()
        self.story: list[str] = []
        self.processes: list[Process] = []
        self.promises = Promises(setup, self.wall, self.tell, loop.fail)
        self.service = Service(setup, chance, self.promises, loop.time)
        self.promises.service = self.service
        loop.network = Network(loop, chance, self.service)
        self._asked = count()
        self._failing = 0
        self._dispatched = 0
        #: By how many seconds the clock on the wall was set.
        self.set_by = 0.0
        #: By batch, what was seen of it last, and what that means.
        self._looked: dict[int, tuple[BatchResult, dict[str, Seen]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: list[asyncio.Event] = []
        self._others = Others(self)
        self.place = PLACES[setup.ledger](self)

    def wall(self) -> float:
        """
        Seconds since 1970.
        """
        return BEGINNING + self.loop.time() - self.begun + self.set_by

    def tell(self, line: str) -> None:
        """
        Add a line to the story.
        """
        line = self.place.told(line)
        self.story.append(f"{self.loop.time() - self.begun:.6f} {line}")

    # What the disk does.

    async def before(self, process: Process | None, name: str) -> None:
        """
        Something is asked of the ledger.
        """
        await asyncio.sleep(self.disk_takes())
        if process is None or self.setup.ledger != "memory":
            return
        asked = next(self._asked)
        for at, times in self.setup.ledger_faults:
            if asked == at:
                self._failing = times
        if self._failing:
            self._failing -= 1
            process.is_troubled = True
            self.tell(f"process {process.number}: {name} fails")
            raise LedgerError("the disk is full")

    async def written(self, process: Process | None, name: str) -> None:
        """
        What was asked for is durable.
        """
        self.tell(f"process {process.number if process else '-'}: {name}")
        await self.look()

    async def after(self, process: Process | None, name: str) -> None:  # noqa: ARG002
        """
        Whoever asked is about to be told.
        """
        await asyncio.sleep(self.disk_takes())

    def claims(self, process: Process, values: list[str]) -> None:
        """
        Someone wants to claim some.
        """
        for value in values:
            self.promises.asked[value].append(process)

    def claimed(self, process: Process, values: list[str]) -> None:
        """
        Some were claimed.
        """
        self.tell(f"process {process.number} claims {' '.join(values)}")
        self.promises.claimed(process, values)

    def disk_takes(self) -> float:
        """
        How long the ledger needs for the next that is asked of it, in seconds.
        """
        return 0.0001 + self.chance.random() ** 6 * 0.5

    async def look(self) -> dict[str, Seen]:
        """
        What the ledger says of everyone, held against what the world knows.
        """
        status = await self.place.kept.status(NAME)
        if status is None:
            return {}
        seen: dict[str, Seen] = {}
        people = 0
        async for result in self.place.kept.results(NAME, _OUTCOMES):
            known = self._looked.get(result.batch.id.number)
            if known is None or known[0] is not result:
                said = {
                    each.recipient: Seen(each.outcome, each.description == _IN_FLIGHT)
                    for each in result
                }
                known = self._looked[result.batch.id.number] = result, said
            seen |= known[1]
            people += result.batch.size
        if people != len(seen):
            self.loop.fail("someone is there twice")
        self.promises.check(seen, status)
        return seen

    # What processes do.

    @asynccontextmanager
    async def _opened(self, process: Process) -> AsyncIterator[Ledger]:
        """
        The ledger as *process* has it.
        """
        async with self.place.opened() as ledger:
            yield watched(ledger, self, process)

    async def process(self, work: Callable[[Process], Awaitable[None]]) -> Process:
        """
        Let a process do *work*, until that is done or it is killed.
        """
        number = len(self.processes)
        if work == self._plan:
            process = Process(number, None if number else self.setup.planner_dies)
        else:
            at, self._dispatched = self._dispatched, self._dispatched + 1
            process = Process(
                number,
                dict(self.setup.deaths).get(at),
                {steps: time for each, steps, time in self.setup.stops if each == at},
            )
        self.processes.append(process)
        over = self.loop.create_future()
        ended = asyncio.Event()
        self._ended.append(ended)

        def end(_: object = None) -> None:
            process.has_ended = True
            ended.set()
            if not over.done():
                over.set_result(None)

        def stopped(seconds: float) -> None:
            self.tell(f"process {process.number} stands still for {seconds:.0f} s")
            # Who sees that nothing moves starts another one.
            if seconds > _SILENT and not over.done():
                over.set_result(None)

        def died() -> None:
            self.tell(f"process {process.number} dies")
            end()

        process.at_death.append(died)
        process.at_stop.append(stopped)
        task = process.context.run(self.loop.create_task, self._tolerant(work, process))
        task.add_done_callback(end)
        self._tasks.append(task)
        await over
        if task.done():
            task.result()
        return process

    async def _tolerant(
        self, work: Callable[[Process], Awaitable[None]], process: Process
    ) -> None:
        """
        Do *work*, which may find the ledger taken, broken, or the campaign cancelled.
        """
        try:
            await work(process)
        except CampaignHeldError:
            self.tell(f"process {process.number} finds it taken")
        except LedgerError as error:
            self.tell(f"process {process.number} ends: {error}")
            if not process.is_troubled:
                raise
        except InputError as error:
            if "cancelled" not in str(error):
                raise
            self.tell(f"process {process.number} finds it cancelled")

    async def _plan(self, process: Process) -> None:
        async with self._opened(process) as ledger:
            await plan(self, ledger)

    async def dispatch(self, processes: int = 1) -> None:
        """
        Let so many more processes dispatch, until each ends or does not move.
        """
        await asyncio.gather(*(self.process(self._dispatch) for _ in range(processes)))

    async def _dispatch(self, process: Process) -> None:
        setup = self.setup
        is_gone = all(
            each.is_dead or each.has_ended
            for each in self.processes
            if each is not process
        )
        async with (
            Client(
                service_key="key",
                base_url="http://127.0.0.1:1",
                concurrency=setup.concurrency,
                batch_size=setup.batch_size,
                patience=setup.patience,
                first_wait=setup.first_wait,
                answer_timeout=setup.answer_timeout,
                reuse_connections=setup.reuse,
            ) as client,
            self._opened(process) as ledger,
        ):
            await self.place.dispatch(ledger, client, process_is_gone=is_gone)

    # What the owner does.

    async def go(self) -> None:
        """
        Plan it, dispatch it until it is over, and look all the while.
        """
        async with self.place.begun():
            await self._go()

    async def _go(self) -> None:
        while await self.place.kept.plan(NAME) is None or not self.promises.everyone:
            await self.process(self._plan)
            self.promises.everyone = {
                each
                async for result in self.place.kept.results(NAME, _OUTCOMES)
                for each, *_ in result
            }
            await asyncio.sleep(5.0)
        self._others.begin()
        await self._until_over()
        if self.setup.resolve_resends and await self._resend():
            await self._until_over()
        await self._others.all_done()
        await self._all_ended()
        await self.look()

    async def _all_ended(self) -> None:
        for ended in self._ended:
            await ended.wait()
        for task in self._tasks:
            if task.done():
                task.result()

    async def _until_over(self) -> None:
        """
        Dispatch again and again; where another process does so, wait for it.
        """
        rounds = looks = 0
        while rounds < _ROUNDS and self.loop.time() - self.begun < _LONGEST:
            await self.dispatch(max(self.setup.workers, 1))
            await self.look()
            status = await self._status()
            if status.state in _OVER:
                self.tell(f"it is {status.state}")
                return
            if status.state is CampaignState.RUNNING:
                looks += 1
            else:
                rounds, looks = rounds + 1, 0
            is_soon = looks < _LOOKS and rounds < _SOON_AGAIN
            await asyncio.sleep(3.0 if is_soon else 60.0)
        self.loop.fail(f"it is {status.state} for ever: {status.reason}")

    async def _status(self) -> CampaignStatus:
        status = await self.place.kept.status(NAME)
        assert status is not None
        return status

    async def _resend(self) -> bool:
        seen = await self.look()
        unknown = {
            value for value, each in seen.items() if each.outcome is Outcome.UNKNOWN
        }
        status = await self._status()
        if not unknown or status.state is CampaignState.CANCELLED:
            return False
        self.promises.resent |= unknown
        is_gone = all(each.has_ended for each in self.processes)
        try:
            campaign = await Campaign.open(watched(self.place.beside, self, None), NAME)
            await campaign.resolve(resend=True, process_is_gone=is_gone)
        except LedgerError:
            return False
        except InputError as error:
            if "cancelled" not in str(error):  # by another process, meanwhile
                raise
            return False
        self.tell("its owner calls the unknown again")
        return True
