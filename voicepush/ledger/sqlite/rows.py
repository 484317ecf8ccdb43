"""
Rows become values, and values rows.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache, partial
from typing import Any

import msgspec

from voicepush import clock
from voicepush.ledger import decisions
from voicepush.ledger.packing import (
    COLUMNS,
    TO_SEND,
    PackedRecipients,
    pack_exceptions,
    pack_transactions,
    unpack_exceptions,
    unpack_places,
    unpack_recipients,
    unpack_transactions,
)
from voicepush.ledger.plan import Plan
from voicepush.ledger.sqlite.writer import SQLiteFile
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import Lookup, UnknownBatch

READY, SENDING, RECORDED = range(3)


#: So many batches are read at once.
TOGETHER = 64


#: The outcomes that have a column of their own.
COUNTED = {
    outcome.value: outcome for outcome in Outcome if outcome is not Outcome.PENDING
}


#: Where the message does not matter.
_without_message = cache(partial(Group, VoiceMessage(media="-")))


_FIRST = (
    *("campaign.name", "campaign.tag", "batch.number", "message_group"),
    *("batch.state", "in_flight", "accepted", "unknown", "given_up", "attempts"),
    *("claimed_at", "recorded_at", "claimed", "claimed_by", "due_at", "lost"),
    *("given_up_places", "late"),
    *("outcome", "code", "description", "exceptions", "transactions"),
)


def _select(columns: Sequence[str]) -> str:
    """
    A query for batches with these *columns* of their recipients, which come last.
    """
    return f"""
        SELECT {", ".join((*_FIRST, *columns))}
        FROM batch JOIN recipients USING (campaign, number)
        JOIN campaign ON campaign.id = batch.campaign
    """  # noqa: S608 -- our names


#: Batches with what is needed to send them, and with all that is known of them.
SELECT_BATCH = _select(TO_SEND)


SELECT_WITH_SOURCE = _select(COLUMNS)


async def rows_of(
    file: SQLiteFile,
    where: str,
    parameters: tuple[object, ...],
    select: str = SELECT_BATCH,
) -> AsyncIterator[sqlite3.Row]:
    """
    The batches for which *where* holds, in order, read some at a time.
    """
    after = -1

    def work(connection: sqlite3.Connection) -> list[sqlite3.Row]:
        return connection.execute(
            f"{select} WHERE {where} AND batch.number > ? "
            "ORDER BY batch.number LIMIT ?",
            (*parameters, after, TOGETHER),
        ).fetchall()

    while rows := await file.do(work, writes=False):
        for row in rows:
            yield row
        after = rows[-1]["number"]


def rows_numbered(
    connection: sqlite3.Connection, campaign: int, number: int
) -> list[sqlite3.Row]:
    """
    The batch of *campaign* with that *number*, if there is one.
    """
    return connection.execute(
        f"{SELECT_BATCH} WHERE batch.campaign = ? AND batch.number = ?",
        (campaign, number),
    ).fetchall()


def record_of(
    result: BatchResult, campaign: int, holder: str, due_at: float | None = None
) -> dict[str, Any]:
    """
    The columns of what became of a batch so far.
    """
    counts = result.counts()
    return {
        "campaign": campaign,
        "holder": holder,
        "number": result.batch.id.number,
        "state": READY if counts[Outcome.PENDING] else RECORDED,
        "now": clock.now(),
        "due_at": due_at if counts[Outcome.PENDING] else None,
        **{name: counts[outcome] for name, outcome in COUNTED.items()},
        "attempts": result.attempts,
        "outcome": result.verdict.outcome.value,
        "code": result.verdict.code,
        "description": result.verdict.description,
        "exceptions": pack_exceptions(result.exceptions),
        "transactions": pack_transactions(result.transaction_ids),
    }


def batch_result(
    row: sqlite3.Row, group_of: Callable[[int], Group] = _without_message
) -> BatchResult:
    """
    The batch in *row* with what is recorded of it.

    Args:
        group_of: Gives its group, by the number of that.
    """
    return BatchResult(
        Batch(
            BatchId(row["tag"], row["number"]),
            unpack_recipients(PackedRecipients(*row[len(_FIRST) :])),
            group_of(row["message_group"]),
        ),
        Verdict(Outcome(row["outcome"]), row["code"], row["description"]),
        unpack_exceptions(row["exceptions"]),
        unpack_transactions(row["transactions"]),
        row["attempts"],
    )


def in_flight(row: sqlite3.Row, known: BatchResult) -> frozenset[int]:
    """
    The places that are claimed and not recorded.
    """
    if row["state"] != SENDING:
        return frozenset()
    if row["claimed"] is None:
        return frozenset(known.places(Outcome.PENDING))
    return unpack_places(row["claimed"])


def lookups_in(row: sqlite3.Row, value: str) -> list[Lookup]:
    """
    What the batch in *row* says of *value*.
    """
    known = batch_result(row)
    under_way = in_flight(row, known)
    given_up = unpack_places(row["given_up_places"])
    result = decisions.shown(known, under_way)
    recipients, ids = result.batch.recipients, result.batch.correlation_ids
    places = {
        place
        for place, each in zip(
            recipients.places_of_values(), recipients.values, strict=True
        )
        if each == value
    }
    places |= {place for place, each in enumerate(ids) if each == value}
    return [
        Lookup(
            campaign=row["name"],
            result=each,
            in_flight=place in under_way,
            given_up=place in given_up,
            batch=str(result.batch.id),
            attempts=row["attempts"],
            claimed=clock.moment(row["claimed_at"]),
            recorded=clock.moment(row["recorded_at"]),
        )
        for place in sorted(places)
        for each in result.results_at([place])
        if value in (each.recipient, each.correlation_id)
    ]


def unknown_batch_of(row: sqlite3.Row) -> UnknownBatch:
    """
    The unknown of the batch in *row*, with what speaks for either side.
    """
    result = batch_result(row)
    given_up = unpack_places(row["given_up_places"])
    verdicts = Counter(map(result.at, decisions.unresolved(result, given_up)))
    reasons = [
        " ".join(filter(None, (verdict.code, verdict.description)))
        for verdict, _ in verdicts.most_common()
    ]
    return UnknownBatch(
        batch=str(result.batch.id),
        unknown=row["unknown"] - row["given_up"],
        accepted=row["accepted"],
        claimed=clock.moment(row["claimed_at"]),
        reasons=tuple(reasons),
    )


def plan_of(row: sqlite3.Row) -> Plan:
    """
    What the campaign in *row* is.
    """
    return Plan(
        campaign=row["name"],
        message=row["message"],
        source=row["source"],
        tag=row["tag"],
        expires_at=row["expires_at"],
        rate=row["rate"],
        retry_internal_error=bool(row["retry_internal_error"]),
        resend_unknown=bool(row["resend_unknown"]),
        given=msgspec.json.decode(row["given"], type=dict[str, str]),
    )
