"""
Ledgers, and what only looks like one: nobody is rung twice by a mix-up of files.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from conftest import Serve, numbers
from making import opened
from mishaps import (
    LEDGER,
    SLOWLY,
    check,
    ended,
    june,
    process,
    resume,
    say,
    sending,
    wait_until,
    wait_until_quiet,
)

from voicepush import Campaign, InputError, LedgerError, VoiceMessage, open_ledger
from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

LOG = Path("voicepush.db-wal")


@pytest.mark.parametrize(
    "name", [":memory:", "file:june.db", "file::memory:", "file:june.db?mode=memory"]
)
def test_any_name_is_a_file(serve: Serve, name: str) -> None:
    """
    What SQLite would keep in memory is kept, and nobody is rung by the next process.
    """
    simulator = serve()
    listed = june(20)

    codes = [say(*sending(simulator, "--ledger", name)).code for _ in range(2)]

    assert [0, 0] == codes
    assert Path(name).is_file()
    assert Counter(listed) == simulator.calls


async def test_no_name_is_refused() -> None:
    """
    An empty name would be a file that nobody finds again.
    """
    for name in ("", "a\0b"):
        with pytest.raises(InputError, match="name one with --ledger"):
            await opened(name)


@pytest.mark.parametrize("kind", ["folder", "fifo", "loop", "device"])
def test_what_is_no_plain_file_is_refused(serve: Serve, kind: str) -> None:
    """
    One line, and nobody is rung.
    """
    simulator = serve()
    june(20)
    path = Path("/dev/null" if kind == "device" else "ledger")
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "loop":
        path.symlink_to(path)

    said = say(*sending(simulator, "--ledger", str(path)))

    assert 5 == said.code
    assert str(path.name) in said.complaint
    assert not simulator.calls


@pytest.mark.slow
def test_a_symbolic_link_leads_to_the_ledger(serve: Serve) -> None:
    """
    Under either name it is one ledger with one log.
    """
    simulator = serve(latency=0.1)
    listed = june(300)
    Path("link.db").symlink_to(LEDGER)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        refused = say(*sending(simulator, "--ledger", "link.db"))
        ended(running)
    again = say(*sending(simulator, "--ledger", "link.db"))

    assert (4, 0) == (refused.code, again.code)
    assert not Path("link.db-wal").exists()
    assert Counter(listed) == simulator.calls


@pytest.mark.slow
def test_a_hard_link_is_refused(serve: Serve) -> None:
    """
    Under its second name the log would not be seen, so neither name is taken.
    """
    simulator = serve(latency=0.1)
    listed = june(400)

    kill_while_sending(simulator)
    rung = Counter(simulator.calls)
    os.link(LEDGER, "other.db")
    said = [
        say(*sending(simulator, "--ledger", name)) for name in ("other.db", str(LEDGER))
    ]
    then = Counter(simulator.calls)
    Path("other.db").unlink()
    resume(simulator)

    assert [5, 5] == [each.code for each in said]
    assert all("hard link" in each.complaint for each in said)
    assert rung == then
    assert Counter(listed).keys() >= simulator.calls.keys()
    check(simulator)


def kill_while_sending(simulator: Simulator) -> None:
    """
    Let a process send some of june, and kill it.
    """
    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        running.send_signal(signal.SIGKILL)
        running.wait()
    # What it sent before may still be read, and counted, now.
    wait_until_quiet(simulator)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["moved", "copied", "empty"])
def test_a_ledger_without_its_log_is_refused(serve: Serve, way: str) -> None:
    """
    After kill -9 the file alone does not know who was called; nobody is rung by it.
    """
    simulator = serve(latency=0.1)
    june(400)
    kill_while_sending(simulator)
    rung = Counter(simulator.calls)
    other = Path("other.db")
    if way == "moved":
        LEDGER.rename(other)
    else:
        shutil.copy(LEDGER, other)
    if way == "empty":
        Path("other.db-wal").touch()

    # A second look finds no log that the first has left.
    said = [say(*sending(simulator, "--ledger", "other.db")) for _ in range(2)]
    seen = say("status", "--ledger", "other.db")
    then = Counter(simulator.calls)
    if way == "moved":
        LOG.rename("other.db-wal")
        other = other.rename("other.db")
        resume(simulator, "--ledger", "other.db")
        check(simulator, other)

    assert [5, 5, 5] == [each.code for each in (*said, seen)]
    assert all("other.db-wal is missing" in each.complaint for each in (*said, seen))
    assert all("--log-was-merged" in each.complaint for each in said)
    assert rung == then


@pytest.mark.slow
def test_a_log_that_another_program_merged_is_not_missed(serve: Serve) -> None:
    """
    Its owner says so once; from then on the ledger is as good as any.
    """
    simulator = serve(latency=0.1)
    june(400)
    kill_while_sending(simulator)
    with closing(sqlite3.connect(LEDGER)) as connection:
        connection.execute("SELECT count(*) FROM batch").fetchone()
    is_merged = not LOG.exists()

    refused = resume(simulator)
    again = resume(simulator, "--log-was-merged")
    later = say("status")
    check(simulator)

    assert is_merged
    assert 5 == refused.code
    assert again.code in (0, 1)
    assert 0 == later.code


@pytest.mark.slow
def test_looking_after_a_crash_leaves_the_log(serve: Serve) -> None:
    """
    Whatever only looks is not the one to take the mark and the log apart.
    """
    simulator = serve(latency=0.1)
    june(400)
    kill_while_sending(simulator)

    looks = [say("status").code for _ in range(3)]
    left = LOG.exists()
    resume(simulator)
    check(simulator)

    assert [0, 0, 0] == looks
    assert left
    assert not LOG.exists()


async def test_several_processes_leave_in_any_order(tmp_path: Path) -> None:
    """
    Whoever goes last merges the log, reader or writer; then the file stands alone.
    """
    path, message = tmp_path / "a.db", VoiceMessage(media="x")
    log = tmp_path / "a.db-wal"
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        stacks = [AsyncExitStack() for _ in range(3)]
        ledgers = [
            await stack.enter_async_context(open_ledger(path)) for stack in stacks
        ]
        for at in (0, 1):  # the third only reads
            await Campaign.plan(ledgers[at], f"{order}{at}", message, numbers(5))
        await ledgers[2].campaigns()
        for at in order:
            await stacks[at].aclose()
        assert not log.exists()

    async with open_ledger(path) as ledger:
        assert 6 == len(await ledger.campaigns())


async def test_the_mark_stands_in_the_file_before_anything_else(
    tmp_path: Path,
) -> None:
    """
    From the first write on, a copy of the file alone is no ledger.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        await Campaign.plan(ledger, "june", VoiceMessage(media="x"), numbers(5))
        shutil.copy(tmp_path / "a.db", tmp_path / "b.db")

        with pytest.raises(LedgerError, match=r"b\.db-wal is missing"):
            await opened(tmp_path / "b.db")


async def test_a_file_of_before_the_first_release_is_refused(tmp_path: Path) -> None:
    """
    It is not touched, and the text says which program can read it.
    """
    path = tmp_path / "older.db"
    async with open_ledger(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")

    with pytest.raises(LedgerError, match="before the first release"):
        await opened(path)


@pytest.mark.slow
def test_a_new_ledger_does_not_take_a_log_away(serve: Serve) -> None:
    """
    Where a ledger was moved and its log forgotten, another under the old name is
    refused, so that the log can still be put back.
    """
    simulator = serve(latency=0.1)
    june(400)
    kill_while_sending(simulator)
    LEDGER.rename("other.db")

    refused = say(*sending(simulator, "--campaign", "another"))
    was_kept = LOG.stat().st_size > 0
    Path("other.db").rename(LEDGER)
    resume(simulator)

    assert 5 == refused.code
    assert "moved away" in refused.complaint
    assert was_kept
    check(simulator)


def test_a_rescued_ledger_is_not_passed_over_for_an_empty_file(serve: Serve) -> None:
    """
    An empty file under the ledger's name is no ledger that took its place.
    """
    simulator = serve()
    june(20)
    say(*sending(simulator))
    LEDGER.rename(f"{LEDGER}.rescued")
    LEDGER.touch()

    refused = say(*sending(simulator))

    assert 5 == refused.code
    assert ".rescued" in refused.complaint
    assert {1} == set(simulator.calls.values())
