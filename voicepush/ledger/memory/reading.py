"""
What is known of campaigns that last as long as an object.
"""

from __future__ import annotations

from collections import Counter

import attrs

from voicepush.ledger.memory.campaign import (
    StoredCampaign,
    lookup_of,
    unknown_in,
)
from voicepush.ledger.memory.due_again import number_due_again
from voicepush.ledger.memory.past import MemoryPast
from voicepush.ledger.memory.receiving import MemoryReceipts
from voicepush.ledger.memory.timeline import (
    group_counts_of,
    reasons_of,
    timeline_of,
)
from voicepush.ledger.plan import Fingerprint, Plan, PlannedGroup
from voicepush.model.call import CallState
from voicepush.model.outcome import Verdict
from voicepush.model.overview import Snapshot, Timeline
from voicepush.model.status import (
    CampaignStatus,
    GroupCounts,
    Lookup,
)


class MemoryReader(MemoryPast):
    """
    The half of a ledger that changes nothing.
    """

    _campaigns: dict[str, StoredCampaign]
    _receipts: MemoryReceipts

    async def campaigns(self) -> list[CampaignStatus]:
        """
        All campaigns, the newest last.
        """
        return [self._status(each) for each in self._campaigns.values() if each.state]

    async def status(self, campaign: str) -> CampaignStatus | None:
        """
        Where *campaign* stands, or None if there is no such campaign.
        """
        found = self._campaigns.get(campaign)
        return self._status(found) if found is not None and found.state else None

    def _status(self, campaign: StoredCampaign) -> CampaignStatus:
        number = number_due_again(self._campaigns, campaign)
        return attrs.evolve(campaign.status(), due_again=number)

    async def plan(self, campaign: str) -> Plan | None:
        """
        What *campaign* is, or None if there is no such campaign.
        """
        found = self._campaigns.get(campaign)
        return found.plan if found is not None and found.state else None

    async def groups(self, campaign: str) -> list[PlannedGroup]:
        """
        What the people of the batches of *campaign* have in common.
        """
        return list(self._published(campaign).groups)

    async def group_counts(self, campaign: str) -> dict[int, GroupCounts]:
        """
        Where the people of each group of *campaign* stand, by its number.
        """
        return group_counts_of(self._published(campaign))

    async def trial_calls(self, campaign: str) -> Counter[CallState]:
        """
        How many calls of who was called first in *campaign* are in which state.
        """
        return Counter(
            call.call.state
            for row in self._published(campaign).rows
            if row.group.trial
            for call in row.calls.values()
        )

    async def fingerprint(self, campaign: str) -> Fingerprint | None:
        """
        What *campaign*'s source was like when it was planned, where that is known.
        """
        return self._published(campaign).fingerprint

    async def timeline(self, campaign: str) -> Timeline:
        """
        What happened when in *campaign*.
        """
        return timeline_of(self._published(campaign))

    async def reasons(self, campaign: str) -> Counter[Verdict]:
        """
        How many recipients of *campaign* have which verdict.
        """
        return reasons_of(self._published(campaign))

    async def snapshot(self, campaign: str) -> Snapshot:
        """
        How *campaign* stands, all of it at one moment.
        """
        found = self._published(campaign)
        return Snapshot(
            status=self._status(found),
            timeline=timeline_of(found),
            reasons=reasons_of(found),
            unknown=unknown_in(found),
            receipts=self._receipts.counts(),
            history=list(found.history),
        )

    async def lookup(self, value: str) -> list[Lookup]:
        """
        What is known of *value*.
        """
        return [
            lookup_of(campaign, row, recipient)
            for campaign in self._campaigns.values()
            if campaign.state
            for row in campaign.rows
            for recipient, result in enumerate(row.shown)
            if value in (result.recipient, result.correlation_id)
        ]
