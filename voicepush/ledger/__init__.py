"""
The ledger: who is to be called, who was claimed, and what became of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from voicepush.errors import InputError
from voicepush.ledger.plan import Command, Control, Fingerprint, Plan
from voicepush.ledger.protocol import Draft, Ledger, Worker

if TYPE_CHECKING:
    from voicepush.ledger.postgres.pace import PostgresAllowance

__all__ = [
    "Command",
    "Control",
    "Draft",
    "Fingerprint",
    "Ledger",
    "Plan",
    "Worker",
    "is_address",
    "open_ledger",
    "shared_rate",
]


#: How the address of a database begins.
_SCHEMES = ("postgresql://", "postgres://")


_MISSING = (
    "a ledger in PostgreSQL needs a library that is not there: "
    "pip install 'voicepush[cluster]'"
)


def is_address(where: str | Path) -> bool:
    """
    Whether *where* is the address of a database, and no file.
    """
    return str(where).startswith(_SCHEMES)


@asynccontextmanager
async def open_ledger(
    where: str | Path,
    *,
    schema: str | None = None,
    log_was_merged: bool = False,
    failed_over: bool = False,
    make: bool = True,
) -> AsyncIterator[Ledger]:
    """
    The ledger at *where*, for an ``async with``: a path, or the address of a database,
    as in ``postgresql://user@host/database``. It is made if there is none.

    A database may hold several, each in a schema of its own: that of the address, as in
    ``postgresql://user@host/database?schema=name``, or *schema*, or ``voicepush``.

    A path names a plain file, whatever it looks like. A ledger that was in use when its
    process died needs the log beside it, and is refused without. A database's address
    holds no password; libpq finds that in its own files.

    Args:
        schema: Where a database keeps it, if the address does not say so.
        log_was_merged: That log was merged into the file by another program, so that
            nothing is missing although it is gone.
        failed_over: A standby took the place of the database's server, or it was
            restored, and who may have been called meanwhile was looked at: people may
            be called from there.
        make: Make the tables in a database that has none.

    Raises:
        InputError: *where* is empty, an address of a kind that is not known, one with
            a password, or of a database without a ledger that is not to be made; or
            *schema* can't be used, or is given for a file.
        LedgerError: It can't be opened, is no ledger, is one of a newer version, has
            a second name, or its log is missing.
    """
    # A service without a ledger has no use for a database, and each for one of them.
    if is_address(where):
        try:
            from voicepush.ledger.postgres.ledger import (  # noqa: PLC0415
                PostgresLedger,
            )
        except ImportError as error:
            raise InputError(_MISSING) from error
        async with await PostgresLedger.open(
            str(where), schema=schema, make=make, failed_over=failed_over
        ) as shared:
            yield shared
        return
    if schema is not None:
        raise InputError(
            f"{where} is a file, and a file holds one ledger; leave out the schema "
            f"{schema!r}, or name a database"
        )
    if "://" in str(where):
        raise InputError(
            f"{where} is no ledger: name a file, or an address like "
            "postgresql://user@host/database"
        )
    if not str(where) or "\0" in str(where):
        raise InputError("a ledger is kept in a file; name one with --ledger")
    from voicepush.ledger.sqlite.ledger import SQLiteLedger  # noqa: PLC0415

    async with await SQLiteLedger.open(
        Path(where), log_was_merged=log_was_merged
    ) as ledger:
        yield ledger


def shared_rate(where: str | Path, *, schema: str | None = None) -> PostgresAllowance:
    """
    The rate that all processes share which use the ledger at *where*, for an
    ``async with``.

    Raises:
        InputError: *where* is no address of a database, or one with a password.
    """
    if not is_address(where):
        raise InputError(
            f"{where} is no ledger in a database, and only there a rate is shared by "
            "all processes; name one like postgresql://user@host/database with "
            "--ledger, or give each campaign its --rate"
        )
    try:
        from voicepush.ledger.postgres.pace import PostgresAllowance  # noqa: PLC0415
    except ImportError as error:
        raise InputError(_MISSING) from error
    return PostgresAllowance(str(where), schema=schema)
