"""
A campaign is given to the workers of its ledger, and this process is one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from voicepush.campaign.unrecorded import Unrecorded
from voicepush.client.client import Client
from voicepush.cluster.worker import ClusterWorker, working
from voicepush.errors import LedgerError
from voicepush.ledger.plan import Command
from voicepush.ledger.sharing import SharedLedger
from voicepush.model.outcome import Summary
from voicepush.sending.request import load_message


async def release(
    ledger: SharedLedger, campaign: str, *, process_is_gone: bool = False
) -> None:
    """
    Give *campaign* to the workers of *ledger*.
    """
    await ledger.release(campaign, load_message, process_is_gone=process_is_gone)


#: Who is to leave at once tries so long to say so, in seconds.
_AT_ONCE = 1.0


class SharedDispatch:
    """
    One campaign, sent by this process beside the other workers of its *ledger*.

    Args:
        answers_in: The folder where answers are kept that can't be recorded for long.
    """

    def __init__(
        self, ledger: SharedLedger, campaign: str, *, answers_in: Path | None = None
    ) -> None:
        self._ledger = ledger
        self._answers_in = answers_in
        self._name = campaign
        self._worker: ClusterWorker | None = None
        #: Why it is to end, if it is.
        self._reason: str | None = None

    def stop(self, reason: str) -> None:
        """
        Take nothing more; `dispatch` returns once what is under way is recorded.
        """
        self._reason = reason
        if self._worker is not None:
            self._worker.stop(reason)

    async def dispatch(
        self,
        client: Client,
        *,
        drain: float | None = None,
        process_is_gone: bool = False,
        tell: Callable[[str], object] = lambda _: None,
    ) -> Summary:
        """
        Give the campaign to the workers, and be one of them until it is over, or this
        is stopped. Where it was the last one then, the campaign is paused.

        Returns:
            What became of those that were sent by this process.
        """
        with Unrecorded(self._answers_in, tell) as unrecorded:
            # Before, so that whoever was not sent is pending then.
            await unrecorded.bring_in(self._ledger)
            await release(self._ledger, self._name, process_is_gone=process_is_gone)
            async with working(
                self._ledger,
                client,
                only=self._name,
                drain=drain,
                unrecorded=unrecorded,
                tell=tell,
            ) as worker:
                self._worker = worker
                if self._reason is not None:
                    worker.stop(self._reason)
                try:
                    await worker.run()
                except asyncio.CancelledError:
                    await self._leave_at_once(worker)
                    raise
        if worker.stop_reason is not None:
            if others := await self._ledger.workers(self._name):
                who = "worker goes" if others == 1 else "workers go"
                tell(
                    f"{others} other {who} on with {self._name}; voicepush pause "
                    f"{self._name} stops that"
                )
            else:
                await self._ledger.steer(self._name, command=Command.PAUSE)
        return worker.summaries.get(self._name, Summary())

    async def _leave_at_once(self, worker: ClusterWorker) -> None:
        """
        Whoever comes later does not go on by itself with what nobody else works on.
        """
        ours = len(worker.campaigns)
        with suppress(LedgerError, TimeoutError):
            async with asyncio.timeout(_AT_ONCE):
                if await self._ledger.workers(self._name) <= ours:
                    await self._ledger.steer(self._name, command=Command.PAUSE)
