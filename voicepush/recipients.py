"""
Files, streams and iterables become blocks of recipients, each with its row.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import importlib
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain, compress, count, islice, repeat
from operator import methodcaller
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, Self, TypeAlias, cast

import attrs
import msgspec

from voicepush.columns import (
    DELIMITERS,
    NO_DELIMITER,
    Rank,
    Undecided,
    choose,
    find_layout,
    is_sample,
    layout_of,
    rank_of,
)
from voicepush.errors import InputError, SourceError
from voicepush.model import (
    Destination,
    Recipient,
    check_correlation_id,
    mask,
)

#: How many recipients of an iterable make a block.
BLOCK_SIZE = 1000

#: Why a row is malformed.
NOT_A_RECORD = "not a JSON text, nor an object with a msisdn or customerid"
BAD_CORRELATION_ID = "the correlation id is no text of 1 to 50 bytes"
BAD_VALUES = "not between 1 and 1,000 values that are texts"
UNDECIDED_FIELD = "several fields may hold the number; choose one with --column"

# Small enough to stay in the processor's cache while a block is taken apart.
_CHUNK_BYTES = 1 << 16
_HASHED_AT_ONCE = 1 << 20
# A list of numbers has no longer lines; a file without line ends must not fill memory.
_LONGEST_LINE = 1 << 20
_PARQUET_ROWS = 5000
_MALFORMED_TEXT = 200

# The longer mark first: UTF-32's begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

# What other kinds of files begin with, and what to do with them.
_MAGIC = {
    b"PK\x03\x04": "an Excel file or a zip archive; save the sheet as CSV UTF-8 and",
    b"PK\x05\x06": "an empty zip archive; save the sheet as CSV UTF-8 and",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": (
        "an Excel file of the old kind; save the sheet as CSV UTF-8 and"
    ),
    b"PAR1": "Parquet; let its name end in .parquet and",
}
_GZIP = b"\x1f\x8b\x08"

# Codecs of Python that are no encodings of a list: "+" begins something else in them,
# they need the whole text at once, or they depend on the machine.
_NO_LISTS = re.compile(
    r"undefined|punycode|idna|utf.?7|(?:raw.?)?unicode.?escape|mbcs|oem|ansi|dbcs"
)


@attrs.frozen
class Malformed:
    """
    A row that is no recipient; screening counts it and says why.
    """

    text: str = attrs.field(repr=mask)
    reason: str


#: What a block holds at each place.
Entry: TypeAlias = Recipient | Malformed


@attrs.define(eq=False)
class Block:
    """
    Some recipients as they came, unscreened, each with its row.
    """

    #: Counted from 1. In a text file it is the line, so that a header is row 1.
    rows: Sequence[int]
    recipients: Sequence[Entry] = attrs.field(repr=lambda found: f"<{len(found)}>")


class _Piece(NamedTuple):
    row: int  # of its first line
    text: str  # whole lines, each ended by "\n"
    lines: int


class _Table(NamedTuple):
    rows: Sequence[int]
    columns: list[list[str]]  # those that were asked for


@attrs.define(eq=False)
class _Facts:
    """
    What is found out while a source is read.
    """

    digest: str | None = None
    size: int | None = None
    modified_ns: int | None = None
    column: str | None = None
    titles: int = 0


class ListFile(Iterator[Block]):
    """
    A list that is read block by block; what was found out on the way stays known.

    It can be read once. Leaving ``with``, `close`, or forgetting it closes the file.
    """

    def __init__(
        self, name: str, facts: _Facts, blocks: Generator[Block, None, None]
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
    path: Path | str, *, column: str | None = None, encoding: str | None = None
) -> ListFile:
    """
    The recipients in the file at *path*, or on standard input if it is ``-``.

    Reads CSV with any usual delimiter, plain lists, JSON lines, each also as
    ``.gz``, and Parquet, in bounded memory. Blank lines are skipped. Among the first
    20 rows the first with a known header is the header; without one every row is a
    recipient. Nothing is opened before the first block is asked for.

    Args:
        path: Its ending tells the format; where it does not, the content does.
        column: A header, a place counted from 1, or the field of a JSON object.
            Without it the best known header is taken; without a header it is the only
            column, or the only one that holds a number in the first row.
        encoding: Without it the byte order mark decides, then it is UTF-8.

    Raises:
        SourceError: The file can't be read; the text says at which row and why.
        InputError: The encoding is not known, or Parquet is not installed.
    """
    facts = _Facts()
    if str(path) == "-":
        return ListFile(
            _STANDARD_INPUT, facts, _standard_input(facts, column, encoding)
        )
    is_parquet = Path(path).suffix.lower() == ".parquet"
    blocks = (
        _parquet_file(str(path), facts, column)
        if is_parquet
        else _text_file(str(path), facts, column, encoding)
    )
    return ListFile(str(path), facts, blocks)


def read_stream(
    stream: BinaryIO,
    *,
    name: str = "standard input",
    column: str | None = None,
    encoding: str | None = None,
) -> ListFile:
    """
    The recipients in an open binary *stream*; it is left open.

    Args:
        name: What errors call it; its ending tells the format, as a path's does.
        column: As for `read_file`.
        encoding: As for `read_file`.
    """
    facts = _Facts()
    return ListFile(name, facts, _text(stream, name, facts, column, encoding))


def digest_of(path: Path | str) -> str:
    """
    What `ListFile.digest` would be, without looking at what is in it.

    Args:
        path: As for `read_file`; standard input is read to its end.

    Raises:
        SourceError: The file can't be read.
    """
    if str(path) == "-":
        return _digest(_stdin(), _STANDARD_INPUT)
    with _opened(str(path)) as stream:
        return _digest(stream, str(path))


def from_iterable(
    recipients: Iterable[Recipient], *, size: int = BLOCK_SIZE
) -> Iterator[Block]:
    """
    Blocks of at most *size* from *recipients*, read no further ahead than one block.

    What the iterable raises comes out unchanged.
    """
    if isinstance(recipients, (str, bytes, Destination)):
        raise InputError(
            "recipients come as a list or another iterable; write [number]"
        )
    groups: Iterable[list[Recipient]]
    if isinstance(recipients, list):
        groups = (
            recipients[start : start + size]
            for start in range(0, len(recipients), size)
        )
    else:
        stream = iter(recipients)
        groups = iter(lambda: list(islice(stream, size)), [])
    row = 1
    for group in groups:
        yield Block(range(row, row + len(group)), group)
        row += len(group)


async def from_async(
    recipients: AsyncIterable[Recipient], *, size: int = BLOCK_SIZE
) -> AsyncIterator[Block]:
    """
    Blocks of *size* from *recipients*; the last may be smaller.

    What the iterable raises comes out unchanged.
    """
    row = 1
    group: list[Recipient] = []
    async for recipient in recipients:
        group.append(recipient)
        if len(group) == size:
            yield Block(range(row, row + size), group)
            row += size
            group = []
    if group:
        yield Block(range(row, row + len(group)), group)


# Where the bytes come from.

_STANDARD_INPUT = "standard input"


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, zlib.error) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"can't be read: {words}", source=name) from error


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    with _reading(name):
        stream = Path(name).open("rb")  # noqa: SIM115 -- closed two lines below
    with stream:
        yield stream


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise SourceError("is closed", source=_STANDARD_INPUT)
    return sys.stdin.buffer


def _standard_input(
    facts: _Facts, column: str | None, encoding: str | None
) -> Generator[Block, None, None]:
    yield from _text(_stdin(), _STANDARD_INPUT, facts, column, encoding)


def _text_file(
    name: str, facts: _Facts, column: str | None, encoding: str | None
) -> Generator[Block, None, None]:
    with _opened(name) as stream:
        _look_at(stream, facts)
        yield from _text(stream, name, facts, column, encoding)


def _look_at(stream: BinaryIO, facts: _Facts) -> None:
    # Before it is read: what is changed meanwhile looks changed afterwards.
    found = os.fstat(stream.fileno())
    if stat.S_ISREG(found.st_mode):
        facts.size, facts.modified_ns = found.st_size, found.st_mtime_ns


def _digest(stream: BinaryIO, name: str) -> str:
    raw = _Raw(stream)
    with _reading(name):
        while raw.read(_HASHED_AT_ONCE):
            pass
    return raw.digest()


class _Raw:
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
        self._ahead = self.read(_CHUNK_BYTES)
        return self._ahead

    def digest(self) -> str:
        """
        The digest of what was read so far.
        """
        return self._hash.hexdigest()


def _text(
    stream: BinaryIO,
    name: str,
    facts: _Facts,
    column: str | None,
    encoding: str | None,
) -> Generator[Block, None, None]:
    raw = _Raw(stream)
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    with _reading(name):
        start = raw.start()
    for magic, words in _MAGIC.items():
        if start.startswith(magic):
            raise SourceError(f"is {words} give that", source=name)
    readable: _Readable = raw
    if suffixes[-1:] == [".gz"] or start.startswith(_GZIP):
        readable = gzip.GzipFile(fileobj=cast("BinaryIO", raw))
        suffixes = suffixes[:-1] if suffixes[-1:] == [".gz"] else suffixes
    yield from _text_blocks(readable, suffixes[-1:], name, facts, column, encoding)
    with _reading(name):
        while raw.read(_CHUNK_BYTES):
            pass  # nothing, unless the reader stopped early
    facts.digest = raw.digest()


def _text_blocks(
    readable: _Readable,
    suffix: list[str],
    name: str,
    facts: _Facts,
    column: str | None,
    encoding: str | None,
) -> Iterator[Block]:
    pieces = _pieces(readable, name, encoding)
    head = next(pieces, None)
    if head is None:
        return
    pieces = chain([head], pieces)
    start = head.text.lstrip()[:1]
    if suffix in ([".jsonl"], [".ndjson"]):
        yield from _read_json_lines(pieces, facts, column)
    elif suffix in ([".csv"], [".tsv"]) or start not in ("{", "["):
        yield from _read_delimited(pieces, name, facts, column)
    elif start == "{":
        yield from _read_json_lines(pieces, facts, column)
    else:
        raise SourceError(
            "this is one JSON array; write one recipient per line instead", source=name
        )


# Bytes become pieces of text.


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _pieces(stream: _Readable, name: str, encoding: str | None) -> Iterator[_Piece]:
    row, rest = 1, ""

    def here() -> int:
        return row

    for text in _texts(stream, name, encoding, here):
        if (place := text.find("\0")) >= 0:
            raise SourceError(
                "holds a NUL character, which no list has; if the file is UTF-16, "
                "say --encoding utf-16",
                source=name,
                row=row + text.count("\n", 0, place),
            )
        lines, newline, tail = text.rpartition("\n")
        if newline:
            many = lines.count("\n") + 1
            yield _Piece(row, rest + lines + newline, many)
            row += many
            rest = tail
        else:
            rest += tail
        if len(rest) > _LONGEST_LINE:
            raise SourceError(
                "the line does not end; is this a list of recipients?",
                source=name,
                row=row,
            )
    if rest:
        yield _Piece(row, rest + "\n", 1)


def _texts(
    stream: _Readable, name: str, encoding: str | None, row: Callable[[], int]
) -> Iterator[str]:
    chunk = _chunk(stream, name)
    encoding = encoding or _marked_encoding(chunk)
    # Every kind of line end becomes "\n", also where a chunk cuts one in two.
    decoder = io.IncrementalNewlineDecoder(_decoder(encoding), translate=True)
    mark = "\ufeff"
    while True:
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeError as error:
            raise SourceError(
                f"is not {encoding}; say which encoding it is with --encoding, "
                "for example --encoding cp1252",
                source=name,
                row=row() + _lines_before(error, encoding),
            ) from error
        yield text.removeprefix(mark)
        mark = ""
        if not chunk:
            return
        chunk = _chunk(stream, name)


def _chunk(stream: _Readable, name: str) -> bytes:
    with _reading(name):
        return stream.read(_CHUNK_BYTES)


def _marked_encoding(start: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    return "utf-8"


def _lines_before(error: UnicodeError, encoding: str) -> int:
    if not isinstance(error, UnicodeDecodeError):
        return 0
    good = error.object[: error.start].decode(encoding, "replace")
    return len(re.findall(r"\r\n?|\n", good))


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        codec = codecs.lookup(encoding)
        "".encode(encoding)  # refuses base64 and its like, which are no encodings
        if not _NO_LISTS.fullmatch(codec.name):
            return codecs.getincrementaldecoder(encoding)()
    except (LookupError, ValueError) as error:
        raise _unknown_encoding(encoding) from error
    raise _unknown_encoding(encoding)


def _unknown_encoding(encoding: str) -> InputError:
    return InputError(
        f"the encoding {encoding[:40]!r} is not known, or none that lists have; "
        "try utf-8, utf-16 or cp1252"
    )


# Delimited text. Pieces without a quote are split; the others are csv.reader's.


def _read_delimited(
    pieces: Iterator[_Piece], name: str, facts: _Facts, column: str | None
) -> Iterator[Block]:
    head = _head(pieces)
    with _deciding(name):
        layout = find_layout(head.text, column)
    if layout is None:
        # Nothing but blank lines, or a quote that does not end: let that be said.
        for delimiter in (NO_DELIMITER, *DELIMITERS):
            list(_by_csv(head, pieces, delimiter, name))
        return
    facts.titles, facts.column = layout.titles, layout.words
    pieces = chain([_without(head, layout.lines)], pieces)
    for table in _tables(pieces, layout.places, layout.delimiter, name):
        if table.rows:
            yield Block(table.rows, _entries(table.columns, customers=layout.customers))


@contextmanager
def _deciding(name: str) -> Iterator[None]:
    try:
        yield
    except Undecided as error:
        raise SourceError(str(error), source=name, row=error.row) from error


def _head(pieces: Iterator[_Piece]) -> _Piece:
    """
    The first of *pieces*, joined with the next ones until it is enough for a look.
    """
    head = next(pieces)
    while not is_sample(head.text) and (more := next(pieces, None)):
        head = head._replace(text=head.text + more.text, lines=head.lines + more.lines)
    return head


def _without(piece: _Piece, lines: int) -> _Piece:
    rest = piece.text.split("\n", lines)[lines] if lines else piece.text
    return _Piece(piece.row + lines, rest, piece.lines - lines)


def _tables(
    pieces: Iterator[_Piece], places: list[int], delimiter: str, name: str
) -> Iterator[_Table]:
    for piece in pieces:
        if '"' not in piece.text:
            yield _split_evenly(piece, places, delimiter) or _split_each(
                piece, places, delimiter
            )
        else:
            bare = _unquoted(piece, delimiter)
            even = _split_evenly(bare, places, delimiter) if bare else None
            yield even or _table(_by_csv(piece, pieces, delimiter, name), places)


def _unquoted(piece: _Piece, delimiter: str) -> _Piece | None:
    """
    *piece* without its quotes, if none of them hides a delimiter, quote or line end.
    """
    cell = rf'[^"\n{delimiter}]*+'
    simple = rf'(?:(?:"{cell}"|{cell})[\n{delimiter}])*+'
    if not re.fullmatch(simple, piece.text):
        return None
    return piece._replace(text=piece.text.replace('"', ""))


def _split_evenly(piece: _Piece, places: list[int], delimiter: str) -> _Table | None:
    """
    The table in *piece*, if all its rows have equally many cells.
    """
    rows = range(piece.row, piece.row + piece.lines)
    if delimiter not in piece.text:
        lines = piece.text[:-1].split("\n")
        return _Table(rows, [lines]) if places == [0] and all(lines) else None
    width = piece.text.count(delimiter, 0, piece.text.index("\n")) + 1
    # Line ends become cells of their own; in even rows all stand where they must.
    cells = piece.text.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
    cells.pop()
    if max(places) >= width or cells[width :: width + 1] != ["\n"] * len(rows):
        return None
    return _Table(rows, [cells[place :: width + 1] for place in places])


def _split_each(piece: _Piece, places: list[int], delimiter: str) -> _Table:
    lines = piece.text[:-1].split("\n")
    rows = list(compress(count(piece.row), lines))  # a blank line is no record
    lines = list(filter(None, lines))
    return _Table(
        rows,
        [
            [
                cells[place] if place < len(cells) else ""
                for cells in map(methodcaller("split", delimiter, place + 1), lines)
            ]
            for place in places
        ],
    )


def _by_csv(
    piece: _Piece, pieces: Iterator[_Piece], delimiter: str, name: str
) -> Iterator[tuple[int, list[str]]]:
    """
    The records of *piece*, and of as many *pieces* as a quoted cell reaches into.
    """
    lines, ended = piece.lines, False

    def feed() -> Iterator[str]:
        nonlocal lines, ended
        yield from io.StringIO(piece.text)
        for more in pieces:
            lines += more.lines
            yield from io.StringIO(more.text)
        ended = True

    reader = csv.reader(feed(), delimiter=delimiter)
    row = piece.row
    try:
        while reader.line_num < lines:
            row = piece.row + reader.line_num
            cells = next(reader)
            if ended:
                raise SourceError(
                    "a quoted cell begins here and never ends; "
                    "close or remove the quote",
                    source=name,
                    row=row,
                )
            if cells:
                yield row, cells
    except csv.Error as error:
        raise SourceError(
            f"is not CSV from here on ({error}); does a quoted cell not end?",
            source=name,
            row=row,
        ) from error


def _table(records: Iterable[tuple[int, list[str]]], places: list[int]) -> _Table:
    rows: list[int] = []
    columns: list[list[str]] = [[] for _ in places]
    for row, cells in records:
        rows.append(row)
        for column, place in zip(columns, places, strict=True):
            column.append(cells[place] if place < len(cells) else "")
    return _Table(rows, columns)


# JSON lines and Parquet.


def _read_json_lines(
    pieces: Iterator[_Piece], facts: _Facts, column: str | None
) -> Iterator[Block]:
    for piece in pieces:
        lines = piece.text[:-1].split("\n")
        rows: Sequence[int] = range(piece.row, piece.row + len(lines))
        filled = [bool(line) and not line.isspace() for line in lines]
        if not all(filled):
            rows = list(compress(rows, filled))
            lines = list(compress(lines, filled))
        if rows:
            yield Block(rows, [_from_json(line, facts, column) for line in lines])


def _from_json(line: str, facts: _Facts, column: str | None) -> Entry:
    try:
        found = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return _malformed(line, NOT_A_RECORD)
    if not isinstance(found, dict):
        return _entry(found, None, customers=False, shown=line)
    filled = tuple(key for key, value in found.items() if value is not None)
    keys, own_id, customers = _fields(filled, column)
    if len(keys) != 1:
        return _malformed(line, UNDECIDED_FIELD if keys else NOT_A_RECORD)
    facts.column = facts.column or f'field "{keys[0][:40]}"'
    return _entry(
        found[keys[0]],
        found[own_id] if own_id else None,
        customers=customers,
        shown=line,
    )


@lru_cache(maxsize=1024)
def _fields(
    keys: tuple[str, ...], column: str | None
) -> tuple[list[str], str | None, bool]:
    """
    Those of *keys* that hold the values, that of the correlation id, and the kind.
    """
    if column is None:
        taken = [keys[place] for place in choose(keys)]
    else:
        taken = [column] if column in keys else []
    own_ids = (key for key in keys if rank_of(key) is Rank.CORRELATION_ID)
    customers = rank_of(taken[0]) is Rank.CUSTOMER_ID if taken else False
    return taken, next(own_ids, None), customers


def _parquet_file(
    name: str, facts: _Facts, column: str | None
) -> Generator[Block, None, None]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            f"{name}: reading Parquet needs pyarrow; "
            "install it with: pip install 'voicepush[parquet]'"
        ) from error
    with _opened(name) as stream:
        _look_at(stream, facts)
        digest = _digest(stream, name)  # of the same file, whatever the name means now
        with _reading(name):
            stream.seek(0)
            file = parquet.ParquetFile(stream)
        with file:
            yield from _parquet_blocks(file, name, facts, column)
        facts.digest = digest


def _parquet_blocks(
    file: Any, name: str, facts: _Facts, column: str | None
) -> Iterator[Block]:
    headers = file.schema_arrow.names
    with _deciding(name):
        layout = layout_of(headers, column)
    facts.column = layout.words
    wanted = [headers[place] for place in layout.places]
    batches = file.iter_batches(_PARQUET_ROWS, columns=wanted)
    row = 1
    while (batch := _next_of(batches, name)) is not None:
        columns = [batch.column(header).to_pylist() for header in wanted]
        entries = _entries(columns, customers=layout.customers)
        yield Block(range(row, row + len(entries)), entries)
        row += len(entries)


def _next_of(batches: Iterator[Any], name: str) -> Any:
    with _reading(name):
        return next(batches, None)


# Cells and JSON values become entries.


def _entries(columns: list[list[Any]], *, customers: bool) -> Sequence[Entry]:
    values, *ids = columns
    if not ids and not customers and _are_texts(values):
        return values
    own_ids: Iterable[Any] = ids[0] if ids else repeat(None, len(values))
    return [
        _entry(value, own_id, customers=customers, shown=str(value))
        for value, own_id in zip(values, own_ids, strict=True)
    ]


def _are_texts(values: Sequence[object]) -> bool:
    try:
        "".join(values)  # type: ignore[arg-type]  # the fastest way to find out
    except TypeError:
        return False
    return True


def _entry(value: Any, correlation_id: Any, *, customers: bool, shown: str) -> Entry:
    if isinstance(value, str) and correlation_id in (None, "") and not customers:
        return value
    try:
        own_id = _own_id(correlation_id)
    except InputError:
        return _malformed(shown, BAD_CORRELATION_ID)
    try:
        texts = list(map(_text_of, value if isinstance(value, list) else [value]))
        if customers:
            texts = list(map(_uncovered, texts))
        if texts == [""] or (len(texts) == 1 and not customers and own_id is None):
            return texts[0]
        return Destination(
            () if customers else texts,
            customer_id=texts if customers else (),
            correlation_id=own_id,
        )
    except InputError:
        return _malformed(shown, BAD_VALUES)


def _own_id(value: Any) -> str | None:
    text = _uncovered(_text_of(value)).strip()
    return check_correlation_id(text) if text else None


# An apostrophe that keeps a spreadsheet from taking a cell for a formula, and what
# keeps it from taking a text for a number.
_COVERED = re.compile(r"""\s*(?:'(?=[=@+\-\t\r])(.*)|="([^"]*)"\s*)""", re.DOTALL)


def _uncovered(cell: str) -> str:
    """
    *cell* without what was put around it for a spreadsheet's sake.
    """
    found = _COVERED.fullmatch(cell)
    return cell if found is None else (found[1] or found[2] or "")


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)  # a float is left to screening, which knows what was lost
    raise InputError("a value must be a text or a number")


def _malformed(shown: str, reason: str) -> Malformed:
    return Malformed(shown[:_MALFORMED_TEXT], reason)
