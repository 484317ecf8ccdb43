"""
The client of an async service: send, stream, submit.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from contextvars import Context
from datetime import timedelta
from typing import Self, Unpack

from voicepush import clock
from voicepush.client.gathering import Gatherer
from voicepush.client.journal import ListJournal
from voicepush.client.lists import Lists
from voicepush.client.pace import CurrentPace, pace_of, pacer_of
from voicepush.client.stream import Stream
from voicepush.client.work import Drained, Piece, Work, drain_seconds
from voicepush.environment import from_environment
from voicepush.errors import (
    ClientClosedError,
    OtherLoopError,
)
from voicepush.model.claim import Policy
from voicepush.model.events import Observers
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import (
    BatchResult,
    RecipientsError,
    Result,
    Summary,
)
from voicepush.model.recipients import Recipient, Recipients
from voicepush.sending import request, retrying
from voicepush.sending.journal import ForgetfulJournal, StopSignal
from voicepush.sending.pacing import most_at
from voicepush.sending.sender import Sender
from voicepush.sending.workers import Workers
from voicepush.settings import Settings, SettingsFields
from voicepush.sources.blocks import blocks_of
from voicepush.sources.feeding import Source

_log = logging.getLogger(__name__)

_Deliver = Callable[[BatchResult], Awaitable[None]]

#: What is said of those who were cut off.
_CLOSED = "the client was closed"
_CANCELLED = "sending was cancelled"


class Client:
    """
    Sends voice messages; one client serves a whole process, all day.

    Used with ``async with``. Takes `Settings`, or their fields as keywords; what is
    given nowhere comes from the environment (`VOICEPUSH_SERVICE_KEY`,
    `VOICEPUSH_BASE_URL`).

    It belongs to the event loop in which it was opened, and is not thread-safe: from
    another thread, hand calls over by ``asyncio.run_coroutine_threadsafe``.

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
        pacer, self._allowance = pacer_of(settings.rate)
        #: Where a campaign sends through; its pace is shared by everything sent here.
        self.sender = Sender(settings, self._transport, pacer)
        self._lists = Lists(most_at(settings.own_rate, settings.batch_size))
        self._gatherer = Gatherer(
            self._send_group,
            size=self._lists.most,
            linger=settings.linger,
            most_waiting=settings.most_waiting,
            when_full=settings.when_full,
        )
        self._policy = Policy(retry_internal_error=settings.retry_internal_error)
        self._work = Work()
        #: The event loop that it belongs to, once it is opened.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._takes_work = False
        self._open = False

    async def __aenter__(self) -> Self:
        retrying.load()
        request.load()
        if self._allowance is not None:
            await self._allowance.open()
        await self._transport.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._open = self._takes_work = True
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

    @property
    def pace(self) -> CurrentPace:
        """
        How fast it sends at present, and until when it is held.
        """
        return pace_of(self.sender.pacer)

    @property
    def in_flight(self) -> int:
        """
        How many recipients it has taken that have no outcome yet: of `send`, `stream`
        and `submit`, those that linger or wait for their turn included.
        """
        return self._work.in_flight + self._gatherer.waiting

    async def close(self, drain: float | timedelta | None = None) -> Drained:
        """
        Take no new work, wait for what is under way, and close.

        What lingers leaves at once, and `send`, `stream` and `submit` go on until they
        end or *drain* has passed. Then nothing else is sent or read: who was under way
        is ``unknown``, since they may be called, and who was read and not sent is
        ``not_sent``; a list is counted to its end, another source is read no further.
        Each caller gets an answer with that. Leaving ``async with`` does the same
        without a *drain*. Closing again while it drains may end that earlier.

        Not for use within a `stream`, or by what yields recipients: it would wait for
        itself. A campaign that is sent through this client is stopped by its own
        `Campaign.stop`.

        Args:
            drain: How long to wait, in seconds: 0 for not at all, None for as long as
                it takes, which expiry, patience and time-outs bound.

        Returns:
            How many finished in time, and how many were left and with which outcome.
        """
        longest = drain_seconds(drain)
        if not self._open:
            return Drained()
        self._check_loop()
        self._takes_work = False
        begun = self._work.counts.copy()
        try:
            if longest != 0:
                self._gatherer.hurry()
                await self._work.done(longest)
        finally:
            await self._cut()
        drained = self._work.drained(begun)
        if drained.left:
            _log.warning("closed with recipients under way: %s", drained)
        return drained

    async def _cut(self) -> None:
        """
        End what is under way, with an outcome for everyone, and close.
        """
        is_first, self._open = self._open, False
        self._work.cut(_CLOSED)
        self._gatherer.hurry()
        try:
            await self._transport.close()
            await self._work.done(None)
        finally:
            if is_first and self._allowance is not None:
                await self._allowance.close()

    async def send(
        self,
        message: VoiceMessage,
        recipients: Source,
        *,
        summary: Summary | None = None,
    ) -> Summary:
        """
        Send *message* to all of *recipients*, and count what became of them.

        Every recipient has exactly one outcome in the end; a failed delivery is a
        result, not an exception. An entry that is no phone number is ``rejected``
        here, without a code. After a refusal that would meet every other request as
        well, such as a wrong key, the rest is ``not_sent`` and `Summary.stopped`
        says why.

        Args:
            summary: Is counted in, and returned; by default a new one. Give one to
                look at it meanwhile, or to have it after the call was cancelled: then
                who was under way is ``unknown`` in it, who was read and not sent is
                ``not_sent``, and who was not read is not counted.

        Raises:
            RecipientsError: Iterating over *recipients* raised; its ``summary`` tells
                what was sent before.
            ClientClosedError: The client is not open, or is being closed.
            OtherLoopError: It belongs to another event loop.
        """
        summary = Summary() if summary is None else summary
        journal = ListJournal(self._policy)

        async def deliver(result: BatchResult) -> None:
            summary.add(result)

        try:
            await self._send_all(message, recipients, journal, deliver)
        except RecipientsError as error:
            error.summary = summary
            raise
        except asyncio.CancelledError:
            summary.stopped = summary.stopped or _CANCELLED
            journal.abandon(_CANCELLED, summary)
            raise
        summary.stopped = summary.stopped or journal.stop.reason
        return summary

    @asynccontextmanager
    async def stream(
        self, message: VoiceMessage, recipients: Source
    ) -> AsyncIterator[Stream]:
        """
        Send *message* to all of *recipients*, and give the results while they come.

        Reads ahead no further than what is under way, so memory stays bounded however
        long the list is and however slow the reader. Leaving the block early stops
        after what is under way, and `Stream.summary` counts that, too; who was read by
        then and not sent is ``not_sent`` in it.

        Raises the same as `send`.
        """
        journal = ListJournal(self._policy)
        stream = Stream()

        async def deliver(result: BatchResult) -> None:
            stream.count(result)
            await stream.hand_over(result)

        async def send() -> None:
            error: BaseException | None = None
            try:
                await self._send_all(
                    message, recipients, journal, deliver, stream.hurry
                )
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
                journal.abandon(journal.stop.reason or _CANCELLED, stream.summary)

    async def submit(self, message: VoiceMessage, recipient: Recipient) -> Result:
        """
        Send *message* to one *recipient*, joined with other callers' submissions.

        Callers with an equal message share a request, which leaves when it is full or
        the first of them has waited for the settings' ``linger``. Cancelling one
        takes out its recipient, if it has not left yet, and disturbs no one else.
        A recipient of several values has one outcome, given for its first; if one of
        them is no number it is rejected as a whole.

        Raises:
            BusyError: ``most_waiting`` others have no answer yet, and the settings say
                that it is to be refused then; it was not sent.
            ClientClosedError: The client is not open, or is being closed; not sent.
            OtherLoopError: It belongs to another event loop; not sent.
        """
        self._check_open()
        (block,) = blocks_of([recipient], 1)
        screened = self._lists.screening.screen(block)
        if screened.refusals:
            refused = self._lists.refused(message, screened.refusals)
            return next(iter(next(refused)))
        self._gatherer.check_room()
        with Piece(self._work, StopSignal()):
            return await self._gatherer.submit(message, screened.recipients)

    async def _send_group(
        self,
        message: VoiceMessage,
        recipients: Recipients,
        callers: Sequence[Context],
    ) -> BatchResult:
        journal = ForgetfulJournal(self._policy)
        due = self._lists.one(_started(message), recipients)
        with Piece(self._work, journal.stop) as piece:
            piece.taken(due)
            result = await self.sender.send(due, journal, urgent=True, callers=callers)
            piece.ended(result)
            return result

    async def _send_all(
        self,
        message: VoiceMessage,
        recipients: Source,
        journal: ListJournal,
        deliver: _Deliver,
        when_cut: Callable[[], object] = lambda: None,
    ) -> None:
        self._check_open()

        async def deliver_sent(result: BatchResult) -> None:
            piece.ended(result)
            journal.delivered(result)
            await deliver(result)

        with Piece(self._work, journal.stop, when_cut) as piece:

            def begin(due: BatchResult) -> None:
                piece.taken(due)
                journal.begin(due)

            batches = self._lists.batches(
                _started(message),
                recipients,
                piece,
                begin=begin,
                refuse=deliver,
            )
            async with aclosing(batches) as due:
                if (
                    isinstance(recipients, Sequence)
                    and len(recipients) <= self._lists.most
                    and set(map(type, recipients)) == {str}
                ):
                    # One request; no one is needed to work beside us.
                    async for batch in due:
                        await deliver_sent(await self.sender.send(batch, journal))
                else:
                    await Workers(self.sender, journal, deliver_sent).run(due)

    def _check_open(self) -> None:
        if not self._open:
            raise ClientClosedError("the client is not open; use it with async with")
        self._check_loop()
        if not self._takes_work:
            raise ClientClosedError("the client is being closed, and takes no new work")

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise OtherLoopError(
                "the client belongs to the event loop in which it was opened; call it "
                "there, from another thread by asyncio.run_coroutine_threadsafe, or "
                "open one in each loop"
            )


def _started(message: VoiceMessage) -> VoiceMessage:
    return message.starting(clock.utc_now())
