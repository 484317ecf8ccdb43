"""
What each row of evidence says: of a log, or a notification that failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import msgspec

from voicepush import clock
from voicepush.model.call import Receipt, Report
from voicepush.receipts.evidence.columns import (
    Column,
    Named,
    Places,
    find_columns,
    missing_in,
    places_in,
    undecided,
)
from voicepush.receipts.evidence.files import JsonTexts, Part, Sheet
from voicepush.receipts.evidence.logged import logged_call
from voicepush.receipts.receipt import MOST_CHARACTERS, moment_of, read_receipt
from voicepush.sources.choosing import Undecided, deciding, looks_like_number
from voicepush.sources.columns import SampleRow
from voicepush.sources.delimited import Table
from voicepush.sources.entries import uncovered
from voicepush.sources.tables import Start, read_sheet, read_table

#: What exports write where nothing is.
_NOTHING = frozenset(("", "-", "--", "null", "none", "nil", "n/a", "na", "undefined"))

_SIGNS_IN_NUMBERS = re.compile(r"[\s().-]")
_DIGITS = re.compile(r"\+?\d+")

#: What a payload has in it that is a receipt.
_OF_RECEIPTS = ("deliveryinfonotification", "deliveryinfo")


class Listed(NamedTuple):
    """
    A call that a file lists.
    """

    #: Where it stands, counted from 1.
    row: int
    #: What is said of it; its body is the row as it stood, as JSON.
    receipt: Receipt
    #: When it was asked for or last changed, in seconds since 1970, where that is told.
    at: float | None


class Unproven(NamedTuple):
    """
    One that proves nothing: the platform refused the call, or gave it no id.
    """

    row: int


class Unreadable(NamedTuple):
    """
    One that can't be understood.
    """

    row: int


#: What a row may say.
Entry: TypeAlias = Listed | Unproven | Unreadable


class RowReader:
    """
    Understands rows and JSON texts.
    """

    def __init__(self, named: Named, zone: tzinfo) -> None:
        self._named = named
        self._zone = zone
        #: Which columns were taken, in words.
        self.columns: str | None = None
        self._places: Places = {}
        self._headers: Sequence[str] = ()

    def read(self, part: Part) -> Iterator[Entry]:
        """
        What each row of *part* says.
        """
        if isinstance(part, JsonTexts):
            yield from self._of_texts(part)
            return
        tables = (
            read_sheet(part.head, part.rows, self._find)
            if isinstance(part, Sheet)
            else read_table(part.pieces, part.name, self._find)
        )
        with deciding(part.name):
            for table in tables:
                yield from self._of_table(table)

    # Tables.

    def _find(self, rows: Sequence[SampleRow]) -> Start:
        start, self._places = find_columns(rows, self._named)
        header = next((row for row in rows if Start.below(row) == start), None)
        texts = [f"column {place + 1}" for place in range(start.width)]
        if header is not None:
            cells = map(str.strip, header.cells)
            texts = [cell or text for cell, text in zip(cells, texts, strict=True)]
        self._headers = [
            text if texts.index(text) == place else f"{text} ({place + 1})"
            for place, text in enumerate(texts)
        ]
        self.columns = ", ".join(
            f"{column.value} in {texts[place][:40]!r}"
            for column, place in sorted(self._places.items(), key=lambda each: each[1])
        )
        return start

    def _of_table(self, table: Table) -> Iterator[Entry]:
        headers, places = self._headers, self._places
        payloads = places.get(Column.PAYLOAD)
        encode = msgspec.json.encode
        for row, *cells in zip(table.rows, *table.columns, strict=True):
            if not any(cells) or not any(map(str.strip, cells)):
                continue
            if payloads is not None:
                found = self._of_text(row, cells[payloads])
                if isinstance(found, Listed):
                    yield found
                    continue
            fields = {column: cells[place] for column, place in places.items()}
            body = encode(dict(zip(headers, cells, strict=True)))
            yield self._of_fields(row, fields, body)

    # JSON.

    def _of_texts(self, part: JsonTexts) -> Iterator[Entry]:
        fields: Sequence[str] | None = None
        is_understood = False
        for row, text in part.texts:
            entry = self._of_text(row, text)
            if not isinstance(entry, Unreadable):
                is_understood = True
            elif fields is None:
                fields = _fields_in(text)
            yield entry
        if not is_understood and fields is not None:
            # Every object is of another kind: its owner has to say which.
            with deciding(part.name):
                header = SampleRow("", 1, 1, 0, list(fields))
                raise undecided(places_in(fields, self._named), header, are_fields=True)

    def _of_text(self, row: int, text: str, depth: int = 0) -> Entry:
        """
        What a JSON *text* says, which may itself stand in another.
        """
        try:
            found = msgspec.json.decode(text)
            if isinstance(found, str):
                text, found = found, msgspec.json.decode(found)
        except (ValueError, RecursionError):
            return Unreadable(row)
        first = found[0] if isinstance(found, list) and found else found
        if not isinstance(first, dict):
            return Unreadable(row)
        if not any(name.lower() in _OF_RECEIPTS for name in first):
            return self._of_object(row, first, depth)
        receipt = read_receipt(text.encode(), clock.now(), self._zone)
        return Listed(row, receipt, None) if receipt.reports else Unreadable(row)

    def _of_object(self, row: int, found: Mapping[str, Any], depth: int) -> Entry:
        keys = tuple(found)
        places = _places_of_keys(keys, tuple(self._named.items()))
        if places is None:
            return Unreadable(row)
        payload = places.get(Column.PAYLOAD)
        if payload is not None and depth == 0:
            inner = found[keys[payload]]
            text = inner if isinstance(inner, str) else _encoded(inner).decode()
            entry = self._of_text(row, text, depth + 1)
            if isinstance(entry, Listed):
                return entry
        fields = {column: _cell(found[keys[at]]) for column, at in places.items()}
        return self._of_fields(row, fields, _encoded(found))

    # Both.

    def _of_fields(self, row: int, fields: Mapping[Column, str], body: bytes) -> Entry:
        transaction, correlation, number = (
            _id_in(fields.get(column, ""))
            for column in (Column.TRANSACTION, Column.CORRELATION, Column.NUMBER)
        )
        if not transaction and not correlation:
            # A number alone names nobody, which is told where that is looked up.
            if not looks_like_number(number):
                return Unreadable(row)
        elif not correlation and not number:
            return Unreadable(row)
        elif not transaction:
            return Unproven(row)
        # Where there is a payload, a status is that of its delivery to its owner.
        is_log = not fields.get(Column.PAYLOAD, "").lstrip().startswith(("{", "["))
        call = logged_call(
            fields.get(Column.STATUS, "").strip()[:MOST_CHARACTERS] if is_log else "",
            fields.get(Column.CODE, "").strip() if is_log else "",
        )
        if call is None:
            return Unproven(row)
        report = Report(
            call=call,
            correlation_id=correlation,
            transaction_id=transaction,
            recipient=_bare(number),
        )
        receipt = Receipt(body=body, received_at=clock.now(), reports=(report,))
        return Listed(row, receipt, moment_of(fields.get(Column.TIME), self._zone))


def _encoded(thing: object) -> bytes:
    return msgspec.json.encode(thing)


def _fields_in(text: str) -> list[str] | None:
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
    return list(found) if isinstance(found, dict) else None


@lru_cache(maxsize=1024)
def _places_of_keys(
    keys: tuple[str, ...], named: tuple[tuple[Column, str], ...]
) -> Places | None:
    """
    Where the columns of a log stand among the *keys* of an object, if it is a row of
    one.
    """
    try:
        places = places_in(keys, dict(named))
    except Undecided:
        return None
    return places if missing_in(places) is None else None


def _cell(value: object) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, (list, dict)):
        return _encoded(value).decode()
    return "" if value is None or isinstance(value, bool) else str(value)


def _id_in(cell: str) -> str:
    """
    What *cell* names, without what was put around it for a spreadsheet's sake.
    """
    text = uncovered(cell).strip()[:MOST_CHARACTERS]
    return "" if text.casefold() in _NOTHING else text


def _bare(number: str) -> str:
    """
    *number* as the platform writes it, if it is one.
    """
    text = number.removeprefix("tel:").removesuffix(".0")
    text = _SIGNS_IN_NUMBERS.sub("", text)
    return text if _DIGITS.fullmatch(text) else number
