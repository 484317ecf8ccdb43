"""
What a ledger promises besides where several machines work on one campaign.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeGuard

import attrs

from voicepush.ledger.late_record import Fate, LateRecord
from voicepush.ledger.protocol import Ledger, Worker
from voicepush.ledger.reader import LedgerReader
from voicepush.model.batch import BatchId
from voicepush.model.claim import NotBefore
from voicepush.model.message import VoiceMessage

#: The name of the task that a job of the engine is for: to send one batch.
TASK = "voicepush.send_batch"

#: A worker of the engine gives a sign of life so often, in seconds; one
#: that gave none for so long is taken for dead.
LIVES_BY = 5.0
STALLED_AFTER = 20.0


@attrs.frozen
class Database:
    """
    Where the tables of a ledger are, and those of the engine beside them.
    """

    address: str
    schema: str


class SharedWorker(Worker, Protocol):
    """
    A process that takes batches of one campaign, beside others.

    It sends those for which the engine gives it a job. A claim of a batch that another
    has claimed is `Refused`. One that leaves in the state ``running`` leaves the rest
    to the others, and the last of them who leaves ends the campaign.
    """

    async def known_as(self, engine: int) -> None:
        """
        Let it be known which of the engine's workers this is, so that its jobs are
        given to others as soon as it is gone.
        """
        ...

    async def put_back(self, batch: BatchId) -> None:
        """
        Let the engine give *batch* to any worker again, if someone in it is pending.
        """
        ...

    async def sweep(self) -> int:
        """
        Clean up after workers that gave no sign: who was in flight with them is
        unknown, and what they had not claimed is given to others.

        Returns:
            How many such workers there were.
        """
        ...

    async def is_over(self) -> bool:
        """
        Whether nobody is pending or in flight any more.
        """
        ...

    async def waits(self) -> NotBefore | None:
        """
        When the next windows open, if nobody is in flight and all others wait for that.
        """
        ...


class SharedLedger(Ledger, Protocol):
    """
    Where campaigns are kept that several machines work on.
    """

    @property
    def database(self) -> Database:
        """
        Where it is.
        """
        ...

    async def release(
        self,
        campaign: str,
        load: Callable[[str], VoiceMessage],
        *,
        process_is_gone: bool = False,
    ) -> None:
        """
        Give *campaign* to the workers: from now on those who `share` it send to
        everyone who is pending or was not sent. One that is given already is left so.

        Raises:
            InputError: There is no such campaign, or it was cancelled.
            CampaignHeldError: A process dispatches it alone.
        """
        ...

    async def workers(self, campaign: str) -> int:
        """
        How many work on *campaign* at present.
        """
        ...

    async def released(self) -> list[str]:
        """
        The names of the campaigns that are given to workers and not over.
        """
        ...

    async def share(
        self, campaign: str, load: Callable[[str], VoiceMessage]
    ) -> SharedWorker:
        """
        Become a worker of *campaign*, beside others.

        Raises:
            InputError: There is no such campaign, or it is not given to workers.
            CampaignHeldError: A process dispatches it alone.
        """
        ...

    async def record_late(self, late: LateRecord) -> Fate:
        """
        Add to what is known what a worker knew that could not record it.

        Who was called stays called, and nobody becomes pending by it. It may be told
        again.
        """
        ...


def is_shared(ledger: LedgerReader) -> TypeGuard[SharedLedger]:
    """
    Whether several machines may work on the campaigns of *ledger*.
    """
    return hasattr(ledger, "share")
