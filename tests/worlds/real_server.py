"""
A real PostgreSQL for worlds, started when the first of them needs one.
"""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from postgres import Server

#: A server in memory needs no disk.
_FASTEST = Path("/dev/shm")  # noqa: S108 -- a folder of its own is made in it

_named: list[str] = []


def use(address: str) -> None:
    """
    Take the server at *address* on this machine, as its superuser, and start none.
    """
    _named.append(address)


def address() -> str:
    """
    Where it is reached.
    """
    return _named[-1] if _named else _started().address


@cache
def clock_file() -> str:
    """
    Where it reads what time it is.
    """
    folder = tempfile.mkdtemp(prefix="voicepush-clock-", dir=_place())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Path(folder).chmod(0o755)
    return f"{folder}/clock"


def _place() -> Path | None:
    return _FASTEST if _FASTEST.is_dir() else None


@cache
def _started() -> Server:
    # By hand these are not among what can be imported yet.
    sys.path.append(str(Path(__file__).parents[1]))
    from postgres import Server, check_programs  # noqa: PLC0415

    check_programs()
    folder = Path(tempfile.mkdtemp(prefix="voicepush-worlds-", dir=_place()))
    # What it does by itself would come at another moment each time.
    server = Server(
        folder,
        autovacuum="off",
        full_page_writes="off",
        deadlock_timeout="1ms",
        max_connections="200",
    )

    def end() -> None:
        server.stop_at_once()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return server
