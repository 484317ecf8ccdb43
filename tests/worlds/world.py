"""
A world: client, sending, campaign and ledger on simulated time, with all that goes
wrong decided by a seed, and the promises looked at all the while.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import hashlib
import json
import random
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import cast
from unittest import mock

import attrs
from promises import Promises, Seen
from service import Request, Service
from setups import Deed, Setup
from simulated_disk import SimulatedDisk
from simulated_loop import Process, SimulatedLoop, WorldError
from simulated_network import Network
from watched_ledger import watched

from voicepush import (
    Campaign,
    Client,
    Screening,
    Terms,
    VoiceMessage,
    Windows,
    Zoning,
    clock,
)
from voicepush.errors import CampaignHeldError, InputError, LedgerError
from voicepush.ledger import Ledger
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.ledger.sqlite.ledger import SQLiteLedger
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.recipients import Destination, Kind
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.receipts.receipt import read_receipt

#: The wall shows this when a world begins, in seconds since 1970: 03:33:20.
_BEGINNING = 2_000_000_000

#: A world that takes longer has no end.
_LONGEST = 3 * 86_400.0

#: A campaign is dispatched so often at most.
_ROUNDS = 150

#: Who gives no sign for so long is taken for dead, in seconds.
_SILENT = 15.0

NAME = "june"
_IN_FLIGHT = "in flight, not answered yet"
#: The most frequent first.
_OUTCOMES = sorted(Outcome, key=["accepted", "pending", "unknown"].__contains__)[::-1]
_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)


@attrs.frozen
class Report:
    """
    What became of a world.
    """

    setup: Setup
    #: Why it failed; None where everything held.
    failure: str | None
    #: What happened in it, line by line.
    story: tuple[str, ...] = attrs.field(repr=False)
    requests: int
    steps: int
    #: How long it took, in its own seconds.
    seconds: float

    @property
    def digest(self) -> str:
        """
        Tells its story from any other.
        """
        return hashlib.sha256("\n".join(self.story).encode()).hexdigest()


def run(setup: Setup) -> Report:
    """
    Let the world of *setup* go to its end, or until something happens that must not.
    """
    chance = Random(f"world {setup.seed}")  # noqa: S311 -- chance, not secrecy
    loop = SimulatedLoop(chance, shuffles=setup.shuffles)
    with _left_alone(loop):
        return _went(World(setup, loop, chance))


def _went(world: World) -> Report:
    loop = world.loop
    failure: str | None = None
    try:
        with _simulated(world):
            loop.run_until_complete(world.go())
    except WorldError as error:
        failure = loop.broken or str(error)
    except Exception as error:  # noqa: BLE001 -- a world must not end so
        failure = loop.broken or f"{type(error).__name__}: {error}"
    return Report(
        world.setup,
        failure or loop.broken,
        tuple(world.story),
        len(world.service.requests),
        loop.steps,
        loop.time() - world.begun,
    )


@contextmanager
def _simulated(world: World) -> Iterator[None]:
    """
    Time and chance are the world's own.
    """
    loop, chance = world.loop, world.chance
    before = random.getstate()
    random.seed(chance.random())
    time = SimpleNamespace(
        time=world.wall,
        monotonic=loop.time,
        process_time=loop.time,
        sleep=lambda _: None,
    )
    secrets = SimpleNamespace(
        token_hex=lambda n: f"{chance.getrandbits(8 * n):0{2 * n}x}"
    )
    try:
        with (
            mock.patch("voicepush.clock.time", time),
            mock.patch("voicepush.clock.secrets", secrets),
            mock.patch("aiohttp.connector.monotonic", loop.time),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(before)


@contextmanager
def _left_alone(loop: SimulatedLoop) -> Iterator[None]:
    """
    What the dead have left is thrown away, without a word of what it would do then.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    gc.disable()
    gc.freeze()  # only what the world has made is looked at in the end
    try:
        yield
        loop.throw_away()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # What is thrown away can bring others back for a moment.
            while gc.collect():
                pass
    finally:
        gc.unfreeze()
        gc.enable()
        sys.unraisablehook = hook


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
        self.disk = SimulatedDisk(setup, loop, chance, self.processes, self._cut)
        self.kept: Ledger = MemoryLedger()
        self.promises = Promises(setup, self.wall, self.tell, loop.fail)
        self.service = Service(setup, chance, self.promises, loop.time)
        self.promises.service = self.service
        self.service.report = self._report_later
        loop.network = Network(loop, chance, self.service)
        self._asked = count()
        self._failing = 0
        self._dispatched = 0
        #: By how many seconds the clock on the wall was set.
        self._set_by = 0.0
        #: By batch, what was seen of it last, and what that means.
        self._looked: dict[int, tuple[BatchResult, dict[str, Seen]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ended: list[asyncio.Event] = []
        self._receiving: list[asyncio.Task[None]] = []

    def wall(self) -> float:
        """
        Seconds since 1970.
        """
        return _BEGINNING + self.loop.time() - self.begun + self._set_by

    def tell(self, line: str) -> None:
        """
        Add a line to the story.
        """
        line = line.replace(str(self.disk.path.parent), "")
        self.story.append(f"{self.loop.time() - self.begun:.6f} {line}")

    # What the disk does.

    async def before(self, process: Process | None, name: str) -> None:
        """
        Something is asked of the ledger.
        """
        await asyncio.sleep(self._disk_takes())
        if process is None or self.is_in_file:
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
        await asyncio.sleep(self._disk_takes())

    @property
    def is_in_file(self) -> bool:
        """
        Whether the ledger is kept in a file.
        """
        return self.setup.ledger == "sqlite"

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

    def _disk_takes(self) -> float:
        return 0.0001 + self.chance.random() ** 6 * 0.5

    async def look(self) -> dict[str, Seen]:
        """
        What the ledger says of everyone, held against what the world knows.
        """
        status = await self.kept.status(NAME)
        if status is None:
            return {}
        seen: dict[str, Seen] = {}
        people = 0
        async for result in self.kept.results(NAME, _OUTCOMES):
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

    def _cut(self) -> None:
        """
        The machine has lost its power, and is on again.
        """
        self.tell("the power is gone")
        assert isinstance(self.kept, SQLiteLedger)
        self.kept._file._closed = True  # whoever holds it yet must not write there
        self.kept = self.disk.opened()

    # What processes do.

    @asynccontextmanager
    async def _opened(self, process: Process) -> AsyncIterator[Ledger]:
        """
        The ledger as *process* has it.
        """
        if not self.is_in_file:
            yield watched(self.kept, self, process)
            return
        async with await SQLiteLedger.open(self.disk.path) as ledger:
            yield watched(cast("Ledger", ledger), self, process)

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
        setup = self.setup
        zoning = None if setup.gap is None else Zoning(self._windows(), zone="UTC")
        starts_at = None
        if setup.starts_in is not None and setup.starts_in < (setup.expiry or 1e9):
            starts_at = self.promises.starts_at = self.wall() + setup.starts_in
        if setup.expiry is not None:
            self.promises.expires_at = self.wall() + setup.expiry
        expiry = clock.moment(self.promises.expires_at)
        async with self._opened(process) as ledger:
            await Campaign.plan(
                ledger,
                NAME,
                VoiceMessage(media="hello", expiry=expiry),
                self._list(),
                batch_size=setup.batch_size,
                rate=setup.rate,
                retry_internal_error=setup.retry_internal_error,
                resend_unknown=setup.resend_unknown,
                screening=Screening(),
                terms=Terms(zoning=zoning, starts_at=clock.moment(starts_at)),
            )

    def _windows(self) -> Windows:
        assert self.setup.gap is not None
        first, last = (_BEGINNING // 60 % 1440 + each for each in self.setup.gap)
        self.promises.gap = first, last
        closes, opens = (f"{at // 60:02}:{at % 60:02}" for at in (first, last))
        return Windows.parse(f"mon-sun 00:00-{closes}, mon-sun {opens}-24:00")

    def _list(self) -> list[Destination]:
        setup, found = self.setup, list[Destination]()
        for at, values in enumerate(setup.people):
            own = (setup.own_ids[at] if setup.own_ids else "") or None
            if setup.kind is Kind.MSISDN:
                found.append(Destination(values, correlation_id=own))
            else:
                found.append(Destination(customer_id=values, correlation_id=own))
        return found

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
            campaign = await Campaign.open(ledger, NAME)
            await campaign.dispatch(client, process_is_gone=is_gone)

    # What the owner does.

    async def go(self) -> None:
        """
        Plan it, dispatch it until it is over, and look all the while.
        """
        if not self.is_in_file:
            await self._go()
            return
        with self.disk.in_place():
            self.kept = self.disk.opened()
            await self._go()

    async def _go(self) -> None:
        while await self.kept.plan(NAME) is None or not self.promises.everyone:
            await self.process(self._plan)
            self.promises.everyone = {
                each
                async for result in self.kept.results(NAME, _OUTCOMES)
                for each, *_ in result
            }
            await asyncio.sleep(5.0)
        deeds = [asyncio.create_task(self._later(*each)) for each in self.setup.deeds]
        await self._until_over()
        if self.setup.resolve_resends and await self._resend():
            await self._until_over()
        await asyncio.gather(*deeds)
        await self._all_ended()
        if self.setup.receipts:
            await asyncio.sleep(50.0)
        await asyncio.gather(*self._receiving)
        await self.look()

    async def _all_ended(self) -> None:
        for ended in self._ended:
            await ended.wait()
        for task in self._tasks:
            if task.done():
                task.result()

    async def _until_over(self) -> None:
        for _ in range(_ROUNDS):
            await self.process(self._dispatch)
            await self.look()
            status = await self._status()
            if status.state in _OVER:
                self.tell(f"it is {status.state}")
                return
            if self.loop.time() - self.begun > _LONGEST:
                break
            await asyncio.sleep(3.0)
        self.loop.fail(f"it is {status.state} for ever: {status.reason}")

    async def _status(self) -> CampaignStatus:
        status = await self.kept.status(NAME)
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
            campaign = await Campaign.open(watched(self.kept, self, None), NAME)
            await campaign.resolve(resend=True, process_is_gone=is_gone)
        except LedgerError:
            return False
        self.tell("its owner calls the unknown again")
        return True

    async def _later(self, when: float, deed: Deed) -> None:
        await asyncio.sleep(when)
        self.tell(f"another process: {deed}")
        ledger = watched(self.kept, self, None)
        try:
            campaign = await Campaign.open(ledger, NAME)
            match deed:
                case Deed.PAUSE:
                    await campaign.pause()
                case Deed.CANCEL:
                    await campaign.cancel()
                case Deed.RATE:
                    await campaign.set_rate(self.chance.choice((1.0, 7.0, 200.0)))
                case Deed.SUPPRESS:
                    await self._suppress(ledger)
                case Deed.SECOND:
                    await self.process(self._dispatch)
                case Deed.WINDOWS:
                    await self._set_windows()
                case Deed.CLOCK:
                    self.promises.clock_was_set = True
                    self._set_by += self.chance.choice(
                        (-3600.0, -90.0, -5.0, 5.0, 90.0)
                    )
                case Deed.REPORT:
                    await self._report()
        except (InputError, LedgerError) as error:
            self.tell(f"another process: {error}")

    async def _suppress(self, ledger: Ledger) -> None:
        some = self.chance.sample(sorted(self.promises.everyone), 1)
        await ledger.suppress([(self.setup.kind, some)])
        self.promises.suppressed |= set(some)

    async def _set_windows(self) -> None:
        if self.setup.gap is not None:
            await self.kept.set_windows(NAME, None, any_hour="its owner says so")
            self.promises.gap = None

    def _report_later(self, seconds: float, request: Request, value: str) -> None:
        def report() -> None:
            task = contextvars.Context().run(
                self.loop.create_task, self._receive([(request, value)])
            )
            self._receiving.append(task)

        self.loop.call_later(seconds, report, context=contextvars.Context())

    async def _report(self) -> None:
        rung = [value for value in self.service.rang if self.service.rang[value]]
        some = self.chance.sample(rung, self.chance.randint(0, len(rung)))
        await self._receive(
            [(self.chance.choice(self.service.rang[value]), value) for value in some]
        )

    async def _receive(self, calls: Sequence[tuple[Request, str]]) -> None:
        await asyncio.sleep(self._disk_takes())
        if not calls:
            return
        await self.kept.receive(
            [
                read_receipt(_receipt(self.chance, *each), self.wall())
                for each in calls
                for _ in range(self.chance.randint(1, 2))
            ]
        )
        self.promises.proven.update(value for _, value in calls)
        self.tell(f"receipts of {' '.join(value for _, value in calls)}")
        await self.look()


def _receipt(chance: Random, request: Request, value: str) -> bytes:
    (own,) = (own for values, own in request.destinations if value in values)
    code, said = chance.choice(
        (("7407", "OFFERED"), ("7519", "ANSWERED"), ("7402", "REJECTED"))
    )
    info = {
        "timeStamp": "2033-05-18T03:34:00.000Z",
        "Description": said,
        "code": code,
        "deliveryChannel": "voice",
        "destination": value,
        "deliveryStatus": said,
    }
    notification = {
        "deliveryInfo": info,
        "transid": f"r-{request.number}",
        "callbackData": "",
        "correlationid": own,
    }
    return json.dumps({"deliveryInfoNotification": notification}).encode()
