"""
Where the campaigns of a store stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from voicepush import clock
from voicepush.ledger.sql.calls import calls_of
from voicepush.ledger.sql.due_again import number_due_again
from voicepush.ledger.sql.holding import describe, is_alive, workers_of
from voicepush.ledger.sql.rows import COUNTED, follows_of
from voicepush.ledger.sql.store import Connection, Row
from voicepush.model.call import Calls
from voicepush.model.status import CampaignState, CampaignStatus

_STATUSES = """
    SELECT name, state, reason, command, read, invalid, duplicate,
           campaign.suppressed + tally.suppressed AS left_out, expires_at, rate,
           follows, tally.*
    FROM campaign JOIN tally ON tally.campaign = campaign.id
    WHERE state != 'draft'
"""

#: Why a campaign that was given to workers stands still.
_NO_WORKER = "no worker is at work; start one with voicepush worker"


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
    return [_status(connection, row) for row in rows]


def _status(connection: Connection, row: Row) -> CampaignStatus:
    calls = calls_of(connection, row["campaign"])
    state, reason = CampaignState(row["state"]), row["reason"]
    how: dict[str, Any] = {}
    if state is CampaignState.RUNNING:
        workers = workers_of(connection, row["campaign"])
        alive = list(filter(is_alive, workers))
        if not alive and row["command"] is not None:
            # Those who were told it are gone, and nobody else goes on.
            state, reason = CampaignState.PAUSED, reason or "paused by its owner"
        elif alive or all(worker["shares"] for worker in workers):
            how = _how_it_goes(alive)
        else:
            state = CampaignState.PAUSED
            reason = f"its dispatcher, {describe(workers[0])}, is gone; resume goes on"
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
        calls=Calls.of(calls, row["accepted"]) if calls else None,
        asked=row["asked"],
        follows=follows.campaign if (follows := follows_of(row)) else None,
        due_again=number_due_again(connection, row["campaign"]) if calls else 0,
        **how,
        **{name: row[name] for name in COUNTED if name != "suppressed"},
    )


def _how_it_goes(workers: Sequence[Row]) -> dict[str, Any]:
    """
    How fast *workers* are, and why nothing goes on, where that is so for all of them.
    """
    if not workers:
        return {"waiting": _NO_WORKER}
    measured = [
        each["throughput"] for each in workers if each["throughput"] is not None
    ]
    how: dict[str, Any] = {
        "workers": len(workers),
        "throughput": sum(measured) if measured else None,
    }
    wait = [worker for worker in workers if worker["waiting"] is not None]
    # The others may have nothing to do, since what is left is before those who wait.
    if wait and not any(
        each["throughput"] for each in workers if each["waiting"] is None
    ):
        last = max(wait, key=itemgetter("waiting_since"))
        how["waiting"] = last["waiting"]
        how["waiting_since"] = clock.moment(last["waiting_since"])
    return how


def left_in(connection: Connection, campaign: int) -> int:
    """
    How many of *campaign* are pending, in flight or not sent.
    """
    row = connection.execute(
        "SELECT pending + in_flight + not_sent FROM tally WHERE campaign = ?",
        (campaign,),
    ).fetchone()
    return int(row[0])
