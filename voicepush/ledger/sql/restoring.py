"""
A backup becomes a ledger again: whoever may have been called since it was made is
unknown from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from voicepush.ledger import decisions
from voicepush.ledger.packing import pack_lost, unpack_lost
from voicepush.ledger.sql.history import note
from voicepush.ledger.sql.holding import let_all_go, let_go, take
from voicepush.ledger.sql.late import write
from voicepush.ledger.sql.rows import (
    IS_PROVEN,
    SELECT_BATCH,
    TOGETHER,
    batch_result,
    in_flight,
    record_of,
)
from voicepush.ledger.sql.statements import LOSE
from voicepush.ledger.sql.store import DRAFT, Connection, Row
from voicepush.ledger.sql.tokens import new_token
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.status import CampaignState

#: Of these nobody was called later; and who was not sent by a campaign that was
#: cancelled, or that goes on elsewhere, is not sent from here either.
_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED, CampaignState.MOVED)


def restore(connection: Connection, made: str) -> Mapping[str, int]:
    """
    Make all who were pending, in flight or not sent unknown, in all campaigns that were
    not over.

    Args:
        made: What the backup is, in words.

    Returns:
        How many these are, by campaign.
    """
    rows = connection.execute(
        "SELECT * FROM campaign WHERE state != ? ORDER BY id", (DRAFT,)
    ).fetchall()
    words = f"may have been called since; restored from {made}"
    found = {
        row["name"]: _restore(connection, row, Verdict(Outcome.UNKNOWN, None, words))
        for row in rows
        if row["state"] not in _OVER
    }
    for row in rows:
        if row["name"] in found:
            told = f"{found[row['name']]} unknown, from {made}"
            note(connection, row["id"], "restored", told)
    # Who is due again may have been called since, too, also by one that was over.
    connection.execute("UPDATE batch SET closes_at = NULL WHERE closes_at IS NOT NULL")
    # Also of those that were being planned: whoever works on them does so elsewhere.
    connection.execute("DELETE FROM worker")
    return found


def _restore(connection: Connection, campaign: Row, verdict: Verdict) -> int:
    tokens = [
        row["token"]
        for row in connection.execute(
            "SELECT token FROM worker WHERE campaign = ?", (campaign["id"],)
        )
    ]
    token = new_token()
    take(connection, campaign["id"], token)
    after, number = -1, 0
    while rows := connection.execute(
        f"{SELECT_BATCH} WHERE batch.campaign = ? AND batch.number > ? "
        f"AND (batch.state != 2 OR not_sent > 0 OR {IS_PROVEN}) "
        "ORDER BY batch.number LIMIT ?",
        (campaign["id"], after, TOGETHER),
    ).fetchall():
        for row in rows:
            number += _lose(connection, campaign["id"], row, verdict, token, tokens)
        after = rows[-1]["number"]
    let_go(connection, token)
    let_all_go(connection, campaign["id"])
    if campaign["state"] != CampaignState.MOVING:
        connection.execute(
            "UPDATE campaign SET state = ?, reason = ?, command = NULL WHERE id = ?",
            (CampaignState.PAUSED, "restored from a backup", campaign["id"]),
        )
    return number


def _lose(
    connection: Connection,
    campaign: int,
    row: Row,
    verdict: Verdict,
    token: str,
    tokens: Sequence[str],
) -> int:
    """
    Let nobody in the batch in *row* be called by itself any more; gives how many these
    are.

    Args:
        tokens: Of those who worked on the campaign when the backup was made, and may do
            so yet.
    """
    known = batch_result(row)
    under_way = in_flight(row, known)
    restored = decisions.restored(known, under_way, verdict)
    places = known.places(Outcome.PENDING) + known.places(Outcome.NOT_SENT)
    lost = unpack_lost(row["lost"])
    for each in {*tokens, *filter(None, [row["claimed_by"]])}:
        lost[each] = lost.get(each, frozenset()).union(places)
    if places:
        # When they were called, if they were, is not known; caps count them from now.
        connection.execute(
            "UPDATE batch SET claimed_at = ? WHERE campaign = ? AND number = ?",
            (connection.now(), campaign, row["number"]),
        )
    record = record_of(restored, campaign, token)
    write(connection, row, restored, record)
    connection.execute(LOSE, (pack_lost(lost), campaign, row["number"]))
    return known.batch.weigh(sorted(places))
