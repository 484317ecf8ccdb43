"""
The index of who stands in which batch, in tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from voicepush.ledger.index import Column, bounds, numbers_in, sorted_pages


def write_run(
    connection: sqlite3.Connection, campaign: int, columns: Sequence[Column]
) -> None:
    """
    Write a run of all that *columns* hold.
    """
    if not columns:
        return
    run = connection.execute(
        "INSERT INTO index_run (campaign) VALUES (?)", (campaign,)
    ).lastrowid
    connection.executemany(
        "INSERT INTO index_page VALUES (?, ?, ?)",
        ((run, first, page) for first, page in sorted_pages(columns)),
    )


def drop_runs(connection: sqlite3.Connection, campaign: int) -> None:
    """
    Let nothing remain of the runs of *campaign*.
    """
    connection.execute(
        "DELETE FROM index_page "
        "WHERE run IN (SELECT id FROM index_run WHERE campaign = ?)",
        (campaign,),
    )
    connection.execute("DELETE FROM index_run WHERE campaign = ?", (campaign,))


def batches_with(connection: sqlite3.Connection, value: str) -> set[tuple[int, int]]:
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
    FROM index_run CROSS JOIN index_page ON run = index_run.id
    AND first BETWEEN coalesce(
        (SELECT max(first) FROM index_page AS earlier
         WHERE earlier.run = index_run.id AND first <= :least), :least
    ) AND :greatest
"""
