"""
A campaign: one message to one list, planned in a ledger under a name, and dispatched.
"""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import chain, islice
from typing import NamedTuple, cast

import attrs

from voicepush.batching import Batcher, make_tag
from voicepush.client import Client
from voicepush.errors import CampaignLostError, InputError, LedgerError
from voicepush.ledger import Draft, Lease, Ledger, Plan, Wish
from voicepush.model import (
    MOST_PER_REQUEST,
    Batch,
    BatchResult,
    Doubt,
    Outcome,
    Recipient,
    Result,
    Standing,
    State,
    Summary,
    VoiceMessage,
    check_text,
)
from voicepush.recipients import Block, from_async, from_iterable
from voicepush.screening import Refusal, Screening
from voicepush.sender import Fence, Sender
from voicepush.wire import dump_message, load_message

#: Where the recipients of a campaign come from: anything that yields them, or blocks
#: of them as `recipients.read_file` gives.
Source = Iterable[Recipient] | AsyncIterable[Recipient] | Iterable[Block]

#: How long what is under way may take once a dispatch is to end, in seconds.
DRAIN = 30.0

#: A holder shows that it is alive, and looks what is wanted of it, so often.
_BEAT = 1.0

#: Whoever waits for a dispatcher to end looks again so often.
_LOOK_AGAIN = 0.2

#: A campaign pauses itself when most of so many batches in a row failed, instead of
#: burning the whole list.
_LOOKED_AT = 20

#: A settlement that can't be written is tried so often, so many seconds apart.
_SETTLE_TRIES = 20
_SETTLE_AGAIN = 0.5

#: So many blocks of a file are read and screened by a thread at a time.
_CUT_TOGETHER = 8

#: So many batches are written into the ledger together while planning.
_PLANNED_TOGETHER = 64


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
        retry_internal_error: bool = True,
        resend_unknown: bool = False,
    ) -> Campaign:
        """
        Plan *name*: screen *recipients*, cut them into batches, and keep them.

        A stream of any length is fine. Nothing of the campaign exists for anyone else
        until all of it does. If it is planned already, with the same message and
        source, it is left as it is; its expiry stays what it was.

        Args:
            source: Where the recipients come from, in words that its owner recognises.
            screening: Refuses and counts; the default drops duplicates.
            refused: Is told whom the screening refuses, and why.
            batch_size: The most recipients of one request.
            rate: Destinations per second, kept with the campaign.
            retry_internal_error: Whether code 7006 is tried again. Turn it off for a
                service that was seen to dial and then say 7006.
            resend_unknown: Whether whoever is in doubt is called again, at the risk of
                a second call.

        Raises:
            InputError: It is planned already, with another message or source.
            CampaignHeldError: Another process is planning it.
            LedgerError: The ledger can't be written.
        """
        check_text(name, "a campaign's name")
        check_text(source, "a campaign's source")
        if existing := await ledger.plan(name):
            return cls(ledger, existing)._if_same(message, source)  # noqa: SLF001 -- ours
        screening = screening or Screening()
        message = message.starting(datetime.now(UTC))
        plan = Plan(
            campaign=name,
            message=dump_message(message),
            source=source,
            tag=make_tag(),
            expires_at=message.deadline,
            rate=rate,
            retry_internal_error=retry_internal_error,
            resend_unknown=resend_unknown,
        )
        try:
            draft = await ledger.draft(plan)
        except InputError:
            # Another process may have planned it since we looked.
            if existing := await ledger.plan(name):
                return cls(ledger, existing)._if_same(message, source)  # noqa: SLF001 -- ours
            raise
        try:
            batcher = Batcher(message, tag=plan.tag, size=batch_size)
            batches: list[Batch] = []
            cuts = _cuts(recipients, _Cutter(screening, batcher))
            async with aclosing(cuts), _beating(draft):
                async for cut in cuts:
                    if refused is not None and cut.refusals:
                        refused(cut.refusals)
                    if cut.error is not None:
                        raise cut.error  # noqa: TRY301 -- after it has been told
                    batches += cut.batches
                    if len(batches) >= _PLANNED_TOGETHER:
                        await draft.add(batches)
                        batches = []
            await draft.add([*batches, *batcher.flush()])
            await draft.publish(
                {
                    "read": screening.read,
                    "invalid": screening.invalid,
                    "duplicate": screening.duplicate,
                    "suppressed": screening.suppressed,
                }
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

    async def dispatch(self, client: Client, *, drain: float = DRAIN) -> Summary:
        """
        Send to everyone who is pending, through *client*; call it again to go on.

        A batch is claimed durably before its first byte leaves, and settled durably
        after its answer. Whoever was in flight when an earlier dispatcher died is
        unknown and is not sent again. It ends early when the service refuses
        everything, when most requests fail, and when its owner wants it to.

        Args:
            drain: How long what is under way may take once it is to end, in seconds.

        Returns:
            What became of those that were sent now; `standing` speaks of everyone.

        Raises:
            InputError: The campaign was cancelled.
            CampaignHeldError: Another process is dispatching it.
            LedgerError: The ledger failed; what was under way was answered first.
        """
        lease = await self._ledger.lease(self.name)
        run = self._run = _Run(lease, client.sender)
        try:
            await run.until_done(self.message, drain)
        except BaseException as error:
            if isinstance(error, LedgerError):
                error.while_sending = True
            with suppress(LedgerError):
                await lease.release(State.PAUSED, run.fence.reason or _words(error))
            raise
        finally:
            self._run = None
        await lease.release(run.state, run.fence.reason)
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
        """
        while (await self.standing()).state is State.RUNNING:
            await self._ledger.steer(self.name, wish=Wish.CANCEL)
            await asyncio.sleep(_LOOK_AGAIN)
        if (await self.standing()).state is not State.CANCELLED:
            lease = await self._ledger.lease(self.name)
            await lease.release(State.CANCELLED, "cancelled by its owner")

    async def set_rate(self, rate: float) -> None:
        """
        Go on at *rate* destinations per second, at once where it is running.
        """
        if not 0 < rate < float("inf"):
            raise InputError(f"a rate must be above 0, not {rate}")
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
        elif pending:
            why = f"{pending:,} are to be sent; resume goes on"
            await lease.release(State.PAUSED, why)
        else:
            await lease.release(State.FINISHED)
        return resolved

    def _if_same(self, message: VoiceMessage, source: str) -> Campaign:
        if source != self.source:
            raise InputError(
                f"campaign {self.name!r} is planned already, from {self.source}, not "
                f"from {source}; give this one another name with --campaign"
            )
        kept, given = (
            dump_message(attrs.evolve(each, expiry=None))
            for each in (self.message, message)
        )
        if kept != given:
            raise InputError(
                f"campaign {self.name!r} is planned already, with the message {kept}, "
                f"not {given}; give this one another name with --campaign"
            )
        return self


class _LedgerFence(Fence):
    """
    A fence whose every passage is durable.
    """

    def __init__(self, lease: Lease) -> None:
        super().__init__(
            retry_internal_error=lease.plan.retry_internal_error,
            resend_unknown=lease.plan.resend_unknown,
        )
        self._lease = lease

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
        Write down what is known; a full disk may be given room meanwhile.
        """
        for _ in range(_SETTLE_TRIES):
            try:
                return await self._lease.settle(result)
            except CampaignLostError:
                raise
            except LedgerError as error:
                self.close(str(error))
                await asyncio.sleep(_SETTLE_AGAIN)
        return await self._lease.settle(result)


class _Run:
    """
    One dispatch, from taking the lease to giving it back.
    """

    def __init__(self, lease: Lease, sender: Sender) -> None:
        self.fence = _LedgerFence(lease)
        self.summary = Summary()
        self.state = State.FINISHED
        self._lease = lease
        self._sender = sender
        self._lately: deque[bool] = deque(maxlen=_LOOKED_AT)
        self._rate: float | None = None
        self._earlier: dict[str, BatchResult] = {}

    async def until_done(self, message: VoiceMessage, drain: float) -> None:
        """
        Send everything, or what can be sent before the fence is closed.
        """
        self._pace(self._lease.plan.rate)
        tasks = [
            asyncio.create_task(each)
            for each in (self._send(message), self.fence.wait(), self._beat())
        ]
        sending, closing, _ = tasks
        try:
            await asyncio.wait([sending, closing], return_when=FIRST_COMPLETED)
            await asyncio.wait([sending], timeout=drain)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
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
            if self.fence.closed:
                return
            if result.attempts or result.exceptions:
                self._earlier[result.batch.key] = result
            yield result

    async def _deliver(self, result: BatchResult) -> None:
        self.summary.add(result, since=self._earlier.pop(result.batch.key, None))
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
                steering = await self._lease.beat(speed)
            except LedgerError as error:
                self.fence.close(str(error))
                return
            self._pace(steering.rate)
            if steering.wish is Wish.PAUSE:
                self.fence.close("paused by its owner")
            elif steering.wish is Wish.CANCEL:
                self.state = State.CANCELLED
                self.fence.close("cancelled by its owner")

    def _pace(self, rate: float | None) -> None:
        if rate is not None and rate != self._rate:
            self._rate = rate
            self._sender.pacer.set_rate(rate)


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
                batches += self._batcher.feed(screened.recipients, plain=screened.plain)
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
    stream = iter(cast("Iterable[Recipient]", source))
    first = list(islice(stream, 1))
    whole = chain(first, stream)
    if first and isinstance(first[0], Block):
        # A file may be a pipe that is silent for long, and its blocks are no one
        # else's; the event loop need not wait for them.
        blocks = cast("Iterator[Block]", whole)
        try:
            while cut := await asyncio.to_thread(
                cutter.cut, islice(blocks, _CUT_TOGETHER)
            ):
                yield cut
        finally:
            cutter.stopped = True  # a thread that is still at work ends with its block
        return
    recipients = source if isinstance(source, Sequence) else whole
    for block in from_iterable(cast("Iterable[Recipient]", recipients)):
        if cut := cutter.cut([block]):
            yield cut
        # A list is screened without waiting; others get their turn here.
        await asyncio.sleep(0)


def _words(error: BaseException) -> str:
    return "interrupted" if isinstance(error, asyncio.CancelledError) else str(error)
