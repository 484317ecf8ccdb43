"""
A bundle is read, whether it is a zip or a folder.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from voicepush.errors import InputError
from voicepush.report.bundle.writing import ZIP_TIME

#: What reading a damaged zip may raise.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError),
    *(RuntimeError, NotImplementedError, ValueError),
)


class OpenBundle(Protocol):
    """
    A bundle that is open.
    """

    #: What is wrong with what holds its files, a sentence each.
    faults: list[str]

    def names(self) -> list[str]:
        """
        What its files are called.
        """
        ...

    def open(self, name: str) -> IO[bytes]:
        """
        The file of that *name*.

        Raises:
            KeyError: There is none.
        """
        ...


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._infos = {info.filename: info for info in archive.infolist()}
        self.faults = []
        if len(self._infos) < len(archive.infolist()):
            self.faults.append("the zip holds two files of the same name")
        if archive.comment:
            self.faults.append("the zip has a comment, which no bundle has")
        self.faults += [
            f"{name} is stored in the zip otherwise than voicepush does"
            for name, info in self._infos.items()
            if info.date_time != ZIP_TIME
            or info.compress_type != zipfile.ZIP_DEFLATED
            or info.external_attr != 0o600 << 16
            or info.flag_bits
            or info.comment
        ]

    def names(self) -> list[str]:
        return list(self._infos)

    def open(self, name: str) -> IO[bytes]:
        info = self._infos[name]
        if info.compress_type not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            raise zipfile.BadZipFile("it is compressed in another way")
        return self._archive.open(info)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.faults = []
        self._names = []
        for path in sorted(folder.iterdir()):
            self._names.append(path.name)
            if not stat.S_ISREG(path.lstat().st_mode):
                self.faults.append(f"{path.name} is no plain file")

    def names(self) -> list[str]:
        return list(self._names)

    def open(self, name: str) -> IO[bytes]:
        path = self._folder / name
        if name not in self._names or not path.is_file() or path.is_symlink():
            raise KeyError(name)
        return path.open("rb")


@contextmanager
def opened_bundle(path: Path) -> Iterator[OpenBundle]:
    """
    The bundle at *path*.

    Raises:
        InputError: There is none that can be read.
    """
    try:
        if path.is_dir():
            yield _Folder(path)
            return
        with zipfile.ZipFile(path) as archive:
            yield _Zip(archive)
    except OSError as error:
        raise InputError(
            f"the bundle {path} can't be read: {error.strerror or error}"
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InputError(
            f"{path} is no bundle: neither a folder nor a whole zip"
        ) from error
