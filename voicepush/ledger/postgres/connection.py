"""
A connection to PostgreSQL that takes the statements of `ledger.sql` as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import psycopg
from psycopg import sql
from psycopg.adapt import Buffer
from psycopg.types.numeric import IntDumper, IntLoader
from psycopg.types.string import BytesDumper, StrDumper

from voicepush import clock
from voicepush.ledger.packing import Lines
from voicepush.ledger.sql.store import Parameters

#: What a value or a name begins with in a statement.
_MARK = re.compile(r"\?|(?<!:):(\w+)|%")

#: What tells the types of columns; and what takes rows in a form of its own for each,
#: since bytes as texts are twice as long.
_NO_ROWS = sql.SQL("SELECT {} FROM {} LIMIT 0")
_COPY = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")

#: A lock that nothing else takes, and no snapshot is taken for, so that who has waited
#: looks at what is there after the wait. It ends with the transaction.
_QUEUE = b"LOCK TABLE ledger_version IN EXCLUSIVE MODE"

#: Those who claim can do so at once, but not while someone changes the list.
_LOCK_TOGETHER = b"LOCK TABLE suppression IN ROW SHARE MODE"
_LOCK_ALONE = b"LOCK TABLE suppression IN EXCLUSIVE MODE"

#: The same of those who apply receipts: without an end when everyone's windows close,
#: while many are due again.
_CALLS_TOGETHER = b"LOCK TABLE call IN ROW SHARE MODE"
_CALLS_ALONE = b"LOCK TABLE call IN EXCLUSIVE MODE"

#: Begins a column of bytes that is a text: lines, where others hold JSON.
_LINES = b"voicepush\n"


class Row(tuple[Any, ...]):
    """
    A row, by the names of its columns and by their places.
    """

    __slots__ = ()
    places: ClassVar[Mapping[str, int]] = {}

    def __getitem__(self, key: Any) -> Any:
        """
        The value of a column, by its name or place.
        """
        return tuple.__getitem__(self, self.places[key] if type(key) is str else key)

    def keys(self) -> Iterable[str]:
        """
        The names of the columns.
        """
        return self.places.keys()


@lru_cache(maxsize=256)
def _row_class(names: tuple[str, ...]) -> type[Row]:
    # Of several columns with one name the first is meant, as in SQLite.
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    ordered = {name: places[name] for name in names}
    return type("Row", (Row,), {"__slots__": (), "places": ordered})


def row_of(cursor: psycopg.Cursor[Any]) -> Any:
    """
    Makes rows of what *cursor* gives.
    """
    description = cursor.description
    if description is None:
        return tuple
    kind = _row_class(tuple(column.name for column in description))

    def make(values: Sequence[Any]) -> Row:
        return kind(
            _LINES_OF(value) if type(value) is bytes else value for value in values
        )

    return make


def _LINES_OF(value: bytes) -> bytes | str:  # noqa: N802
    return value[len(_LINES) :].decode() if value.startswith(_LINES) else value


class _Flag(IntDumper):
    """
    Flags are numbers, as in SQLite.
    """

    def dump(self, obj: Any) -> Buffer | None:
        """
        0 or 1.
        """
        return super().dump(int(obj))


def _without_nul(text: str) -> str:
    # PostgreSQL holds none in texts; what is shown of them is a space anyway.
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class _Text(StrDumper):
    """
    A text as it can be held.
    """

    def dump(self, obj: str) -> Buffer | None:
        """
        *obj* without NUL.
        """
        return super().dump(_without_nul(obj))


class _LinesDumper(BytesDumper):
    """
    Lines go into a column of bytes.
    """

    def dump(self, obj: Any) -> Buffer | None:
        """
        The lines behind what tells them from JSON.
        """
        return super().dump(_LINES + str(obj).encode())


def prepare(connection: psycopg.Connection[Any]) -> None:
    """
    Let *connection* take values as they are, and give rows.
    """
    connection.row_factory = row_of
    connection.adapters.register_dumper(bool, _Flag)
    connection.adapters.register_dumper(str, _Text)
    connection.adapters.register_dumper(Lines, _LinesDumper)
    # Sums of large whole numbers, which are whole as well.
    connection.adapters.register_loader("numeric", IntLoader)


class PostgresCursor:
    """
    What a statement gave.
    """

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        """
        How many rows it has changed.
        """
        return self._cursor.rowcount

    @property
    def lastrowid(self) -> int | None:
        """
        The id of the row that it has inserted.
        """
        row = self._cursor.connection.execute("SELECT lastval()").fetchone()
        return None if row is None else int(row[0])

    def fetchone(self) -> Any:
        """
        The next row, or None.
        """
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """
        All rows that are left.
        """
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


class ServerClock:
    """
    The server's clock, which all machines share, as it was told last.
    """

    def __init__(self) -> None:
        self._ahead: float | None = None

    def look(self, connection: psycopg.Connection[Any]) -> None:
        """
        Let *connection* tell it, which shows that it works as well.
        """
        begun = clock.monotonic()
        row = connection.execute("SELECT life_clock()").fetchone()
        if row is not None:
            # Of one that nobody sets; it was told halfway.
            self._ahead = row[0] - (begun + clock.monotonic()) / 2

    def now(self) -> float:
        """
        Seconds since 1970.
        """
        assert self._ahead is not None  # noqa: S101 -- a connection was looked at
        return self._ahead + clock.monotonic()


class PostgresConnection:
    """
    A connection in a transaction.
    """

    each_of = "json_array_elements_text(CAST(? AS json)) AS asked (value)"

    def __init__(
        self, connection: psycopg.Connection[Any], server_clock: ServerClock
    ) -> None:
        self._connection = connection
        self._clock = server_clock

    def now(self) -> float:
        """
        Seconds since 1970, by the server's clock.
        """
        return self._clock.now()

    def queue(self) -> None:
        """
        Let the transaction go on alone of those that queue.
        """
        self._connection.execute(_QUEUE)

    def lock_suppression(self, *, alone: bool = False) -> None:
        """
        Let nobody change the list of the suppressed until the transaction ends, or
        nobody claim either.

        No snapshot is taken for it, so who has waited sees what is there after that.
        """
        self._connection.execute(_LOCK_ALONE if alone else _LOCK_TOGETHER)

    def lock_calls(self, *, alone: bool = False) -> None:
        """
        Let nobody be due again until the transaction ends, or no receipt be applied
        either.
        """
        self._connection.execute(_CALLS_ALONE if alone else _CALLS_TOGETHER)

    def execute(self, statement: str, parameters: Parameters = ()) -> PostgresCursor:
        """
        Run *statement*.
        """
        cursor = self._connection.execute(_translated(statement), parameters)
        return PostgresCursor(cursor)

    def executemany(self, statement: str, parameters: Iterable[Any]) -> PostgresCursor:
        """
        Run *statement* with each of *parameters*.
        """
        cursor = self._connection.cursor()
        cursor.executemany(_translated(statement), list(parameters))
        return PostgresCursor(cursor)

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        """
        Insert *rows* into *columns* of *table* as one stream, which fires the triggers
        of a statement once.
        """
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        cursor = self._connection.cursor()
        cursor.execute(_NO_ROWS.format(names, sql.Identifier(table)))
        types = [column.type_code for column in cursor.description or ()]
        with cursor.copy(_COPY.format(sql.Identifier(table), names)) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row([_plain(value) for value in row])


def _plain(value: Any) -> Any:
    """
    *value* as its column takes it, where nothing looks at the types of values.
    """
    if isinstance(value, Lines):
        return _LINES + value.encode()
    if isinstance(value, str):
        return _without_nul(value)
    return int(value) if isinstance(value, bool) else value


@lru_cache(maxsize=1024)
def _translated(statement: str) -> bytes:
    """
    *statement* with the marks of psycopg for its values.
    """

    def mark(found: re.Match[str]) -> str:
        if found[0] == "?":
            return "%s"
        return "%%" if found[0] == "%" else f"%({found[1]})s"

    return _MARK.sub(mark, statement).encode()
