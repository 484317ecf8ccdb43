"""
The file and the one thread that touches it: durability and mishaps.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from voicepush.errors import InputError, LedgerError
from voicepush.ledger.sqlite.connection import connect, pragma, transaction, use_log
from voicepush.ledger.sqlite.log import marks, register, unregister
from voicepush.ledger.sqlite.schema import FORM, check_ours, make_tables

_T = TypeVar("_T")


#: So many who shared a commit go on in one turn of the event loop.
_TOLD_AT_ONCE = 2


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    writes: bool
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class SQLiteFile:
    """
    Runs jobs on the file, each in a transaction that is durable before it is answered.

    A commit with full durability costs a flush of the disk. While one is under way
    the next jobs gather, so that under load many share the next one.

    Raises:
        LedgerError: From `do`, when the file can't be read or written.
    """

    def __init__(self, path: Path, *, log_was_merged: bool = False) -> None:
        self.path = path
        self._log_was_merged = log_was_merged
        #: What it is known by in the table of writers, once it is in there.
        self._writer: str | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name="voicepush-ledger", daemon=True
        )
        self._thread.start()
        self._closed = False
        self._identity: tuple[int, int] | None = None
        self._commits = 0
        #: After how many of them the file was last seen in its place.
        self._looked_after = -1
        #: SQLite's files beside it, as they were when it was opened.
        self._beside: dict[Path, tuple[int, int] | None] = {}

    async def do(
        self, work: Callable[[sqlite3.Connection], _T], *, writes: bool = True
    ) -> _T:
        """
        The value of *work*, once what it wrote is durable.

        *work* must raise before it has written anything, or not at all.
        """
        return await self._begin(work, writes=writes)

    def do_later(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """
        Do *work* after all that was begun before, for someone who can't wait for it.
        """
        answer = self._begin(work, writes=True)
        # Whoever can't wait can't be told of a failure either.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _begin(
        self, work: Callable[[sqlite3.Connection], _T], *, writes: bool
    ) -> asyncio.Future[_T]:
        if self._closed:
            raise LedgerError(f"the ledger {self.path} is closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()
        self._jobs.put(_Job(work, writes, answer, loop))
        return answer

    def check_in_place(self) -> None:
        """
        Make sure that the open file is still the one that its name leads to.

        SQLite goes on writing into a file that was deleted, and nobody would ever
        read that again.

        Raises:
            LedgerError: It was deleted, moved or replaced.
        """
        commits = self._commits
        # Those who shared a commit need not look one by one.
        if self._identity is None or self._looked_after == commits:
            return
        if self._is_in_place():
            self._looked_after = commits
            return
        if self.path.exists():
            self._clear()
        saved = (
            f"what it held is saved as {self._rescued}; move that back to go on"
            if self.path.parent.exists()
            else "so was its folder, and nothing of it could be saved"
        )
        raise LedgerError(
            f"the ledger {self.path} was deleted or replaced while it was in use; "
            f"{saved}"
        )

    def _is_in_place(self) -> bool:
        return _identity(self.path) == self._identity

    async def close(self) -> None:
        """
        Finish what was begun, and close the file.
        """
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _clear(self) -> None:
        """
        Take our log away from the file that took the place, or may take it yet.

        Whoever opens that file would read our log into it. A ledger that was only moved
        needs its log until it is saved.
        """
        for path, identity in self._beside.items():
            if identity is not None and _identity(path) == identity:
                path.unlink()

    @property
    def _rescued(self) -> Path:
        return self.path.with_name(self.path.name + ".rescued")

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while (jobs := self._next_jobs()) is not None:
            try:
                connection = connection or self._connect()
                if self._writer is None and any(job.writes for job in jobs):
                    self._writer = register(connection)
                answers = _together(connection, jobs)
                self._commits += 1
            except Exception as error:  # noqa: BLE001 -- whoever waits has to hear it
                answers = [self._translated(error)] * len(jobs)
            _answer(jobs, answers)
        if connection is not None:
            with suppress(sqlite3.Error, OSError):
                self._rescue(connection)
            self._disconnect(connection)

    def _next_jobs(self) -> list[_Job] | None:
        """
        Everything that waits, or None when nothing will come any more.
        """
        job = self._jobs.get()
        jobs = []
        while job is not None:
            jobs.append(job)
            if self._jobs.empty():
                return jobs
            job = self._jobs.get()
        if jobs:
            self._jobs.put(None)
        return jobs or None

    def _connect(self) -> sqlite3.Connection:
        self._check_plain()
        _create(self.path)
        connection = connect(self.path)
        try:
            # Before anything is changed: a foreign file stays as it is.
            check_ours(connection, self.path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.row_factory = sqlite3.Row
            # Readers of a ledger of this form need no lock.
            if pragma(connection, "user_version") < FORM:
                # Not into a log: without that the file would pass for an empty one.
                make_tables(connection)
            use_log(connection)
            self._check_log(connection)
        except BaseException:
            connection.close()
            raise
        self._identity = _identity(self.path)
        for ending in ("-wal", "-shm"):
            path = self.path.with_name(self.path.name + ending)
            self._beside[path] = _identity(path)
        return connection

    def _check_plain(self) -> None:
        """
        Make sure that there is a plain file with this one name, or none yet.

        Each name has a log of its own, so a second name would show other contents.
        """
        is_empty = not _has_bytes(self.path)
        log = self.path.with_name(self.path.name + "-wal")
        if is_empty and _has_bytes(log):
            # SQLite would take it away, and with it who was called.
            raise LedgerError(
                f"{log} is the log of a ledger that was moved away; put that ledger "
                f"back as {self.path}, move its log to it, or remove the log"
            )
        if is_empty and self._rescued.exists():
            raise LedgerError(
                f"the ledger {self.path} was deleted while it was in use; move "
                f"{self._rescued} back to {self.path} to go on, or remove it"
            )
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return
        if not stat.S_ISREG(found.st_mode):
            raise LedgerError(
                f"{self.path} is no plain file; name another with --ledger"
            )
        if found.st_nlink > 1:
            raise LedgerError(
                f"the ledger {self.path} has a second name (a hard link), under which "
                "its newest entries would not be seen; remove one of the names, or "
                "make a copy while no process uses it"
            )

    def _check_log(self, connection: sqlite3.Connection) -> None:
        """
        Make sure that the log is there, if a process that wrote has not merged it.

        Raises:
            LedgerError: It is not; who was called meanwhile would be called again.
        """
        # Looking has made an empty log where there was none.
        log = self.path.with_name(self.path.name + "-wal")
        if not marks(connection) or _has_bytes(log):
            return
        if self._log_was_merged:
            connection.execute("DELETE FROM writer")
            return
        raise LedgerError(
            f"the ledger {self.path} was in use when it was left or copied, and its "
            f"log {log} is missing, which says who was called last; put that back "
            "beside it, or say --log-was-merged if another program has merged it"
        )

    def _disconnect(self, connection: sqlite3.Connection) -> None:
        """
        Close *connection*, and let the log be merged only if that leaves no mark.
        """
        keeper: sqlite3.Connection | None = None
        if self._is_in_place() and not self._is_unmarked(connection):
            # The last one to leave merges the log and removes it, but not if it can
            # only read.
            with suppress(sqlite3.Error):
                keeper = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)
                keeper.execute("SELECT count(*) FROM writer").fetchone()
        for each in (connection, keeper):
            with suppress(sqlite3.Error):
                if each is not None:
                    each.close()

    def _is_unmarked(self, connection: sqlite3.Connection) -> bool:
        """
        Whether the file has no mark of any writer, once ours is taken away.
        """
        try:
            if self._writer is not None:
                unregister(connection, self._writer)
            return not marks(connection)
        except sqlite3.Error:
            return False

    def _rescue(self, connection: sqlite3.Connection) -> None:
        if self._is_in_place():
            return
        _create(self._rescued)
        rescued = sqlite3.connect(self._rescued)
        try:
            connection.backup(rescued)
            # Its log is not needed, since all is in it.
            rescued.execute("DELETE FROM writer")
            rescued.commit()
        finally:
            rescued.close()
        self._clear()

    def _translated(self, error: Exception) -> LedgerError:
        if isinstance(error, LedgerError):
            return error
        words = getattr(error, "strerror", None) or str(error)
        for sign, telling in _MISHAPS.items():
            if sign in words:
                words = telling
                break
        failure = LedgerError(f"the ledger {self.path}: {words}")
        failure.__cause__ = error
        return failure


#: What SQLite says, and what its user can do about it.
_MISHAPS = {
    "locked": "another program holds its lock; end that, and try again",
    "full": "the disk is full; make room, and go on with resume",
    "disk I/O error": "the disk fails or is full; see to it, and go on with resume",
    "readonly": "it can't be written; check its owner and mode",
    "not a database": "it is not a voicepush ledger; name another file with --ledger",
    "malformed": "it is damaged; restore it from a copy",
}


def _create(path: Path) -> None:
    """
    Make the file before SQLite would, so that it is never readable by others.

    A file that exists must not be opened here: closing it would take away the locks
    that SQLite holds on it elsewhere in this process, and another process would then
    delete the write-ahead log under us.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _together(connection: sqlite3.Connection, jobs: Sequence[_Job]) -> list[Any]:
    """
    What each of *jobs* gave or raised, once all of it is committed.
    """
    try:
        return _in_one_transaction(connection, jobs)
    except (sqlite3.Error, OSError):
        raise  # it would meet each of them again
    except Exception as error:  # noqa: BLE001 -- only whoever brought it gets it
        if len(jobs) == 1:
            return [error]
        return [answer for job in jobs for answer in _together(connection, [job])]


def _in_one_transaction(
    connection: sqlite3.Connection, jobs: Sequence[_Job]
) -> list[Any]:
    answers: list[Any] = []
    with transaction(connection, writes=any(job.writes for job in jobs)):
        for job in jobs:
            try:
                answers.append(job.work(connection))
            except (LedgerError, InputError) as error:
                answers.append(error)
    return answers


def _answer(jobs: Sequence[_Job], answers: Sequence[Any]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Any]]] = {}
    for job, answer in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.loop, []).append((job, answer))
    for loop, answered in by_loop.items():
        # A loop that was closed meanwhile has no one left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_tell, loop, answered)


def _tell(
    loop: asyncio.AbstractEventLoop, answered: list[tuple[_Job, Any]], first: int = 0
) -> None:
    """
    Tell who waits, a few in each turn of *loop*.

    All who shared a commit would otherwise go on in one turn, and keep everyone else
    in the process waiting meanwhile.
    """
    after = first + _TOLD_AT_ONCE
    for job, answer in answered[first:after]:
        if job.answer.done():
            continue
        if isinstance(answer, Exception):
            job.answer.set_exception(answer)
        else:
            job.answer.set_result(answer)
    if after < len(answered):
        loop.call_soon(_tell, loop, answered, after)


def _has_bytes(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
