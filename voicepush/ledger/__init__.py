"""
The ledger: who is to be called, who was claimed, and what became of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from voicepush.errors import InputError
from voicepush.ledger.plan import Command, Control, Fingerprint, Plan
from voicepush.ledger.protocol import Draft, Ledger, Worker

__all__ = [
    "Command",
    "Control",
    "Draft",
    "Fingerprint",
    "Ledger",
    "Plan",
    "Worker",
    "open_ledger",
]


@asynccontextmanager
async def open_ledger(
    where: str | Path, *, log_was_merged: bool = False
) -> AsyncIterator[Ledger]:
    """
    The ledger at *where*, a path, for an ``async with``; the file is made if there is
    none.

    Whatever *where* looks like, it names a plain file. A ledger that was in use when
    its process died needs the log beside it, and is refused without.

    Args:
        log_was_merged: That log was merged into the file by another program, so that
            nothing is missing although it is gone.

    Raises:
        InputError: *where* is empty, or an address of a kind that is not known.
        LedgerError: It can't be opened, is no ledger, is one of a newer version, has
            a second name, or its log is missing.
    """
    if "://" in str(where):
        raise InputError(f"a ledger is kept in a file; {where} is no path")
    if not str(where) or "\0" in str(where):
        raise InputError("a ledger is kept in a file; name one with --ledger")
    # A service without a ledger has no use for a database.
    from voicepush.ledger.sqlite.ledger import SQLiteLedger  # noqa: PLC0415

    async with await SQLiteLedger.open(
        Path(where), log_was_merged=log_was_merged
    ) as ledger:
        yield ledger
