"""
The suppression list, in a store that speaks SQL.

A number is kept as the whole number that its digits say, which takes the least room and
is exact; a customer id as the text that it is. Each names what put it there, where the
category and the reason stand once for all who came together.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from voicepush import clock
from voicepush.ledger import decisions
from voicepush.ledger.forgetting import ERASED, Forgotten, forgotten_in, hash_of
from voicepush.ledger.sql.history import this_process
from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.ledger.suppression import TOGETHER, some_at_a_time
from voicepush.model.batch import Batch
from voicepush.model.outcome import Verdict
from voicepush.model.recipients import Kind
from voicepush.model.suppression import (
    NUMBER,
    SuppressedEntry,
    SuppressionEvent,
    check_words,
)

#: Where those of each kind stand, and in which column.
_TABLES = {
    Kind.MSISDN: ("suppressed_number", "number", "bigint"),
    Kind.CUSTOMER_ID: ("suppressed_id", "value", "text"),
}

#: Numbers, joined by line feeds.
_NUMBERS = re.compile(rf"(?:{NUMBER.pattern}\n)*+{NUMBER.pattern}")


class SQLSuppression:
    """
    The part of a ledger that keeps the list.
    """

    _store: Store

    async def suppress(
        self,
        people: Iterable[tuple[Kind, Sequence[str]]],
        *,
        category: str | None = None,
        reason: str | None = None,
        imported: bool = False,
    ) -> int:
        """
        Put *people* on the list; gives how many were not on it before.
        """
        category = check_words(category, "a category")
        reason = check_words(reason, "a reason")
        event = "imported" if imported else "added"

        def begin(connection: Connection) -> int:
            return _note(connection, event, category, reason)

        return await self._change(people, begin, _add)

    async def unsuppress(
        self, people: Iterable[tuple[Kind, Sequence[str]]], *, reason: str
    ) -> int:
        """
        Take *people* off the list; gives how many were on it.
        """
        words = check_words(reason, "a reason")

        def begin(connection: Connection) -> int:
            return _note(connection, "removed", None, words)

        return await self._change(people, begin, _remove)

    async def _change(
        self,
        people: Iterable[tuple[Kind, Sequence[str]]],
        begin: Callable[[Connection], int],
        change: Callable[[Connection, Kind, list[str], int], int],
    ) -> int:
        """
        Do one thing to all *people*, some at a time; gives for how many it was needed.
        """
        deed: int | None = None
        changed, pause = 0, 0.0

        def work(
            connection: Connection, kind: Kind, values: list[str]
        ) -> tuple[int, int, bool]:
            connection.lock_suppression(alone=True)
            id_ = begin(connection) if deed is None else deed
            number = change(connection, kind, values, id_)
            connection.execute(
                "UPDATE suppression SET people = people + ? WHERE id = ?",
                (number, id_),
            )
            found = connection.execute("SELECT 1 FROM worker LIMIT 1").fetchone()
            return id_, number, found is not None

        for kind, values in some_at_a_time(people):
            # Who dispatches, or plans, gets as much time as this takes.
            await clock.sleep(pause)
            begun = clock.monotonic()
            deed, number, others = await self._store.do(
                partial(work, kind=kind, values=values)
            )
            changed += number
            pause = clock.monotonic() - begun if others else 0.0
        # What goes where nobody looks is not kept.
        self._store.check_in_place()
        return changed

    async def suppressed(
        self, kind: Kind, values: Sequence[str]
    ) -> Mapping[str, SuppressedEntry]:
        """
        Those of *values* that are on the list, and why.
        """
        return await self._store.do(
            lambda connection: _listed(connection, kind, values), writes=False
        )

    async def all_suppressed(self) -> AsyncIterator[Sequence[SuppressedEntry]]:
        """
        Everyone on the list, some at a time: numbers in order, then customer ids.
        """
        for kind in _TABLES:
            async for rows in self._rows(kind, _WHY):
                yield [_entry(kind, row) for row in rows]

    async def suppressed_values(self) -> AsyncIterator[tuple[Kind, Sequence[str]]]:
        """
        The same without why.
        """
        for kind in _TABLES:
            async for rows in self._rows(kind, ""):
                yield kind, [_text(kind, row[0]) for row in rows]

    async def _rows(self, kind: Kind, why: str) -> AsyncIterator[list[Row]]:
        after = None
        while rows := await self._store.do(
            partial(page_of, kind=kind, after=after, why=why), writes=False
        ):
            yield rows
            after = rows[-1][0]

    async def forgotten(self) -> Forgotten:
        """
        Those who were forgotten and are not called again.
        """

        def work(connection: Connection) -> Forgotten:
            hashes = connection.execute("SELECT hash FROM forgotten")
            return Forgotten(keys_of(connection), frozenset(each[0] for each in hashes))

        return await self._store.do(work, writes=False)

    async def suppression_history(self) -> list[SuppressionEvent]:
        """
        Who did what to the list, the oldest first.
        """
        rows = await self._store.do(
            lambda connection: connection.execute(
                "SELECT * FROM suppression ORDER BY at, id"
            ).fetchall(),
            writes=False,
        )
        return [
            SuppressionEvent(
                clock.moment(row["at"]),
                row["who"],
                row["event"],
                row["people"],
                row["category"],
                row["reason"],
            )
            for row in rows
        ]


#: Joins what put someone on the list.
_WHY = " JOIN suppression ON suppression.id = deed"


def page_of(
    connection: Connection, kind: Kind, after: Any, why: str = _WHY
) -> list[Row]:
    """
    The next on the list *after* a value, or the first, each as ``value`` with the
    columns of what put it there.
    """
    table, column, _ = _TABLES[kind]
    first = 0 if kind is Kind.MSISDN else ""
    columns = f"{column} AS value{why and ', suppression.*'}"
    return connection.execute(
        f"SELECT {columns} FROM {table}{why} WHERE {column} > ? "  # noqa: S608
        f"ORDER BY {column} LIMIT ?",
        (first if after is None else after, TOGETHER),
    ).fetchall()


def unlisted(connection: Connection, kind: Kind, rows: Sequence[Row]) -> list[Row]:
    """
    Those of *rows*, which `page_of` gave, who are not on the list.
    """
    values = [_text(kind, row["value"]) for row in rows]
    known = _listed(connection, kind, values)
    return [row for row, value in zip(rows, values, strict=True) if value not in known]


def insert(
    connection: Connection, kind: Kind, entries: Sequence[tuple[Any, int]]
) -> None:
    """
    Put values on the list, each with the deed that does so.
    """
    table, column, _ = _TABLES[kind]
    connection.insert_many(table, (column, "deed"), entries)


def left_out(
    connection: Connection, batch: Batch, places: Sequence[int]
) -> dict[int, Verdict]:
    """
    Those at *places* of *batch* who must not be called, since they are on the list.

    The first statement of a claim, so that nothing is put on the list between this and
    its end, and all that was put there before is seen.
    """
    connection.lock_suppression()
    recipients = batch.recipients
    found = _listed(connection, recipients.kind, recipients.values)
    out = decisions.listed(batch, places, found) if found else {}
    if ERASED in recipients.values:
        # A late record may have made them pending once more; nobody is there.
        out |= forgotten_in(batch, places)
    return out


def _listed(
    connection: Connection, kind: Kind, values: Sequence[str]
) -> dict[str, SuppressedEntry]:
    table, column, type_ = _TABLES[kind]
    # Most ledgers have no list, and nothing is to be made for them.
    is_there, is_anyone = connection.execute(
        f"SELECT EXISTS (SELECT 1 FROM {table}), EXISTS (SELECT 1 FROM forgotten)"  # noqa: S608
    ).fetchone()
    forgotten = forgotten_among(connection, kind, values) if is_anyone else {}
    if not is_there:
        return forgotten
    # SQLite looks at a CROSS JOIN in this order, and so at no more than is asked for.
    rows = connection.execute(
        f"SELECT {table}.{column}, suppression.* FROM {connection.each_of} "  # noqa: S608
        f"CROSS JOIN {table} CROSS JOIN suppression "
        f"WHERE {table}.{column} = CAST(asked.value AS {type_}) "
        "AND suppression.id = deed",
        (_asked(kind, values),),
    ).fetchall()
    return {**forgotten, **{_text(kind, row[0]): _entry(kind, row) for row in rows}}


def keys_of(connection: Connection) -> list[str]:
    """
    What the hashes of the forgotten are made with: the key of this ledger, and of those
    from which a campaign was moved here.
    """
    found = connection.execute("SELECT key FROM forgetting ORDER BY key")
    return [row["key"] for row in found]


def forgotten_among(
    connection: Connection, kind: Kind, values: Sequence[str]
) -> dict[str, SuppressedEntry]:
    """
    Those of *values* who were forgotten.
    """
    if connection.execute("SELECT 1 FROM forgotten LIMIT 1").fetchone() is None:
        return {}
    keys = keys_of(connection)
    hashes = {hash_of(key, kind, each): each for key in keys for each in values}
    rows = connection.execute(
        f"SELECT hash, at, who FROM {connection.each_of} CROSS JOIN forgotten "  # noqa: S608
        "WHERE hash = CAST(asked.value AS text)",
        (msgspec.json.encode(list(hashes)).decode(),),
    )
    return {
        value: SuppressedEntry(
            value, kind, clock.moment(row["at"]), row["who"], "forgotten"
        )
        for row in rows
        for value in [hashes[row["hash"]]]
    }


def _asked(kind: Kind, values: Sequence[str]) -> str:
    """
    What stands for *values* in the table, as a JSON array.
    """
    if kind is Kind.MSISDN:
        lines = "\n".join(values)
        if _NUMBERS.fullmatch(lines):
            # Mostly all are numbers, and then this takes a fifth of the time.
            return f"[{lines.replace('+', '').replace(chr(10), ',')}]"
    return msgspec.json.encode(_keys(kind, values)).decode()


def _keys(kind: Kind, values: Sequence[str]) -> list[Any]:
    """
    What stands for *values* in the table; nothing for who can't be on a list.
    """
    if kind is Kind.MSISDN:
        return [int(each) for each in values if NUMBER.fullmatch(each)]
    return [each for each in values if "\0" not in each]


def _text(kind: Kind, key: Any) -> str:
    return f"+{key}" if kind is Kind.MSISDN else str(key)


def _entry(kind: Kind, row: Row) -> SuppressedEntry:
    return SuppressedEntry(
        _text(kind, row[0]),
        kind,
        clock.moment(row["at"]),
        row["who"],
        row["category"],
        row["reason"],
    )


def _note(
    connection: Connection, event: str, category: str | None, reason: str | None
) -> int:
    row = connection.execute(
        "INSERT INTO suppression (at, who, event, category, reason) "
        "VALUES (?, ?, ?, ?, ?)",
        (connection.now(), this_process(), event, category, reason),
    )
    return int(row.lastrowid or 0)


def _add(connection: Connection, kind: Kind, values: list[str], deed: int) -> int:
    known = _listed(connection, kind, values)
    new = sorted(_keys(kind, [each for each in values if each not in known]))
    insert(connection, kind, [(each, deed) for each in new])
    return len(new)


def _remove(
    connection: Connection,
    kind: Kind,
    values: list[str],
    _: int,
) -> int:
    table, column, type_ = _TABLES[kind]
    removed = connection.execute(
        f"DELETE FROM {table} WHERE {column} IN "  # noqa: S608 -- our names
        f"(SELECT CAST(asked.value AS {type_}) FROM {connection.each_of})",
        (_asked(kind, values),),
    ).rowcount
    keys = keys_of(connection)
    for each in [hash_of(key, kind, value) for key in keys for value in values]:
        removed += connection.execute(
            "DELETE FROM forgotten WHERE hash = ?", (each,)
        ).rowcount
    return removed
