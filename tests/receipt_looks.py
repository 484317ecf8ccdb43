"""
What a ledger file says of receipts, counted anew from its rows.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mishaps import looking

from voicepush.ledger.bodies import unpack_bodies
from voicepush.ledger.packing import unpack_exceptions, unpack_places
from voicepush.model.outcome import Outcome

#: What is counted of each batch, and of each proof.
_COUNTED = (
    *("in_flight", "accepted", "rejected", "expired", "not_sent", "unknown"),
    *("given_up", "suppressed"),
)


def check_books(path: Path) -> None:
    """
    Make sure that every sum about receipts is what a recount gives.

    Raises:
        AssertionError: One is not.
    """
    with looking(path) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")  # all of it from one moment
        _check_tallies(connection)
        _check_calls(connection)
        _check_proofs(connection)
        _check_bodies(connection)
        connection.execute("COMMIT")


def check_file(path: Path) -> None:
    """
    Make sure that SQLite finds no fault with the file.
    """
    with looking(path) as connection:
        assert [("ok",)] == connection.execute("PRAGMA integrity_check").fetchall()


def stored_bodies(path: Path) -> Counter[bytes]:
    """
    Every body that is kept, word for word, and how often it is.
    """
    with looking(path) as connection:
        return Counter(
            body
            for (packed,) in connection.execute("SELECT packed FROM body_block")
            for body in unpack_bodies(packed)
        )


def named_bodies(path: Path) -> tuple[int, int]:
    """
    How many bodies are named by calls, and how many are kept aside.
    """
    with looking(path) as connection:
        named = {
            each
            for (bodies,) in connection.execute("SELECT bodies FROM call")
            for each in bodies.split()
        }
        aside = {body for (body,) in connection.execute("SELECT body FROM aside")}
    return len(named), len(aside - named)


def _check_tallies(connection: sqlite3.Connection) -> None:
    for tally in connection.execute("SELECT * FROM tally").fetchall():
        campaign = (tally["campaign"],)
        sums = _sums(connection, "batch", (*_COUNTED, "size"), campaign)
        proven = _sums(connection, "proof", _COUNTED, campaign)
        expected = {name: sums[name] - proven[name] for name in _COUNTED}
        expected["accepted"] = sums["accepted"] + proven["accepted"]
        assert expected == {name: tally[name] for name in _COUNTED}
        assert sums["size"] - expected["suppressed"] == tally["planned"]
        assert min(expected.values()) >= 0
        assert tally["pending"] >= 0


def _sums(
    connection: sqlite3.Connection,
    table: str,
    names: Sequence[str],
    campaign: tuple[int],
) -> dict[str, int]:
    columns = ", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in names)
    query = f"SELECT {columns} FROM {table} WHERE campaign = ?"  # noqa: S608 -- ours
    return dict(connection.execute(query, campaign).fetchone())


def _check_calls(connection: sqlite3.Connection) -> None:
    told = connection.execute(
        "SELECT campaign, state, heard, number FROM call_tally WHERE number != 0"
    )
    counted = connection.execute(
        "SELECT campaign, state, heard, count(*) FROM call GROUP BY 1, 2, 3"
    )
    assert sorted(map(tuple, counted)) == sorted(map(tuple, told))
    strays = connection.execute(
        "SELECT count(*) FROM call LEFT JOIN batch USING (campaign, number) "
        "WHERE size IS NULL OR recipient NOT BETWEEN 0 AND size - 1"
    )
    assert [0] == list(strays.fetchone())


def _check_proofs(connection: sqlite3.Connection) -> None:
    """
    Who has a call is accepted, by the row of their batch or by a proof, and not by
    both.
    """
    called: dict[tuple[int, int], set[int]] = {}
    for row in connection.execute("SELECT campaign, number, recipient FROM call"):
        called.setdefault((row["campaign"], row["number"]), set()).add(row["recipient"])
    for row in connection.execute(
        "SELECT batch.*, proof.places, proof.accepted AS shifted FROM batch "
        "LEFT JOIN proof USING (campaign, number)"
    ):
        proven = unpack_places(row["places"])
        assert (row["places"] is None) == (not proven)
        exceptions = unpack_exceptions(row["exceptions"])
        accepted = {
            place
            for place in range(row["size"])
            if (exceptions[place].outcome if place in exceptions else row["outcome"])
            == Outcome.ACCEPTED
        }
        assert not proven & accepted
        assert len(proven) == (row["shifted"] or 0)
        assert called.get((row["campaign"], row["number"]), set()) <= accepted | proven


def _check_bodies(connection: sqlite3.Connection) -> None:
    count = connection.execute("SELECT * FROM receipt_count").fetchone()
    blocks = dict(map(tuple, connection.execute("SELECT id, number FROM body_block")))
    assert sum(blocks.values()) == count["received"]
    aside = connection.execute("SELECT body, report FROM aside").fetchall()
    unreadable = sum(row["report"] is None for row in aside)
    assert (len(aside) - unreadable, unreadable) == (
        count["unplaced"],
        count["unreadable"],
    )
    names = [row["body"] for row in aside]
    for row in connection.execute("SELECT bodies FROM call"):
        names += row["bodies"].split()
    for name in names:
        block, _, place = name.partition(".")
        assert int(place) < blocks[int(block)]
