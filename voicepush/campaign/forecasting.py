"""
Who of a campaign is called when, as far as that can be said.
"""

from __future__ import annotations

from voicepush import clock
from voicepush.campaign.counting import counts_by
from voicepush.ledger.reader import LedgerReader
from voicepush.model.reach import Reach, reach
from voicepush.model.status import CampaignStatus


async def reach_of(ledger: LedgerReader, status: CampaignStatus) -> Reach | None:
    """
    Who of the campaign in *status* is called when; None where nobody is pending, or
    people may be called at any hour.
    """
    plan = await ledger.plan(status.campaign) if status.pending else None
    if plan is None or plan.windows is None:
        return None
    counts = await counts_by(ledger, status.campaign, lambda group: group.zones)
    people = {zones: each.pending for zones, each in counts.items() if each.pending}
    return reach(
        people,
        plan.windows,
        clock.now(),
        expires_at=plan.expires_at,
        rate=pace_of(status),
    )


def pace_of(status: CampaignStatus) -> float | None:
    """
    How fast people are called, as far as is known, in destinations per second.
    """
    return status.rate or status.throughput or None
