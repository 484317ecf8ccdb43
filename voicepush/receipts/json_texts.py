"""
JSON texts out of a file: one per line, in one long array, or one after the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from voicepush.errors import SourceError

#: No receipt is longer; a text that does not end must not fill memory.
_LONGEST = 1 << 20

#: What stands between the elements of arrays.
_BETWEEN = re.compile(r"[\s,\[\]]*")

#: A first line that the next one does not go on with.
_SECOND_LINE = re.compile(r"[^\n]*\n\s*\{")

_decode = json.JSONDecoder().raw_decode


class JsonText(NamedTuple):
    """
    One JSON text and where it stands, counted from 1.
    """

    row: int
    text: str


def has_one_per_line(start: str) -> bool:
    """
    Whether a text that begins with *start*, and with an object, has one JSON text in
    each line.
    """
    start = start.lstrip()
    try:
        _, end = _decode(start)
    except (ValueError, RecursionError):
        # It is broken, or goes on further than is seen.
        return _SECOND_LINE.match(start) is not None
    return "\n" not in start[:end] and not start[end:].partition("\n")[0].strip()


def elements_in(texts: Iterable[str], name: str) -> Iterator[JsonText]:
    """
    The JSON texts in *texts*, wherever lines end: the elements of arrays, and what
    stands beside them.

    Raises:
        SourceError: What follows is no JSON.
    """
    rest, row = "", 1
    for text in chain(texts, " "):  # after which a number can't go on
        rest += text
        end = 0
        for end, element in _whole(rest):  # noqa: B007 -- the last one is needed
            yield JsonText(row, element)
            row += 1
        rest = rest[end:]
        if len(rest) > _LONGEST:
            raise _broken(name, row)
    if _after(rest, 0) < len(rest):
        raise _broken(name, row)


def _whole(text: str) -> Iterator[tuple[int, str]]:
    """
    The elements that are whole in *text*, each with where it ends.
    """
    at = 0
    while True:
        start = _after(text, at)
        try:
            _, at = _decode(text, start)
        except (ValueError, RecursionError):
            return
        if at == len(text) and text[start] not in '{"':
            return  # a number may go on
        yield at, text[start:at]


def _after(text: str, at: int) -> int:
    """
    Where the next element of *text* begins.
    """
    found = _BETWEEN.match(text, at)
    return at if found is None else found.end()


def _broken(name: str, row: int) -> SourceError:
    return SourceError("this and what follows is not JSON", source=name, row=row)
