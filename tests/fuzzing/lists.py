"""
Each row of a list is a recipient or is refused, however its bytes come.

An input's first line is the name of the file, which tells its format, and the column
that is chosen, if any; then comes the file.
"""

from __future__ import annotations

import io
from typing import NamedTuple

from fuzzing import first_line
from voicepush import VoicepushError
from voicepush.sources.files import ListFile, read_stream

#: So many bytes come at once in one of the readings.
_FEW = 50


class _Entry(NamedTuple):
    row: int
    kind: str
    values: tuple[str, ...]
    own_id: str


class _Read(NamedTuple):
    entries: list[_Entry]
    malformed: list[int]
    titles: int
    #: What was wrong, if it was not read to its end.
    error: str | None


class _Slow(io.BytesIO):
    """
    A stream that gives few bytes at a time.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """
        The next few.
        """
        return super().read(min(_FEW, size) if size and size > 0 else _FEW)


def check(data: bytes) -> None:
    """
    Read the list in *data* in two ways, and hold one against the other.
    """
    words, content = first_line(data)
    name = words[0] if words[0].isprintable() else ""
    column = words[1] if len(words) > 1 and words[1] else None

    found = _read(read_stream(io.BytesIO(content), name=name, column=column))
    slowly = _read(read_stream(_Slow(content), name=name, column=column))

    assert found == slowly
    rows = [each.row for each in found.entries] + found.malformed
    assert len(set(rows)) == len(rows)
    assert all(row > 0 for row in rows)
    for each in found.entries:
        "".join((*each.values, each.own_id)).encode()  # so it can be planned
        assert each.values
    if found.error is None:
        _check_nobody_is_lost(found, content)


def _read(file: ListFile) -> _Read:
    entries: list[_Entry] = []
    malformed: list[int] = []
    error = None
    try:
        for block in file:
            people = block.recipients
            assert people.rows is not None
            own_ids = people.correlation_ids or [""] * len(people)
            columns = zip(people.rows, people.by_destination(), own_ids, strict=True)
            entries += [
                _Entry(row, people.kind, tuple(values), own_id)
                for row, values, own_id in columns
            ]
            malformed += [each.row for each in block.malformed]
    except VoicepushError as refused:
        error = str(refused)
    return _Read(sorted(entries), sorted(malformed), file.titles, error)


def _check_nobody_is_lost(found: _Read, content: bytes) -> None:
    """
    Of a text without quotes everyone knows how many rows it has.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    if '"' in text or "\0" in text or content.startswith((b"\xff", b"\xfe", b"\x1f")):
        return
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows = len(found.entries) + len(found.malformed)
    # A header is no row; nor is what stands above it. In some formats a line of spaces
    # is empty.
    least = sum(bool(each.strip()) for each in lines)
    most = sum(map(bool, lines))
    assert least - 1 <= rows + found.titles <= most
