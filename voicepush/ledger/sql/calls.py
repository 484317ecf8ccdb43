"""
What is known of calls: rows become values, and values rows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from voicepush.ledger.bodies import pack_bodies, unpack_bodies
from voicepush.ledger.packing import unpack_transactions
from voicepush.ledger.sql.books import Key
from voicepush.ledger.sql.store import Connection, Row
from voicepush.model.batch import BatchId
from voicepush.model.call import Call, CallState, ReceiptCounts

#: Quicker than making them of their values.
_STATES = {state.value: state for state in CallState}

#: Nobody listens for longer than a day.
_MOST_HEARD = 86_400


def call_in(row: Row) -> Call:
    """
    What is known of the call in *row*.
    """
    return Call(
        state=_STATES[row["state"]],
        rank=row["rank"],
        code=row["code"],
        words=row["words"],
        at=row["at"],
        answered_at=row["answered_at"],
        ended_at=row["ended_at"],
        has_ended=bool(row["has_ended"]),
        was_offered=bool(row["was_offered"]),
        received_at=row["received_at"],
        transaction_id=(*unpack_transactions(row["transactions"]), "")[0],
    )


def columns_of(call: Call) -> dict[str, Any]:
    """
    The columns that hold *call*.
    """
    heard = call.heard
    return {
        "state": call.state.value,
        "rank": call.rank,
        "code": call.code,
        "words": call.words,
        "at": call.at,
        "answered_at": call.answered_at,
        "ended_at": call.ended_at,
        "heard": -1 if heard is None else min(int(heard), _MOST_HEARD),
        "has_ended": call.has_ended,
        "was_offered": call.was_offered,
    }


def calls_in(connection: Connection, batch: BatchId) -> dict[int, Call]:
    """
    What is known of the calls of *batch*, by recipient.
    """
    rows = connection.execute(
        "SELECT call.* FROM campaign JOIN call ON call.campaign = campaign.id "
        "WHERE tag = ? AND number = ?",
        batch,
    )
    return {row["recipient"]: call_in(row) for row in rows}


def expired_in(connection: Connection, batch: BatchId) -> set[int]:
    """
    The recipients of *batch* whose call has expired before it was offered.
    """
    rows = connection.execute(
        "SELECT recipient FROM campaign JOIN call ON call.campaign = campaign.id "
        "WHERE tag = ? AND number = ? AND call.state = ?",
        (*batch, CallState.EXPIRED),
    )
    return {row["recipient"] for row in rows}


def call_with_bodies(
    connection: Connection, key: Key, recipient: int
) -> tuple[Call | None, tuple[bytes, ...]]:
    """
    What is known of one call, and the bodies that are kept of it.
    """
    row = _row(connection, key, recipient)
    if row is None:
        return None, ()
    return call_in(row), tuple(_bodies(connection, row["bodies"]))


def call_of(
    connection: Connection, key: Key, recipient: int
) -> tuple[Call | None, tuple[bytes, ...]]:
    """
    The same without the bodies, which take a while to be found.
    """
    row = _row(connection, key, recipient)
    return None if row is None else call_in(row), ()


def _row(connection: Connection, key: Key, recipient: int) -> Row | None:
    found: Row | None = connection.execute(
        "SELECT * FROM call WHERE campaign = ? AND number = ? AND recipient = ?",
        (*key, recipient),
    ).fetchone()
    return found


def _bodies(connection: Connection, kept: str) -> list[bytes]:
    found = []
    for each in kept.split():
        block, _, place = each.partition(".")
        row = connection.execute(
            "SELECT packed FROM body_block WHERE id = ?", (int(block),)
        ).fetchone()
        if row is not None:
            found.append(unpack_bodies(row["packed"])[int(place)])
    return found


def blank_bodies(
    connection: Connection, block: int, places: Collection[int], *, drop: bool = False
) -> int:
    """
    Let nothing stand at *places* of a block of bodies, while the others stay where they
    are; gives how many bodies are gone.

    Args:
        drop: Let the block go if nothing is left in it.
    """
    row = connection.execute(
        "SELECT packed FROM body_block WHERE id = ?", (block,)
    ).fetchone()
    if row is None or not places:
        return 0
    bodies = unpack_bodies(row["packed"])
    left = [b"" if at in places else each for at, each in enumerate(bodies)]
    if drop and not any(left):
        connection.execute("DELETE FROM body_block WHERE id = ?", (block,))
    else:
        connection.execute(
            "UPDATE body_block SET packed = ? WHERE id = ?", (pack_bodies(left), block)
        )
    return sum(bool(bodies[at]) for at in places)


def calls_of(connection: Connection, campaign: int) -> dict[CallState, int]:
    """
    How many calls of *campaign* are in each state, where there are any.
    """
    rows = connection.execute(
        "SELECT state, sum(number) AS calls FROM call_tally WHERE campaign = ? "
        "GROUP BY state",
        (campaign,),
    )
    return {_STATES[row["state"]]: row["calls"] for row in rows}


def heard_for(connection: Connection, campaign: int, seconds: int) -> int:
    """
    How many calls of *campaign* were heard for at least so many *seconds*.
    """
    (found,) = connection.execute(
        "SELECT coalesce(sum(number), 0) FROM call_tally "
        "WHERE campaign = ? AND heard >= ?",
        (campaign, seconds),
    ).fetchone()
    return int(found)


def receipt_counts(connection: Connection) -> ReceiptCounts:
    """
    What was received, and what is kept aside.
    """
    row = connection.execute("SELECT * FROM receipt_count").fetchone()
    return ReceiptCounts(**dict(row))
