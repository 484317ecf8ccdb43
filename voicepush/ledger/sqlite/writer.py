"""
The file and the one thread that touches it: durability and mishaps.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from voicepush.errors import BackupError, LedgerError
from voicepush.ledger.sqlite.backup import backup_of, check_log_is_its, merge
from voicepush.ledger.sqlite.connection import connect, pragma, use_log
from voicepush.ledger.sqlite.jobs import Job, answer, together
from voicepush.ledger.sqlite.log import marks, register, unregister
from voicepush.ledger.sqlite.mishaps import translated
from voicepush.ledger.sqlite.plain_file import (
    beside,
    check_plain,
    create,
    has_bytes,
    identity,
    log_of,
    rescued,
)
from voicepush.ledger.sqlite.schema import SCHEMA_VERSION, check_ours, make_tables

_T = TypeVar("_T")


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
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name="voicepush-ledger", daemon=True
        )
        self._thread.start()
        self._closed = False
        #: What it is a backup of, once it is open.
        self.backup: str | None = None
        self._identity: tuple[int, int] | None = None
        self._commits = 0
        #: After how many of them the file was last seen in its place.
        self._looked_after = -1
        #: SQLite's files beside it, as they were when it was opened.
        self._beside: dict[Path, tuple[int, int] | None] = {}

    async def do(
        self,
        work: Callable[[sqlite3.Connection], _T],
        *,
        writes: bool = True,
        at_once: bool = False,
    ) -> _T:
        """
        The value of *work*, once what it wrote is durable. If it raises, nothing of it
        remains.

        Args:
            at_once: It raises only before it has written anything, so that the few
                microseconds for undoing it can be saved.
        """
        if writes and self.backup is not None:
            raise BackupError(f"{self.path.name} is {self.backup}")
        return await self._begin(work, writes=writes, at_once=at_once)

    async def restore(self, work: Callable[[Any], _T]) -> _T:
        """
        The value of *work*, which makes a ledger of a backup.
        """
        given = await self._begin(work, writes=True)
        try:
            # Where a log lies beside a backup, it is taken for another's.
            await asyncio.to_thread(merge, self.path)
        except sqlite3.Error as error:
            raise translated(self.path, error) from error
        self.backup = None
        return given

    def do_later(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """
        Do *work* after all that was begun before, for someone who can't wait for it.
        """
        begun = self._begin(work, writes=True)
        # Who can't wait can't be told of a failure either.
        begun.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _begin(
        self,
        work: Callable[[sqlite3.Connection], _T],
        *,
        writes: bool,
        at_once: bool = False,
    ) -> asyncio.Future[_T]:
        if self._closed:
            raise LedgerError(f"the ledger {self.path} is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        self._jobs.put(Job(work, writes, at_once, future, loop))
        return future

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
            f"what it held is saved as {rescued(self.path)}; move that back to go on"
            if self.path.parent.exists()
            else "so was its folder, and nothing of it could be saved"
        )
        raise LedgerError(
            f"the ledger {self.path} was deleted or replaced while it was in use; "
            f"{saved}"
        )

    def _is_in_place(self) -> bool:
        return identity(self.path) == self._identity

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

        Another process that opens that file would read our log into it. A ledger that
        was only moved needs its log until it is saved.
        """
        for path, was in self._beside.items():
            if was is not None and identity(path) == was:
                path.unlink()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while (jobs := self._next_jobs()) is not None:
            try:
                connection = connection or self._connect()
                if self._writer is None and any(job.writes for job in jobs):
                    self._writer = register(connection)
                answers = together(connection, jobs)
                self._commits += 1
            except Exception as error:  # noqa: BLE001 -- who waits has to hear it
                answers = [translated(self.path, error)] * len(jobs)
            answer(jobs, answers)
        if connection is not None:
            with suppress(sqlite3.Error, OSError):
                self._rescue(connection)
            self._disconnect(connection)

    def _next_jobs(self) -> list[Job] | None:
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
        check_plain(self.path)
        check_log_is_its(self.path)
        create(self.path)
        connection = connect(self.path)
        try:
            # Before anything is changed: a foreign file stays as it is.
            check_ours(connection, self.path)
            connection.execute("PRAGMA synchronous = FULL")
            connection.row_factory = sqlite3.Row
            # Readers of a ledger of this version need no lock.
            if pragma(connection, "user_version") < SCHEMA_VERSION:
                # Not into a log: without that the file would pass for an empty one.
                make_tables(connection)
            use_log(connection)
            self._check_log(connection)
            self.backup = backup_of(connection)
        except BaseException:
            connection.close()
            raise
        self._identity = identity(self.path)
        self._beside = {path: identity(path) for path in beside(self.path)}
        return connection

    def _check_log(self, connection: sqlite3.Connection) -> None:
        """
        Make sure that the log is there, if a process that wrote has not merged it.

        Raises:
            LedgerError: It is not; who was called meanwhile would be called again.
        """
        # Looking has made an empty log where there was none.
        log = log_of(self.path)
        if not marks(connection) or has_bytes(log):
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
        create(rescued(self.path))
        copy = sqlite3.connect(rescued(self.path))
        try:
            connection.backup(copy)
            # Its log is not needed, since all is in it.
            copy.execute("DELETE FROM writer")
            copy.commit()
        finally:
            copy.close()
        self._clear()
