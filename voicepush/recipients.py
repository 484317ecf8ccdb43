"""
Files, streams and iterables become blocks of recipients, each with its row.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import importlib
import io
import re
import sys
import zlib
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import contextmanager
from itertools import chain, compress, count, islice, repeat
from operator import methodcaller
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias, cast

import attrs
import msgspec

from voicepush.errors import InputError, SourceError
from voicepush.model import (
    Destination,
    Recipient,
    check_correlation_id,
    mask,
)

#: How many recipients of an iterable make a block.
BLOCK_SIZE = 1000

#: Headers, in lower case and with ``_`` for spaces and hyphens, that are taken for
#: the column of msisdns, the most telling first.
MSISDN_HEADERS = (
    "msisdn",
    "phone_number",
    "phonenumber",
    "mobile_number",
    "mobile",
    "phone",
    "telephone",
    "tel",
    "cell",
    "number",
)
CUSTOMER_ID_HEADERS = ("customerid", "customer_id")
CORRELATION_ID_HEADERS = ("correlationid", "correlation_id")

#: Why a row is malformed.
NOT_A_RECORD = "not a JSON text, nor an object with a msisdn or customerid"
BAD_CORRELATION_ID = "the correlation id is no text of 1 to 50 bytes"
BAD_VALUES = "not between 1 and 1,000 values that are texts"

# Small enough to stay in the processor's cache while a block is taken apart.
_CHUNK_BYTES = 1 << 16
# A list of numbers has no longer lines; a file without line ends must not fill memory.
_LONGEST_LINE = 1 << 20
_PARQUET_ROWS = 5000
_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_MALFORMED_TEXT = 200

# The longer mark first: UTF-32's begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}

_NUMBER = re.compile(r"(?:tel:)?[\W_]*\d[\W\d_]*(?:e[+-]?\d+)?", re.IGNORECASE)
_FEWEST_DIGITS = 7


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


class _Layout(NamedTuple):
    value: int
    correlation_id: int | None
    customers: bool
    header: bool

    @property
    def places(self) -> list[int]:
        """
        The columns to take out, in the order in which `_entries` wants them.
        """
        if self.correlation_id is None:
            return [self.value]
        return [self.value, self.correlation_id]


def read_file(
    path: Path | str, *, column: str | None = None, encoding: str | None = None
) -> Iterator[Block]:
    """
    The recipients in the file at *path*, or on standard input if it is ``-``.

    Reads CSV with any usual delimiter, plain lists, JSON lines, each also as
    ``.gz``, and Parquet, in bounded memory. Blank lines are skipped. A first row
    whose cell in the column is no number is taken for a header.

    Args:
        path: Its ending tells the format; where it does not, the content does.
        column: A header, a place counted from 1, or the field of a JSON object.
            Without it `MSISDN_HEADERS` are looked for, then `CUSTOMER_ID_HEADERS`;
            then it is the only column, or the only one that holds a number.
        encoding: Without it the byte order mark decides, then it is UTF-8.

    Raises:
        SourceError: The file can't be read; the text says at which row and why.
        InputError: The encoding is not known, or Parquet is not installed.
    """
    if str(path) == "-":
        yield from read_stream(sys.stdin.buffer, column=column, encoding=encoding)
        return
    if Path(path).suffix.lower() == ".parquet":
        yield from _read_parquet(str(path), column)
        return
    with _reading(str(path)):
        stream = Path(path).open("rb")  # noqa: SIM115 -- closed two lines below
    with stream:
        yield from read_stream(stream, name=str(path), column=column, encoding=encoding)


def read_stream(
    stream: BinaryIO,
    *,
    name: str = "standard input",
    column: str | None = None,
    encoding: str | None = None,
) -> Iterator[Block]:
    """
    The recipients in an open binary *stream*; it is left open.

    Args:
        name: What errors call it; its ending tells the format, as a path's does.
        column: As for `read_file`.
        encoding: As for `read_file`.
    """
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes[-1:] == [".gz"]:
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=stream))
        suffixes.pop()
    pieces = _pieces(stream, name, encoding)
    head = next(pieces, None)
    if head is None:
        return
    pieces = chain([head], pieces)
    start = head.text.lstrip()[:1]
    if suffixes[-1:] in ([".jsonl"], [".ndjson"]):
        yield from _read_json_lines(pieces, column)
    elif suffixes[-1:] in ([".csv"], [".tsv"]) or start not in ("{", "["):
        yield from _read_delimited(head, pieces, name, column)
    elif start == "{":
        yield from _read_json_lines(pieces, column)
    else:
        raise SourceError(
            "this is one JSON array; write one recipient per line instead", source=name
        )


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


# Bytes become pieces of text.


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, ValueError, zlib.error) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"can't be read: {words}", source=name) from error


def _pieces(stream: BinaryIO, name: str, encoding: str | None) -> Iterator[_Piece]:
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
    stream: BinaryIO, name: str, encoding: str | None, row: Callable[[], int]
) -> Iterator[str]:
    chunk = _chunk(stream, name)
    encoding = encoding or _marked_encoding(chunk)
    # Every kind of line end becomes "\n", also where a chunk cuts one in two.
    decoder = io.IncrementalNewlineDecoder(_decoder(encoding), translate=True)
    mark = "\ufeff"
    while True:
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            good = error.object[: error.start].decode(encoding, "replace")
            raise SourceError(
                f"is not {encoding}; say which encoding it is with --encoding, "
                "for example --encoding cp1252",
                source=name,
                row=row() + len(re.findall(r"\r\n?|\n", good)),
            ) from error
        yield text.removeprefix(mark)
        mark = ""
        if not chunk:
            return
        chunk = _chunk(stream, name)


def _chunk(stream: BinaryIO, name: str) -> bytes:
    with _reading(name):
        return stream.read(_CHUNK_BYTES)


def _marked_encoding(start: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    return "utf-8"


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        "".encode(encoding)  # refuses base64 and its like, which are no encodings
        return codecs.getincrementaldecoder(encoding)()
    except LookupError as error:
        raise InputError(
            f"the encoding {encoding!r} is not known; try utf-8, utf-16 or cp1252"
        ) from error


# Delimited text. Pieces without a quote are split; the others are csv.reader's.


def _read_delimited(
    head: _Piece, pieces: Iterator[_Piece], name: str, column: str | None
) -> Iterator[Block]:
    delimiter = _delimiter(head.text)
    first = next(_by_csv(head, iter(()), delimiter, name), (1, []))[1]
    if not first:
        return
    layout = _layout(first, column, name)
    tables = _tables(pieces, layout.places, delimiter, name)
    blocks: Iterator[Block] = (
        Block(table.rows, _entries(table.columns, customers=layout.customers))
        for table in tables
        if table.rows
    )
    if layout.header:
        block = next(blocks)
        rest = Block(block.rows[1:], block.recipients[1:])
        blocks = chain([rest] if rest.rows else [], blocks)
    yield from blocks


def _delimiter(text: str) -> str:
    text = re.sub(r'"[^"]*"', "", text)
    sample = list(islice(filter(None, text.split("\n")), _SAMPLE_ROWS))

    def fitness(delimiter: str) -> tuple[int, int]:
        # Rows that are cut like the first one, then cells.
        widths = [line.count(delimiter) for line in sample]
        alike = widths.count(widths[0]) if widths and widths[0] else 0
        return alike, sum(widths)

    return max(_DELIMITERS, key=fitness)


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


# Which column it is.


def _layout(first: list[str], column: str | None, name: str) -> _Layout:
    headers = [re.sub(r"[\s-]+", "_", cell.strip().casefold()) for cell in first]
    named = None if column is None else _named(column, first)
    if named is not None:
        place: int | None = named
    elif column is None:
        place = _likely(first, headers)
    else:
        place = _numbered(column, first)
    if place is None:
        raise SourceError(_undecided(first, column), source=name, row=1)
    return _Layout(
        place,
        _first_of(CORRELATION_ID_HEADERS, headers),
        customers=headers[place] in CUSTOMER_ID_HEADERS,
        header=named is not None or not _NUMBER.fullmatch(first[place]),
    )


def _named(column: str, first: list[str]) -> int | None:
    cells = [cell.strip() for cell in first]
    if column.strip() in cells:
        return cells.index(column.strip())
    return _first_of([column.strip().casefold()], [cell.casefold() for cell in cells])


def _numbered(column: str, first: list[str]) -> int | None:
    if column.isdecimal() and 1 <= int(column) <= len(first):
        return int(column) - 1
    return None


def _likely(first: list[str], headers: list[str]) -> int | None:
    if len(first) == 1:
        return 0
    numbers = [place for place, cell in enumerate(first) if _looks_like_number(cell)]
    if not numbers:
        return _first_of((*MSISDN_HEADERS, *CUSTOMER_ID_HEADERS), headers)
    # With two of them, guessing would ring up dates or order numbers.
    return numbers[0] if len(numbers) == 1 else None


def _first_of(names: Iterable[str], headers: list[str]) -> int | None:
    return next((headers.index(name) for name in names if name in headers), None)


def _looks_like_number(cell: str) -> bool:
    digits = sum(map(str.isdecimal, cell))
    return digits >= _FEWEST_DIGITS and _NUMBER.fullmatch(cell) is not None


def _undecided(first: Sequence[str], column: str | None) -> str:
    shown = ", ".join(
        mask(cell) if _looks_like_number(cell) else cell.strip()[:40]
        for cell in first[:20]
    )
    problem = (
        "can't tell which column holds the numbers"
        if column is None
        else f"there is no column {column!r}"
    )
    return (
        f"{problem}; the columns are {shown}; "
        "choose one with --column, by name or by place (1 is the first)"
    )


# JSON lines and Parquet.


def _read_json_lines(pieces: Iterator[_Piece], column: str | None) -> Iterator[Block]:
    keys = (column,) if column else (*MSISDN_HEADERS, *CUSTOMER_ID_HEADERS)
    for piece in pieces:
        lines = piece.text[:-1].split("\n")
        rows: Sequence[int] = range(piece.row, piece.row + len(lines))
        filled = [bool(line) and not line.isspace() for line in lines]
        if not all(filled):
            rows = list(compress(rows, filled))
            lines = list(compress(lines, filled))
        if rows:
            yield Block(rows, [_from_json(line, keys) for line in lines])


def _from_json(line: str, keys: Sequence[str]) -> Entry:
    try:
        found = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return _malformed(line, NOT_A_RECORD)
    if not isinstance(found, dict):
        return _entry(found, None, customers=False, shown=line)
    key = _filled_key(found, keys)
    if key is None:
        return _malformed(line, NOT_A_RECORD)
    correlation = _filled_key(found, CORRELATION_ID_HEADERS)
    return _entry(
        found[key],
        found[correlation] if correlation else None,
        customers=key.casefold() in CUSTOMER_ID_HEADERS,
        shown=line,
    )


def _filled_key(record: dict[str, object], keys: Iterable[str]) -> str | None:
    for key in keys:
        if record.get(key) is not None:
            return key
    return None


def _read_parquet(name: str, column: str | None) -> Iterator[Block]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            f"{name}: reading Parquet needs pyarrow; "
            "install it with: pip install 'voicepush[parquet]'"
        ) from error
    with _reading(name):
        file = parquet.ParquetFile(name)
    with file:
        headers = file.schema_arrow.names
        layout = _layout(headers, column, name)
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
    text = _text_of(value).strip()
    return check_correlation_id(text) if text else None


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
