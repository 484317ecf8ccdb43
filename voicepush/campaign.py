"""
A campaign: one message to one list, planned in a ledger under a name, and dispatched.
"""

from __future__ import annotations

import asyncio
import stat
import threading
import time
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from math import inf
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import attrs

from voicepush.batching import Batcher, make_tag
from voicepush.client import Client
from voicepush.errors import CampaignLostError, InputError, LedgerError
from voicepush.ledger import Draft, Fingerprint, Lease, Ledger, Plan, Wish
from voicepush.model import (
    MOST_PER_REQUEST,
    Batch,
    BatchResult,
    Doubt,
    Outcome,
    Priority,
    Recipient,
    Result,
    SourceRow,
    Standing,
    State,
    Summary,
    Verdict,
    VoiceMessage,
    check_text,
    mask,
)
from voicepush.recipients import (
    Block,
    ListFile,
    from_async,
    from_iterable,
)
from voicepush.screening import Refusal, Screening
from voicepush.sender import Fence, Sender
from voicepush.wire import dump_message, load_message

_T = TypeVar("_T")

#: Where the recipients of a campaign come from: anything that yields them, or blocks
#: of them as `recipients.read_file` gives.
Source = Iterable[Recipient] | AsyncIterable[Recipient] | Iterable[Block]

#: How much longer than an answer may take a dispatch waits for what is under way once
#: it is to end, in seconds.
_BEYOND_ANSWERS = 30.0

#: No campaign is slower, in destinations per second: one per hour.
_SLOWEST = 1 / 3600

#: A holder shows that it is alive, and looks what is wanted of it, so often.
_BEAT = 1.0

#: Whoever waits for a dispatcher to end looks again so often.
_LOOK_AGAIN = 0.2

#: A campaign pauses itself when most of so many batches in a row failed, instead of
#: burning the whole list.
_LOOKED_AT = 20

#: A settlement that can't be written is tried again after so many seconds.
_SETTLE_AGAIN = 0.5

#: What a thread is called that reads a file, and may wait for it for ever.
READING = "voicepush-reading"

#: So many blocks of a file are read and screened by a thread at a time.
_CUT_TOGETHER = 8

#: So many batches are written into the ledger together while planning.
_PLANNED_TOGETHER = 64


#: How every reason begins that is a wait which the service asked for.
_ASKED_TO_WAIT = "the service asked to wait"


def _no_one(_: str) -> None:
    """
    Hear nothing.
    """


class Campaign:
    """
    A campaign that is planned in a ledger; `plan` makes one, `open` finds one.
    """

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._plan = plan
        self._run: _Run | None = None

    @property
    def name(self) -> str:
        """
        The name under which it is planned.
        """
        return self._plan.campaign

    @property
    def source(self) -> str:
        """
        Where its recipients came from.
        """
        return self._plan.source

    @property
    def message(self) -> VoiceMessage:
        """
        What it plays; an expiry that was a duration is a moment here.
        """
        return load_message(self._plan.message)

    @classmethod
    async def plan(  # noqa: PLR0913 -- most are settings that stay with the campaign
        cls,
        ledger: Ledger,
        name: str,
        message: VoiceMessage,
        recipients: Source,
        *,
        source: str = "recipients given by a program",
        screening: Screening | None = None,
        refused: Callable[[list[Refusal]], None] | None = None,
        batch_size: int = MOST_PER_REQUEST,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
        given: Mapping[str, str] | None = None,
        tell: Callable[[str], object] = _no_one,
    ) -> Campaign:
        """
        Plan *name*: screen *recipients*, cut them into batches, and keep them.

        A stream of any length is fine. Nothing of the campaign exists for anyone else
        until all of it does. If it is planned already, with the same message, source
        and options, its plan is left as it is, and so is its expiry; *rate*,
        *retry_internal_error* and *resend_unknown* hold from now on. What is left out
        is not compared.

        Args:
            source: Where the recipients come from, in words that its owner recognises.
            screening: Refuses and counts; the default drops duplicates.
            refused: Is told whom the screening refuses, and why.
            batch_size: The most recipients of one request.
            rate: Destinations per second, kept with the campaign.
            retry_internal_error: Whether code 7006 is tried again, as it is by default.
                Turn it off for a service that was seen to dial and then say 7006.
            resend_unknown: Whether whoever is in doubt is called again, at the risk of
                a second call; by default they are not.
            given: What its owner typed, by the option's name; the same options must
                be given the same values next time.
            tell: Hears what the owner should know meanwhile.

        Raises:
            InputError: It is planned already, with another message, source, list or
                option; or there is nobody to call.
            CampaignHeldError: Another process is planning or dispatching it.
            LedgerError: The ledger can't be written.
        """
        check_text(name, "a campaign's name")
        check_text(source, "a campaign's source")
        if rate is not None:
            _check_rate(rate)
        given = _given(message, given or {})

        async def again(plan: Plan) -> Campaign:
            found = cls(ledger, plan)
            # That another process holds it goes before all else.
            await ledger.change(name)
            found._check_same(message, source, given)
            await found._check_list(recipients, tell)
            await ledger.change(
                name,
                rate=rate,
                retry_internal_error=retry_internal_error,
                resend_unknown=resend_unknown,
            )
            return await cls.open(ledger, name)

        if existing := await ledger.plan(name):
            return await again(existing)
        screening = screening or Screening()
        started = message.starting(datetime.now(UTC))
        plan = Plan(
            campaign=name,
            message=dump_message(started),
            source=source,
            tag=make_tag(),
            expires_at=started.deadline,
            rate=rate,
            retry_internal_error=retry_internal_error is not False,
            resend_unknown=resend_unknown is True,
            given=given,
        )
        try:
            draft = await ledger.draft(plan)
        except InputError:
            # Another process may have planned it since we looked.
            if existing := await ledger.plan(name):
                return await again(existing)
            raise
        try:
            batcher = Batcher(started, tag=plan.tag, size=batch_size)
            if not await _fill(draft, recipients, screening, batcher, refused):
                raise InputError(_nobody(source, screening))  # noqa: TRY301 -- ours
            await draft.publish(
                {
                    "read": screening.read,
                    "invalid": screening.invalid,
                    "duplicate": screening.duplicate,
                    "suppressed": screening.suppressed,
                },
                _fingerprint(recipients),
            )
        except BaseException:
            with suppress(LedgerError):
                await draft.discard()
            raise
        return cls(ledger, plan)

    @classmethod
    async def open(cls, ledger: Ledger, name: str) -> Campaign:
        """
        The campaign that is planned under *name*.

        Raises:
            InputError: There is none; the text says which there are.
        """
        check_text(name, "a campaign's name")
        plan = await ledger.plan(name)
        if plan is None:
            known = ", ".join(each.campaign for each in await ledger.campaigns())
            raise InputError(
                f"there is no campaign {name!r} in this ledger"
                + (f"; it holds {known}" if known else ", which is empty")
            )
        return cls(ledger, plan)

    async def standing(self) -> Standing:
        """
        Where it stands, by the ledger.
        """
        standing = await self._ledger.standing(self.name)
        if standing is None:
            raise LedgerError(f"the campaign {self.name!r} is gone from the ledger")
        return standing

    async def dispatch(
        self,
        client: Client,
        *,
        drain: float | None = None,
        tell: Callable[[str], object] = _no_one,
    ) -> Summary:
        """
        Send to everyone who is pending, through *client*; call it again to go on.

        A batch is claimed durably before its first byte leaves, and settled durably
        after its answer. Whoever was in flight when an earlier dispatcher died is
        unknown and is not sent again. It ends early when the service refuses
        everything, when most requests fail, when the service asks to wait for longer
        than the client's ``patience``, and when its owner wants it to.

        Args:
            drain: How long what is under way may take once it is to end, in seconds:
                to be answered, and to be written into a ledger that can't be written
                at the moment. By default 30 s more than an answer may take.
            tell: Hears what the owner should know meanwhile.

        Returns:
            What became of those that were sent now; `standing` speaks of everyone.

        Raises:
            InputError: The campaign was cancelled.
            CampaignHeldError: Another process is dispatching it.
            LedgerError: The ledger failed; what was under way was answered first.
        """
        if drain is None:
            drain = client.settings.answer_timeout + _BEYOND_ANSWERS
        lease = await self._ledger.lease(self.name)
        run = self._run = _Run(lease, client.sender, drain, tell)
        try:
            try:
                await run.until_done(self.message)
            except BaseException as error:
                with suppress(LedgerError):
                    await run.release(State.PAUSED, run.fence.reason or _words(error))
                raise
            finally:
                self._run = None
            await run.release(run.state, run.reason)
            if run.fence.failure is not None:
                raise run.fence.failure
            standing = await self.standing()
        except LedgerError as error:
            error.while_sending = True
            raise
        if standing.state is State.PAUSED:
            run.summary.stopped = run.summary.stopped or standing.reason
        return run.summary

    def stop(self, reason: str) -> None:
        """
        Claim nothing more; `dispatch` returns once what is under way is settled.
        """
        if self._run is not None:
            self._run.fence.close(reason)

    async def pause(self) -> None:
        """
        Let its dispatcher, in whatever process, settle what is under way and end.

        Raises:
            InputError: No process is dispatching it.
        """
        standing = await self.standing()
        if standing.state is not State.RUNNING:
            raise InputError(
                f"campaign {self.name!r} is {standing.state.value}; no process is "
                "dispatching it"
            )
        await self._ledger.steer(self.name, wish=Wish.PAUSE)

    async def cancel(self) -> None:
        """
        End it for good: whoever is pending is not sent, and nothing resumes it.

        Waits until what is under way in another process is settled.

        Raises:
            InputError: It is finished.
        """
        while (await self.standing()).state is State.RUNNING:
            await self._ledger.steer(self.name, wish=Wish.CANCEL)
            await asyncio.sleep(_LOOK_AGAIN)
        standing = await self.standing()
        if standing.state is State.FINISHED:
            raise InputError(
                f"campaign {self.name!r} is finished; nobody is left to be cancelled"
            )
        if standing.state is not State.CANCELLED:
            lease = await self._ledger.lease(self.name)
            await lease.release(State.CANCELLED, "cancelled by its owner")

    async def change(
        self,
        *,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
    ) -> None:
        """
        Let what is given hold from now on; the arguments are those of `plan`.

        Raises:
            CampaignHeldError: Another process is dispatching it.
        """
        if rate is not None:
            _check_rate(rate)
        await self._ledger.change(
            self.name,
            rate=rate,
            retry_internal_error=retry_internal_error,
            resend_unknown=resend_unknown,
        )

    async def set_rate(self, rate: float) -> None:
        """
        Go on at *rate* destinations per second, at once where it is running.

        Raises:
            InputError: That is less than one per hour, or no number.
        """
        _check_rate(rate)
        await self._ledger.steer(self.name, rate=rate)

    async def doubts(self) -> list[Doubt]:
        """
        The requests whose recipients are unknown and not given up, with the evidence.
        """
        standing = await self.standing()
        if standing.in_flight and standing.state is State.PAUSED:
            # Its dispatcher died; taking the lease makes whom it left unknown.
            lease = await self._ledger.lease(self.name)
            await lease.release(State.PAUSED, standing.reason)
        return await self._ledger.doubts(self.name)

    async def results(self, *outcomes: Outcome) -> AsyncGenerator[Result, None]:
        """
        Everyone with one of *outcomes*, or everyone, in the order of the plan.
        """
        wanted = frozenset(outcomes or Outcome)
        async for batch in self._ledger.results(self.name, wanted):
            for result in batch:
                if result.outcome in wanted:
                    yield result

    async def rows(self, *outcomes: Outcome) -> AsyncGenerator[SourceRow, None]:
        """
        The same with the source's row, and the number as it came.
        """
        wanted = frozenset(outcomes or Outcome)
        async for batch in self._ledger.results(self.name, wanted):
            for row in batch.rows():
                if row.result.outcome in wanted:
                    yield row

    async def resolve(self, *, resend: bool) -> int:
        """
        Decide about the unknown: make them pending, or give them up for good.

        Returns:
            How many there were.

        Raises:
            CampaignHeldError: Another process is dispatching it.
        """
        before = await self.standing()
        is_cancelled = before.state is State.CANCELLED and not resend
        lease = await self._ledger.lease(self.name, cancelled=is_cancelled)
        resolved = await lease.resolve(resend=resend)
        pending = (await self.standing()).pending
        if is_cancelled:
            await lease.release(State.CANCELLED, before.reason)
        else:
            why = f"{pending:,} are to be sent; resume goes on"
            await lease.release(State.FINISHED, why)
        return resolved

    def _check_same(
        self, message: VoiceMessage, source: str, given: Mapping[str, str]
    ) -> None:
        """
        Make sure that what is given now was given when it was planned.
        """
        if source != self.source:
            raise self._differs(f"from {self.source}", f"from {source}")
        for field in attrs.fields(VoiceMessage):
            if field.name == "expiry":
                continue  # in what was typed, since it is a moment by now
            kept, now = (getattr(each, field.name) for each in (self.message, message))
            if now is not None and kept != now:
                option = field.name.replace("_", "-")
                hides = field.name in _HIDDEN
                raise self._differs(
                    _said(option, kept, hides=hides), _said(option, now, hides=hides)
                )
        for option, typed in given.items():
            kept = self._plan.given.get(option)
            if kept != typed:
                raise self._differs(_said(option, kept), _said(option, typed))

    def _differs(self, kept: str, given: str) -> InputError:
        return InputError(
            f"campaign {self.name!r} is planned already, {kept}, not {given}; leave "
            f"that out to go on with it. {self._rest}"
        )

    @property
    def _rest(self) -> str:
        """
        How to call those who are left in another way, and no one else.
        """
        return (
            "Under another name (--campaign) everyone would be called, also who was "
            "called already; "
            "for those who are left write a list of them: voicepush export "
            f"{self.name} --outcome pending --outcome not_sent --outcome expired "
            "--output rest.csv"
        )

    async def _check_list(
        self, recipients: Source, tell: Callable[[str], object]
    ) -> None:
        """
        Make sure that *recipients* are those that were planned, where that is known.
        """
        kept = await self._ledger.fingerprint(self.name)
        if kept is None or not isinstance(recipients, ListFile):
            return
        try:
            found = _look_at(recipients.name)
        except FileNotFoundError:
            if kept.size is not None:
                tell(f"{recipients.name} is gone; going on with what was planned")
                return
            found = None
        if found is not None and found == (kept.size, kept.modified_ns):
            return
        await _beside(lambda: deque(recipients, maxlen=0))
        if recipients.digest != kept.digest:
            raise InputError(
                f"campaign {self.name!r} is planned already, and {self.source} holds "
                "another list than then; go on with what was planned by voicepush "
                f"resume {self.name}, or, if nobody in this one was called, give it "
                "another name with --campaign"
            )


#: The message's fields that errors must not show.
_HIDDEN = ("cli", "callback_data")


def _said(option: str, value: str | None, *, hides: bool = False) -> str:
    if value is None:
        return f"without --{option}"
    if isinstance(value, Priority):
        value = value.name.lower()
    return f"with --{option} {mask(value) if hides else value}"


def _given(message: VoiceMessage, given: Mapping[str, str]) -> dict[str, str]:
    """
    What was typed, with the expiry as a program gives it where no one typed it.
    """
    expiry = message.expiry
    if expiry is None:
        return dict(given)
    text = str(expiry) if isinstance(expiry, timedelta) else expiry.isoformat()
    return {"expiry": text, **given}


def _check_rate(rate: float) -> None:
    if not _is_rate(rate):
        raise InputError(
            f"a rate must be at least one destination per hour, not {rate} per second"
        )


def _is_rate(rate: float) -> bool:
    return _SLOWEST <= rate < inf


def _nobody(source: str, screening: Screening) -> str:
    most = screening.reasons.most_common(1)
    return (
        f"nobody to call: of {screening.read:,} read from {source}, "
        f"{screening.invalid:,} are invalid, {screening.duplicate:,} duplicates and "
        f"{screening.suppressed:,} suppressed; nothing was planned"
        + "".join(f". {number:,} times: {reason}" for reason, number in most)
    )


def _look_at(name: str) -> tuple[int, int] | None:
    """
    Size and time of the file called *name*; None if it has to be read instead.
    """
    found = Path(name).stat()
    is_plain = stat.S_ISREG(found.st_mode)
    return (found.st_size, found.st_mtime_ns) if is_plain else None


def _fingerprint(recipients: Source) -> Fingerprint | None:
    if not isinstance(recipients, ListFile) or recipients.digest is None:
        return None
    return Fingerprint(
        digest=recipients.digest,
        size=recipients.size,
        modified_ns=recipients.modified_ns,
    )


class _LedgerFence(Fence):
    """
    A fence whose every passage is durable.

    Args:
        drain: How long the ledger is given to take a settlement, in seconds.
        look: Is called before each settlement, and may close the fence.
        tell: Hears when the ledger can't be written.
    """

    def __init__(
        self,
        lease: Lease,
        drain: float,
        look: Callable[[], None],
        tell: Callable[[str], object],
    ) -> None:
        super().__init__(
            retry_internal_error=lease.plan.retry_internal_error,
            resend_unknown=lease.plan.resend_unknown,
        )
        #: By batch, what the ledger knows since it was claimed.
        self.settled: dict[str, BatchResult] = {}
        #: What went wrong with the ledger, if something did.
        self.failure: LedgerError | None = None
        self._lease = lease
        self._drain = drain
        self._look = look
        self._tell = tell

    async def claim(self, batch: Batch, places: Sequence[int]) -> bool:
        """
        Let it pass once the ledger has it.
        """
        if self.closed:
            return False
        await self._lease.claim(batch, places)
        return True

    async def settle(self, result: BatchResult) -> None:
        """
        Write down what is known; until that can be done, it is kept in memory.
        """
        self._look()
        # A dispatch that is to end does not wait for ever, and ends this as well.
        while True:
            try:
                await self._lease.settle(result)
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
                await asyncio.sleep(_SETTLE_AGAIN)
        self.settled[result.batch.key] = result

    def fail(self, error: LedgerError) -> None:
        """
        Let nothing else pass, since the ledger can't take it.
        """
        self.failure = self.failure or error
        self.close(str(error))


class _Run:
    """
    One dispatch, from taking the lease to giving it back.
    """

    def __init__(
        self,
        lease: Lease,
        sender: Sender,
        drain: float,
        tell: Callable[[str], object],
    ) -> None:
        self.fence = _LedgerFence(lease, drain, self._look, tell)
        self.summary = Summary()
        self.state = State.FINISHED
        self._lease = lease
        self._sender = sender
        self._drain = drain
        self._lately: deque[bool] = deque(maxlen=_LOOKED_AT)
        self._rate: float | None = None
        self._earlier: dict[str, BatchResult] = {}
        self._not_sent: Verdict | None = None

    @property
    def reason(self) -> str | None:
        """
        Why someone is left, if someone is.
        """
        if self.fence.reason is not None or self._not_sent is None:
            return self.fence.reason
        words = self._not_sent.description
        return f"some were not sent ({words}); resume tries again"

    async def release(self, state: State, reason: str | None) -> None:
        """
        Give the campaign back, with what the next dispatcher has to know.
        """
        held_until = self._sender.pacer.held_until
        await self._lease.release(state, reason, held_until=held_until)

    async def until_done(self, message: VoiceMessage) -> None:
        """
        Send everything, or what can be sent before the fence is closed.
        """
        held_until = self._lease.held_until
        if held_until is not None and held_until > time.time():
            self._sender.pacer.hold_until(held_until)
        self._pace(self._lease.plan.rate)
        tasks = [
            asyncio.create_task(each)
            for each in (self._send(message), self.fence.wait(), self._beat())
        ]
        sending, closing, _ = tasks
        try:
            await asyncio.wait([sending, closing], return_when=FIRST_COMPLETED)
            await asyncio.wait([sending], timeout=self._drain)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if self._rate is not None:
                self._sender.pacer.set_rate(self._sender.settings.rate)
        if self.fence.closed and self.state is State.FINISHED:
            self.state = State.PAUSED
        self.summary.stopped = self.fence.reason
        if not sending.cancelled():
            sending.result()

    async def _send(self, message: VoiceMessage) -> None:
        async with aclosing(self._due(message)) as due:
            await self._sender.send_all(due, self.fence, self._deliver)

    async def _due(self, message: VoiceMessage) -> AsyncGenerator[BatchResult, None]:
        async for result in self._lease.due(message):
            self._look()
            if self.fence.closed:
                return
            if result.attempts or result.exceptions:
                self._earlier[result.batch.key] = result
            yield result

    def _look(self) -> None:
        """
        Pause rather than wait for longer than is worth it; the expiry ends it anyway.
        """
        until, patience = self._sender.pacer.held_until, self._sender.settings.patience
        if until is None or self._lease.plan.expires_at is not None:
            return
        if until - time.time() > patience:
            when = datetime.fromtimestamp(until, UTC)
            self.fence.close(
                f"{_ASKED_TO_WAIT} until {when:%Y-%m-%d %H:%M:%S}Z, which is longer "
                f"than --patience; resume goes on then"
            )

    async def _deliver(self, delivered: BatchResult) -> None:
        key = delivered.batch.key
        earlier = self._earlier.pop(key, None)
        # What the ledger was not told is pending for it, whatever became of the rest.
        result = self.fence.settled.pop(key, None)
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
            self.fence.close(
                f"{failures} of the last {_LOOKED_AT} batches failed; the last: {said}"
            )

    async def _beat(self) -> None:
        clock = asyncio.get_running_loop().time
        looks = deque([(clock(), 0)], maxlen=10)
        while True:
            await asyncio.sleep(_BEAT)
            looks.append((clock(), self.summary.total))
            (then, before), (now, done) = looks[0], looks[-1]
            speed = (done - before) / (now - then)
            try:
                steering = await self._lease.beat(
                    speed,
                    waiting=self._sender.waiting,
                    held_until=self._sender.pacer.held_until,
                )
            except LedgerError as error:
                self.fence.fail(error)
                return
            self._look()
            self._pace(steering.rate)
            if steering.wish is Wish.PAUSE:
                self.fence.close("paused by its owner")
            elif steering.wish is Wish.CANCEL:
                self.state = State.CANCELLED
                self.fence.close("cancelled by its owner")

    def _pace(self, rate: float | None) -> None:
        # Another program may have written anything.
        if rate is not None and rate != self._rate and _is_rate(rate):
            self._rate = rate
            self._sender.pacer.set_rate(rate)


async def _fill(
    draft: Draft,
    recipients: Source,
    screening: Screening,
    batcher: Batcher,
    refused: Callable[[list[Refusal]], None] | None,
) -> bool:
    """
    Put all of *recipients* who are not refused into *draft*; whether there was anyone.
    """
    batches: list[Batch] = []
    is_anyone = False
    cuts = _cuts(recipients, _Cutter(screening, batcher))
    async with aclosing(cuts), _beating(draft):
        async for cut in cuts:
            if refused is not None and cut.refusals:
                refused(cut.refusals)
            if cut.error is not None:
                raise cut.error  # after the refusals have been told
            batches += cut.batches
            if len(batches) >= _PLANNED_TOGETHER:
                is_anyone = True
                await draft.add(batches)
                batches = []
    batches += batcher.flush()
    await draft.add(batches)
    return is_anyone or bool(batches)


@asynccontextmanager
async def _beating(draft: Draft) -> AsyncIterator[None]:
    """
    Show that the planner is alive, however long its source is silent.
    """

    async def beat() -> None:
        while True:
            await asyncio.sleep(_BEAT)
            # What has gone wrong shows when the next batches are added.
            with suppress(LedgerError):
                await draft.beat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait([beating])


class _Cut(NamedTuple):
    """
    What became of some blocks of recipients.
    """

    batches: list[Batch]
    refusals: list[Refusal]
    #: What reading any further raised.
    error: Exception | None


class _Cutter:
    """
    Screens blocks and cuts them into batches, on the event loop or beside it.
    """

    def __init__(self, screening: Screening, batcher: Batcher) -> None:
        self.stopped = False
        self._screening = screening
        self._batcher = batcher

    def cut(self, blocks: Iterable[Block]) -> _Cut | None:
        """
        What becomes of *blocks*, or None if there are none.
        """
        seen, error = False, None
        batches: list[Batch] = []
        refusals: list[Refusal] = []
        try:
            for block in blocks:
                seen = True
                screened = self._screening.screen(block)
                refusals += screened.refusals
                batches += self._batcher.feed(
                    screened.recipients,
                    rows=screened.rows,
                    as_came=screened.as_came,
                    plain=screened.plain,
                )
                if self.stopped:
                    break
        except Exception as raised:  # noqa: BLE001 -- raised once the rest is told
            error = raised
        return _Cut(batches, refusals, error) if seen or error else None


async def _cuts(source: Source, cutter: _Cutter) -> AsyncGenerator[_Cut, None]:
    if isinstance(source, AsyncIterable):
        async for block in from_async(source):
            if cut := cutter.cut([block]):
                yield cut
        return
    if isinstance(source, ListFile):
        async for cut in _cuts_beside(iter(source), cutter):
            yield cut
        return
    stream = iter(cast("Iterable[Recipient]", source))
    first = list(islice(stream, 1))
    whole = chain(first, stream)
    if first and isinstance(first[0], Block):
        async for cut in _cuts_beside(cast("Iterator[Block]", whole), cutter):
            yield cut
        return
    recipients = source if isinstance(source, Sequence) else whole
    for block in from_iterable(cast("Iterable[Recipient]", recipients)):
        if cut := cutter.cut([block]):
            yield cut
        # A list is screened without waiting; others get their turn here.
        await asyncio.sleep(0)


async def _cuts_beside(
    blocks: Iterator[Block], cutter: _Cutter
) -> AsyncGenerator[_Cut, None]:
    """
    What becomes of the *blocks* of a file, which may be a pipe that is silent for long.

    They are no one else's, so the event loop need not wait for them.
    """
    try:
        while cut := await _beside(lambda: cutter.cut(islice(blocks, _CUT_TOGETHER))):
            yield cut
    finally:
        cutter.stopped = True  # a thread that is still at work ends with its block


async def _beside(work: Callable[[], _T]) -> _T:
    """
    The value of *work*, done in a thread of its own that nobody has to wait for.

    A pipe may be silent for ever, and must not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def tell(value: _T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(cast("_T", value))

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as raised:  # noqa: BLE001 -- the caller gets it
            error = raised
        # The loop may be gone, and the caller with it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=run, name=READING, daemon=True).start()
    return await answer


def _words(error: BaseException) -> str:
    return "interrupted" if isinstance(error, asyncio.CancelledError) else str(error)
