"""
When campaigns in memory were planned, claimed and ended.
"""

from __future__ import annotations

from collections.abc import Iterable

from voicepush.ledger.dates import dates_from
from voicepush.ledger.memory.campaign import StoredCampaign
from voicepush.model.status import CampaignDates


def dates_of(campaigns: Iterable[StoredCampaign]) -> dict[str, CampaignDates]:
    """
    When what happened to each of *campaigns* that is published.
    """
    return {each.plan.campaign: _dates(each) for each in campaigns if each.state}


def _dates(campaign: StoredCampaign) -> CampaignDates:
    assert campaign.state is not None  # noqa: S101 -- it is published
    claims = [row.claimed_at for row in campaign.rows if row.claimed_at is not None]
    records = [row.recorded_at for row in campaign.rows if row.recorded_at is not None]
    at_work = [number for number, each in campaign.minutes.items() if each.recipients]
    deeds = [(each.event, each.at.timestamp()) for each in campaign.history]
    return dates_from(
        campaign.state,
        planned=min(at for event, at in deeds if event == "planned"),
        claimed=(min(claims, default=None), max(claims, default=None)),
        minute=min(at_work, default=None),
        recorded=max(records, default=None),
        left=max((at for event, at in deeds if event == "left"), default=None),
    )
