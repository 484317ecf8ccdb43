"""
What was found when a ledger was held against itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

#: So many findings are told; all are counted.
MOST_FINDINGS = 1_000

#: What those who are planned are counted as, in the order of the sum.
PARTS = (
    *("pending", "in_flight", "accepted", "rejected", "expired", "not_sent"),
    "unknown",
)


@attrs.frozen
class Finding:
    """
    Something in a ledger that does not agree with the rest of it.
    """

    #: A campaign, one of its batches, or a table.
    where: str
    what: str


@attrs.frozen
class AuditedCampaign:
    """
    What the rows of a campaign come to, counted anew.
    """

    campaign: str
    batches: int
    #: How many are counted as what: by its part, and ``planned`` and ``suppressed``.
    counts: Mapping[str, int]
    #: Of the source, with ``invalid`` and so on, as they were counted when planning.
    read: int
    invalid: int
    duplicate: int
    suppressed: int
    #: How many calls have receipts, and how many people were looked for by the index.
    calls: int
    looked_up: int


@attrs.frozen
class Audit:
    """
    What was looked at in a ledger, all of it at one moment, and what does not agree.
    """

    campaigns: Sequence[AuditedCampaign]
    #: At most `MOST_FINDINGS`.
    findings: Sequence[Finding]
    #: How many there are.
    found: int = 0

    @property
    def is_sound(self) -> bool:
        """
        Whether all of it agrees.
        """
        return not self.found


@attrs.define
class Findings:
    """
    Collects what does not agree.
    """

    listed: list[Finding] = attrs.field(factory=list)
    number: int = 0

    def add(self, where: str, what: str) -> None:
        """
        Take one in.
        """
        self.number += 1
        if len(self.listed) < MOST_FINDINGS:
            self.listed.append(Finding(where, what))

    def compare(self, where: str, what: str, *, kept: object, counted: object) -> None:
        """
        Take one in if what is *kept* is not what was *counted*.
        """
        if kept != counted:
            self.add(where, f"{what} is {kept}, and its rows come to {counted}")
