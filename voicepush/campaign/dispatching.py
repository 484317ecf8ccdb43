"""
One dispatch, from joining the campaign to leaving it.
"""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
)
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from voicepush import clock
from voicepush.campaign.journal import LedgerJournal
from voicepush.campaign.trial import OnTrial
from voicepush.errors import LedgerError
from voicepush.ledger.plan import Command, Control
from voicepush.ledger.protocol import Due, Finished, Ledger, Worker
from voicepush.model.batch import BatchId
from voicepush.model.claim import NotBefore
from voicepush.model.events import (
    AttemptMade,
    CampaignBegun,
    CampaignStopped,
    Event,
)
from voicepush.model.outcome import BatchResult, Outcome, Summary, Verdict
from voicepush.model.status import CampaignState, Progress, Waiting
from voicepush.sending.pacing import is_rate
from voicepush.sending.sender import Sender
from voicepush.sending.workers import Workers

if TYPE_CHECKING:
    from voicepush.campaign.unrecorded import Unrecorded

#: A holder shows that it is alive, and looks what is wanted of it, so often.
HEARTBEAT_EVERY = 1.0


#: A campaign pauses itself when most of so many batches in a row failed, instead of
#: burning the whole list.
_LOOKED_AT = 20


#: So many batches are asked for at once, which are taken apart in one go.
_ASKED_FOR = 8

#: Who waits for a moment looks at the clock so often, in seconds, and asks the ledger
#: no sooner again than after so many.
_LOOK_EVERY = 0.5
_AT_LEAST = 0.1

#: How every reason begins that is a wait which the service asked for.
_ASKED_TO_WAIT = "the service asked to wait"


class Run:
    """
    One dispatch, from joining the campaign to leaving it.
    """

    def __init__(
        self,
        worker: Worker,
        sender: Sender,
        drain: float,
        tell: Callable[[str], object],
        unrecorded: Unrecorded | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.journal = LedgerJournal(worker, drain, self._look, tell, unrecorded)
        self.summary = Summary()
        self.state = CampaignState.FINISHED
        self._worker = worker
        self._sender = sender
        self._drain = drain
        name = worker.plan.campaign
        self._on_trial: OnTrial | None = None
        if ledger is not None:
            stop, wait = self.journal.stop, self._wait_until
            self._on_trial = OnTrial(ledger, name, stop, wait)
        self._lately: deque[bool] = deque(maxlen=_LOOKED_AT)
        self._rate: float | None = None
        self._earlier: dict[BatchId, BatchResult] = {}
        self._not_sent: Verdict | None = None
        #: When those who have to wait are due, if it is known that some have to.
        self._later: NotBefore | None = None
        #: Whether the windows have changed since the ledger was asked.
        self._changed = False
        #: Whether anyone was given to be sent since the ledger was asked anew.
        self._has_given = False
        #: Why nothing goes on, where it is not the service's doing.
        self._waiting: Waiting | None = None
        self._speedometer = _Speedometer(worker.plan.tag)
        #: What the last heartbeat did not tell.
        self._last_progress: Progress | None = None

    @property
    def reason(self) -> str | None:
        """
        Why someone is left, if someone is.
        """
        if self.journal.stop.reason is not None or self._not_sent is None:
            return self.journal.stop.reason
        words = self._not_sent.description
        return f"some were not sent ({words}); resume tries again"

    @property
    def done(self) -> int:
        """
        How many recipients it has brought further.
        """
        return self._speedometer.done

    async def leave(self, state: CampaignState, reason: str | None) -> None:
        """
        Give the campaign back, with what the next dispatcher has to know.
        """
        held_until = self._sender.pacer.held_until
        if self._last_progress is not None:
            with suppress(LedgerError):
                await self._worker.heartbeat(None, progress=self._last_progress)
        await self._worker.leave(state, reason, held_until=held_until)
        self._sender.observers.tell(
            CampaignStopped(
                campaign=self._worker.plan.campaign,
                tag=self._worker.plan.tag,
                state=state,
                reason=reason,
            )
        )

    def go(self, reason: str) -> None:
        """
        Take nothing more, and leave what is left to others.
        """
        self.state = CampaignState.RUNNING
        self.journal.stop.set(reason)

    def hear(self, control: Control) -> None:
        """
        Do what its owner wants.
        """
        self._pace(control.rate)
        if control.windows != self.journal.windows:
            self.journal.windows = control.windows
            self._changed = True
        if control.command is Command.PAUSE:
            self.journal.stop.set("paused by its owner")
        elif control.command is Command.CANCEL:
            self.state = CampaignState.CANCELLED
            self.journal.stop.set("cancelled by its owner")

    async def send(self, batch: BatchId) -> None:
        """
        Send that one *batch*, if someone in it is pending.
        """
        due = await self._worker.open(batch)
        if due is not None:
            known = self._begun(due)
            await self._deliver(await self._sender.send(known, self.journal))

    async def until_done(
        self, work: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """
        Send everything, or what can be sent before it is stopped.

        Args:
            work: Sends it, and ends once it is stopped; by default what the ledger
                gives.
        """
        held_until = self._worker.held_until
        if held_until is not None and held_until > clock.now():
            self._sender.pacer.hold_until(held_until)
        self._pace(self._worker.plan.rate)
        tasks = [
            asyncio.ensure_future(each)
            for each in (
                (work or self._send)(),
                self.journal.stop.wait(),
                self._heartbeats(),
            )
        ]
        sending, closing, _ = tasks
        observers = self._sender.observers
        plan = self._worker.plan
        observers.tell(CampaignBegun(campaign=plan.campaign, tag=plan.tag))
        observers.add(self._speedometer)
        try:
            await asyncio.wait([sending, closing], return_when=FIRST_COMPLETED)
            await asyncio.wait([sending], timeout=self._drain)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            observers.remove(self._speedometer)
            rate = self._sender.pacer.rate
            self._last_progress = self._speedometer.since_last(rate)
            if self._rate is not None:
                self._sender.pacer.set_rate(self._sender.settings.own_rate)
        if self.journal.stop.is_set and self.state is CampaignState.FINISHED:
            self.state = CampaignState.PAUSED
        self.summary.stopped = self.journal.stop.reason
        if not sending.cancelled():
            sending.result()

    async def _send(self) -> None:
        """
        Send to those who are called first, where some are, and then to all others.
        """
        await self._send_all()
        while (
            not self.journal.stop.is_set
            and self._on_trial is not None
            and await self._on_trial.goes_on()
        ):
            await self._send_all()

    async def _send_all(self) -> None:
        """
        Send all that is due, and go on until the ledger says that nobody is left.
        """
        while not self.journal.stop.is_set:
            async with aclosing(self._due()) as due:
                await Workers(self._sender, self.journal, self._deliver).run(due)
            if self._has_given:
                continue  # some may have been deferred meanwhile
            if self._later is None:
                return
            await self._wait_until(self._later)

    async def _wait_until(self, later: NotBefore) -> None:
        """
        Wait for those who are left, and let it be known why nothing goes on.
        """
        self.waits_for(later)
        stop = self.journal.stop
        # The ledger's clock may be behind; and this one may jump, as after a sleep.
        left = max(later.moment - clock.now(), _AT_LEAST)
        try:
            while left > 0 and not (stop.is_set or self._changed):
                await stop.wait(min(left, _LOOK_EVERY))
                left = later.moment - clock.now()
        finally:
            self.waits_for(None)

    def waits_for(self, later: NotBefore | None) -> None:
        """
        Let it be known that everyone who is left waits for a moment, if so.
        """
        if later is None:
            self._waiting = None
            return
        words = f"{later.reason}, until {clock.local_time(later.moment)}"
        if self._waiting is None or self._waiting.reason != words:
            self._waiting = Waiting(words, clock.utc_now())

    async def _due(self) -> AsyncGenerator[BatchResult, None]:
        self._later, self._has_given, self._changed = None, False, False
        while True:
            found = await self._worker.due(_ASKED_FOR)
            if isinstance(found, Finished):
                return
            if isinstance(found, NotBefore):
                self._later = found
                return
            self._has_given = True
            for due in found:
                self._look()
                if self.journal.stop.is_set:
                    return
                yield self._begun(due)

    def _begun(self, due: Due) -> BatchResult:
        """
        What is known of a batch that is to be sent now.
        """
        known = due.known
        if known.attempts or known.exceptions:
            self._earlier[known.batch.id] = known
        return known

    def _look(self) -> None:
        """
        Pause rather than wait for longer than is worth it; the expiry ends it anyway.
        """
        until, patience = self._sender.pacer.held_until, self._sender.settings.patience
        if until is None or self._worker.plan.expires_at is not None:
            return
        if until - clock.now() > patience:
            when = clock.moment(until)
            self.journal.stop.set(
                f"{_ASKED_TO_WAIT} until {when:%Y-%m-%d %H:%M:%S}Z, which is longer "
                f"than --patience; resume goes on then"
            )

    async def _deliver(self, delivered: BatchResult) -> None:
        key = delivered.batch.id
        earlier = self._earlier.pop(key, None)
        # What the ledger was not told is pending for it, whatever became of the rest.
        result = self.journal.recorded.pop(key, None)
        if result is None:
            return
        self.summary.add(result, since=earlier)
        for verdict in result.reasons():
            if verdict.outcome is Outcome.NOT_SENT:
                self._not_sent = verdict
        counts = result.counts()
        failed = not counts[Outcome.ACCEPTED] and bool(
            counts[Outcome.UNKNOWN] or counts[Outcome.REJECTED]
        )
        self._lately.append(failed)
        failures = sum(self._lately)
        if len(self._lately) == _LOOKED_AT and failures > _LOOKED_AT // 2:
            last = next(iter(result.reasons()))
            said = " ".join(filter(None, (last.code, last.description)))
            self.journal.stop.set(
                f"{failures} of the last {_LOOKED_AT} batches failed; the last: {said}"
            )

    async def _heartbeats(self) -> None:
        looks = deque([(clock.monotonic(), 0)], maxlen=10)
        while True:
            await clock.sleep(HEARTBEAT_EVERY)
            looks.append((clock.monotonic(), self._speedometer.done))
            (then, before), (now, done) = looks[0], looks[-1]
            throughput = (done - before) / (now - then)
            progress = self._speedometer.since_last(self._sender.pacer.rate)
            try:
                control = await self._worker.heartbeat(
                    throughput,
                    waiting=self._sender.waiting or self._waiting,
                    held_until=self._sender.pacer.held_until,
                    progress=progress,
                )
            except LedgerError as error:
                self.journal.fail(error)
                return
            self._look()
            self.hear(control)

    def _pace(self, rate: float | None) -> None:
        # Another program may have written anything.
        if rate is not None and rate != self._rate and is_rate(rate):
            self._rate = rate
            self._sender.pacer.set_rate(rate)


class _Speedometer:
    """
    Counts the recipients of one campaign that were brought further, and the requests
    that were refused for speed.
    """

    def __init__(self, tag: str) -> None:
        self.done = 0
        self._throttled = 0
        self._tag = tag
        self._told = (0, 0)

    def __call__(self, event: Event) -> None:
        if isinstance(event, AttemptMade) and event.batch.tag == self._tag:
            self.done += event.brought_further
            self._throttled += event.is_throttled

    def since_last(self, rate: float | None) -> Progress | None:
        """
        What was counted since this was asked last, if anything was.
        """
        now = (self.done, self._throttled)
        if now == self._told:
            return None
        done, throttled = self._told
        self._told = now
        return Progress(now[0] - done, now[1] - throttled, rate)
