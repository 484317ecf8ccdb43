"""
Jobs that share a transaction, and who waits for them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from voicepush.ledger.sqlite.connection import transaction

#: So many who shared a commit go on in one turn of the event loop.
_TOLD_AT_ONCE = 1


class Job(NamedTuple):
    """
    Some work on the file, and who waits for it.
    """

    work: Callable[[sqlite3.Connection], Any]
    writes: bool
    #: It raises only before it has written anything, so that nothing has to be undone.
    at_once: bool
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


def together(connection: sqlite3.Connection, jobs: Sequence[Job]) -> list[Any]:
    """
    What each of *jobs* gave or raised, once all of it is committed.

    What the file itself raises goes through, since it would meet each of them.
    """
    with transaction(connection, writes=any(job.writes for job in jobs)):
        return [_done(connection, job) for job in jobs]


def _done(connection: sqlite3.Connection, job: Job) -> Any:
    """
    What *job* gave, or what it raised if nothing of it remains.
    """
    has_to_be_undone = job.writes and not job.at_once
    if has_to_be_undone:
        connection.execute("SAVEPOINT job")
    given: Any
    try:
        given = job.work(connection)
    except (sqlite3.Error, OSError):
        raise
    except Exception as error:  # noqa: BLE001 -- only the one who brought it gets it
        if has_to_be_undone:
            connection.execute("ROLLBACK TO job")
        given = error
    if has_to_be_undone:
        connection.execute("RELEASE job")
    return given


def answer(jobs: Sequence[Job], answers: Sequence[Any]) -> None:
    """
    Tell those who wait for *jobs* what they gave or raised.
    """
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Any]]] = {}
    for job, each in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.loop, []).append((job, each))
    for loop, answered in by_loop.items():
        # A loop that was closed meanwhile has no one left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, loop, answered)


def _tell(
    loop: asyncio.AbstractEventLoop, answered: list[tuple[Job, Any]], first: int = 0
) -> None:
    """
    Tell who waits, a few in each turn of *loop*.

    All who shared a commit would otherwise go on in one turn, and keep everyone else
    in the process waiting meanwhile.
    """
    after = first + _TOLD_AT_ONCE
    for job, each in answered[first:after]:
        if job.answer.done():
            continue
        if isinstance(each, Exception):
            job.answer.set_exception(each)
        else:
            job.answer.set_result(each)
    if after < len(answered):
        loop.call_soon(_tell, loop, answered, after)
