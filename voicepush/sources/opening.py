"""
Where the bytes of a list come from, and what tells them from others.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from voicepush.errors import SourceError
from voicepush.sources.blocks import Facts

# Small enough to stay in the processor's cache while a block is taken apart.
CHUNK_BYTES = 1 << 16


_HASHED_AT_ONCE = 1 << 20


def digest_of(path: Path | str) -> str:
    """
    What `ListFile.digest` would be, without looking at what is in it.

    Args:
        path: As for `read_file`; standard input is read to its end.

    Raises:
        SourceError: The file can't be read.
    """
    if str(path) == "-":
        return digest_stream(stdin(), STANDARD_INPUT)
    with opened(str(path)) as stream:
        return digest_stream(stream, str(path))


# Where the bytes come from.

STANDARD_INPUT = "standard input"


@contextmanager
def reading(name: str) -> Iterator[None]:
    """
    Let what goes wrong while reading name the source.
    """
    try:
        yield
    except (OSError, EOFError, ValueError, zlib.error) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"can't be read: {words}", source=name) from error


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    """
    The file called *name*, opened for reading.
    """
    with reading(name):
        stream = Path(name).open("rb")  # noqa: SIM115 -- closed two lines below
    with stream:
        yield stream


def stdin() -> BinaryIO:
    """
    Standard input, in bytes.
    """
    if sys.stdin is None:
        raise SourceError("is closed", source=STANDARD_INPUT)
    return sys.stdin.buffer


def look_at(stream: BinaryIO, facts: Facts) -> None:
    """
    Note the size and time of a file.
    """
    # Before it is read: what is changed meanwhile looks changed afterwards.
    found = os.fstat(stream.fileno())
    if stat.S_ISREG(found.st_mode):
        facts.size, facts.modified_ns = found.st_size, found.st_mtime_ns


def digest_stream(stream: BinaryIO, name: str) -> str:
    """
    The digest of all that *stream* gives.
    """
    raw = Raw(stream)
    with reading(name):
        while raw.read(_HASHED_AT_ONCE):
            pass
    return raw.digest()


def fully(read: Callable[[int], bytes], size: int) -> bytes:
    """
    The next *size* bytes, and fewer only at the end.

    A pipe may bring few at once; a list must not be understood otherwise because of it.
    """
    parts, room = [], size
    while room and (part := read(room)):
        parts.append(part)
        room -= len(part)
    return b"".join(parts)


class Raw:
    """
    Takes the digest of what is read through it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ahead = b""
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """
        The next bytes; none at the end.
        """
        if self._ahead:
            chunk, self._ahead = self._ahead[:size], self._ahead[size:]
            return chunk
        chunk = self._stream.read(size)
        self._hash.update(chunk)
        return chunk

    def start(self) -> bytes:
        """
        The first chunk, which stays to be read.
        """
        self._ahead = fully(self.read, CHUNK_BYTES)
        return self._ahead

    def digest(self) -> str:
        """
        The digest of what was read so far.
        """
        return self._hash.hexdigest()
