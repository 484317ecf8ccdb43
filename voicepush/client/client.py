"""
The client of an async service: send, stream, submit.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Self, Unpack

from voicepush import clock
from voicepush.client.gathering import Gatherer
from voicepush.client.stream import CountingJournal, Stream
from voicepush.environment import from_environment
from voicepush.errors import ClientClosedError, InputError
from voicepush.masking import mask_numbers
from voicepush.model.batch import Batch, BatchId, Group, make_tag
from voicepush.model.claim import Policy
from voicepush.model.events import Observers
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import (
    BatchResult,
    Outcome,
    RecipientsError,
    Result,
    Summary,
    Verdict,
)
from voicepush.model.recipients import Kind, Recipient, Recipients
from voicepush.screening.refusals import Refusal
from voicepush.screening.screening import Screening
from voicepush.sending import request, retrying
from voicepush.sending.batching import Batcher
from voicepush.sending.journal import ForgetfulJournal, Journal
from voicepush.sending.pacing import Pacer, Pacing, most_at
from voicepush.sending.sender import Sender
from voicepush.sending.workers import Workers
from voicepush.settings import Settings, SettingsFields
from voicepush.sources.blocks import Block, blocks_of
from voicepush.sources.feeding import Source, fed

if TYPE_CHECKING:
    from voicepush.ledger.postgres.pace import PostgresAllowance

_Deliver = Callable[[BatchResult], Awaitable[None]]


class Client:
    """
    Sends voice messages; one client serves a whole process, all day.

    Used with ``async with``. Takes `Settings`, or their fields as keywords; what is
    given nowhere comes from the environment (`VOICEPUSH_SERVICE_KEY`,
    `VOICEPUSH_BASE_URL`).

    A number that stands twice in what one call is given is rung twice: a stream of
    any length can't be searched in bounded memory. A `Campaign` drops duplicates.

    Raises:
        InputError: A setting is missing or not usable. Where a rate is shared, entering
            raises it, too, if the database holds none.
        LedgerError: That database can't be reached; raised by entering.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        **arguments: Unpack[SettingsFields],
    ) -> None:
        if settings is None:
            settings = from_environment(**arguments)
        elif arguments:
            raise TypeError("give either settings or their fields, not both")
        self.settings = settings
        # Who only looks at a ledger never needs it, and it is half of the start-up.
        from voicepush.sending.transport import Transport  # noqa: PLC0415

        self._transport = Transport(settings)
        #: What is asked how fast all processes send together, if they share a rate.
        self._allowance: PostgresAllowance | None = None
        #: Where a campaign sends through; its pace is shared by everything sent here.
        self.sender = Sender(settings, self._transport, self._pacer())
        #: The most recipients of one request.
        self._most = most_at(settings.own_rate, settings.batch_size)
        self._tag = make_tag()
        self._numbers = count()
        self._gatherer = Gatherer(
            self._send_group,
            size=self._most,
            linger=settings.linger,
        )
        self._screening = Screening(duplicates=False)
        self._policy = Policy(retry_internal_error=settings.retry_internal_error)
        self._open = False

    def _pacer(self) -> Pacing:
        rate = self.settings.rate
        if not isinstance(rate, str):
            return Pacer(rate)
        # Few share a rate, and each of those has a database.
        from voicepush.ledger import shared_rate  # noqa: PLC0415
        from voicepush.sending.shared_pacing import SharedPacer  # noqa: PLC0415

        self._allowance = shared_rate(rate)
        return SharedPacer(self._allowance)

    async def __aenter__(self) -> Self:
        retrying.load()
        request.load()
        if self._allowance is not None:
            await self._allowance.open()
        await self._transport.__aenter__()
        self._open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_open", False):
            warnings.warn(
                f"unclosed {self!r}; use it with async with, or await close()",
                ResourceWarning,
                source=self,
                stacklevel=1,
            )

    def __repr__(self) -> str:
        return f"<voicepush.Client {self.settings.base_url}>"

    @property
    def observers(self) -> Observers:
        """
        Hear what happens to the requests of this client, campaigns included.
        """
        return self.sender.observers

    async def close(self) -> None:
        """
        Send what was submitted already, wait for its answers, and close.
        """
        self._open = False
        await self._gatherer.close()
        try:
            await self._transport.close()
        finally:
            if self._allowance is not None:
                await self._allowance.close()

    async def send(self, message: VoiceMessage, recipients: Source) -> Summary:
        """
        Send *message* to all of *recipients*, and count what became of them.

        Every recipient has exactly one outcome in the end; a failed delivery is a
        result, not an exception. An entry that is no phone number is ``rejected``
        here, without a code. After a refusal that would meet every other request as
        well, such as a wrong key, the rest is ``not_sent`` and `Summary.stopped`
        says why.

        Raises:
            RecipientsError: Iterating over *recipients* raised; its ``summary`` tells
                what was sent before.
        """
        summary = Summary()

        async def deliver(result: BatchResult) -> None:
            summary.add(result)

        try:
            await self._send_all(
                message, recipients, ForgetfulJournal(self._policy), deliver
            )
        except RecipientsError as error:
            error.summary = summary
            raise
        return summary

    @asynccontextmanager
    async def stream(
        self, message: VoiceMessage, recipients: Source
    ) -> AsyncIterator[Stream]:
        """
        Send *message* to all of *recipients*, and give the results while they come.

        Reads ahead no further than what is under way, so memory stays bounded however
        long the list is and however slow the reader. Leaving the block early stops
        after what is under way, and `Stream.summary` counts that, too.
        """
        journal = CountingJournal(self._policy)
        stream = Stream()

        async def deliver(result: BatchResult) -> None:
            stream.count(result)
            journal.delivered(result)
            await stream.hand_over(result)

        async def send() -> None:
            error: BaseException | None = None
            try:
                await self._send_all(message, recipients, journal, deliver)
            except BaseException as raised:  # noqa: BLE001 -- the reader gets it
                error = raised
            journal.idle.set()  # nothing else will be delivered
            await stream.end(error)

        sending = asyncio.create_task(send())
        try:
            yield stream
        finally:
            journal.stop.set("the stream was left")
            stream.leave()
            try:
                await journal.idle.wait()
            finally:
                sending.cancel()
                await asyncio.wait([sending])

    async def submit(self, message: VoiceMessage, recipient: Recipient) -> Result:
        """
        Send *message* to one *recipient*, joined with other callers' submissions.

        Callers with an equal message share a request, which leaves when it is full or
        the first of them has waited for the settings' ``linger``. Cancelling one
        takes out its recipient, if it has not left yet, and disturbs no one else.
        A recipient of several values has one outcome, given for its first; if one of
        them is no number it is rejected as a whole.
        """
        self._check_open()
        (block,) = blocks_of([recipient], 1)
        screened = self._screening.screen(block)
        if screened.refusals:
            return next(iter(next(self._refuse(message, screened.refusals))))
        return await self._gatherer.submit(message, screened.recipients)

    async def _send_group(
        self, message: VoiceMessage, recipients: Recipients
    ) -> BatchResult:
        batch = Batch(
            BatchId(self._tag, next(self._numbers)),
            recipients,
            Group(_started(message)),
        )
        return await self.sender.send(
            BatchResult.untried(batch), ForgetfulJournal(self._policy), urgent=True
        )

    async def _send_all(
        self,
        message: VoiceMessage,
        recipients: Source,
        journal: Journal,
        deliver: _Deliver,
    ) -> None:
        self._check_open()
        batches = self._batches(_started(message), recipients, deliver)
        async with aclosing(batches) as due:
            if (
                isinstance(recipients, Sequence)
                and len(recipients) <= self._most
                and set(map(type, recipients)) == {str}
            ):
                # One request; no one is needed to work beside us.
                async for batch in due:
                    await deliver(await self.sender.send(batch, journal))
            else:
                await Workers(self.sender, journal, deliver).run(due)

    async def _batches(
        self, message: VoiceMessage, recipients: Source, deliver: _Deliver
    ) -> AsyncGenerator[BatchResult, None]:
        batcher = self._batcher(message)
        async for block in _blocks(recipients, self._most):
            screened = self._screening.screen(block)
            if screened.refusals:
                for refused in self._refuse(message, screened.refusals):
                    await deliver(refused)
                # Where no one is left to be sent to; others get their turn here.
                await clock.sleep(0)
            for batch in batcher.feed(screened.recipients):
                yield BatchResult.untried(batch)
        for batch in batcher.flush():
            yield BatchResult.untried(batch)

    def _refuse(
        self, message: VoiceMessage, refusals: Sequence[Refusal]
    ) -> Iterator[BatchResult]:
        batcher = self._batcher(message)
        refused = Recipients(Kind.MSISDN, [each.recipient for each in refusals])
        reasons = iter(refusals)
        for batch in [*batcher.feed(refused), *batcher.flush()]:
            verdicts = [
                Verdict(Outcome.REJECTED, None, next(reasons).reason)
                for _ in range(len(batch))
            ]
            yield BatchResult.of_places(batch, verdicts)

    def _batcher(self, message: VoiceMessage) -> Batcher:
        return Batcher(
            Group(message), tag=self._tag, size=self._most, numbers=self._numbers
        )

    def _check_open(self) -> None:
        if not self._open:
            raise ClientClosedError("the client is not open; use it with async with")


def _started(message: VoiceMessage) -> VoiceMessage:
    return message.starting(clock.utc_now())


async def _blocks(source: Source, size: int) -> AsyncGenerator[Block, None]:
    """
    *source* in blocks, with what iterating raises marked as theirs.
    """
    try:
        async for blocks in fed(source, _listed, size=size):
            for block in blocks:
                yield block
    except InputError:
        raise
    except Exception as error:
        raise _unreadable(error) from error
    except asyncio.CancelledError as error:
        # It may be theirs: a task of their own that was cancelled. Ours goes on.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise _unreadable(error) from error


def _listed(blocks: Iterable[Block]) -> list[Block] | None:
    return list(blocks) or None


def _unreadable(error: BaseException) -> RecipientsError:
    words = mask_numbers(str(error)) or type(error).__name__
    return RecipientsError(f"the recipients can't be read any further: {words}")
