"""
What every request passes before it leaves, and what hears how it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from voicepush.model.batch import Batch
from voicepush.model.outcome import BatchResult


class Fence:
    """
    What every request passes before its first byte leaves, and what hears how it ended.

    This one remembers nothing and lets everything pass until it is closed; a ledger's
    makes each passage durable.
    """

    def __init__(
        self, *, retry_internal_error: bool = True, resend_unknown: bool = False
    ) -> None:
        #: Why nothing else may pass, once it is closed.
        self.reason: str | None = None
        #: Whether code 7006 is tried again.
        self.retry_internal_error = retry_internal_error
        #: Whether what is in doubt is tried again, at the risk of a second call.
        self.resend_unknown = resend_unknown
        self._closing = asyncio.Event()

    @property
    def closed(self) -> bool:
        """
        Whether nothing else may pass.
        """
        return self._closing.is_set()

    def close(self, reason: str) -> None:
        """
        Let nothing else pass; the first *reason* is kept.
        """
        self.reason = self.reason or reason
        self._closing.set()

    async def claim(self, batch: Batch, places: Sequence[int]) -> bool:  # noqa: ARG002
        """
        Whether the destinations of *batch* at *places* may be sent now, by us.
        """
        return not self.closed

    async def settle(self, result: BatchResult) -> None:
        """
        Take note of what is known of a batch by now; some of it may be pending.
        """

    async def wait(self, seconds: float | None = None) -> None:
        """
        Wait until it is closed, but no longer than *seconds*.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)
