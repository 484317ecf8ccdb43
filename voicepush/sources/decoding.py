"""
Bytes become pieces of text.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import (
    Callable,
    Iterator,
)
from typing import NamedTuple, Protocol

from voicepush.errors import InputError, SourceError
from voicepush.sources.opening import CHUNK_BYTES, fully, reading

# A list of numbers has no longer lines; a file without line ends must not fill memory.
_LONGEST_LINE = 1 << 20


# The longer mark first: UTF-32's begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


# Codecs of Python that are no encodings of a list: "+" begins something else in them,
# they need the whole text at once, or they depend on the machine.
_NO_LISTS = re.compile(
    r"undefined|punycode|idna|utf.?7|(?:raw.?)?unicode.?escape|mbcs|oem|ansi|dbcs"
)


class Piece(NamedTuple):
    """
    Some whole lines of a text.
    """

    row: int  # of its first line
    text: str  # whole lines, each ended by "\n"
    lines: int


# Bytes become pieces of text.


class Readable(Protocol):
    """
    What bytes can be read from.
    """

    def read(self, size: int, /) -> bytes:
        """
        The next bytes, at most *size* of them.
        """
        ...


def pieces_of(stream: Readable, name: str, encoding: str | None) -> Iterator[Piece]:
    """
    The text of *stream* in pieces of whole lines.
    """
    row, rest = 1, ""

    def here() -> int:
        return row

    for text in texts_of(stream, name, encoding, here):
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
            yield Piece(row, rest + lines + newline, many)
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
        yield Piece(row, rest + "\n", 1)


def texts_of(
    stream: Readable, name: str, encoding: str | None, row: Callable[[], int]
) -> Iterator[str]:
    """
    The text of *stream* as it comes, with line ends of one kind.

    Args:
        row: Tells at which row its reader is, for who has to look for a mistake.
    """
    chunk = _chunk(stream, name)
    encoding = encoding or marked_encoding(chunk)
    # Every kind of line end becomes "\n", also where a chunk cuts one in two.
    decoder = io.IncrementalNewlineDecoder(decoder_of(encoding), translate=True)
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


def _chunk(stream: Readable, name: str) -> bytes:
    with reading(name):
        return fully(stream.read, CHUNK_BYTES)


def marked_encoding(start: bytes) -> str:
    """
    The encoding of a text that begins with *start*, if a mark says so; else UTF-8.
    """
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    return "utf-8"


def _lines_before(error: UnicodeError, encoding: str) -> int:
    if not isinstance(error, UnicodeDecodeError):
        return 0
    good = error.object[: error.start].decode(encoding, "replace")
    return len(re.findall(r"\r\n?|\n", good))


def decoder_of(encoding: str) -> codecs.IncrementalDecoder:
    """
    What decodes *encoding*.

    Raises:
        InputError: Nothing does.
    """
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
