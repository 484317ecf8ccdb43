"""
Campaigns in one SQLite file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from voicepush.errors import LedgerError
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.ledger.sqlite.schema import SCHEMA_VERSION
from voicepush.ledger.sqlite.writer import SQLiteFile


class SQLiteLedger(SQLLedger):
    """
    Campaigns in one file, with every claim and record flushed to the disk.

    Several processes may use the file, each dispatching another campaign. Each method
    raises `LedgerError` when the file can't be read or written.
    """

    kept_in = f"SQLite, schema version {SCHEMA_VERSION}"

    def __init__(self, path: Path, *, log_was_merged: bool = False) -> None:
        super().__init__(SQLiteFile(path, log_was_merged=log_was_merged))

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


def _whole(path: Path) -> Path:
    """
    *path* from the root on, with no links in it: SQLite takes names such as
    ``:memory:`` for no files, and looks for a log beside the name that it is given.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise LedgerError(f"the ledger {path} can't be opened: {error}") from error
