"""
What every request passes before it leaves, and what hears how it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from voicepush.model.batch import Batch
from voicepush.model.claim import (
    Claim,
    Claimed,
    Policy,
    Record,
    Recorded,
    Refused,
    Superseded,
)
from voicepush.model.outcome import BatchResult
from voicepush.model.windows import ALWAYS, Span

if TYPE_CHECKING:
    from voicepush.sending.delivery import Delivery


class StopSignal:
    """
    Says that nothing else may be sent, and why.
    """

    def __init__(self) -> None:
        #: Why, once it is set.
        self.reason: str | None = None
        self._event = asyncio.Event()

    @property
    def is_set(self) -> bool:
        """
        Whether nothing else may be sent.
        """
        return self._event.is_set()

    def set(self, reason: str) -> None:
        """
        Let nothing else be sent; the first *reason* is kept.
        """
        self.reason = self.reason or reason
        self._event.set()

    async def wait(self, seconds: float | None = None) -> None:
        """
        Wait until it is set, but no longer than *seconds*.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)


class Journal(Protocol):
    """
    What a sender asks before each request, and tells after it.
    """

    policy: Policy
    stop: StopSignal
    #: A batch that has to wait for longer, in seconds, is recorded as due again, and
    #: waits nowhere; None if it waits where it is.
    longest_wait: float | None

    def span(self, batch: Batch) -> Span:
        """
        Whether the people of *batch* may be called now, and until when that stays so,
        as far as is known without asking; `claim` has the last word.
        """
        ...

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Whether the destinations of *batch* at *places* may be sent now, by us.
        """
        ...

    async def record(
        self,
        claimed: Claimed | None,
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Take note of what is known of a batch by now; some of it may be pending.

        Args:
            claimed: What `claim` gave; None where nobody was claimed, because it was
                clear without a request.
            due_at: When those who are pending may be sent again, in seconds since
                1970, where the sender does not wait for that itself.
        """
        ...


class ForgetfulJournal:
    """
    A journal that keeps nothing and lets everything be sent until it is stopped.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self.stop = StopSignal()
        self.longest_wait: float | None = None

    def span(self, batch: Batch) -> Span:  # noqa: ARG002
        """
        At any hour.
        """
        return ALWAYS

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:  # noqa: ARG002
        """
        Let it be sent.
        """
        if self.stop.is_set:
            return Refused(self.stop.reason or "stopped")
        return Claimed("", places)

    async def record(
        self,
        claimed: Claimed | None,  # noqa: ARG002
        result: BatchResult,  # noqa: ARG002
        due_at: float | None = None,  # noqa: ARG002
    ) -> Record:
        """
        Forget it.
        """
        return Recorded()


async def told(
    journal: Journal,
    delivery: Delivery,
    claimed: Claimed | None = None,
    *,
    due_at: float | None = None,
) -> BatchResult:
    """
    Tell the journal what is known by now, which it has to hear after each claim.
    """
    result = delivery.result()
    record = await journal.record(claimed, result, due_at)
    if isinstance(record, Superseded):
        delivery.refusal = record.reason
    delivery.recorded = result
    return result
