"""
The index of a campaign: whether it finds those who are in it, and nobody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from voicepush.ledger.index import (
    Column,
    greatest_in,
    is_in_order,
    sorted_pages,
    sum_of,
)
from voicepush.ledger.packing import unpack_texts
from voicepush.ledger.sql.copying import read_pages, runs_of
from voicepush.ledger.sql.index import batches_with
from voicepush.ledger.sql.rows import TOGETHER
from voicepush.ledger.sql.store import Connection
from voicepush.masking import mask
from voicepush.model.audit import Findings

#: Of so many batches, spread over the campaign, a few are looked for one by one.
_SAMPLED = 50


def audit_index(
    connection: Connection,
    campaign: int,
    name: str,
    findings: Findings,
    *,
    deep: bool,
) -> int:
    """
    Look for some of a campaign as `lookup` does; or *deep*, compare the whole index
    with all people. Gives how many were looked for.
    """
    (batches,) = connection.execute(
        "SELECT count(*) FROM batch WHERE campaign = ?", (campaign,)
    ).fetchone()
    looked_up = 0
    step = max(1, batches // _SAMPLED)
    for number, packed, ids in connection.execute(_SAMPLE, (campaign, step)).fetchall():
        texts = unpack_texts(packed)
        own = [] if ids is None else unpack_texts(ids)
        for value in filter(None, {*texts[:1], *texts[-1:], *own[:1]}):
            looked_up += 1
            if (campaign, number) not in batches_with(connection, value):
                findings.add(
                    f"{name}, batch {number}",
                    f"the index does not lead to {mask(value)}",
                )
    return _whole(connection, campaign, name, findings) if deep else looked_up


_SAMPLE = """
    SELECT number, packed, ids FROM recipients WHERE campaign = ? AND number % ? = 0
"""


def _whole(connection: Connection, campaign: int, name: str, findings: Findings) -> int:
    """
    Every entry is where the search goes, and all of them are those of the people.
    """
    kept = kept_sum = 0
    for run in runs_of(connection, campaign):
        greatest: int | None = None
        for first, page in _pages(connection, run):
            least = first if greatest is None else greatest
            if not is_in_order(page, first, least):
                findings.add(name, f"a page of run {run} of the index is not in order")
            greatest = greatest_in(page)
            number, its_sum = sum_of([page])
            kept, kept_sum = kept + number, kept_sum + its_sum
    people = people_sum = 0
    for columns in _columns(connection, campaign):
        number, its_sum = sum_of(page for _, page in sorted_pages(columns))
        people, people_sum = people + number, people_sum + its_sum
    if (kept, kept_sum % 2**64) != (people, people_sum % 2**64):
        findings.add(
            name,
            f"the index holds {kept} entries, and its people and their ids come to "
            f"{people}, or to others",
        )
    return people


def _pages(connection: Connection, run: int) -> Iterator[tuple[int, bytes]]:
    after: int | None = None
    while pages := read_pages(connection, run, after):
        yield from pages
        after = pages[-1][0]


def _columns(connection: Connection, campaign: int) -> Iterator[list[Column]]:
    after = -1
    while rows := connection.execute(
        "SELECT number, packed, ids FROM recipients "
        "WHERE campaign = ? AND number > ? ORDER BY number LIMIT ?",
        (campaign, after, TOGETHER),
    ).fetchall():
        yield [
            Column(row["number"], packed, len(unpack_texts(packed)))
            for row in rows
            for packed in (row["packed"], row["ids"])
            if packed is not None
        ]
        after = rows[-1]["number"]
