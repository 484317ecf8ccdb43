"""
What a ledger in a file keeps to besides: processes, mishaps, tables.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import subprocess
import time
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from ledger_model import (
    MESSAGE,
    SQLiteStore,
    all_of,
    load,
)
from making import batch_of
from test_ledger_contract import (
    status_of,
    two_planned,
)

from voicepush.errors import (
    InputError,
    LedgerError,
)
from voicepush.ledger import Command, Plan, open_ledger
from voicepush.ledger.protocol import Resolved
from voicepush.ledger.sqlite.holder import _started
from voicepush.ledger.sqlite.mishaps import translated
from voicepush.ledger.sqlite.writer import SQLiteFile
from voicepush.model.batch import Batch
from voicepush.model.outcome import Outcome

# Whom a process had claimed that may exist


@contextmanager
def another_process() -> Iterator[str]:
    """
    The token of a process that exists, and does nothing.
    """
    with subprocess.Popen(["sleep", "60"]) as process:  # noqa: S607 -- any will do
        try:
            started = _started(process.pid)
            yield f"{socket.gethostname()}:{process.pid}:{started}:0123abcd"
        finally:
            process.kill()


async def left_in_flight(store: SQLiteStore, token: str) -> Batch:
    """
    A batch that the worker with *token* had claimed when it fell silent.
    """
    batch, worker = await two_planned(store.ledger, resend=True)
    await worker.claim(batch, [0, 1])
    store.execute("UPDATE batch SET claimed_by = ?", token)
    await store.crash(old=True)
    return batch


async def test_who_may_be_sent_yet_is_left_alone(tmp_path: Path) -> None:
    """
    A process that was only stopped may go on, and send what it has claimed: neither
    joining nor deciding makes them pending, whatever their owner wants.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    with another_process() as token:
        await left_in_flight(store, token)
        worker = await store.ledger.join("june", load)
        joined = await status_of(store.ledger)
        decided = await worker.resolve(resend=True)
        after = await status_of(store.ledger)
        given_up = await worker.resolve(resend=False)
    await store.close()

    assert (0, 2) == (worker.left_alone.recipients, worker.left_alone.left_alone)
    assert decided == worker.left_alone
    assert f"process {token.split(':')[1]} on" in str(decided.process)
    assert 2 == joined.unknown == after.unknown
    assert Resolved(2) == given_up


@pytest.mark.parametrize("when", ["joining", "deciding"])
async def test_its_owner_knows_that_the_process_is_gone(
    tmp_path: Path, when: str
) -> None:
    """
    Then they are pending again, as wanted.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    with another_process() as token:
        await left_in_flight(store, token)
        gone = when == "joining"
        worker = await store.ledger.join("june", load, process_is_gone=gone)
        decided = await worker.resolve(resend=True, process_is_gone=True)
        status = await status_of(store.ledger)
    await store.close()

    assert Resolved(0 if gone else 2) == decided
    assert (0 if gone else 2) == worker.left_alone.left_alone
    assert 2 == status.pending


async def test_a_process_that_ended_is_gone(tmp_path: Path) -> None:
    """
    Nobody has to say so, where it ran on this machine.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    with another_process() as token:
        pass
    await left_in_flight(store, token)
    worker = await store.ledger.join("june", load)
    status = await status_of(store.ledger)
    await store.close()

    assert Resolved(0) == worker.left_alone
    assert 2 == status.pending


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

    assert all(before.values())
    assert not any(after.values())


def rows_by_table(connection: sqlite3.Connection) -> dict[str, int]:
    """
    How many rows each table has that speaks of campaigns.
    """
    names = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master")
        if not name.startswith(("sqlite", "writer", "batch_is"))
    ]
    return {
        name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
        for name in names
    }
