"""
Files that are written: beside and moved in place, and never over an input.
"""

from __future__ import annotations

import io
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from voicepush.errors import InputError

#: What belongs to a ledger beside its main file.
_OF_A_LEDGER = ("", "-wal", "-shm", "-journal")

#: A descriptor that is open already, under a name.
_OPEN_ALREADY = re.compile(r"(?:/dev|/proc/self)/fd/(\d+)|/dev/std(in|out|err)")
_NAMED = {"in": 0, "out": 1, "err": 2}


def ledger_files(ledger: Path) -> list[Path]:
    """
    The files that belong to the ledger at *ledger*.
    """
    # Its log stands beside the file that a link leads to.
    real = os.path.realpath(ledger)
    return [Path(real + ending) for ending in _OF_A_LEDGER]


def check_output(
    output: Path | None, option: str, inputs: Iterable[tuple[str, Path]]
) -> None:
    """
    Refuse *output* if it is one of *inputs*, by whatever name.

    Args:
        option: What gave it, for the text.
        inputs: What each is, in words, and its path; ``-`` is standard input.

    Raises:
        InputError: It is one of them.
    """
    if output is None:
        return
    for what, path in inputs:
        if _are_same(output, path):
            raise InputError(
                f"{option} {output} is {what}, which would be lost; "
                "give it another name"
            )


def _are_same(output: Path, path: Path) -> bool:
    try:
        found = output.stat()
        # Reading and writing one terminal, or /dev/null, harms nothing.
        if stat.S_ISCHR(found.st_mode):
            return False
        other = os.fstat(0) if str(path) == "-" else path.stat()
    except (OSError, ValueError):
        # What is not there yet may be made under this name.
        return os.path.realpath(output) == os.path.realpath(path)
    return os.path.samestat(found, other)


@contextmanager
def writing(path: Path | None) -> Iterator[TextIO]:
    """
    A text file in UTF-8 that is at *path* once it is whole, readable by nobody else.

    What stands there is left as it is if anything fails. Devices and pipes are written
    directly. None is standard output.

    Raises:
        InputError: It can't be written.
    """
    try:
        with _opened(path) as file:
            yield file
            file.flush()
    except BrokenPipeError:
        raise  # its reader has seen enough
    except OSError as error:
        name = "standard output" if path is None else path
        raise InputError(
            f"{name} can't be written: {error.strerror or error}"
        ) from error


@contextmanager
def _opened(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield _standard_output()
        return
    already = _OPEN_ALREADY.fullmatch(str(path))
    if already is not None:
        # Opening it by its name would cut off what stands in it already.
        number = int(already[1]) if already[1] else _NAMED[already[2]]
        with _text(os.dup(number)) as file:
            yield file
    elif _is_written_directly(path):
        with _text(os.open(path, os.O_WRONLY | os.O_NOCTTY)) as file:
            yield file
    else:
        with _beside(Path(os.path.realpath(path))) as file:
            yield file


def _standard_output() -> TextIO:
    output: TextIO | None = sys.stdout
    if output is None:
        raise InputError("standard output is closed; name a file")
    if isinstance(output, io.TextIOWrapper):
        output.reconfigure(encoding="utf-8", errors="backslashreplace")
    return output


def _is_written_directly(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise InputError(f"{path} can't be written: it is a folder")
    return not stat.S_ISREG(mode)


@contextmanager
def _beside(path: Path) -> Iterator[TextIO]:
    # Readable by nobody else from its first byte.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with _text(descriptor) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _text(descriptor: int) -> TextIO:
    return os.fdopen(
        descriptor, "w", encoding="utf-8", errors="backslashreplace", newline=""
    )
