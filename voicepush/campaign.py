"""
A campaign: one message to one list, planned in a ledger under a name, and dispatched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from itertools import chain, islice
from typing import cast

import attrs

from voicepush.batching import Batcher, make_tag
from voicepush.client import Client
from voicepush.errors import InputError, LedgerError
from voicepush.ledger import Lease, Ledger, Plan
from voicepush.model import (
    MOST_PER_REQUEST,
    Batch,
    BatchResult,
    Recipient,
    Standing,
    State,
    Summary,
    VoiceMessage,
)
from voicepush.recipients import Block, from_async, from_iterable
from voicepush.screening import Screening
from voicepush.sender import Fence
from voicepush.wire import dump_message, load_message

#: Where the recipients of a campaign come from: anything that yields them, or blocks
#: of them as `recipients.read_file` gives.
Source = Iterable[Recipient] | AsyncIterable[Recipient] | Iterable[Block]

#: A holder shows that it is alive so often, in seconds; a third of a lease.
_BEAT = 5.0

#: So many batches are written into the ledger together while planning.
_PLANNED_TOGETHER = 64


class Campaign:
    """
    A campaign that is planned in a ledger; `plan` makes one, `open` finds one.
    """

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._plan = plan
        self._fence: Fence | None = None

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
    async def plan(
        cls,
        ledger: Ledger,
        name: str,
        message: VoiceMessage,
        recipients: Source,
        *,
        source: str = "recipients given by a program",
        screening: Screening | None = None,
        batch_size: int = MOST_PER_REQUEST,
    ) -> Campaign:
        """
        Plan *name*: screen *recipients*, cut them into batches, and keep them.

        A stream of any length is fine. Nothing of the campaign exists for anyone else
        until all of it does. If it is planned already, with the same message and
        source, it is left as it is; its expiry stays what it was.

        Args:
            source: Where the recipients come from, in words that its owner recognises.
            screening: Refuses and counts; the default drops duplicates.
            batch_size: The most recipients of one request.

        Raises:
            InputError: It is planned already, with another message or source.
            CampaignHeldError: Another process is planning it.
            LedgerError: The ledger can't be written.
        """
        existing = await ledger.plan(name)
        if existing is not None:
            campaign = cls(ledger, existing)
            campaign._check_same(message, source)
            return campaign
        screening = screening or Screening()
        message = message.starting(datetime.now(UTC))
        plan = Plan(
            campaign=name,
            message=dump_message(message).decode(),
            source=source,
            tag=make_tag(),
        )
        draft = await ledger.draft(plan)
        try:
            batcher = Batcher(message, tag=plan.tag, size=batch_size)
            batches: list[Batch] = []
            async with aclosing(_blocks(recipients)) as blocks:
                async for block in blocks:
                    batches += batcher.feed(screening.screen(block).recipients)
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

    async def dispatch(self, client: Client) -> Summary:
        """
        Send to everyone who is pending, through *client*; call it again to go on.

        A batch is claimed durably before its first byte leaves, and settled durably
        after its answer. Whoever was in flight when an earlier dispatcher died is
        unknown and is not sent again.

        Returns:
            What became of those that were sent now; `standing` speaks of everyone.

        Raises:
            CampaignHeldError: Another process is dispatching it.
            LedgerError: The ledger failed; what was under way was answered first.
        """
        lease = await self._ledger.lease(self.name)
        fence = self._fence = _LedgerFence(lease)
        summary = Summary()

        async def deliver(result: BatchResult) -> None:
            summary.add(result)

        beating = asyncio.create_task(_beat(lease, fence))
        try:
            async with aclosing(_due(lease, self.message, fence)) as due:
                await client.sender.send_all(due, fence, deliver)
        except BaseException as error:
            with suppress(LedgerError):
                await lease.release(State.PAUSED, fence.reason or _words(error))
            raise
        finally:
            self._fence = None
            beating.cancel()
            await asyncio.wait([beating])
        summary.stopped = fence.reason
        await lease.release(
            State.PAUSED if fence.closed else State.FINISHED, fence.reason
        )
        return summary

    def stop(self, reason: str) -> None:
        """
        Claim nothing more; `dispatch` returns once what is under way is settled.
        """
        if self._fence is not None:
            self._fence.close(reason)

    def _check_same(self, message: VoiceMessage, source: str) -> None:
        if source != self.source:
            raise InputError(
                f"campaign {self.name!r} is planned already, from {self.source}, not "
                f"from {source}; give this one another name with --campaign"
            )
        kept, given = (
            dump_message(attrs.evolve(each, expiry=None)).decode()
            for each in (self.message, message)
        )
        if kept != given:
            raise InputError(
                f"campaign {self.name!r} is planned already, with the message {kept}, "
                f"not {given}; give this one another name with --campaign"
            )


class _LedgerFence(Fence):
    """
    A fence whose every passage is durable.
    """

    def __init__(self, lease: Lease) -> None:
        super().__init__()
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
        Write down what is known.
        """
        await self._lease.settle(result)


async def _due(
    lease: Lease, message: VoiceMessage, fence: Fence
) -> AsyncGenerator[BatchResult, None]:
    async for result in lease.due(message):
        if fence.closed:
            return
        yield result


async def _beat(lease: Lease, fence: Fence) -> None:
    try:
        while True:
            await asyncio.sleep(_BEAT)
            await lease.beat()
    except LedgerError as error:
        fence.close(str(error))


async def _blocks(source: Source) -> AsyncGenerator[Block, None]:
    if isinstance(source, AsyncIterable):
        async for block in from_async(source):
            yield block
        return
    if isinstance(source, Sequence):
        blocks = from_iterable(source)
    else:
        stream = iter(cast("Iterable[Recipient]", source))
        first = list(islice(stream, 1))
        whole = chain(first, stream)
        is_cut = bool(first) and isinstance(first[0], Block)
        blocks = cast("Iterator[Block]", whole) if is_cut else from_iterable(whole)
    for block in blocks:
        yield block


def _words(error: BaseException) -> str:
    return "interrupted" if isinstance(error, asyncio.CancelledError) else str(error)
