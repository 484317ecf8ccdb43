"""
Where the campaigns of the file stand.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from voicepush.ledger.sqlite.holder import describe, is_alive
from voicepush.ledger.sqlite.rows import COUNTED, moment
from voicepush.model.status import Standing, State

_STANDINGS = """
    SELECT name, state, reason, holder, beat_at, read, planned, invalid, duplicate,
           suppressed, expires_at, rate, speed, waiting, waiting_since,
           coalesce(sum(in_flight), 0) AS in_flight,
           coalesce(sum(accepted), 0) AS accepted,
           coalesce(sum(rejected), 0) AS rejected,
           coalesce(sum(expired), 0) AS expired,
           coalesce(sum(not_sent), 0) AS not_sent,
           coalesce(sum(unknown), 0) AS unknown,
           coalesce(sum(given_up), 0) AS given_up
    FROM (SELECT * FROM campaign WHERE state != 'draft' AND name = coalesce(?, name))
         AS found
    LEFT JOIN (SELECT campaign, in_flight, accepted, rejected, expired, not_sent,
                      unknown, given_up FROM batch) ON campaign = found.id
    GROUP BY found.id ORDER BY found.id
"""


def standings_of(connection: sqlite3.Connection, name: str | None) -> list[Standing]:
    """
    Where the campaign called *name* stands, or where all do.
    """
    return [_standing(row) for row in connection.execute(_STANDINGS, (name,))]


def _standing(row: sqlite3.Row) -> Standing:
    state, reason = State(row["state"]), row["reason"]
    if state is State.RUNNING and not is_alive(row):
        state = State.PAUSED
        reason = f"its dispatcher, {describe(row)}, is gone; resume goes on"
    counted = {name: row[name] for name in COUNTED}
    return Standing(
        campaign=row["name"],
        state=state,
        reason=reason,
        read=row["read"],
        planned=row["planned"],
        pending=row["planned"] - row["in_flight"] - sum(counted.values()),
        in_flight=row["in_flight"],
        invalid=row["invalid"],
        duplicate=row["duplicate"],
        suppressed=row["suppressed"],
        given_up=row["given_up"],
        expiry=moment(row["expires_at"]),
        rate=row["rate"],
        speed=row["speed"] if state is State.RUNNING else None,
        **_waiting(row, state),
        **counted,
    )


def _waiting(row: sqlite3.Row, state: State) -> dict[str, Any]:
    if state is not State.RUNNING or row["waiting"] is None:
        return {}
    return {
        "waiting": row["waiting"],
        "waiting_since": moment(row["waiting_since"]),
    }
