"""
The jobs that a worker is handed for one campaign, each of which is to send one batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicepush.campaign.dispatching import Run
from voicepush.errors import LedgerError
from voicepush.ledger.sharing import SharedWorker
from voicepush.masking import mask_numbers
from voicepush.model.batch import BatchId


class Jobs:
    """
    Does them, and remembers what the engine would forget.

    Args:
        works: Is called when the first has come.
    """

    def __init__(
        self, run: Run, worker: SharedWorker, works: Callable[[], object]
    ) -> None:
        self._run = run
        self._worker = worker
        self._works = works
        self._known_as = 0
        self._under_way: set[int] = set()
        self._twice: set[int] = set()

    async def do(self, number: int, engine: int) -> None:
        """
        Send the batch of that *number*, as that worker of the engine.
        """
        if number in self._under_way:
            # Two that have it before them would not know of what the other does.
            self._twice.add(number)
            return
        self._under_way.add(number)
        stop = self._run.journal.stop
        batch = BatchId(self._worker.plan.tag, number)
        try:
            if engine != self._known_as:
                self._known_as = engine
                await self._worker.known_as(engine)
                self._works()
            await self._run.send(batch)
            if stop.is_set or number in self._twice:
                await self._worker.put_back(batch)
        except LedgerError as error:
            self._run.journal.fail(error)
        except asyncio.CancelledError:
            # Another program may have ended the job; whom it had claimed are unknown
            # once this worker has left.
            if not stop.is_set:
                self._run.go("another program ended a job")
            raise
        except Exception as error:  # noqa: BLE001 -- the engine would only log it
            stop.set(mask_numbers(str(error)) or type(error).__name__)
        finally:
            self._under_way.discard(number)
            self._twice.discard(number)
