"""
When campaigns of a store were planned, claimed and ended.
"""

from __future__ import annotations

from voicepush.ledger.dates import dates_from
from voicepush.ledger.sql.store import DRAFT, Connection
from voicepush.model.status import CampaignDates, CampaignState

_DATES = f"""
    SELECT name, state, planned_at,
           (SELECT min(claimed_at) FROM batch
            WHERE batch.campaign = campaign.id AND claimed_at IS NOT NULL) AS first,
           (SELECT max(claimed_at) FROM batch
            WHERE batch.campaign = campaign.id AND claimed_at IS NOT NULL) AS last,
           (SELECT min(minute) FROM minute
            WHERE minute.campaign = campaign.id AND recipients > 0) AS minute,
           (SELECT max(recorded_at) FROM batch
            WHERE batch.campaign = campaign.id) AS recorded,
           (SELECT max(at) FROM history
            WHERE history.campaign = campaign.id AND event = 'left') AS left_at
    FROM campaign WHERE state != '{DRAFT}' ORDER BY campaign.id
"""  # noqa: S608 -- our name


def dates_of(connection: Connection) -> dict[str, CampaignDates]:
    """
    When what happened to each campaign, by its name, the newest last.
    """
    return {
        row["name"]: dates_from(
            CampaignState(row["state"]),
            planned=row["planned_at"],
            claimed=(row["first"], row["last"]),
            minute=row["minute"],
            recorded=row["recorded"],
            left=row["left_at"],
        )
        for row in connection.execute(_DATES)
    }
