"""
What is in a file of evidence: tables and JSON texts, also compressed or archived.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, BinaryIO, NamedTuple, TypeAlias, cast

from voicepush.errors import SourceError
from voicepush.receipts.json_texts import JsonText, elements_in, has_one_per_line
from voicepush.sources.decoding import (
    Piece,
    decoder_of,
    marked_encoding,
    pieces_of,
    texts_of,
)
from voicepush.sources.excel import Row, first_sheet, holds_workbook, open_workbook
from voicepush.sources.opening import STANDARD_INPUT, Raw, opened, reading, stdin

_GZIP = b"\x1f\x8b\x08"
_ZIP = b"PK\x03\x04"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class TextTable(NamedTuple):
    """
    A table in text.
    """

    name: str
    pieces: Iterator[Piece]


class Sheet(NamedTuple):
    """
    A table in a workbook: its first rows, and the others.
    """

    name: str
    head: Sequence[Row]
    rows: Iterator[Row]


class JsonTexts(NamedTuple):
    """
    JSON texts, each with where it stands.
    """

    name: str
    texts: Iterator[JsonText]


#: What is raised where an archive is damaged, or packed in a way that nobody knows.
_DAMAGED = (
    *(zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError),
    *(zlib.error, lzma.LZMAError, struct.error),
)

#: What evidence comes in.
Part: TypeAlias = TextTable | Sheet | JsonTexts


def parts_of(path: str, encoding: str | None) -> Generator[Part, None, None]:
    """
    What is in the file at *path*, or on standard input if it is ``-``; each part is
    read before the next is asked for.

    Raises:
        SourceError: It can't be read.
        InputError: The encoding is not known, or what reads Excel is not installed.
    """
    if path == "-":
        yield from _stream(stdin(), STANDARD_INPUT, encoding)
        return
    with opened(path) as stream:
        yield from _stream(stream, path, encoding)


def _stream(stream: BinaryIO, name: str, encoding: str | None) -> Iterator[Part]:
    raw = Raw(stream)
    with reading(name):
        start = raw.start()
    if start.startswith((_ZIP, _OLD_WORKBOOK)):
        yield from _archive(stream, name, encoding)
        return
    if start.startswith(_GZIP):
        raw = Raw(cast("BinaryIO", gzip.GzipFile(fileobj=cast("BinaryIO", raw))))
        with reading(name):
            start = raw.start()
    text = _decoded(start, encoding).lstrip("\ufeff \t\r\n")
    if not text.startswith(("{", "[")):
        yield TextTable(name, pieces_of(raw, name, encoding))
    elif text.startswith("{") and has_one_per_line(text):
        yield JsonTexts(name, _lines(pieces_of(raw, name, encoding)))
    else:
        texts = texts_of(raw, name, encoding, lambda: 1)
        yield JsonTexts(name, elements_in(texts, name))


def _decoded(start: bytes, encoding: str | None) -> str:
    try:
        return decoder_of(encoding or marked_encoding(start)).decode(start)
    except UnicodeError:
        return ""  # reading it will say what is wrong


def _lines(pieces: Iterator[Piece]) -> Iterator[JsonText]:
    for piece in pieces:
        for row, line in enumerate(piece.text[:-1].split("\n"), piece.row):
            if line and not line.isspace():
                yield JsonText(row, line)


def _archive(stream: BinaryIO, name: str, encoding: str | None) -> Iterator[Part]:
    if not stream.seekable():
        raise SourceError(
            "is an archive or a workbook; give it as a file, or unpack it", source=name
        )
    stream.seek(0)
    if _is_workbook(stream, name):
        stream.seek(0)
        workbook = open_workbook(Raw(stream), name)
        if workbook is None:
            raise SourceError(
                "is no Excel file that can be read; save the sheet as CSV UTF-8 and "
                "give that",
                source=name,
            )
        found = first_sheet(workbook, name)
        if found is not None:
            _, head, rows = found
            yield Sheet(name, head, rows)
        return
    with _unpacking(name):
        archive = zipfile.ZipFile(stream)
    for info in archive.infolist():
        inner = PurePosixPath(info.filename)
        is_folder = not inner.name or info.filename.endswith("/")
        # What a Mac adds beside each file begins with a dot.
        if not is_folder and not inner.name.startswith("."):
            with _unpacking(name):
                member = _Member(archive.open(info), name)
            yield from _stream(
                cast("BinaryIO", member), f"{name}/{inner.name}", encoding
            )


class _Member:
    """
    A file in an archive.
    """

    def __init__(self, file: IO[bytes], archive: str) -> None:
        self._file, self._archive = file, archive

    def read(self, size: int = -1, /) -> bytes:
        """
        The next bytes.
        """
        with _unpacking(self._archive):
            return self._file.read(size)

    def seekable(self) -> bool:
        """
        Whether an archive in it can be read, which would be one too many.
        """
        return False


def _is_workbook(stream: BinaryIO, name: str) -> bool:
    if stream.read(len(_OLD_WORKBOOK)) == _OLD_WORKBOOK:
        return True
    stream.seek(0)
    with _unpacking(name), zipfile.ZipFile(stream) as archive:
        return holds_workbook(archive)


@contextmanager
def _unpacking(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise SourceError(
            f"is an archive that can't be unpacked: {error}", source=name
        ) from error
    except RuntimeError as error:
        raise SourceError(
            "is protected by a password; unpack it and give what is in it", source=name
        ) from error
