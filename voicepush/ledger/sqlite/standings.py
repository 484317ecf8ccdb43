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
    SELECT name, state, reason, holder, beat_at, read, invalid, duplicate, suppressed,
           expires_at, rate, speed, waiting, waiting_since, tally.*
    FROM campaign JOIN tally ON tally.campaign = campaign.id
    WHERE state != 'draft' AND name = coalesce(?, name)
    ORDER BY campaign.id
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
    return Standing(
        campaign=row["name"],
        state=state,
        reason=reason,
        read=row["read"],
        planned=row["planned"],
        pending=row["pending"],
        in_flight=row["in_flight"],
        invalid=row["invalid"],
        duplicate=row["duplicate"],
        suppressed=row["suppressed"],
        given_up=row["given_up"],
        expiry=moment(row["expires_at"]),
        rate=row["rate"],
        speed=row["speed"] if state is State.RUNNING else None,
        **_waiting(row, state),
        **{name: row[name] for name in COUNTED},
    )


def _waiting(row: sqlite3.Row, state: State) -> dict[str, Any]:
    if state is not State.RUNNING or row["waiting"] is None:
        return {}
    return {
        "waiting": row["waiting"],
        "waiting_since": moment(row["waiting_since"]),
    }
