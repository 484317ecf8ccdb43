"""
One SQLite file and the one thread that touches it: durability, forms, and its mishaps.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from voicepush.errors import InputError, LedgerError

_T = TypeVar("_T")

#: Written into the file's header, to tell our files from other programs'.
_APPLICATION_ID = 0x766F_6963  # "voic"

#: How long another process may hold the file's lock, in seconds.
_LOCK_PATIENCE = 10.0

#: So many who shared a commit go on in one turn of the event loop.
_TOLD_AT_ONCE = 2

#: What brings a file from each form to the next; an empty file has form 0. A file of
#: a later form than the last is refused.
MIGRATIONS = (
    """
    CREATE TABLE campaign (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- a dropped draft's is never given again
        name TEXT NOT NULL UNIQUE,
        message TEXT NOT NULL,
        source TEXT NOT NULL,
        tag TEXT NOT NULL,
        state TEXT NOT NULL,          -- 'draft' until it is published
        reason TEXT,
        planned_at REAL NOT NULL,     -- seconds since 1970, like all other times
        read INTEGER NOT NULL DEFAULT 0,
        planned INTEGER NOT NULL DEFAULT 0,
        invalid INTEGER NOT NULL DEFAULT 0,
        duplicate INTEGER NOT NULL DEFAULT 0,
        suppressed INTEGER NOT NULL DEFAULT 0,
        holder TEXT,                  -- host:pid:random of its one dispatcher
        beat_at REAL                  -- its last sign, on the clock since the start
    );

    -- Small, and written three times per batch; the recipients stay apart, because an
    -- update writes a row anew as a whole.
    CREATE TABLE batch (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        number INTEGER NOT NULL,
        state INTEGER NOT NULL DEFAULT 0,      -- 0 ready, 1 sending, 2 settled
        size INTEGER NOT NULL,                 -- in values, like all counts here
        in_flight INTEGER NOT NULL DEFAULT 0,
        accepted INTEGER NOT NULL DEFAULT 0,
        rejected INTEGER NOT NULL DEFAULT 0,
        expired INTEGER NOT NULL DEFAULT 0,
        not_sent INTEGER NOT NULL DEFAULT 0,
        unknown INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        claimed_at REAL,
        settled_at REAL,
        claimed TEXT,                          -- places, or NULL: all that are pending
        outcome TEXT NOT NULL DEFAULT 'pending',
        code TEXT,
        description TEXT NOT NULL DEFAULT '',
        exceptions BLOB,                       -- see packing.py
        transactions TEXT,                     -- one for all, or one per place
        PRIMARY KEY (campaign, number)
    ) WITHOUT ROWID;

    CREATE TABLE recipients (
        campaign INTEGER NOT NULL REFERENCES campaign (id),
        number INTEGER NOT NULL,
        form TEXT NOT NULL,
        packed BLOB NOT NULL,
        UNIQUE (campaign, number)
    );
    """,
    """
    ALTER TABLE campaign ADD COLUMN retry_internal_error INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE campaign ADD COLUMN resend_unknown INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE campaign ADD COLUMN expires_at REAL;
    ALTER TABLE campaign ADD COLUMN rate REAL;      -- as its owner wants it
    ALTER TABLE campaign ADD COLUMN speed REAL;     -- as its holder measured it
    ALTER TABLE campaign ADD COLUMN wish TEXT;      -- 'pause' or 'cancel'
    ALTER TABLE batch ADD COLUMN given_up INTEGER NOT NULL DEFAULT 0; -- of the unknown
    """,
)


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

    def __init__(self, path: Path) -> None:
        self.path = path
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
                answers = _together(connection, jobs)
                self._commits += 1
            except Exception as error:  # noqa: BLE001 -- whoever waits has to hear it
                answers = [self._translated(error)] * len(jobs)
            _answer(jobs, answers)
        if connection is not None:
            with suppress(sqlite3.Error, OSError):
                self._rescue(connection)
            with suppress(sqlite3.Error):
                connection.close()

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
        if self._rescued.exists() and not self.path.exists():
            raise LedgerError(
                f"the ledger {self.path} was deleted while it was in use; move "
                f"{self._rescued} back to {self.path} to go on, or remove it"
            )
        _create(self.path)
        connection = sqlite3.connect(
            self.path,
            timeout=_LOCK_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # Before anything is changed: a foreign file stays as it is.
            _check_ours(connection, self.path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.row_factory = sqlite3.Row
            # Whoever only looks at a ledger of this form needs no lock.
            if _pragma(connection, "user_version") < len(MIGRATIONS):
                connection.execute("BEGIN IMMEDIATE")
                _migrate(connection)
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._identity = _identity(self.path)
        for ending in ("-wal", "-shm"):
            path = self.path.with_name(self.path.name + ending)
            self._beside[path] = _identity(path)
        return connection

    def _rescue(self, connection: sqlite3.Connection) -> None:
        if self._is_in_place():
            return
        _create(self._rescued)
        rescued = sqlite3.connect(self._rescued)
        try:
            connection.backup(rescued)
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
    # Who only looks must not wait for another process that writes.
    writes = any(job.writes for job in jobs)
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        for job in jobs:
            try:
                answers.append(job.work(connection))
            except (LedgerError, InputError) as error:
                answers.append(error)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    application = _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != _APPLICATION_ID and (application or tables):
        raise LedgerError(
            f"{path} belongs to another program; name another file with --ledger"
        )
    form = _pragma(connection, "user_version")
    if form > len(MIGRATIONS):
        raise LedgerError(
            f"{path} was written by a newer voicepush (form {form}, this one knows "
            f"{len(MIGRATIONS)}); upgrade voicepush to use it"
        )


def _migrate(connection: sqlite3.Connection) -> None:
    form = _pragma(connection, "user_version")
    for migration in MIGRATIONS[form:]:
        for statement in _statements(migration):
            connection.execute(statement)
    if form < len(MIGRATIONS):
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _statements(script: str) -> list[str]:
    """
    The statements of *script*; ``executescript`` would commit between them.
    """
    found, begun = [], ""
    for line in script.splitlines(keepends=True):
        begun += line
        if sqlite3.complete_statement(begun):
            found.append(begun)
            begun = ""
    return found


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
