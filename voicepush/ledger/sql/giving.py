"""
Which batches a worker is given next.
"""

from __future__ import annotations

from collections.abc import Collection

from voicepush import clock
from voicepush.ledger.protocol import Finished
from voicepush.ledger.sql.rows import READY, SELECT_BATCH, rows_numbered
from voicepush.ledger.sql.store import Connection, Row
from voicepush.model.claim import NotBefore


def next_rows(
    connection: Connection,
    campaign: int,
    *,
    after: int,
    given: Collection[int],
    limit: int,
) -> list[Row] | NotBefore | Finished:
    """
    The next batches of *campaign* in which someone is pending and need not wait.

    Args:
        after: The last that was given, in the order of the plan.
        given: Those that were given and not told of since.
    """
    now = clock.now()
    rows = connection.execute(
        f"{SELECT_BATCH} WHERE batch.campaign = ? AND batch.state = ? "
        "AND (due_at IS NULL OR due_at <= ?) AND batch.number > ? "
        "ORDER BY batch.number LIMIT ?",
        (campaign, READY, now, after, limit),
    ).fetchall()
    if rows:
        return rows
    # Those that had to wait or are pending again, and stand before that one.
    waiting = [
        row
        for row in connection.execute(
            "SELECT number, due_at FROM batch WHERE campaign = ? AND state = ? "
            "ORDER BY due_at",
            (campaign, READY),
        )
        if row["number"] not in given
    ]
    numbers = [
        row["number"]
        for row in waiting
        if row["due_at"] is None or row["due_at"] <= now
    ]
    if waiting and not numbers:
        return NotBefore(waiting[0]["due_at"], "all that are left have to wait")
    rows = [
        row
        for number in numbers[:limit]
        for row in rows_numbered(connection, campaign, number)
    ]
    return rows or Finished()
