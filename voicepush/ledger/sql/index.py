"""
The index of who stands in which batch, in tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicepush.ledger.index import (
    MOST_RUNS,
    Column,
    bounds,
    entry_of,
    merged_pages,
    numbers_in,
    parts,
    sorted_pages,
    without_entry,
)
from voicepush.ledger.sql.store import Connection


def write_run(connection: Connection, campaign: int, columns: Sequence[Column]) -> None:
    """
    Write a run of all that *columns* hold.
    """
    if not columns:
        return
    write_pages(connection, new_run(connection, campaign), sorted_pages(columns))


class Merging:
    """
    Makes one run of the many of a campaign, a part at a time.
    """

    def __init__(self, campaign: int) -> None:
        self._campaign = campaign
        self._runs: list[int] = []
        self._merged = 0

    def begin(self, connection: Connection) -> list[tuple[int, int]]:
        """
        The parts in which it is done; none if there are few runs.
        """
        rows = connection.execute(
            "SELECT id FROM index_run WHERE campaign = ?", (self._campaign,)
        )
        self._runs = [row["id"] for row in rows]
        if len(self._runs) <= MOST_RUNS:
            return []
        self._merged = new_run(connection, self._campaign)
        return list(parts(len(self._runs)))

    def merge(self, connection: Connection, least: int, greatest: int) -> None:
        """
        Do the part from *least* to *greatest*.
        """
        pages = [
            row["entries"]
            for run in self._runs
            for row in connection.execute(_PAGES_OF, (run, run, least, greatest))
        ]
        write_pages(connection, self._merged, merged_pages(pages, least, greatest))

    def finish(self, connection: Connection) -> None:
        """
        Let nothing of the many remain, if they were merged.
        """
        for run in self._runs if self._merged else ():
            connection.execute("DELETE FROM index_page WHERE run = ?", (run,))
            connection.execute("DELETE FROM index_run WHERE id = ?", (run,))


#: Those of a run that may hold an entry of a part.
_FROM_PAGES = """
    FROM index_page WHERE run = ? AND first >= coalesce(
        (SELECT max(first) FROM index_page WHERE run = ? AND first <= ?), 0
    ) AND first <= ?
"""
_PAGES_OF = f"SELECT entries {_FROM_PAGES}"


def new_run(connection: Connection, campaign: int) -> int:
    """
    A run of *campaign* without any entry yet.
    """
    inserted = connection.execute(
        "INSERT INTO index_run (campaign) VALUES (?)", (campaign,)
    )
    return int(inserted.lastrowid or 0)


def write_pages(
    connection: Connection,
    run: int,
    pages: Iterable[tuple[int, bytes | memoryview]],
) -> None:
    """
    Write *pages* of a run, with the first entry of each.
    """
    connection.insert_many(
        "index_page",
        ("run", "first", "entries"),
        ((run, first, page) for first, page in pages),
    )


def drop_entry(connection: Connection, campaign: int, number: int, value: str) -> None:
    """
    Let *value*, which stood in that batch of *campaign*, lead to it no more.
    """
    entry = entry_of(value, number)
    for (run,) in connection.execute(
        "SELECT id FROM index_run WHERE campaign = ?", (campaign,)
    ).fetchall():
        for first, page in connection.execute(
            f"SELECT first, entries {_FROM_PAGES}", (run, run, entry, entry)
        ).fetchall():
            left = without_entry(page, entry)
            if left is None:
                continue
            key = (run, first)
            connection.execute(_DROP_PAGE, key)
            for new, entries in left:
                # The next page may begin as this one does now.
                row = connection.execute(_PAGE_AT, (run, new)).fetchone()
                more = b"" if row is None else row["entries"]
                connection.execute(_DROP_PAGE, (run, new))
                write_pages(connection, run, [(new, entries + more)])
            return


_PAGE_AT = "SELECT entries FROM index_page WHERE run = ? AND first = ?"
_DROP_PAGE = "DELETE FROM index_page WHERE run = ? AND first = ?"


def drop_runs(connection: Connection, campaign: int) -> None:
    """
    Let nothing remain of the runs of *campaign*.
    """
    connection.execute(
        "DELETE FROM index_page "
        "WHERE run IN (SELECT id FROM index_run WHERE campaign = ?)",
        (campaign,),
    )
    connection.execute("DELETE FROM index_run WHERE campaign = ?", (campaign,))


def batches_with(connection: Connection, value: str) -> set[tuple[int, int]]:
    """
    The campaigns and numbers of the batches in which *value* may stand.
    """
    least, greatest = bounds(value)
    pages = connection.execute(_PAGES, {"least": least, "greatest": greatest})
    return {
        (campaign, number)
        for campaign, page in pages
        for number in numbers_in(page, least, greatest)
    }


#: Of each run the page that begins before, and those that begin in between. SQLite
#: takes the tables of a cross join in their order, and would scan the pages otherwise.
_PAGES = """
    SELECT campaign, entries
    FROM index_run CROSS JOIN index_page WHERE run = index_run.id
    AND first BETWEEN coalesce(
        (SELECT max(first) FROM index_page AS earlier
         WHERE earlier.run = index_run.id AND first <= :least), :least
    ) AND :greatest
"""
