"""
The tables of the engine that hands out batches, beside those of a ledger.

They are made by the engine's own scripts, which are read as files: the engine itself is
needed only by who works, and takes a while to load.
"""

from __future__ import annotations

import functools
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg

from voicepush.errors import InputError, LedgerError

_SCRIPTS = "procrastinate/sql"


def make_engine(connection: psycopg.Connection[Any]) -> None:
    """
    Make its tables, or bring those of an earlier version up to the one that is
    installed, in the transaction of *connection*.
    """
    known = version_of(connection)
    if known is None:
        connection.execute(_read("schema.sql"))
        connection.execute("INSERT INTO engine VALUES (%s)", (latest(),))
        return
    for name in _migrations():
        if name > known:
            connection.execute(_read(f"migrations/{name}"))
            connection.execute("UPDATE engine SET version = %s", (name,))


def check_engine(connection: Any) -> None:
    """
    Refuse tables that the installed engine does not know.

    Raises:
        LedgerError: They are of a later version.
    """
    if (version_of(connection) or "") > latest():
        raise LedgerError(
            "a worker of this ledger uses a later Procrastinate than the one here "
            f"({metadata.version('procrastinate')}); upgrade it"
        )


def version_of(connection: Any) -> str | None:
    """
    The last of its changes that the tables have; None where there are none.
    """
    row = connection.execute("SELECT version FROM engine").fetchone()
    return None if row is None else str(row[0])


@functools.cache
def latest() -> str:
    """
    The last change that the installed engine brings.
    """
    return _migrations()[-1]


@functools.cache
def _migrations() -> list[str]:
    return sorted(path.name for path in _folder().glob("migrations/*.sql"))


def _read(name: str) -> bytes:
    return (_folder() / name).read_bytes()


@functools.cache
def _folder() -> Path:
    try:
        found = metadata.distribution("procrastinate").locate_file(_SCRIPTS)
    except metadata.PackageNotFoundError:
        raise InputError(
            "a ledger in PostgreSQL needs a library that is not there: "
            "pip install 'voicepush[cluster]'"
        ) from None
    return Path(str(found))
