"""
The rows of one campaign, from one store to another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from voicepush.ledger.bodies import pack_bodies, unpack_bodies
from voicepush.ledger.packing import COLUMNS, Lines
from voicepush.ledger.sql.store import Connection, Row

#: What a plan does not change of a batch; the rest is written by an update, as it came
#: to be, so that every sum is counted anew.
_PLANNED = ("campaign", "number", "message_group", "size")

#: So many batches, or other rows, are copied in one transaction.
TOGETHER = 64
_PAGES_TOGETHER = 200

#: Those in which each row is told by campaign and number of a batch.
_OF_BATCHES = ("batch", "recipients", "call", "proof", "poll")


def read_batches(
    connection: Connection, campaign: int, after: int
) -> Mapping[str, list[dict[str, Any]]]:
    """
    The next batches behind the number *after*, with all that is known of them, by
    table; and under ``body_block`` the bodies of their receipts.
    """
    numbers = [
        row[0]
        for row in connection.execute(
            "SELECT number FROM batch WHERE campaign = ? AND number > ? "
            "ORDER BY number LIMIT ?",
            (campaign, after, TOGETHER),
        )
    ]
    if not numbers:
        return {"batch": []}
    found = {
        table: [
            dict(row)
            for row in connection.execute(
                f"SELECT * FROM {table} WHERE campaign = ? "  # noqa: S608 -- our names
                "AND number BETWEEN ? AND ? ORDER BY number",
                (campaign, numbers[0], numbers[-1]),
            )
        ]
        for table in _OF_BATCHES
    }
    blocks = {
        int(each.partition(".")[0])
        for call in found["call"]
        for each in call["bodies"].split()
    }
    found["body_block"] = [
        dict(row)
        for block in sorted(blocks)
        for row in connection.execute("SELECT * FROM body_block WHERE id = ?", (block,))
    ]
    return found


def write_batches(
    connection: Connection, campaign: int, found: Mapping[str, list[dict[str, Any]]]
) -> None:
    """
    Write what `read_batches` has read as rows of *campaign*.
    """
    batches = [{**row, "campaign": campaign} for row in found["batch"]]
    _insert(connection, "batch", _PLANNED, batches)
    _insert(
        connection,
        "recipients",
        ("campaign", "number", *COLUMNS),
        [
            {**row, "campaign": campaign, **_as_lines(row, ("packed", "ids"))}
            for row in found["recipients"]
        ],
    )
    later = [name for name in batches[0] if name not in _PLANNED]
    connection.executemany(
        f"UPDATE batch SET {', '.join(f'{name} = :{name}' for name in later)} "  # noqa: S608
        "WHERE campaign = :campaign AND number = :number",
        batches,
    )
    places = _write_bodies(connection, found)
    calls = [
        {**row, "campaign": campaign, "bodies": _placed(row["bodies"], places)}
        for row in found["call"]
    ]
    _insert(connection, "call", tuple(calls[0]) if calls else (), calls)
    proofs = [{**row, "campaign": campaign} for row in found["proof"]]
    names = [name for name in (proofs[0] if proofs else ()) if name != "accepted"]
    _insert(connection, "proof", names, proofs)
    # How many have ended was counted with the calls.
    connection.executemany(
        "INSERT INTO poll (campaign, number, asked_at, asked) "
        "VALUES (:campaign, :number, :asked_at, :asked) "
        "ON CONFLICT (campaign, number) "
        "DO UPDATE SET asked_at = excluded.asked_at, asked = excluded.asked",
        [{**row, "campaign": campaign} for row in found["poll"]],
    )


def _write_bodies(
    connection: Connection, found: Mapping[str, list[dict[str, Any]]]
) -> dict[str, str]:
    """
    Where each body is kept now, by where it was.
    """
    wanted: dict[str, list[str]] = {}
    for call in found["call"]:
        for each in call["bodies"].split():
            wanted.setdefault(each.partition(".")[0], []).append(each)
    places: dict[str, str] = {}
    for row in found["body_block"]:
        bodies = unpack_bodies(row["packed"])
        theirs = list(dict.fromkeys(wanted[str(row["id"])]))
        packed = pack_bodies([bodies[int(each.partition(".")[2])] for each in theirs])
        block = connection.execute(
            "INSERT INTO body_block (received_at, number, packed) VALUES (?, ?, ?)",
            (row["received_at"], len(theirs), packed),
        ).lastrowid
        places |= {each: f"{block}.{place}" for place, each in enumerate(theirs)}
    return places


def _placed(bodies: str, places: Mapping[str, str]) -> str:
    # Those that were forgotten are nowhere.
    return " ".join(places[each] for each in bodies.split() if each in places)


def _as_lines(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {
        name: Lines(row[name]) if isinstance(row[name], str) else row[name]
        for name in names
    }


def _insert(
    connection: Connection,
    table: str,
    names: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    if rows:
        connection.insert_many(
            table, names, [[row[name] for name in names] for row in rows]
        )


def runs_of(connection: Connection, campaign: int) -> list[int]:
    """
    The runs of the index of *campaign*.
    """
    rows = connection.execute(
        "SELECT id FROM index_run WHERE campaign = ? ORDER BY id", (campaign,)
    )
    return [row[0] for row in rows]


def read_pages(
    connection: Connection, run: int, after: int | None
) -> list[tuple[int, bytes]]:
    """
    The next pages of *run* behind the one that begins with *after*.
    """
    rows = connection.execute(
        "SELECT first, entries FROM index_page WHERE run = ? "
        "AND (? = 0 OR first > ?) ORDER BY first LIMIT ?",
        (run, int(after is not None), after or 0, _PAGES_TOGETHER),
    )
    return [(row[0], row[1]) for row in rows]


def read_deeds(connection: Connection, campaign: int) -> Mapping[str, list[Row]]:
    """
    Who did what to *campaign*, and how it went in each minute.
    """
    history = connection.execute(
        "SELECT at, who, event, detail FROM history WHERE campaign = ? ORDER BY rowid",
        (campaign,),
    )
    minutes = connection.execute(
        "SELECT minute, recipients, throttled, rate FROM minute WHERE campaign = ?",
        (campaign,),
    )
    times = connection.execute(
        "SELECT at, sum(accepted), sum(rejected), sum(expired), sum(not_sent), "
        "sum(unknown) FROM outcome_time WHERE campaign = ? GROUP BY at",
        (campaign,),
    )
    return {
        "history": history.fetchall(),
        "minute": minutes.fetchall(),
        "outcome_time": times.fetchall(),
    }


def write_deeds(
    connection: Connection, campaign: int, found: Mapping[str, list[Row]]
) -> None:
    """
    Write what `read_deeds` has read as rows of *campaign*.
    """
    connection.executemany(
        "INSERT INTO history (campaign, at, who, event, detail) VALUES (?, ?, ?, ?, ?)",
        [(campaign, *row) for row in found["history"]],
    )
    # Their copies have the times of their batches' last records.
    connection.execute("DELETE FROM outcome_time WHERE campaign = ?", (campaign,))
    connection.executemany(
        "INSERT INTO outcome_time (campaign, at, accepted, rejected, expired, "
        "not_sent, unknown) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(campaign, *row) for row in found["outcome_time"]],
    )
    connection.executemany(
        "INSERT INTO minute (campaign, minute, recipients, throttled, rate) "
        "VALUES (?, ?, ?, ?, ?)",
        [(campaign, *row) for row in found["minute"]],
    )
