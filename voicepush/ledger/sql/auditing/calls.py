"""
The receipts of a campaign: what is counted of calls, and whether the bodies are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from voicepush.ledger.bodies import unpack_bodies
from voicepush.ledger.sql.store import Connection
from voicepush.model.audit import Findings

#: Each counter of calls as it is kept, and as the calls come to it.
_COUNTERS = {
    "calls by state": (
        "SELECT state, heard, number FROM call_tally WHERE campaign = ?",
        "SELECT state, heard, count(*) FROM call WHERE campaign = ? GROUP BY 1, 2",
    ),
    "calls by time": (
        "SELECT at, state, code, number FROM call_time WHERE campaign = ?",
        """
        SELECT whole(coalesce(at, received_at) / 10), state, code, count(*)
        FROM call WHERE campaign = ? AND state != 'on_its_way' GROUP BY 1, 2, 3
        """,
    ),
    "calls that have ended": (
        "SELECT number, ended FROM poll WHERE campaign = ?",
        "SELECT number, sum(has_ended) FROM call WHERE campaign = ? GROUP BY 1",
    ),
}

#: So many blocks of bodies are looked at together.
_TOGETHER = 100


def audit_calls(
    connection: Connection, campaign: int, name: str, findings: Findings
) -> int:
    """
    Compare what is counted of the calls of a campaign with its calls; gives how many
    there are.
    """
    for what, (kept, counted) in _COUNTERS.items():
        ours = _counter(connection.execute(kept, (campaign,)))
        theirs = _counter(connection.execute(counted, (campaign,)))
        findings.compare(name, what, kept=ours.total(), counted=theirs.total())
        if ours != theirs and ours.total() == theirs.total():
            findings.add(name, f"{what} are not divided as its rows are")
    (calls,) = connection.execute(
        "SELECT count(*) FROM call WHERE campaign = ?", (campaign,)
    ).fetchone()
    return int(calls)


def audit_receipts(connection: Connection, findings: Findings, *, deep: bool) -> None:
    """
    Compare what is counted of receipts that belong to nobody; and look into the bodies
    if it is to be *deep*.
    """
    row = connection.execute("SELECT * FROM receipt_count").fetchone()
    for name, condition in (("unplaced", "NOT NULL"), ("unreadable", "NULL")):
        (number,) = connection.execute(
            f"SELECT count(*) FROM aside WHERE report IS {condition}"  # noqa: S608 -- ours
        ).fetchone()
        findings.compare("receipts", name, kept=row[name], counted=number)
    after = 0
    while deep and (
        rows := connection.execute(
            "SELECT id, number, packed FROM body_block WHERE id > ? "
            "ORDER BY id LIMIT ?",
            (after, _TOGETHER),
        ).fetchall()
    ):
        for row in rows:
            _look_into(row["id"], row["number"], row["packed"], findings)
        after = rows[-1]["id"]


def _look_into(block: int, number: int, packed: bytes, findings: Findings) -> None:
    where = f"receipts, block {block}"
    try:
        bodies = unpack_bodies(packed)
    except Exception as error:  # noqa: BLE001 -- whatever damage brings
        findings.add(where, f"can't be read: {type(error).__name__}")
        return
    findings.compare(where, "number of bodies", kept=number, counted=len(bodies))


def _counter(rows: Iterable[Any]) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        *key, number = row
        # One that has become nothing says what none says.
        if number:
            found[tuple(key)] = number
    return found
