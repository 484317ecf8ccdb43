"""
A file or a stream becomes blocks, whatever its format.
"""

from __future__ import annotations

import gzip
from collections.abc import (
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Self, cast

from voicepush.errors import SourceError
from voicepush.sources.blocks import Block, Facts
from voicepush.sources.choosing import Choice, chosen
from voicepush.sources.decoding import Readable, pieces_of
from voicepush.sources.delimited import read_delimited
from voicepush.sources.excel import open_workbook, read_workbook
from voicepush.sources.json_lines import read_json_lines
from voicepush.sources.opening import (
    CHUNK_BYTES,
    STANDARD_INPUT,
    Raw,
    look_at,
    opened,
    reading,
    stdin,
)
from voicepush.sources.parquet import read_parquet

# What other kinds of files begin with, and what to do with them.
_WORKBOOKS = {
    b"PK\x03\x04": "an Excel file or a zip archive; save the sheet as CSV UTF-8 and",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "an Excel file of the old kind; save the sheet as CSV UTF-8 and"
    ),
}


_OTHERS = {
    b"PK\x05\x06": "an empty zip archive; save the sheet as CSV UTF-8 and",
    b"PAR1": "Parquet; let its name end in .parquet and",
}


_GZIP = b"\x1f\x8b\x08"


class ListFile(Iterator[Block]):
    """
    A list that is read block by block; what was found out on the way stays known.

    It can be read once. Leaving ``with``, `close`, or forgetting it closes the file.
    """

    def __init__(
        self, name: str, facts: Facts, blocks: Generator[Block, None, None]
    ) -> None:
        #: What errors call it: its path, or "standard input".
        self.name = name
        self._facts = facts
        self._blocks = blocks

    def __repr__(self) -> str:
        return f"<voicepush.ListFile {self.name}>"

    def __next__(self) -> Block:
        return next(self._blocks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """
        Read no further.
        """
        self._blocks.close()

    @property
    def digest(self) -> str | None:
        """
        The SHA-256 of its bytes as they are stored, once it was read to its end.
        """
        return self._facts.digest

    @property
    def size(self) -> int | None:
        """
        How many bytes the file has; None for a pipe, and before reading began.
        """
        return self._facts.size

    @property
    def modified_ns(self) -> int | None:
        """
        When the file was changed last; None for a pipe, and before reading began.
        """
        return self._facts.modified_ns

    @property
    def column(self) -> str | None:
        """
        Which column was taken, in words, once the first block was read.
        """
        return self._facts.column

    @property
    def titles(self) -> int:
        """
        How many rows above the header were passed over; they are in no count.
        """
        return self._facts.titles


def read_file(
    path: Path | str,
    *,
    column: str | None = None,
    encoding: str | None = None,
    keep: Sequence[str] = (),
) -> ListFile:
    """
    The recipients in the file at *path*, or on standard input if it is ``-``.

    Reads CSV with any usual delimiter, plain lists, JSON lines, each also as
    ``.gz``, and Parquet, in bounded memory, and the first visible sheet with rows of
    Excel and OpenDocument, which are held in memory. Blank lines are skipped. Among
    the first 20 rows the first with a known header is the header; without one every
    row is a recipient. Nothing is opened before the first block is asked for.

    Args:
        path: Its ending tells the format; where it does not, the content does.
        column: A header, a place counted from 1, or the field of a JSON object.
            Without it the best known header is taken; without a header it is the only
            column, or the only one that holds a number in the first row.
        encoding: Without it the byte order mark decides, then it is UTF-8.
        keep: Columns that stay with their recipients as texts, in `Recipients.kept`;
            named as *column* is. A field of a JSON object must be in one of the first
            lines, and is empty where it is missing.

    Raises:
        SourceError: The file can't be read; the text says at which row and why.
        InputError: The encoding is not known, or what reads Parquet or Excel is not
            installed.
    """
    facts, choice = Facts(), chosen(column, keep)
    if str(path) == "-":
        return ListFile(STANDARD_INPUT, facts, _standard_input(facts, choice, encoding))
    is_parquet = Path(path).suffix.lower() == ".parquet"
    blocks = (
        read_parquet(str(path), facts, choice)
        if is_parquet
        else _file(str(path), facts, choice, encoding)
    )
    return ListFile(str(path), facts, blocks)


def read_stream(
    stream: BinaryIO,
    *,
    name: str = "standard input",
    column: str | None = None,
    encoding: str | None = None,
    keep: Sequence[str] = (),
) -> ListFile:
    """
    The recipients in an open binary *stream*; it is left open.

    Args:
        stream: Anything with bytes but Parquet.
        name: What errors call it; its ending tells the format, as a path's does.
        column: As for `read_file`.
        encoding: As for `read_file`.
        keep: As for `read_file`.
    """
    facts, choice = Facts(), chosen(column, keep)
    return ListFile(name, facts, _stream(stream, name, facts, choice, encoding))


def _standard_input(
    facts: Facts, choice: Choice, encoding: str | None
) -> Generator[Block, None, None]:
    yield from _stream(stdin(), STANDARD_INPUT, facts, choice, encoding)


def _file(
    name: str, facts: Facts, choice: Choice, encoding: str | None
) -> Generator[Block, None, None]:
    with opened(name) as stream:
        look_at(stream, facts)
        yield from _stream(stream, name, facts, choice, encoding)


def _stream(
    stream: BinaryIO, name: str, facts: Facts, choice: Choice, encoding: str | None
) -> Generator[Block, None, None]:
    raw = Raw(stream)
    with reading(name):
        start = raw.start()
    if words := _begins_as(start, _OTHERS):
        raise SourceError(f"is {words} give that", source=name)
    if words := _begins_as(start, _WORKBOOKS):
        workbook = open_workbook(raw, name)
        if workbook is None:
            raise SourceError(f"is {words} give that", source=name)
        yield from read_workbook(workbook, name, facts, choice)
    else:
        yield from _text(raw, start, name, facts, choice, encoding)
    with reading(name):
        while raw.read(CHUNK_BYTES):
            pass  # nothing, unless the reader stopped early
    facts.digest = raw.digest()


def _begins_as(start: bytes, kinds: Mapping[bytes, str]) -> str | None:
    found = (words for magic, words in kinds.items() if start.startswith(magic))
    return next(found, None)


def _text(
    raw: Raw,
    start: bytes,
    name: str,
    facts: Facts,
    choice: Choice,
    encoding: str | None,
) -> Iterator[Block]:
    readable: Readable = raw
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes[-1:] == [".gz"] or start.startswith(_GZIP):
        readable = gzip.GzipFile(fileobj=cast("BinaryIO", raw))
        suffixes = suffixes[:-1] if suffixes[-1:] == [".gz"] else suffixes
    pieces = pieces_of(readable, name, encoding)
    head = next(pieces, None)
    if head is None:
        return
    pieces = chain([head], pieces)
    ending, first = suffixes[-1:], head.text.lstrip()[:1]
    if ending in ([".jsonl"], [".ndjson"]):
        yield from read_json_lines(pieces, name, facts, choice)
    elif ending in ([".csv"], [".tsv"]) or first not in ("{", "["):
        yield from read_delimited(pieces, name, facts, choice)
    elif first == "{":
        yield from read_json_lines(pieces, name, facts, choice)
    else:
        raise SourceError(
            "this is one JSON array; write one recipient per line instead", source=name
        )
