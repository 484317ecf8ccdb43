"""
What is known and could not be recorded, kept in a small file until it can be.

A file belongs to one process, which holds a lock on it for as long as it lives: it ends
with the process, also with one in a container. Each line is one late record, or says
that an earlier line is recorded by now. Nobody's number stands in it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from voicepush import clock
from voicepush.ledger.late_record import (
    Fate,
    LateRecord,
    PackedLateRecord,
    pack_late,
    unpack_late,
)
from voicepush.ledger.sharing import SharedLedger

_ENDING = ".unrecorded"


class _Line(msgspec.Struct, omit_defaults=True):
    """
    One line of a file: a record, or that the one of that number is recorded.
    """

    at: int
    record: PackedLateRecord | None = None


class Unrecorded:
    """
    What this process could not record, and what others left that have ended. What waits
    at the end of the ``with`` is kept.

    Only as many requests as are under way can wait here at a time, since nothing is
    claimed meanwhile.

    Args:
        folder: Where the files are; None keeps everything in memory alone.
        tell: Hears what the owner should know.
    """

    def __init__(
        self, folder: Path | None, tell: Callable[[str], object] = lambda _: None
    ) -> None:
        self.folder = folder
        self._tell = tell
        self._file: _File | None = None
        self._next = 0
        #: What makes the records that someone tries to record.
        self._waiting: dict[int, Callable[[], LateRecord]] = {}
        #: Those that are in the file, by the numbers of their lines.
        self._kept: dict[int, LateRecord] = {}
        #: Those that nobody in this process tries to record any more.
        self._left: dict[int, LateRecord] = {}
        self._is_broken = False
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for at in list(self._waiting):
            self.keep(at)
        self._is_closed = True
        if self._file is None:
            return
        with self._file as file:
            if not self._kept:
                file.remove()
                return
        self._tell(
            f"the answers to {len(self._kept):,} requests are kept in {self.folder}; "
            "the next worker, send or resume there records them"
        )

    @property
    def is_any_left(self) -> bool:
        """
        Whether there is something that nobody in this process tries to record any more.
        """
        return bool(self._left)

    def begin(self, record: Callable[[], LateRecord]) -> int:
        """
        Someone tries to record something; the number by which that is known here.

        Args:
            record: Makes the late record of it, if that is needed.
        """
        self._next += 1
        self._waiting[self._next] = record
        return self._next

    def keep(self, at: int) -> None:
        """
        Write it into the file, where it is found if the process ends.

        A disk that is full, or a folder that can't be written, changes nothing else.
        """
        self._keep(at, self._left.get(at) or self._waiting[at]())

    def leave(self, at: int) -> None:
        """
        The same where nobody goes on to try to record it.
        """
        self._left[at] = self._waiting.pop(at)()
        self.keep(at)

    def _keep(self, at: int, record: LateRecord) -> None:
        if self.folder is None or self._is_closed or at in self._kept:
            return
        try:
            if self._file is None:
                self._file = _File.made_in(self.folder)
            self._file.add(_Line(at, pack_late(record)))
        except OSError as error:
            self._broken(error)
        else:
            self._kept[at] = record

    def recorded(self, at: int) -> None:
        """
        The record of that number is in the ledger.
        """
        self._waiting.pop(at, None)
        self._left.pop(at, None)
        if self._kept.pop(at, None) is None or self._file is None or self._is_closed:
            return
        try:
            if not self._kept:
                self._file.clear()
                return
            self._file.add(_Line(at))
        except OSError as error:
            self._broken(error)
            self._write_again()

    def _write_again(self) -> None:
        """
        Let nothing stand in the file that is recorded, rather than something too much.
        """
        kept, self._kept = self._kept, {}
        if self._file is not None:
            with suppress(OSError):
                self._file.clear()
        for at, record in kept.items():
            self._keep(at, record)

    def _broken(self, error: OSError) -> None:
        if not self._is_broken:
            self._is_broken = True
            self._tell(
                f"what is answered can't be kept in {self.folder} ({error.strerror}), "
                "and is kept in memory alone"
            )

    async def bring_in(self, ledger: SharedLedger) -> None:
        """
        Record what was left, by this process or by others that have ended.

        Raises:
            LedgerError: The ledger can't be written; what is not recorded is kept.
        """
        late = _Late(ledger, self._tell)
        try:
            for at, record in list(self._left.items()):
                if await late.record(record):
                    self.recorded(at)
            for file in _left_in(self.folder):
                with file:
                    await self._bring_in(late, file)
        finally:
            late.tell()

    async def _bring_in(self, late: _Late, file: _File) -> None:
        """
        Record what a process left in *file*, which is deleted once nothing else is in.
        """
        try:
            waiting, unreadable = file.read()
        except OSError:
            return
        for at, record in list(waiting.items()):
            if await late.record(record):
                del waiting[at]
                with suppress(OSError):  # it may be recorded twice
                    file.add(_Line(at))
        if unreadable:
            self._tell(f"{file.path} holds lines that can't be read, and is left there")
        elif not waiting:
            file.remove()


class _Late:
    """
    Records what is late, and counts it.
    """

    def __init__(self, ledger: SharedLedger, tell: Callable[[str], object]) -> None:
        self._ledger = ledger
        self._tell = tell
        self._requests = 0
        self._people = 0

    async def record(self, record: LateRecord) -> bool:
        """
        Record it; whether that is done.
        """
        if await self._ledger.record_late(record) is not Fate.RECORDED:
            return False
        self._requests += 1
        self._people += len(record.places)
        return True

    def tell(self) -> None:
        """
        Say what was recorded, if something was.
        """
        if self._requests:
            self._tell(
                f"recorded now: the answers to {self._requests:,} requests, with "
                f"{self._people:,} destinations, that the database could not take when "
                "they came"
            )


class _File:
    """
    A file of records, locked as long as it is open.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    @classmethod
    def made_in(cls, folder: Path) -> _File:
        """
        A new one in *folder*, which is made if it is not there.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{clock.random_hex(16)}{_ENDING}"
        # Nobody sees it before it is locked.
        hidden = path.with_suffix(".new")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND
        file = cls(path, os.open(hidden, flags, 0o600))
        try:
            fcntl.flock(file._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(path)
            _sync(folder)
        except OSError:
            os.close(file._descriptor)
            hidden.unlink(missing_ok=True)
            raise
        return file

    def add(self, line: _Line) -> None:
        """
        Make *line* durable.
        """
        size = os.fstat(self._descriptor).st_size
        try:
            _write(self._descriptor, msgspec.json.encode(line) + b"\n")
            os.fsync(self._descriptor)
        except OSError:
            # What follows must not be glued to half a line.
            with suppress(OSError):
                os.ftruncate(self._descriptor, size)
            raise

    def read(self) -> tuple[dict[int, LateRecord], bool]:
        """
        The records that wait, and whether there is anything else that can't be read. A
        torn last line is nothing: its process ended before it was kept.
        """
        size = os.fstat(self._descriptor).st_size
        *lines, _ = os.pread(self._descriptor, size, 0).split(b"\n")
        found: dict[int, LateRecord] = {}
        unreadable = False
        for each in lines:
            try:
                line = _decoder.decode(each)
                if line.record is None:
                    found.pop(line.at, None)
                else:
                    found[line.at] = unpack_late(line.record)
            except (msgspec.MsgspecError, ValueError, TypeError):
                unreadable = True
        return found, unreadable

    def clear(self) -> None:
        """
        Let nothing be in it.
        """
        os.ftruncate(self._descriptor, 0)
        os.fsync(self._descriptor)

    def remove(self) -> None:
        """
        Let it be there no more.
        """
        with suppress(OSError):
            self.path.unlink()


_decoder = msgspec.json.Decoder(_Line)


def _left_in(folder: Path | None) -> Iterator[_File]:
    """
    The files in *folder* whose processes have ended.
    """
    try:
        paths = sorted(folder.glob(f"*{_ENDING}")) if folder is not None else []
    except OSError:
        return
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
        except OSError:
            continue  # another process has brought it in, or another user owns it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_there = os.fstat(descriptor).st_nlink > 0
        except OSError:
            is_there = False  # its process lives, or another one brings it in
        if is_there:
            yield _File(path, descriptor)
        else:
            os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync(folder: Path) -> None:
    """
    Make it durable that a file is in *folder*.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
