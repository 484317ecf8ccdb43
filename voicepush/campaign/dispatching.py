"""
One dispatch, from joining the campaign to leaving it.
"""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import (
    AsyncGenerator,
    Callable,
    Sequence,
)
from contextlib import aclosing, suppress

from voicepush import clock
from voicepush.errors import CampaignLostError, LedgerError
from voicepush.ledger.plan import Command
from voicepush.ledger.protocol import Finished, Worker
from voicepush.model.batch import Batch, BatchId
from voicepush.model.claim import (
    Claim,
    Claimed,
    NotBefore,
    Policy,
    Record,
    Refused,
    Superseded,
)
from voicepush.model.events import AttemptMade, CampaignStopped, Event
from voicepush.model.outcome import BatchResult, Outcome, Summary, Verdict
from voicepush.model.status import CampaignState, Progress, Waiting
from voicepush.sending.journal import StopSignal
from voicepush.sending.pacing import is_rate
from voicepush.sending.sender import Sender
from voicepush.sending.trouble import clock_time
from voicepush.sending.workers import Workers

#: A holder shows that it is alive, and looks what is wanted of it, so often.
HEARTBEAT_EVERY = 1.0


#: A campaign pauses itself when most of so many batches in a row failed, instead of
#: burning the whole list.
_LOOKED_AT = 20


#: A record that can't be written is tried again after so many seconds.
_RECORD_AGAIN = 0.5


#: So many batches are asked for at once, which are taken apart in one go.
_ASKED_FOR = 8

#: How every reason begins that is a wait which the service asked for.
_ASKED_TO_WAIT = "the service asked to wait"


class LedgerJournal:
    """
    A journal whose every claim and record is durable.

    Args:
        drain: How long the ledger is given to take a record, in seconds.
        look: Is called before each record, and may set the stop signal.
        tell: Hears when the ledger can't be written.
    """

    def __init__(
        self,
        worker: Worker,
        drain: float,
        look: Callable[[], None],
        tell: Callable[[str], object],
    ) -> None:
        self.policy = Policy(
            retry_internal_error=worker.plan.retry_internal_error,
            resend_unknown=worker.plan.resend_unknown,
        )
        self.stop = StopSignal()
        #: By batch, what the ledger knows since it was claimed.
        self.recorded: dict[BatchId, BatchResult] = {}
        #: What went wrong with the ledger, if something did.
        self.failure: LedgerError | None = None
        self._worker = worker
        self._drain = drain
        self._look = look
        self._tell = tell

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Let it be sent once the ledger has it.
        """
        if self.stop.is_set:
            return Refused(self.stop.reason or "stopped")
        return await self._worker.claim(batch, places)

    async def record(
        self,
        claimed: Claimed | None,
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Write down what is known; until that can be done, it is kept in memory.
        """
        self._look()
        # A dispatch that is to end does not wait for ever, and ends this as well.
        while True:
            try:
                record = await self._worker.record(claimed, result, due_at)
                break
            except CampaignLostError:
                raise
            except LedgerError as error:
                if self.failure is None:
                    self._tell(
                        f"{error}. What is answered is kept in memory meanwhile, for "
                        f"at most {self._drain:,.0f} s (--drain)"
                    )
                self.fail(error)
                await clock.sleep(_RECORD_AGAIN)
        if isinstance(record, Superseded):
            self.fail(CampaignLostError(record.reason))
        self.recorded[result.batch.id] = result
        return record

    def fail(self, error: LedgerError) -> None:
        """
        Let nothing else be sent, since the ledger can't take it.
        """
        self.failure = self.failure or error
        self.stop.set(str(error))


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
    ) -> None:
        self.journal = LedgerJournal(worker, drain, self._look, tell)
        self.summary = Summary()
        self.state = CampaignState.FINISHED
        self._worker = worker
        self._sender = sender
        self._drain = drain
        self._lately: deque[bool] = deque(maxlen=_LOOKED_AT)
        self._rate: float | None = None
        self._earlier: dict[BatchId, BatchResult] = {}
        self._not_sent: Verdict | None = None
        #: When those who have to wait are due, if it is known that some have to.
        self._later: float | None = None
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
                campaign=self._worker.plan.campaign, state=state, reason=reason
            )
        )

    async def until_done(self) -> None:
        """
        Send everything, or what can be sent before it is stopped.
        """
        held_until = self._worker.held_until
        if held_until is not None and held_until > clock.now():
            self._sender.pacer.hold_until(held_until)
        self._pace(self._worker.plan.rate)
        tasks = [
            asyncio.create_task(each)
            for each in (
                self._send(),
                self.journal.stop.wait(),
                self._heartbeats(),
            )
        ]
        sending, closing, _ = tasks
        observers = self._sender.observers
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
        Send all that is due, and go on until the ledger says that nobody is left.
        """
        while not self.journal.stop.is_set:
            async with aclosing(self._due()) as due:
                await Workers(self._sender, self.journal, self._deliver).run(due)
            if self._later is not None:
                await self._wait_until(self._later)
            elif not self._has_given:
                return
            # Some may have been deferred meanwhile.

    async def _wait_until(self, later: float) -> None:
        """
        Wait for those who are left, and let it be known why nothing goes on.
        """
        when = clock_time(later)
        self._waiting = Waiting(
            f"everyone who is left has to wait, the first until {when}", clock.utc_now()
        )
        await self.journal.stop.wait(max(0.0, later - clock.now()))
        self._waiting = None

    async def _due(self) -> AsyncGenerator[BatchResult, None]:
        self._later, self._has_given = None, False
        while True:
            found = await self._worker.due(_ASKED_FOR)
            if isinstance(found, Finished):
                return
            if isinstance(found, NotBefore):
                self._later = found.moment
                return
            self._has_given = True
            for due in found:
                self._look()
                if self.journal.stop.is_set:
                    return
                known = due.known
                if known.attempts or known.exceptions:
                    self._earlier[known.batch.id] = known
                yield known

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
            self._pace(control.rate)
            if control.command is Command.PAUSE:
                self.journal.stop.set("paused by its owner")
            elif control.command is Command.CANCEL:
                self.state = CampaignState.CANCELLED
                self.journal.stop.set("cancelled by its owner")

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
