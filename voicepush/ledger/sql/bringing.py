"""
The suppression list is brought from one ledger into another.

Who is on it there already stays as they are. The others stand there as they stood here:
since when, by whom put on it, in which category and why. What was removed here is not
told there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.ledger.sql.suppression import insert, keys_of, page_of, unlisted
from voicepush.model.recipients import Kind

#: What is the same of a deed in both.
_COLUMNS = ("at", "who", "event", "category", "reason")


async def bring_list(
    source: Store, target: Store, hold: Callable[[Connection], object]
) -> int:
    """
    Put everyone on the list of *source* on that of *target*; gives how many were not.

    If it is interrupted, the same again adds the others.

    Args:
        hold: Is called in each transaction of *target*.
    """
    brought = 0
    #: Which deed there stands for which one here.
    deeds: dict[int, int] = {}
    for kind in Kind:
        after = None
        while rows := await source.do(
            partial(page_of, kind=kind, after=after), writes=False
        ):
            write = partial(_write, kind=kind, rows=rows, deeds=deeds, hold=hold)
            written, made = await target.do(write)
            # Not before it is durable: it may be done again.
            deeds |= made
            brought += written
            after = rows[-1]["value"]
    brought += await _bring_forgotten(source, target, hold)
    # What goes where nobody looks is not kept.
    target.check_in_place()
    return brought


async def _bring_forgotten(
    source: Store, target: Store, hold: Callable[[Connection], object]
) -> int:
    """
    The same of those who were forgotten: hashes of them, and what these are made with.
    """

    def read(connection: Connection) -> tuple[list[str], list[Row]]:
        rows = connection.execute("SELECT hash, at, who FROM forgotten").fetchall()
        return keys_of(connection) if rows else [], rows

    def write(connection: Connection) -> int:
        connection.lock_suppression(alone=True)
        hold(connection)
        there = set(keys_of(connection))
        new = [(key,) for key in keys if key not in there]
        connection.executemany("INSERT INTO forgetting VALUES (?)", new)
        known = {
            row["hash"] for row in connection.execute("SELECT hash FROM forgotten")
        }
        unknown = [tuple(row) for row in rows if row["hash"] not in known]
        connection.executemany("INSERT INTO forgotten VALUES (?, ?, ?)", unknown)
        return len(unknown)

    keys, rows = await source.do(read, writes=False)
    return await target.do(write) if rows else 0


def _write(
    connection: Connection,
    *,
    kind: Kind,
    rows: Sequence[Row],
    deeds: Mapping[int, int],
    hold: Callable[[Connection], object],
) -> tuple[int, dict[int, int]]:
    """
    How many of *rows* were written, and the deeds that were made for them.
    """
    connection.lock_suppression(alone=True)
    hold(connection)
    new = unlisted(connection, kind, rows)
    told = {row["id"]: row for row in new}
    made = {
        here: _deed(connection, row) for here, row in told.items() if here not in deeds
    }
    there = {**deeds, **made}
    entries = [(row["value"], there[row["id"]]) for row in new]
    insert(connection, kind, entries)
    connection.executemany(
        "UPDATE suppression SET people = people + ? WHERE id = ?",
        [
            (people, deed)
            for deed, people in Counter(each for _, each in entries).items()
        ],
    )
    return len(new), made


def _deed(connection: Connection, row: Row) -> int:
    names, marks = ", ".join(_COLUMNS), ", ".join("?" * len(_COLUMNS))
    made = connection.execute(
        f"INSERT INTO suppression ({names}) VALUES ({marks})",  # noqa: S608 -- ours
        [row[name] for name in _COLUMNS],
    )
    return int(made.lastrowid or 0)
