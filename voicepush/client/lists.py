"""
A list becomes batches: read, screened and cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from itertools import count

from voicepush import clock
from voicepush.client.work import Piece
from voicepush.errors import InputError
from voicepush.masking import mask_numbers
from voicepush.model.batch import Batch, BatchId, Group, make_tag
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, RecipientsError, Verdict
from voicepush.model.recipients import Kind, Recipients
from voicepush.screening.refusals import Refusal
from voicepush.screening.screening import Screening
from voicepush.sending.batching import Batcher
from voicepush.sources.blocks import Block
from voicepush.sources.feeding import Source, fed


class Lists:
    """
    Cuts lists into batches; their ids have one tag and one counter.

    Args:
        most: The most recipients of one batch.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.screening = Screening(duplicates=False)
        self._tag = make_tag()
        self._numbers = count()

    def one(self, message: VoiceMessage, recipients: Recipients) -> BatchResult:
        """
        All of *recipients* as one batch, as it is before its first attempt.
        """
        batch_id = BatchId(self._tag, next(self._numbers))
        return BatchResult.untried(Batch(batch_id, recipients, Group(message)))

    async def batches(
        self,
        message: VoiceMessage,
        source: Source,
        piece: Piece,
        *,
        begin: Callable[[BatchResult], object],
        refuse: Callable[[BatchResult], Awaitable[None]],
    ) -> AsyncGenerator[BatchResult, None]:
        """
        The batches of *source*, as they are before their first attempt.

        Args:
            piece: May be cut off, and then ends reading, unless *source* is a list.
            begin: Is told of each batch before it is given.
            refuse: Takes those who can't be called.

        Raises:
            RecipientsError: Iterating over *source* raised.
        """
        batcher = self._batcher(message)
        async for block in self._blocks(source, piece):
            screened = self.screening.screen(block)
            if screened.refusals:
                for refused in self.refused(message, screened.refusals):
                    await refuse(refused)
                # Where no one is left to be sent to; others get their turn here.
                await clock.sleep(0)
            for batch in batcher.feed(screened.recipients):
                due = BatchResult.untried(batch)
                begin(due)
                yield due
        for batch in batcher.flush():
            due = BatchResult.untried(batch)
            begin(due)
            yield due

    def refused(
        self, message: VoiceMessage, refusals: Sequence[Refusal]
    ) -> Iterator[BatchResult]:
        """
        Those who can't be called, as results.
        """
        batcher = self._batcher(message)
        refused = Recipients(Kind.MSISDN, [each.recipient for each in refusals])
        reasons = iter(refusals)
        for batch in [*batcher.feed(refused), *batcher.flush()]:
            verdicts = [
                Verdict(Outcome.REJECTED, None, next(reasons).reason)
                for _ in range(len(batch))
            ]
            yield BatchResult.of_places(batch, verdicts)

    async def _blocks(
        self, source: Source, piece: Piece
    ) -> AsyncGenerator[Block, None]:
        """
        *source* in blocks, with what iterating raises marked as theirs.
        """
        feeding = fed(source, _listed, size=self.most, ended=lambda: piece.is_cut)
        is_list = isinstance(source, Sequence)
        try:
            async for blocks in feeding if is_list else piece.reading(feeding):
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

    def _batcher(self, message: VoiceMessage) -> Batcher:
        return Batcher(
            Group(message), tag=self._tag, size=self.most, numbers=self._numbers
        )


def _listed(blocks: Iterable[Block]) -> list[Block] | None:
    return list(blocks) or None


def _unreadable(error: BaseException) -> RecipientsError:
    words = mask_numbers(str(error)) or type(error).__name__
    return RecipientsError(f"the recipients can't be read any further: {words}")
