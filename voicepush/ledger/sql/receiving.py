"""
Receipts go into the store: bodies, what they say of each call, and whom they prove.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from voicepush import clock
from voicepush.ledger.due_again import expired_as, is_over
from voicepush.ledger.packing import (
    pack_transactions,
    unpack_exceptions,
    unpack_places,
    unpack_transactions,
)
from voicepush.ledger.placing import Seat, is_named_so
from voicepush.ledger.sql.books import Books, Key
from voicepush.ledger.sql.calls import call_in, columns_of
from voicepush.ledger.sql.late import prove
from voicepush.ledger.sql.store import Connection, Row
from voicepush.ledger.sql.unnaming import unnamed
from voicepush.model.call import Call, Receipt, Received, Report, is_told
from voicepush.model.outcome import Outcome

#: So many bodies of one call are found again by `lookup`; all are kept.
_MOST_BODIES = 64

#: So many of the platform's names for one call are kept; it gives one.
_MOST_NAMES = 64

#: What belongs to no known call is tried again after so many seconds, and then again
#: after as long as it has been waiting, for a day. A record may tell soon whose it is
#: that bears a transaction id; an id that no campaign has, only another plan.
_AGAIN_AFTER = 5.0
_AGAIN_AFTER_ID = 3_600.0
_AGAIN_FOR = 86_400.0

#: So many are tried again at once.
_TOGETHER = 200

#: The same of those under a name that was just learnt: as many as a request rings. All
#: else under it waits for its time, or strangers with that name could hold the lock.
_TAUGHT_TOGETHER = 1_000

#: So many blocks are deleted at once, and so many of what was kept aside.
_FORGOTTEN_AT_ONCE = 50
_ASIDE_AT_ONCE = 5_000


class _Placed(NamedTuple):
    """
    What is said of whom, and where the body is kept.
    """

    seat: Seat
    report: Report
    body: str
    is_asked: bool = False
    #: Whether the platform has posted it by itself.
    is_posted: bool = True


def receive(
    connection: Connection,
    books: Books,
    receipts: Sequence[Receipt],
    packed: bytes,
    refused: int,
) -> Received:
    """
    Write *receipts* down, with their bodies *packed*, and apply them.
    """
    connection.lock_calls()
    now = clock.now()
    receipts, packed = unnamed(connection, receipts, packed)
    placed: dict[Key, list[_Placed]] = {}
    unplaced = unreadable = 0
    if receipts:
        block = connection.execute(
            "INSERT INTO body_block (received_at, number, packed) VALUES (?, ?, ?)",
            (receipts[-1].received_at, len(receipts), packed),
        ).lastrowid
        for place, receipt in enumerate(receipts):
            body = f"{block}.{place}"
            if not receipt.reports:
                unreadable += 1
                _keep_aside(connection, body, receipt.received_at, None)
            for report in receipt.reports:
                found = books.place(report)
                if found is None:
                    unplaced += 1
                    _keep_aside(connection, body, receipt.received_at, report)
                else:
                    key, seat = found
                    how = receipt.is_asked, receipt.is_posted
                    each = _Placed(seat, report, body, *how)
                    placed.setdefault(key, []).append(each)
    for key, theirs in placed.items():
        _apply(connection, key, theirs, now)
    taught = [each.report.transaction_id for some in placed.values() for each in some]
    late = _place_taught(connection, books, taught, now)
    came = [each.received_at for each in receipts if each.is_posted]
    connection.execute(
        "UPDATE receipt_count SET received = received + ?, refused = refused + ?, "
        "last_at = coalesce(?, last_at)",
        (len(came), refused, max(came, default=None)),
    )
    return Received(sum(map(len, placed.values())), unplaced, unreadable, late)


def place_again(connection: Connection, books: Books) -> Received:
    """
    Try again to find whose those are that were kept aside some time ago.
    """
    connection.lock_calls()
    now = clock.now()
    rows = connection.execute(
        "SELECT * FROM aside WHERE again_at <= ? ORDER BY again_at LIMIT ?",
        (now, _TOGETHER),
    ).fetchall()
    late = _place_late(connection, books, rows, now)
    connection.executemany(
        "UPDATE aside SET again_at = ? WHERE id = ?",
        [(_again_at(row["received_at"], now), row["id"]) for row in rows],
    )
    return Received(placed_late=late)


def forget_bodies(connection: Connection, before: float) -> int:
    """
    Delete the first bodies that came *before* that moment; gives how many.
    """
    aside = connection.execute(
        "DELETE FROM aside WHERE id IN "
        "(SELECT id FROM aside WHERE received_at < ? ORDER BY id LIMIT ?)",
        (before, _ASIDE_AT_ONCE),
    ).rowcount
    rows = connection.execute(
        "SELECT id, number FROM body_block WHERE received_at < ? ORDER BY id LIMIT ?",
        (before, _FORGOTTEN_AT_ONCE),
    ).fetchall()
    connection.executemany(
        "DELETE FROM body_block WHERE id = ?", [(row["id"],) for row in rows]
    )
    return sum(row["number"] for row in rows) or aside


def _again_at(received_at: float, now: float) -> float | None:
    waited = now - received_at
    return None if waited > _AGAIN_FOR else now + max(waited, _AGAIN_AFTER)


def _keep_aside(
    connection: Connection, body: str, received_at: float, report: Report | None
) -> None:
    row: tuple[object, ...] = (body, received_at, "", None, None)
    if report is not None:
        wait = _AGAIN_AFTER_ID if report.correlation_id else _AGAIN_AFTER
        again_at = clock.now() + wait
        packed = msgspec.json.encode(report)
        row = (body, received_at, report.transaction_id, packed, again_at)
    connection.execute(
        "INSERT INTO aside (body, received_at, transaction_id, report, again_at) "
        "VALUES (?, ?, ?, ?, ?)",
        row,
    )


def _place_taught(
    connection: Connection,
    books: Books,
    transaction_ids: Iterable[str],
    now: float,
) -> int:
    """
    Apply what was kept aside under *transaction_ids*, whose calls are known by now.
    """
    (waiting,) = connection.execute("SELECT unplaced FROM receipt_count").fetchone()
    if not waiting:
        return 0
    rows: list[Row] = []
    for each in dict.fromkeys(filter(None, transaction_ids)):
        rows += connection.execute(
            "SELECT * FROM aside WHERE transaction_id = ? AND transaction_id != '' "
            "AND report IS NOT NULL LIMIT ?",
            (each, _TAUGHT_TOGETHER - len(rows)),
        )
    return _place_late(connection, books, rows, now)


def _place_late(
    connection: Connection,
    books: Books,
    rows: Sequence[Row],
    now: float,
) -> int:
    placed: dict[Key, list[_Placed]] = {}
    for row in rows:
        report = msgspec.json.decode(row["report"], type=Report)
        found = books.place(report)
        if found is not None:
            key, seat = found
            placed.setdefault(key, []).append(_Placed(seat, report, row["body"]))
            connection.execute("DELETE FROM aside WHERE id = ?", (row["id"],))
    for key, theirs in placed.items():
        _apply(connection, key, theirs, now)
    return sum(map(len, placed.values()))


def _apply(
    connection: Connection, key: Key, placed: Sequence[_Placed], now: float
) -> None:
    """
    Merge what is *placed* in one batch with what is known of its calls.
    """
    batch = connection.execute(_BATCH, key).fetchone()
    by_recipient: dict[int, list[_Placed]] = {}
    for each in placed:
        by_recipient.setdefault(each.seat.recipient, []).append(each)
    asked = 0
    places: set[int] = set()
    for recipient, theirs in by_recipient.items():
        call = connection.execute(_CALL, (*key, recipient)).fetchone()
        bodies = _bodies(call, theirs)
        expired = () if call is None else unpack_transactions(call["expired_as"])
        news = [each for each in theirs if not is_over(each.report, expired)]
        if not news:
            connection.execute(_KEEP_BODIES, (bodies, *key, recipient))
            continue
        seat = (*key, recipient)
        asked += _merge(connection, seat, call, news, bodies, batch=batch, now=now)
        places.update(each.seat.place for each in news)
    if asked:
        connection.execute(_COUNT_ASKED, (asked, key[0]))
    unproven = _unproven(batch, places)
    if unproven:
        prove(connection, *key, unproven)


_COUNT_ASKED = "UPDATE tally SET asked = asked + ? WHERE campaign = ?"

_CALL = "SELECT * FROM call WHERE campaign = ? AND number = ? AND recipient = ?"

_KEEP_BODIES = (
    "UPDATE call SET bodies = ? WHERE campaign = ? AND number = ? AND recipient = ?"
)

#: What decides whether a receipt tells anything new of a batch.
_BATCH = """
    SELECT size, accepted, outcome, exceptions, transactions, closes_at,
        (SELECT places FROM proof WHERE proof.campaign = batch.campaign
         AND proof.number = batch.number) AS proven
    FROM batch WHERE campaign = ? AND number = ?
"""


def _unproven(batch: Row, places: set[int]) -> set[int]:
    """
    Those of *places* that nobody knows to be accepted.
    """
    if batch["accepted"] == batch["size"]:
        return set()
    accepted, rule = Outcome.ACCEPTED.value, batch["outcome"]
    exceptions = unpack_exceptions(batch["exceptions"])
    left = {
        place
        for place in places
        if (exceptions[place].outcome if place in exceptions else rule) != accepted
    }
    return left - unpack_places(batch["proven"]) if left else left


def _merge(
    connection: Connection,
    key: tuple[int, int, int],
    row: Row | None,
    placed: Sequence[_Placed],
    bodies: str,
    *,
    batch: Row,
    now: float,
) -> bool:
    """
    Add what is *placed* to what is known of the call in *row*; whether that has shown
    what became of it because the platform was asked.
    """
    before = None if row is None else call_in(row)
    call = before
    for each in placed:
        said = each.report.call
        call = said if call is None else call.merged(said)
    assert call is not None  # noqa: S101 -- someone is placed
    told = unpack_transactions(batch["transactions"])
    columns = {
        **columns_of(call),
        "campaign": key[0],
        "number": key[1],
        "recipient": key[2],
        "received_at": row["received_at"] if row and call == before else now,
        "transactions": _taught(row["transactions"] if row else None, placed, told),
        "bodies": bodies,
        **_expiry(row, placed, call, closes=batch["closes_at"] is not None),
    }
    connection.execute(_UPSERT, columns)
    was_asked = any(each.is_asked for each in placed)
    return was_asked and is_told(call) and not is_told(before)


def _expiry(
    row: Row | None, placed: Sequence[_Placed], call: Call, *, closes: bool
) -> dict[str, object]:
    """
    The columns of the attempts that have expired, and whether there is news in them.

    Args:
        closes: Whether requests of its batch expire because windows close.
    """
    known = unpack_transactions(row["expired_as"]) if row else ()
    reports = [each.report for each in placed if each.is_posted and closes]
    names = expired_as(known, reports)
    is_known = bool(row and row["looked_at"]) and len(names) == len(known)
    looked_at = is_known or call.was_offered
    return {"expired_as": pack_transactions(names), "looked_at": looked_at}


def _bodies(row: Row | None, placed: Sequence[_Placed]) -> str:
    """
    Where the bodies of the call in *row* are kept, with those of what is *placed*.
    """
    bodies: list[str] = [] if row is None else row["bodies"].split()
    bodies += [each.body for each in placed]
    return " ".join(bodies[:_MOST_BODIES])


def _taught(
    known: str | None, placed: Sequence[_Placed], told: Sequence[str]
) -> str | None:
    """
    The platform's names for a call that no answer gave, with those in *placed*.

    Args:
        told: The names that answers gave, one for the whole batch or one per place.
    """
    found = list(unpack_transactions(known))
    for each in placed:
        name = each.report.transaction_id
        by_answer = told[each.seat.place if len(told) > 1 else 0] if told else ""
        # An answer without ids may have given the name to another.
        if name and name not in found and not is_named_so(by_answer, name):
            found.append(name)
    return pack_transactions(found[:_MOST_NAMES])


_COLUMNS = (
    *("state", "rank", "code", "words", "at", "answered_at", "ended_at", "heard"),
    *("has_ended", "was_offered", "received_at", "transactions", "bodies"),
    *("expired_as", "looked_at"),
)

_UPSERT = f"""
    INSERT INTO call (campaign, number, recipient, {", ".join(_COLUMNS)})
    VALUES (:campaign, :number, :recipient, {", ".join(f":{each}" for each in _COLUMNS)})
    ON CONFLICT (campaign, number, recipient) DO UPDATE SET {", ".join(f"{each} = excluded.{each}" for each in _COLUMNS)}
"""  # noqa: E501, S608 -- our names
