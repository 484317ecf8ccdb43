"""
Lets it be known that nothing goes on because all windows are closed.
"""

from __future__ import annotations

from voicepush import clock
from voicepush.campaign.dispatching import Run
from voicepush.ledger.sharing import SharedWorker

#: Whoever waits for a window is counted again so often, in seconds.
_COUNT_EVERY = 10.0


class Closed:
    """
    Looks whether all who are left in one campaign wait for their windows.

    No job tells that: those of a closed window are handed out when it opens.
    """

    def __init__(self, run: Run, worker: SharedWorker) -> None:
        self._run = run
        self._worker = worker
        self._done = run.done
        self._windows = run.journal.windows
        #: When it is to be looked at again, in seconds since the start.
        self._again_at = 0.0

    async def look(self) -> None:
        """
        Look, unless something goes on, or it is known.
        """
        seen = self._done, self._windows
        self._done, self._windows = self._run.done, self._run.journal.windows
        if self._done != seen[0]:
            self._run.waits_for(None)
            self._again_at = 0.0
            return
        if self._windows == seen[1] and clock.monotonic() < self._again_at:
            return
        later = await self._worker.waits()
        self._run.waits_for(later)
        known = later is not None
        self._again_at = clock.monotonic() + _COUNT_EVERY if known else 0.0
