"""
How much is on its way at present, for who wants to show that.
"""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Load:
    """
    What a sender, and those beside it, have on their way. It may be read in any thread.
    """

    #: Batches that have been begun with and have no result yet.
    batches: int = 0
    #: Requests that have no answer yet.
    requests: int = 0

    @property
    def waiting(self) -> int:
        """
        Batches without a request under way: they wait for a free slot, their pace,
        their claim, or their next attempt.
        """
        return max(0, self.batches - self.requests)
