"""
Who is on the suppression list of a ledger when a campaign is planned.
"""

from __future__ import annotations

from collections.abc import Sequence

from voicepush import clock
from voicepush.ledger.forgetting import Forgotten
from voicepush.ledger.protocol import Ledger
from voicepush.model.recipients import Kind
from voicepush.screening.duplicates import Seen


class Listed:
    """
    Those who are on the list now; who comes to it later is left out by the claim.
    """

    def __init__(self) -> None:
        self._numbers = Seen.of_numbers()
        self._customer_ids = Seen.of_ids()
        self._forgotten = Forgotten()

    async def look(self, ledger: Ledger) -> None:
        """
        Find them in *ledger*.
        """
        async for kind, values in ledger.suppressed_values():
            self._of(kind).add(values)
            # Others get their turn here.
            await clock.sleep(0)
        self._forgotten = await ledger.forgotten()

    def known(self, kind: Kind, values: Sequence[str]) -> set[str]:
        """
        Those of *values* that are on it.
        """
        return self._of(kind).known(values) | self._forgotten.known(kind, values)

    def _of(self, kind: Kind) -> Seen:
        return self._numbers if kind is Kind.MSISDN else self._customer_ids
