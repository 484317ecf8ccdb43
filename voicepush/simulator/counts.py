"""What became of the receipts, in numbers."""

from collections import Counter
from typing import Any

import attrs


@attrs.define
class Counts:
    """
    What became of the receipts: each that is made is delivered, lost or pending.
    """

    #: One for each event, from the moment in which its call is accepted, and one for
    #: each that comes twice.
    made: int = 0
    #: Answered with 200.
    delivered: int = 0
    #: Given up, or lost on purpose.
    lost: int = 0
    #: How many posts were made.
    sent: int = 0
    #: Those that were not answered with 200, by status, "no_answer" or "no_connection".
    refused: Counter[str] = attrs.field(factory=Counter)
    #: Those with a wrong signature or none, and how many were answered with 200 anyway.
    forged: int = 0
    forged_taken: int = 0
    #: How many calls were not reported at all, by the reason.
    skipped: Counter[str] = attrs.field(factory=Counter)

    @property
    def pending(self) -> int:
        """
        How many receipts are still to come.
        """
        return self.made - self.delivered - self.lost

    def summary(self) -> dict[str, Any]:
        """
        The counts, ready for JSON.
        """
        return {**attrs.asdict(self), "pending": self.pending}
