"""
The planner of one campaign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from voicepush import clock
from voicepush.errors import CampaignLostError
from voicepush.ledger.memory.campaign import Row, StoredCampaign
from voicepush.ledger.plan import Fingerprint, PlannedGroup
from voicepush.model.batch import Batch
from voicepush.model.outcome import BatchResult
from voicepush.model.status import CampaignState


class MemoryDraft:
    """
    A campaign that is being planned.
    """

    def __init__(
        self, campaigns: dict[str, StoredCampaign], campaign: StoredCampaign
    ) -> None:
        self._campaigns = campaigns
        self._campaign = campaign

    def _check_ours(self) -> None:
        here = self._campaigns.get(self._campaign.plan.campaign)
        if here is not self._campaign or here.state is not None:
            raise CampaignLostError(
                "the campaign is planned by another; this one stops"
            )
        self._campaign.heard_at = clock.monotonic()

    async def add(
        self, batches: Sequence[Batch], groups: Sequence[PlannedGroup] = ()
    ) -> None:
        """
        Take *batches* in.
        """
        self._check_ours()
        self._campaign.groups += groups
        self._campaign.rows += [Row(BatchResult.untried(batch)) for batch in batches]

    async def heartbeat(self) -> None:
        """
        Show that the planner is alive.
        """
        self._check_ours()

    async def publish(
        self, counts: Mapping[str, int], fingerprint: Fingerprint | None = None
    ) -> None:
        """
        Make the campaign exist, with the screening's *counts*.
        """
        self._check_ours()
        campaign = self._campaign
        campaign.counts, campaign.fingerprint = counts, fingerprint
        campaign.state, campaign.worker = CampaignState.PLANNED, None
        campaign.note("planned")

    async def discard(self) -> None:
        """
        Let nothing of it remain, if it is still a draft and ours.
        """
        if self._campaign.state is None:
            self._check_ours()
            del self._campaigns[self._campaign.plan.campaign]
