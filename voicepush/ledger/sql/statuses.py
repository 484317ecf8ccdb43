"""
Where the campaigns of a store stand.
"""

from __future__ import annotations

from typing import Any

from voicepush import clock
from voicepush.ledger.sql.calls import calls_of
from voicepush.ledger.sql.holder import SILENT_SINCE, describe, is_alive
from voicepush.ledger.sql.rows import COUNTED, follows_of
from voicepush.ledger.sql.store import Connection, Row
from voicepush.model.call import Calls, CallState
from voicepush.model.status import CampaignState, CampaignStatus

_STATUSES = f"""
    SELECT name, state, reason, holder, {SILENT_SINCE}, read, invalid, duplicate,
           campaign.suppressed + tally.suppressed AS left_out, expires_at, rate,
           throughput, waiting, waiting_since, follows, tally.*
    FROM campaign JOIN tally ON tally.campaign = campaign.id
    WHERE state != 'draft'
"""  # noqa: S608 -- our names


def statuses_of(connection: Connection, name: str | None) -> list[CampaignStatus]:
    """
    Where the campaign called *name* stands, or where all do.
    """
    # One of them is found by an index.
    rows = (
        connection.execute(f"{_STATUSES} ORDER BY campaign.id")
        if name is None
        else connection.execute(f"{_STATUSES} AND name = ?", (name,))
    ).fetchall()
    return [_status(row, calls_of(connection, row["campaign"])) for row in rows]


def _status(row: Row, calls: dict[CallState, int]) -> CampaignStatus:
    state, reason = CampaignState(row["state"]), row["reason"]
    if state is CampaignState.RUNNING and not is_alive(row):
        state = CampaignState.PAUSED
        reason = f"its dispatcher, {describe(row)}, is gone; resume goes on"
    return CampaignStatus(
        campaign=row["name"],
        state=state,
        reason=reason,
        read=row["read"],
        planned=row["planned"],
        pending=row["pending"],
        in_flight=row["in_flight"],
        invalid=row["invalid"],
        duplicate=row["duplicate"],
        suppressed=row["left_out"],
        given_up=row["given_up"],
        expiry=clock.moment(row["expires_at"]),
        rate=row["rate"],
        throughput=row["throughput"] if state is CampaignState.RUNNING else None,
        calls=Calls.of(calls, row["accepted"]) if calls else None,
        asked=row["asked"],
        follows=follows.campaign if (follows := follows_of(row)) else None,
        **_waiting(row, state),
        **{name: row[name] for name in COUNTED if name != "suppressed"},
    )


def _waiting(row: Row, state: CampaignState) -> dict[str, Any]:
    if state is not CampaignState.RUNNING or row["waiting"] is None:
        return {}
    return {
        "waiting": row["waiting"],
        "waiting_since": clock.moment(row["waiting_since"]),
    }
