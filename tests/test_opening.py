"""
Ledgers that are opened and closed, and files that are none.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from making import opened

from voicepush import InputError, Ledger, LedgerError, open_ledger


async def test_the_ledger_is_nobody_elses_to_read(
    ledger: Ledger, tmp_path: Path
) -> None:
    """
    The file and its companions have mode 0600.
    """
    files = tmp_path.glob("test.db*")  # noqa: ASYNC240 -- a test may block
    modes = {oct(file.stat().st_mode & 0o777) for file in files}

    assert {"0o600"} == modes
    assert [] == await ledger.campaigns()


async def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """
    Another program's database, and what is no database, are refused unchanged.
    """
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE things (a)")
    connection.close()
    before = foreign.read_bytes()
    text = tmp_path / "text.db"
    text.write_text("no database at all, but long enough to have a header of sorts")

    with pytest.raises(LedgerError, match="belongs to another program"):
        await opened(foreign)
    with pytest.raises(LedgerError, match="not a voicepush ledger"):
        await opened(text)
    assert before == foreign.read_bytes()


async def test_a_newer_ledger_is_refused_politely(tmp_path: Path) -> None:
    """
    A file of a later form is not touched, and the text says to upgrade.
    """
    path = tmp_path / "newer.db"
    async with open_ledger(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(LedgerError, match=r"newer voicepush .*upgrade"):
        await opened(path)


async def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    """
    Using a ledger after closing it is refused in words.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        pass

    with pytest.raises(LedgerError, match="is closed"):
        await ledger.campaigns()


async def test_an_address_is_no_path() -> None:
    """
    An address that is not understood does not become a file's name.
    """
    with pytest.raises(InputError, match="is no ledger: name a file"):
        await opened("redis://localhost/0")
