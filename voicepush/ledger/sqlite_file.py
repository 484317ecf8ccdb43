"""
One SQLite file and the one thread that touches it: durability, forms, and its mishaps.
"""

from __future__ import annotations

import asyncio
import os
import queue
import secrets
import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from voicepush.errors import InputError, LedgerError

_T = TypeVar("_T")

#: Written into the file's header, to tell our files from other programs'.
_APPLICATION_ID = 0x766F_6963  # "voic"

#: How long another process may hold the file's lock, in seconds.
_LOCK_PATIENCE = 10.0

#: How long until it is tried again where SQLite does not wait by itself.
_LOCK_AGAIN = 0.02

#: So many who shared a commit go on in one turn of the event loop.
_TOLD_AT_ONCE = 2

#: Which form of tables a file has; one of a later form is refused.
FORM = 3

_TABLES = """
    CREATE TABLE campaign (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- a dropped draft's is never given again
        name TEXT NOT NULL UNIQUE,
        message TEXT NOT NULL,
        source TEXT NOT NULL,
        digest TEXT,                  -- of the source, where it was a file or a stream
        source_size INTEGER,
        source_modified_ns INTEGER,
        given TEXT NOT NULL,          -- what was typed when it was planned, as JSON
        tag TEXT NOT NULL,
        retry_internal_error INTEGER NOT NULL,
        resend_unknown INTEGER NOT NULL,
        expires_at REAL,
        rate REAL,                    -- as its owner wants it
        state TEXT NOT NULL,          -- 'draft' until it is published
        reason TEXT,
        wish TEXT,                    -- 'pause' or 'cancel'
        planned_at REAL NOT NULL,     -- seconds since 1970, like all other times
        read INTEGER NOT NULL DEFAULT 0,
        planned INTEGER NOT NULL DEFAULT 0,
        invalid INTEGER NOT NULL DEFAULT 0,
        duplicate INTEGER NOT NULL DEFAULT 0,
        suppressed INTEGER NOT NULL DEFAULT 0,
        holder TEXT,                  -- host:pid:random of its one dispatcher
        beat_at REAL,                 -- its last sign, on the clock since the start
        speed REAL,                   -- as it measured that
        waiting TEXT,                 -- why nothing goes on, where nothing does
        waiting_since REAL,
        held_until REAL               -- until when the service asked to wait
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
        given_up INTEGER NOT NULL DEFAULT 0,   -- of the unknown
        attempts INTEGER NOT NULL DEFAULT 0,
        claimed_at REAL,
        settled_at REAL,
        claimed TEXT,                          -- places, or NULL: all that are pending
        given_up_places TEXT,                  -- or NULL: none
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
        rows BLOB,                             -- of the source
        as_came BLOB,                          -- what stood there, where it differs
        UNIQUE (campaign, number)
    );

    -- Who may have written into the log what is not in the file yet.
    CREATE TABLE writer (id TEXT PRIMARY KEY);
"""


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
                    self._writer = _register(connection)
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
        connection = sqlite3.connect(
            self.path,
            timeout=_LOCK_PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            # Before anything is changed: a foreign file stays as it is.
            _check_ours(connection, self.path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.row_factory = sqlite3.Row
            # Readers of a ledger of this form need no lock.
            if _pragma(connection, "user_version") < FORM:
                # Not into a log: without that the file would pass for an empty one.
                _make_tables(connection)
            _use_log(connection)
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
        if not _marks(connection) or _has_bytes(log):
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
                _unregister(connection, self._writer)
            return not _marks(connection)
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
    with _transaction(connection, writes=any(job.writes for job in jobs)):
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


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    application = _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != _APPLICATION_ID and (application or tables):
        raise LedgerError(
            f"{path} belongs to another program; name another file with --ledger"
        )
    form = _pragma(connection, "user_version")
    if form > FORM:
        raise LedgerError(
            f"{path} was written by a newer voicepush (form {form}, this one knows "
            f"{FORM}); upgrade voicepush to use it"
        )
    if 0 < form < FORM:
        raise LedgerError(
            f"{path} was written by a voicepush before the first release; finish its "
            "campaigns with that one, and name another file with --ledger"
        )


def _make_tables(connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        if _pragma(connection, "user_version") < FORM:
            for statement in _statements(_TABLES):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORM}")


def _use_log(connection: sqlite3.Connection) -> None:
    """
    Let commits go into a log beside the file.

    SQLite does not wait by itself for others who look at a file that has none yet.
    """
    _patiently(lambda: connection.execute("PRAGMA journal_mode = WAL"))


def _patiently(work: Callable[[], _T]) -> _T:
    """
    The value of *work*, which is tried again while someone else holds a lock.
    """
    until = time.monotonic() + _LOCK_PATIENCE
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= until:
                raise
        time.sleep(_LOCK_AGAIN)


def _register(connection: sqlite3.Connection) -> str:
    """
    Leave a mark in the file itself before anything is written into its log.

    Where the mark is and the log is not, someone has taken them apart. Marks of
    processes that have died are taken away: their log is there.
    """
    us = new_holder()
    with _transaction(connection):
        was_marked = bool(_marks(connection))
        _forget_the_dead(connection)
        connection.execute("INSERT INTO writer VALUES (?)", (us,))

    def merge() -> None:
        _, length, merged = connection.execute("PRAGMA wal_checkpoint").fetchone()
        if not was_marked and merged < length:
            raise sqlite3.OperationalError("database is locked")

    try:
        # A reader that looks at an older state at this moment is in the way.
        _patiently(merge)
    except BaseException:
        with suppress(sqlite3.Error):
            _unregister(connection, us)
        raise
    return us


def _unregister(connection: sqlite3.Connection, us: str) -> None:
    with _transaction(connection):
        connection.execute("DELETE FROM writer WHERE id = ?", (us,))
        _forget_the_dead(connection)


def _marks(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT id FROM writer")]


def _forget_the_dead(connection: sqlite3.Connection) -> None:
    """
    Remove the marks of those of this machine who are gone.
    """
    connection.executemany(
        "DELETE FROM writer WHERE id = ?",
        [(mark,) for mark in _marks(connection) if is_gone(mark)],
    )


@contextmanager
def _transaction(
    connection: sqlite3.Connection, *, writes: bool = True
) -> Iterator[None]:
    # Readers must not wait for another process that writes.
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def new_holder() -> str:
    """
    What this process is known by in a ledger: host, process id and something random.
    """
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_gone(holder: str) -> bool:
    """
    Whether *holder* ran on this machine and does not any more.
    """
    host, pid, _ = holder.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


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
