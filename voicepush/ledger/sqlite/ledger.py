"""
Campaigns in one SQLite file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Self

from voicepush.errors import InputError, LedgerError
from voicepush.ledger.sql.holding import is_anyone_at_work
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.ledger.sql.restoring import restore
from voicepush.ledger.sql.store import Connection
from voicepush.ledger.sqlite.backup import back_up, backup_of
from voicepush.ledger.sqlite.schema import SCHEMA_VERSION
from voicepush.ledger.sqlite.wiping import wipe
from voicepush.ledger.sqlite.writer import SQLiteFile
from voicepush.model.audit import Finding
from voicepush.model.forgetting import Forgetting
from voicepush.model.recipients import Kind


class SQLiteLedger(SQLLedger):
    """
    Campaigns in one file, with every claim and record flushed to the disk.

    Several processes may use the file, each dispatching another campaign. Each method
    raises `LedgerError` when the file can't be read or written.
    """

    kept_in = f"SQLite, schema version {SCHEMA_VERSION}"

    def __init__(self, path: Path, *, log_was_merged: bool = False) -> None:
        self._file = SQLiteFile(path, log_was_merged=log_was_merged)
        super().__init__(self._file)

    @classmethod
    async def open(cls, path: Path, *, log_was_merged: bool = False) -> Self:
        """
        The ledger at *path*, made with mode 0600 if there is none.

        Raises:
            LedgerError: It can't be opened, is no ledger, or one of a newer version.
        """
        ledger = cls(_whole(path), log_was_merged=log_was_merged)
        try:
            await ledger._store.do(lambda _: None, writes=False)
        except BaseException:
            await ledger.close()
            raise
        return ledger

    @property
    def backup(self) -> str | None:
        """
        What it is a backup of, in words, where it is one that nobody has restored.
        """
        return self._file.backup

    async def back_up(
        self, path: Path, tell: Callable[[int, int], object] = lambda *_: None
    ) -> int:
        """
        Copy it to *path*, where nothing is yet, as it is at one moment; campaigns may
        go on meanwhile. Gives the size of the copy in bytes.

        Args:
            tell: Hears, in another thread, how many pages of how many are left; what it
                raises ends it.

        Raises:
            InputError: There is something at *path*, or it can't be written.
        """
        work = partial(back_up, made_of=self._file.path, path=path, tell=tell)
        return await self._file.do(work, writes=False)

    async def restore(self) -> Mapping[str, int]:
        """
        Let a backup be a ledger again; gives who may have been called since.
        """

        def work(connection: Connection) -> Mapping[str, int]:
            # As it is now: another process may have done it.
            made = backup_of(connection)
            if made is None:
                raise InputError(
                    f"the ledger {self._file.path} is no backup, or was restored "
                    "already; leave out --restored"
                )
            restored = restore(connection, made)
            connection.execute("DELETE FROM backup")
            return restored

        return await self._file.restore(work)

    async def forget(self, kind: Kind, value: str, *, keep: bool = True) -> Forgetting:
        """
        Let nothing in the file, nor in its log, name someone any more.

        Raises:
            LedgerError: They are forgotten, and yet what was deleted may be in the file
                or in its log; the same again looks to that.
        """
        await self._file.do(
            lambda connection: connection.execute("PRAGMA secure_delete = ON")
        )
        found = await super().forget(kind, value, keep=keep)
        await asyncio.to_thread(wipe, self._file.path)
        return found

    async def wipe(self) -> bool:
        """
        Write the file anew without what was deleted, unless somebody works on a
        campaign; gives whether that was done.
        """
        if await self._store.do(is_anyone_at_work, writes=False):
            return False
        await asyncio.to_thread(wipe, self._file.path)
        return True

    def _damage(self, connection: Connection) -> list[Finding]:
        """
        Pages that are damaged, and rows that name what is not there.
        """
        pages = connection.execute("PRAGMA integrity_check").fetchall()
        found = [Finding("the file", row[0]) for row in pages if row[0] != "ok"]
        if found:
            return found
        return [
            Finding(f"table {table}", f"a row names what is not in {parent}")
            for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")
        ]


def _whole(path: Path) -> Path:
    """
    *path* from the root on, with no links in it: SQLite takes names such as
    ``:memory:`` for no files, and looks for a log beside the name that it is given.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise LedgerError(f"the ledger {path} can't be opened: {error}") from error
