"""
The ledger: who is to be called, who was claimed, and what became of them.
"""

from __future__ import annotations

from pathlib import Path

from voicepush.errors import InputError
from voicepush.ledger.protocol import Draft, Lease, Ledger, Plan, Steering, Wish

__all__ = [
    "Draft",
    "Lease",
    "Ledger",
    "Plan",
    "Steering",
    "Wish",
    "open_ledger",
]


async def open_ledger(where: str | Path) -> Ledger:
    """
    The ledger at *where*, a path; the file is made if there is none.

    Raises:
        InputError: *where* is an address of a kind that is not known.
        LedgerError: It can't be opened, or is no ledger, or is one of a newer version.
    """
    if "://" in str(where):
        raise InputError(f"a ledger is kept in a file; {where} is no path")
    # A service without a ledger has no use for a database.
    from voicepush.ledger.sqlite import SQLiteLedger  # noqa: PLC0415

    return await SQLiteLedger.open(Path(where))
