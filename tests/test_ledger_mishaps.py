"""
What is a file's alone: mishaps, and tables.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
import traceback
from contextlib import closing
from pathlib import Path

import pytest
from ledger_model import (
    MESSAGE,
    all_of,
    two_planned,
)
from making import batch_of

from voicepush.errors import (
    InputError,
    LedgerError,
)
from voicepush.ledger import Command, Plan, open_ledger
from voicepush.ledger.sqlite.mishaps import translated
from voicepush.ledger.sqlite.writer import SQLiteFile
from voicepush.model.outcome import Outcome

# Mishaps


async def test_a_job_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """
    What it had written is undone, and those who share its commit lose nothing.
    """
    file = SQLiteFile(tmp_path / "a.db")

    def writes(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO writer VALUES ('kept')")

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO writer VALUES ('undone')")
        raise failure

    def marks(connection: sqlite3.Connection) -> set[str]:
        return {row[0] for row in connection.execute("SELECT id FROM writer")}

    for failure in (InputError("no"), KeyError("a mistake")):
        # The first one keeps the thread busy, so that the others share a commit.
        busy = file.do(lambda _: time.sleep(0.05))
        ended = await asyncio.gather(
            busy, file.do(fails), file.do(writes), return_exceptions=True
        )
        found = await file.do(marks, writes=False)
        await file.do(lambda each: each.execute("DELETE FROM writer WHERE id = 'kept'"))

        assert [None, failure, None] == list(ended)
        assert {"kept"} == {each for each in found if ":" not in each}
    await file.close()


async def test_a_damaged_text_is_not_quoted(tmp_path: Path) -> None:
    """
    Numbers are no part of an error, whatever has become of them in the file.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        await two_planned(ledger)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("UPDATE recipients SET packed = CAST(x'2b393939ff' AS TEXT)")
    async with open_ledger(tmp_path / "a.db") as ledger:
        with pytest.raises(LedgerError, match="damaged") as caught:
            await all_of(ledger.results("june", [*Outcome]))

        assert "+999" not in "".join(traceback.format_exception(caught.value))


async def test_who_has_begun_to_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Who looks at an older state and never ends is in the way, and is named as such.
    """
    monkeypatch.setattr("voicepush.ledger.sqlite.connection.LOCK_PATIENCE", 0.1)
    path = tmp_path / "a.db"
    async with open_ledger(path) as ledger:
        await two_planned(ledger)
    async with open_ledger(path) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM campaign").fetchone()
            with pytest.raises(LedgerError, match="has begun to read"):
                await ledger.steer("june", command=Command.PAUSE)
        await ledger.steer("june", command=Command.PAUSE)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SQLITE_BUSY_SNAPSHOT", "another program holds its lock"),
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_IOERR_WRITE", "the disk fails"),
        ("SQLITE_READONLY_DBMOVED", "can't be written"),
        ("SQLITE_CANTOPEN", "can only be read"),
        ("SQLITE_CORRUPT_INDEX", "damaged"),
        ("SQLITE_NOTADB", "not a voicepush ledger"),
        (None, "in its own words"),
    ],
)
def test_mishaps_are_told_by_name(name: str | None, words: str) -> None:
    """
    SQLite's names for mishaps stay, while its English may change.
    """
    error = sqlite3.OperationalError("in its own words")
    if name is not None:
        error.sqlite_errorname = name

    told = translated(Path("a.db"), error)

    assert str(told).startswith("the ledger a.db: ")
    assert words in str(told)
    assert error is told.__cause__


# The tables


async def test_nothing_remains_of_a_draft(tmp_path: Path) -> None:
    """
    Whoever was planned and never published stands in no table.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        draft = await ledger.draft(
            Plan(campaign="june", message="{}", source="s", tag="0123456789")
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("voicepush.ledger.index.RUN", 1)
            await draft.add([batch_of(MESSAGE, "0123456789-0", ["+9991"])])
        with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
            before = rows_by_table(connection)
            await draft.discard()
            after = rows_by_table(connection)

    # What was done to it is written down once it is published.
    later = {"history", "minute"}
    assert all(before[table] for table in before.keys() - later)
    assert not any(after.values())


#: Nobody has a receipt before the campaign is published.
OF_RECEIPTS = (
    "call",
    "picked_up",
    "outcome_time",
    "proof",
    "body_block",
    "aside",
    "receipt_count",
    "poll",
)


#: How the names of tables begin that speak of none of those that are there.
OF_NO_CAMPAIGN = ("sqlite", "writer", "suppress", "backup", "forg", "deleted")


def rows_by_table(connection: sqlite3.Connection) -> dict[str, int]:
    """
    How many rows each table has that speaks of campaigns.
    """
    names = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        )
        if not name.startswith((*OF_NO_CAMPAIGN, *OF_RECEIPTS))
    ]
    return {
        name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
        for name in names
    }
