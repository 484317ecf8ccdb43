"""
A process that takes batches of campaigns, beside others on as many machines.
"""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TypeVar

from voicepush import clock
from voicepush.campaign.campaign import BEYOND_ANSWERS
from voicepush.campaign.dispatching import Run
from voicepush.campaign.unrecorded import Unrecorded
from voicepush.client.client import Client
from voicepush.cluster.closed import Closed
from voicepush.cluster.engine import Engine
from voicepush.cluster.jobs import Jobs
from voicepush.cluster.troubles import LEDGER, Troubles
from voicepush.errors import (
    CampaignHeldError,
    CampaignLostError,
    InputError,
    LedgerError,
)
from voicepush.ledger import shared_rate
from voicepush.ledger.sharing import SharedLedger, SharedWorker
from voicepush.model.events import AttemptMade, Event
from voicepush.model.outcome import Summary
from voicepush.model.status import CampaignState
from voicepush.report.text import as_line
from voicepush.sending.journal import StopSignal
from voicepush.sending.request import load_message
from voicepush.sending.shared_pacing import Allowance, SharedPacer

_T = TypeVar("_T")

#: It looks for campaigns, and whether one is over, so often, in seconds.
_LOOK_EVERY = 1.0

#: And so often for workers that gave no sign.
_SWEEP_EVERY = 5.0

#: How long it tries to leave a database that is gone, in seconds.
_LEAVES_WITHIN = 1.0


#: How a refusal begins that is for a worker's own key or address.
_OURS_ALONE = ("7001", "7002", "7127", "HTTP 401", "HTTP 403")

#: What is counted of what a worker does.
_COUNTED = (
    *("requests", "accepted", "rejected", "expired", "not_sent", "unknown"),
    "suppressed",
)


@asynccontextmanager
async def working(
    ledger: SharedLedger,
    client: Client,
    *,
    only: str | None = None,
    drain: float | None = None,
    unrecorded: Unrecorded | None = None,
    tell: Callable[[str], object] = lambda _: None,
) -> AsyncIterator[ClusterWorker]:
    """
    A worker with what it needs of the database of *ledger*, for an ``async with``.

    Args:
        drain: By default 30 s more than an answer may take.
        unrecorded: Keeps what can't be recorded; in memory by default.
    """
    if drain is None:
        drain = client.settings.answer_timeout + BEYOND_ANSWERS
    where = ledger.database
    async with (
        shared_rate(where.address, schema=where.schema) as allowance,
        Engine.opened(where) as engine,
    ):
        yield ClusterWorker(
            *(ledger, client, engine, allowance),
            only=only,
            drain=drain,
            unrecorded=unrecorded or Unrecorded(None),
            tell=tell,
        )


class ClusterWorker:
    """
    Takes batches of all campaigns that are given to workers, until it is stopped.

    Of each it is a worker of its own, with its own pace and its own slots, so that one
    that has to wait holds up no other.

    Args:
        allowance: Says how fast all who share the tenant's rate send together.
        only: The name of the one campaign that it works on; it ends with that.
        drain: How long what is under way may take once it is stopped, in seconds.
        unrecorded: Keeps what can't be recorded for longer than that.
        tell: Hears what the owner should know meanwhile.
    """

    def __init__(
        self,
        ledger: SharedLedger,
        client: Client,
        engine: Engine,
        allowance: Allowance,
        *,
        only: str | None = None,
        drain: float,
        unrecorded: Unrecorded,
        tell: Callable[[str], object],
    ) -> None:
        #: What became of those that were sent by it, by campaign.
        self.summaries: dict[str, Summary] = {}
        #: Why it ended, if the service refuses its key or its address.
        self.refusal: str | None = None
        self._ledger = ledger
        self._client = client
        self._engine = engine
        self._allowance = allowance
        self._only = only
        self._drain = drain
        self._unrecorded = unrecorded
        #: Whether something may have been left that was not recorded.
        self._is_something_left = only is None
        self._tell = tell
        self._troubles = Troubles(self._say)
        self._stop = StopSignal()
        self._was_stopped = False
        self._counts: Counter[str] = Counter()
        self._runs: dict[str, Run] = {}
        self._parts: dict[str, asyncio.Task[None]] = {}

    @property
    def stop_reason(self) -> str | None:
        """
        Why it was stopped, if it was.
        """
        return self._stop.reason if self._was_stopped else None

    @property
    def failure(self) -> LedgerError | None:
        """
        Why the ledger can't be used at present, if it can't.
        """
        return self._troubles.first

    @property
    def counts(self) -> dict[str, int]:
        """
        How many requests it has made since it began, and what became of how many
        recipients.
        """
        return {name: self._counts[name] for name in _COUNTED}

    @property
    def campaigns(self) -> list[str]:
        """
        The names of those that it works on at present.
        """
        return sorted(self._runs)

    def stop(self, reason: str) -> None:
        """
        Take nothing more; `run` returns once what is under way is recorded.
        """
        self._was_stopped = True
        self._end(reason)

    def _end(self, reason: str) -> None:
        self._stop.set(reason)
        for run in self._runs.values():
            run.go(reason)

    async def run(self) -> None:
        """
        Work until it is stopped, or until its one campaign is over.

        A database that is gone is waited for.

        Raises:
            LedgerError: It works on one campaign, and the database is gone.
        """
        failure: LedgerError | None = None
        self._client.observers.add(self._count)
        try:
            while failure is None and not self._stop.is_set:
                is_there = await _unless(self._stop, self._look())
                if self._only and not is_there and not self._parts:
                    break
                await self._wait(_LOOK_EVERY)
                # Before it takes part again, which would end well since it stops.
                failure = self.failure if self._only else None
        finally:
            self._client.observers.remove(self._count)
            self._end("stopped")
            if self._parts:
                await asyncio.wait(self._parts.values())
        if failure is not None:
            failure.while_sending = True
            raise failure

    def _count(self, event: Event) -> None:
        if isinstance(event, AttemptMade):
            self._counts["requests"] += 1
            for verdict, number in event.verdicts.items():
                self._counts[verdict.outcome.value] += number

    async def _wait(self, seconds: float) -> None:
        await self._stop.wait(seconds)
        for name in [name for name, part in self._parts.items() if part.done()]:
            self._parts.pop(name).result()

    async def _look(self) -> bool:
        """
        Take part in what is given to workers; whether that may be anything.
        """
        try:
            names = await self._ledger.released()
            if self._is_something_left:
                await self._unrecorded.bring_in(self._ledger)
                self._is_something_left = False
        except LedgerError as error:
            self._failed(LEDGER, error)
            return True
        if self._only is not None:
            names = [name for name in names if name == self._only]
        else:
            self._troubles.can_be_read(names)
        for name in names:
            if name not in self._parts and self._troubles.may_try(name):
                part = asyncio.create_task(self._take_part(name))
                self._parts[name] = part
        return bool(names)

    def _say(self, words: str) -> None:
        """
        Say *words* in the log of a worker; whoever looks at one campaign sees it.
        """
        if self._only is None:
            self._tell(words)

    def _failed(self, where: str, error: LedgerError) -> None:
        self._troubles.met(where, error)
        self._is_something_left = True

    async def _take_part(self, name: str) -> None:
        try:
            worker = await self._ledger.share(name, load_message)
        except (CampaignHeldError, InputError):
            return  # it was taken back meanwhile
        except LedgerError as error:
            self._failed(name, error)
            return
        self._say(f"{name}: this worker takes part")
        pacer = SharedPacer(
            self._allowance,
            campaign=worker.plan.tag,
            priority=load_message(worker.plan.message).priority,
        )
        sender = self._client.sender.beside(pacer)
        run = Run(worker, sender, self._drain, self._tell, self._unrecorded)
        if self._stop.is_set:
            run.go(self._stop.reason or "stopped")
        self._runs[name] = run
        self.summaries[name] = run.summary
        try:
            # Where those who were told it are gone, nobody else is called first.
            run.hear(await worker.heartbeat(None))
            await run.until_done(partial(self._work, run, worker))
        except LedgerError as error:
            run.journal.fail(error)
        finally:
            del self._runs[name]
            if pacer.is_silent:
                # So it stopped, or soon would have.
                run.journal.fail(LedgerError("the shared rate can't be asked for"))
            # What is wrong here need not be wrong for others.
            if isinstance(run.journal.failure, CampaignLostError):
                self._tell(f"{name}: another worker took this one for gone")
                run.state = CampaignState.RUNNING
            elif run.journal.failure is not None:
                self._failed(name, run.journal.failure)
                run.state = CampaignState.RUNNING
            else:
                self._troubles.over(name)
                if run.summary.refused:
                    self._refused(name, run.reason or "")
            is_gone = run.journal.failure is not None or self._unrecorded.is_any_left
            with suppress(LedgerError, TimeoutError):
                async with asyncio.timeout(_LEAVES_WITHIN if is_gone else None):
                    await run.leave(run.state, run.reason)
                    await self._tell_end(name)

    def _refused(self, name: str, reason: str) -> None:
        """
        The service refused everything that this worker sends, which stops the campaign
        for all; if that is for its key or its address, it would stop the next as well.
        """
        self._say(f"{name}: the service refuses what this worker sends: {reason}")
        if self._only is None and reason.startswith(_OURS_ALONE):
            self.refusal = reason
            self._end(f"the service refuses this worker: {reason}")

    async def _tell_end(self, name: str) -> None:
        """
        Say how the campaign stands, if others do not go on with it.
        """
        status = await self._ledger.status(name)
        if status is not None and status.state is not CampaignState.RUNNING:
            why = f" because {status.reason}" if status.reason else ""
            self._say(f"{as_line(status)}{why}")
        else:
            self._say(f"{name}: this worker has left it")

    async def _work(self, run: Run, worker: SharedWorker) -> None:
        """
        Send what the engine hands out, until nobody is left or the run is stopped.
        """
        tag, stop = worker.plan.tag, run.journal.stop
        name = worker.plan.campaign
        jobs = Jobs(run, worker, partial(self._troubles.over, name))
        closed = Closed(run, worker)
        together = 2 * self._client.settings.concurrency + 7
        handing = asyncio.create_task(
            self._engine.hand_out(tag, jobs.do, together=together, drain=self._drain)
        )
        swept_at = -_SWEEP_EVERY
        try:
            while not stop.is_set and not handing.done():
                if clock.monotonic() - swept_at >= _SWEEP_EVERY:
                    await _unless(stop, worker.sweep())
                    swept_at = clock.monotonic()
                if await _unless(stop, worker.is_over()):
                    break
                await _unless(stop, closed.look())
                await stop.wait(_LOOK_EVERY)
        finally:
            handing.cancel()
            await _ended(handing)
        if not handing.cancelled():
            handing.result()


async def _unless(stop: StopSignal, looking: Coroutine[None, None, _T]) -> _T | None:
    """
    What *looking* gives; None where it waits for the database when *stop* is set.
    """
    look = asyncio.create_task(looking)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([look, stopped], return_when=FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not look.done():
            look.cancel()
    return look.result() if look.done() else None


async def _ended(task: asyncio.Task[None]) -> None:
    """
    Wait until *task* has ended, also where this is cancelled meanwhile: what is begun
    in it must not be left alone.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
