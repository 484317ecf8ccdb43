"""
Columns as a source gave them become a block; what is not usual is looked at alone.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import (
    Callable,
    Collection,
    Mapping,
    MutableMapping,
    Sequence,
)
from itertools import compress
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from voicepush.errors import InputError
from voicepush.model.fields import MOST_CORRELATION_BYTES, check_correlation_id
from voicepush.model.recipients import MOST_PER_REQUEST, Kind, Recipients
from voicepush.sources.blocks import Block, Malformed

#: Why a row is malformed.
NOT_A_RECORD = "not a JSON text, nor an object with a msisdn or customerid"


BAD_CORRELATION_ID = "the correlation id is no text of 1 to 50 bytes"


BAD_VALUES = "not between 1 and 1,000 values that are texts"


UNDECIDED_FIELD = "several fields may hold the number; choose one with --column"


_MALFORMED_TEXT = 200


class Columns(NamedTuple):
    """
    What a source gave for some rows: texts, numbers, nulls, lists or worse.
    """

    rows: Sequence[int]
    values: Sequence[Any]
    own_ids: Sequence[Any] | None = None
    kept: Mapping[str, Sequence[Any]] = MappingProxyType({})


def block_of(
    kind: Kind,
    columns: Columns,
    *,
    malformed: Mapping[int, str] = MappingProxyType({}),
    elsewhere: Collection[int] = (),
    shown: Callable[[int], str] | None = None,
) -> Block:
    """
    The block that *columns* make.

    Args:
        kind: What the values are.
        columns: As they were read.
        malformed: Why the rows at these places are known to be none, by place.
        elsewhere: The places that stand in another block, or in none.
        shown: What a malformed row at a place looks like; its value where left out.
    """
    rows, kept = columns.rows, columns.kept
    reasons = dict(malformed)
    values, several = _values(columns.values, kind, reasons)
    own_ids: Sequence[str] = ()
    if columns.own_ids is not None:
        own_ids = _own_ids(columns.own_ids, reasons)
        if own_ids and not all(values):
            own_ids = _of_somebody(own_ids, values, several)
    if reasons or elsewhere:
        gone = sorted({*reasons, *elsewhere})
        good = bytearray(b"\1") * len(values)
        for place in gone:
            good[place] = 0
        values, rows = list(compress(values, good)), list(compress(rows, good))
        own_ids = list(compress(own_ids, good))
        kept = {header: list(compress(kept[header], good)) for header in kept}
        several = {
            place - bisect(gone, place): texts
            for place, texts in several.items()
            if good[place]
        }
    widths = None
    if several:
        values, widths = _spread(values, several)
    recipients = Recipients(
        kind,
        values,
        rows,
        own_ids if any(own_ids) else None,
        widths,
        kept={header: _kept_texts(column) for header, column in kept.items()},
    )
    if not reasons:
        return Block(recipients)
    if shown is None:
        shown = _shown_in(columns.values)
    return Block(
        recipients,
        [
            Malformed(columns.rows[place], shown(place)[:_MALFORMED_TEXT], reason)
            for place, reason in sorted(reasons.items())
        ],
    )


def _shown_in(column: Sequence[Any]) -> Callable[[int], str]:
    return lambda place: str(column[place])


def _spread(
    values: Sequence[str], several: Mapping[int, list[str]]
) -> tuple[list[str], list[int]]:
    """
    *values* with *several* at their places, and how many there are at each.
    """
    spread: list[str] = []
    widths = [1] * len(values)
    before = 0
    for place, texts in several.items():
        spread += values[before:place]
        spread += texts
        widths[place] = len(texts)
        before = place + 1
    spread += values[before:]
    return spread, widths


def _texts(
    column: Sequence[Any],
) -> tuple[Sequence[str], dict[int, Any]]:
    """
    *column* as texts, and what in it is none, which is left empty, by place.
    """
    if set(map(type, column)) <= {str, int}:
        return list(map(str, column)), {}
    texts, others = list(column), {}
    for place, value in enumerate(column):
        if type(value) is not str:
            try:
                texts[place] = _text_of(value)
            except InputError:
                texts[place], others[place] = "", value
    return texts, others


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)  # a float is left to screening, which knows what was lost
    raise InputError("a value must be a text or a number")


def _joined(
    column: Sequence[Any],
) -> tuple[str, Sequence[str], dict[int, Any]]:
    """
    All texts in *column*, it itself, and what in it is no text, by place.
    """
    try:
        return "".join(column), column, {}  # the fastest way to find out
    except TypeError:
        texts, others = _texts(column)
        return "".join(texts), texts, others


# Values.


def _values(
    column: Sequence[Any], kind: Kind, reasons: MutableMapping[int, str]
) -> tuple[Sequence[str], dict[int, list[str]]]:
    """
    The values in *column*, and those of the places that have several.
    """
    joined, texts, others = _joined(column)
    several: dict[int, list[str]] = {}
    if others:
        texts = list(texts)
        for place, other in others.items():
            found = _texts_of(other, kind)
            if len(found) == 1:
                texts[place] = found[0]
            elif found and all(found) and len(found) <= MOST_PER_REQUEST:
                several[place] = found
            else:
                reasons.setdefault(place, BAD_VALUES)
        joined = "".join(texts)
    if kind is Kind.CUSTOMER_ID and _may_be_covered(joined):
        texts = list(map(uncovered, texts))
    return texts, several


def _texts_of(value: Any, kind: Kind) -> list[str]:
    """
    The texts in a *value* that is a list; none if it is anything else.
    """
    try:
        texts = list(map(_text_of, value)) if isinstance(value, list) else []
    except InputError:
        return []
    if kind is Kind.CUSTOMER_ID and len(texts) > 1:
        return list(map(uncovered, texts))
    return texts


def _of_somebody(
    own_ids: Sequence[str], values: Sequence[str], several: Collection[int]
) -> Sequence[str]:
    """
    *own_ids* but for those of places where nobody is.
    """
    return [
        own_id if value or place in several else ""
        for place, (own_id, value) in enumerate(zip(own_ids, values, strict=True))
    ]


# Correlation ids.


def _own_ids(column: Sequence[Any], reasons: MutableMapping[int, str]) -> Sequence[str]:
    """
    The correlation ids in *column* as the API takes them.
    """
    joined, texts, others = _joined(column)
    if _may_be_covered(joined):
        texts = list(map(uncovered, texts))
    if joined.split(None, 1) != [joined]:
        texts = list(map(str.strip, texts))
    reasons.update(dict.fromkeys(others, BAD_CORRELATION_ID))
    longest = max(map(len, texts), default=0)
    if not joined.isascii() or longest > MOST_CORRELATION_BYTES:
        for place, text in enumerate(texts):
            try:
                if text:
                    check_correlation_id(text)
            except InputError:
                reasons[place] = BAD_CORRELATION_ID
    return texts


def _may_be_covered(joined: str) -> bool:
    return "'" in joined or '="' in joined


# An apostrophe that keeps a spreadsheet from taking a cell for a formula, and what
# keeps it from taking a text for a number.
_COVERED = re.compile(r"""\s*(?:'(?=[=@+\-\t\r])(.*)|="([^"]*)"\s*)""", re.DOTALL)


def uncovered(cell: str) -> str:
    """
    *cell* without what was put around it for a spreadsheet's sake.
    """
    found = _COVERED.fullmatch(cell)
    return cell if found is None else (found[1] or found[2] or "")


# What is kept.


def _kept_texts(column: Sequence[Any]) -> Sequence[str]:
    """
    *column* as texts; empty ones where nothing is.
    """
    try:
        "".join(column)
    except TypeError:
        return list(map(_kept_text, column))
    return column


def _kept_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (bool, list, dict)):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return str(value)
