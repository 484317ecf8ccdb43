"""
Ledgers in SQLite files, whose writers take turns on simulated time, and whose machine
can lose its power in the middle of a commit.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from unittest import mock

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]
from setups import Setup
from simulated_loop import Process, SimulatedLoop, in_the_name_of, present_process

from voicepush.ledger.sql import tokens
from voicepush.ledger.sqlite.connection import SQLiteConnection
from voicepush.ledger.sqlite.ledger import SQLiteLedger

_T = TypeVar("_T")

#: A file in memory needs no flush.
_FASTEST = "/dev/shm"  # noqa: S108 -- a folder of its own is made in it

#: What a process is called by the machine is so much more than its number.
PIDS = 5_000_000

#: Of the world itself, whose ledger answers at once.
_NOBODY = PIDS - 1


def instantly(work: Coroutine[Any, Any, _T]) -> _T:
    """
    The value of *work*, which waits for nothing.
    """
    try:
        work.send(None)
    except StopIteration as done:
        return cast("_T", done.value)
    raise AssertionError("it waits for something")


class SimulatedDisk:
    """
    The files of a machine, and the turns in which they are written.

    Args:
        processes: Everyone who ever ran on it.
        cut: Is told that the power has gone, and which ledger is left.
    """

    def __init__(
        self,
        setup: Setup,
        loop: SimulatedLoop,
        chance: Random,
        processes: list[Process],
        cut: Callable[[], object],
    ) -> None:
        self._setup = setup
        self._loop = loop
        self._chance = chance
        self._processes = processes
        self._cut = cut
        self._writers: list[greenlet] = []
        self._turns = 0
        self._commits = 0
        self._failing = 0
        self._generation = 0
        self._folder = Path()

    @property
    def path(self) -> Path:
        """
        The ledger, as the machine has it since it lost its power last.
        """
        return self._folder / f"ledger-{self._generation}.db"

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """
        Let writers be simulated, as long as the block lasts.
        """
        place = _FASTEST if Path(_FASTEST).is_dir() else None
        system = SimpleNamespace(getpid=pid_of, kill=self._look_for, stat=no_namespace)
        with (
            tempfile.TemporaryDirectory(dir=place) as folder,
            mock.patch(
                "voicepush.ledger.sqlite.writer.threading",
                SimpleNamespace(Thread=partial(_Writer, self._writers)),
            ),
            mock.patch(
                "voicepush.ledger.sqlite.writer.queue",
                SimpleNamespace(SimpleQueue=lambda: _Jobs(self)),
            ),
            mock.patch.object(tokens, "os", system),
            mock.patch.object(tokens, "_started", started_long_ago),
            mock.patch.object(
                SQLiteConnection, "execute", self._execute(), create=True
            ),
        ):
            tokens.at_work.clear()
            self._folder = Path(folder)
            yield
            for writer in self._writers:
                # Of those that wait for ever nobody would close the files.
                with suppress(Exception):
                    writer.throw()
            self._writers.clear()
        tokens.at_work.clear()

    def opened(self) -> SQLiteLedger:
        """
        The ledger, opened by someone whom it answers at once.
        """
        return in_the_name_of(None).run(instantly, SQLiteLedger.open(self.path))

    def turn(self, process: Process | None, work: Callable[[], object]) -> None:
        """
        Let a writer do its *work*.
        """
        if process is None:
            self._loop.is_instant = True
            try:
                work()
            finally:
                self._loop.is_instant = False
            return
        self._turns += 1
        if self._turns not in self._setup.cuts:
            work()
            return
        before = self._files()
        work()
        self._power_is_gone(before, self._files())

    def soon(self, process: Process, work: Callable[[], object]) -> None:
        """
        Let *work* be done when the disk is free.
        """
        self._loop.call_later(
            self._chance.random() ** 4 * 0.2,
            self.turn,
            process,
            work,
            context=in_the_name_of(process),
        )

    def _files(self) -> tuple[bytes, bytes]:
        log = self.path.with_name(f"{self.path.name}-wal")
        return self.path.read_bytes(), log.read_bytes() if log.exists() else b""

    def _power_is_gone(
        self, before: tuple[bytes, bytes], after: tuple[bytes, bytes]
    ) -> None:
        """
        What was being written is there, or not, or in part.
        """
        (file, log), (file_after, log_after) = before, after
        grows = file == file_after and log_after.startswith(log) and log
        if grows:
            size = self._chance.randint(len(log), len(log_after))
            log = log_after[:size]
        elif self._chance.random() < 0.5:
            file, log = after
        self._generation += 1
        self.path.write_bytes(file)
        self.path.chmod(0o600)
        if log:
            self.path.with_name(f"{self.path.name}-wal").write_bytes(log)
        for process in self._processes:
            if not process.has_ended:
                process.kill()
        self._cut()

    def _look_for(self, pid: int, _: int) -> None:
        number = pid - PIDS
        if number >= 0 and self._processes[number].has_ended:
            raise ProcessLookupError

    def _execute(self) -> Callable[..., sqlite3.Cursor]:
        disk = self

        def execute(self: SQLiteConnection, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and disk._fails():
                name = disk._chance.choice(("SQLITE_FULL", "SQLITE_IOERR_FSYNC"))
                error = sqlite3.OperationalError("it can't be written")
                error.sqlite_errorname = name
                raise error
            return sqlite3.Connection.execute(self, sql, *values)

        return execute

    def _fails(self) -> bool:
        process = present_process()
        if process is None:
            return False
        for at, times in self._setup.ledger_faults:
            if at == self._commits:
                self._failing = times
        self._commits += 1
        if not self._failing:
            return False
        self._failing -= 1
        process.is_troubled = True
        return True


class _Jobs:
    """
    What waits for a writer.
    """

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self._process = present_process()
        self._items: deque[Any] = deque()
        self._writer: greenlet | None = None
        self._is_due = False

    def put(self, item: object) -> None:
        """
        Let *item* be done in the next turn.
        """
        self._items.append(item)
        if self._process is None:
            self._disk.turn(None, self.turn)
        elif not self._is_due:
            self._is_due = True
            self._disk.soon(self._process, self.turn)

    def get(self) -> Any:
        """
        The next one, for which the writer waits.
        """
        self._writer = getcurrent()
        while not self._items:
            self._writer.parent.switch()
        return self._items.popleft()

    def empty(self) -> bool:
        """
        Whether there is none.
        """
        return not self._items

    def turn(self) -> None:
        """
        Let the writer work until it waits again.
        """
        self._is_due = False
        if self._writer is not None and not self._writer.dead:
            self._writer.switch()


class _Writer:
    """
    In place of a thread: it goes on when it is told to, and stops where it waits.
    """

    def __init__(
        self,
        writers: list[greenlet],
        *,
        target: Callable[[], None],
        name: str,
        daemon: bool,
    ) -> None:
        del name, daemon
        self._greenlet = greenlet(target)
        writers.append(self._greenlet)
        self._greenlet.gr_context = in_the_name_of(present_process())

    def start(self) -> None:
        """
        Go until there is something to wait for.
        """
        self._greenlet.switch()

    def join(self) -> None:
        """
        Go on to the end.
        """
        if not self._greenlet.dead:
            self._greenlet.switch()


def pid_of() -> int:
    """
    What the machine calls the process that asks.
    """
    process = present_process()
    return _NOBODY if process is None else PIDS + process.number


def started_long_ago(_: int) -> int:
    """
    When a process was started.
    """
    return 7


def no_namespace(_: str) -> None:
    """
    There are no containers.
    """
    raise OSError
