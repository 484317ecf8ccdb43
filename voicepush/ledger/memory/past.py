"""
What was done to campaigns in memory, and when.
"""

from __future__ import annotations

from voicepush.errors import InputError
from voicepush.ledger.dates import dates_from
from voicepush.ledger.memory.campaign import StoredCampaign
from voicepush.ledger.memory.timeline import minutes_of
from voicepush.model.status import CampaignDates, HistoryEntry, Minute


class MemoryPast:
    """
    The part of a ledger that tells of the past.
    """

    _campaigns: dict[str, StoredCampaign]

    def _published(self, name: str) -> StoredCampaign:
        found = self._campaigns.get(name)
        if found is None or found.state is None:
            raise InputError(f"there is no campaign {name!r} in this ledger")
        return found

    async def history(self, campaign: str) -> list[HistoryEntry]:
        """
        What was done to *campaign*, the oldest first.
        """
        return list(self._published(campaign).history)

    async def dates(self) -> dict[str, CampaignDates]:
        """
        When what happened to each campaign, by its name, the newest last.
        """
        published = (each for each in self._campaigns.values() if each.state)
        return {each.plan.campaign: _dates(each) for each in published}

    async def minutes(self, campaign: str) -> list[Minute]:
        """
        How *campaign* went in each minute in which a worker was at work.
        """
        return minutes_of(self._published(campaign))


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
