"""
Columns as a source gave them become a block; what is not usual is looked at alone.
"""

from __future__ import annotations

import re
from collections.abc import (
    Callable,
    Collection,
    Mapping,
    MutableMapping,
    Sequence,
)
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
    reasons = dict(malformed)
    values, several = _values(columns.values, kind, reasons)
    own_ids = None
    if columns.own_ids is not None:
        own_ids = _own_ids(columns.own_ids, values, several, reasons)
    widths = None
    if several:
        groups = [[value] for value in values]
        for place, texts in several.items():
            groups[place] = texts
        widths = list(map(len, groups))
        values = [value for group in groups for value in group]
    recipients = Recipients(
        kind,
        values,
        columns.rows,
        own_ids,
        widths,
        kept={header: kept_texts(column) for header, column in columns.kept.items()},
    )
    if not reasons and not elsewhere:
        return Block(recipients)
    good = bytearray(b"\1") * len(recipients)
    for place in (*reasons, *elsewhere):
        good[place] = 0
    return Block(
        _without_needless(recipients.taken(good)),
        [
            malformed_row(
                columns.rows[place],
                str(columns.values[place]) if shown is None else shown(place),
                reasons[place],
            )
            for place in sorted(reasons)
        ],
    )


def malformed_row(row: int, shown: str, reason: str) -> Malformed:
    """
    A row that is no recipient.
    """
    return Malformed(row, shown[:_MALFORMED_TEXT], reason)


def _without_needless(recipients: Recipients) -> Recipients:
    # The only one with several values, or with an id, may be among those left out.
    ids, widths = recipients.correlation_ids, recipients.widths
    needless_ids = ids is not None and not any(ids)
    needless_widths = widths is not None and set(widths) <= {1}
    if not needless_ids and not needless_widths:
        return recipients
    return Recipients(
        recipients.kind,
        recipients.values,
        recipients.rows,
        None if needless_ids else ids,
        None if needless_widths else widths,
        kept=recipients.kept,
    )


# Values.


def _values(
    column: Sequence[Any], kind: Kind, reasons: MutableMapping[int, str]
) -> tuple[Sequence[str], dict[int, list[str]]]:
    """
    The values in *column* as texts, and those of the places that have several.
    """
    several: dict[int, list[str]] = {}
    try:
        joined = "".join(column)  # the fastest way to find out if all are texts
    except TypeError:
        column = _texts(column, kind, several, reasons)
        joined = "".join(column)
    if kind is Kind.CUSTOMER_ID and ("'" in joined or '="' in joined):
        column = list(map(_uncovered, column))
    return column, several


def _texts(
    column: Sequence[Any],
    kind: Kind,
    several: MutableMapping[int, list[str]],
    reasons: MutableMapping[int, str],
) -> Sequence[str]:
    if set(map(type, column)) <= {str, int}:
        return list(map(str, column))
    texts = []
    for place, value in enumerate(column):
        text = ""
        try:
            if isinstance(value, list):
                text = _text_of_list(value, kind, several, place)
            else:
                text = _text_of(value)
        except InputError:
            reasons.setdefault(place, BAD_VALUES)
        texts.append(text)
    return texts


def _text_of_list(
    value: list[Any], kind: Kind, several: MutableMapping[int, list[str]], place: int
) -> str:
    texts = list(map(_text_of, value))
    if len(texts) == 1:
        return texts[0]
    if kind is Kind.CUSTOMER_ID:
        texts = list(map(_uncovered, texts))
    if not texts or not all(texts) or len(texts) > MOST_PER_REQUEST:
        raise InputError(BAD_VALUES)
    several[place] = texts
    return ""


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)  # a float is left to screening, which knows what was lost
    raise InputError("a value must be a text or a number")


# Correlation ids.


def _own_ids(
    column: Sequence[Any],
    values: Sequence[str],
    several: Mapping[int, list[str]],
    reasons: MutableMapping[int, str],
) -> Sequence[str] | None:
    """
    The correlation ids in *column* as the API takes them; None if there are none.
    """
    try:
        joined = "".join(column)
    except TypeError:
        usual = False
    else:
        if not joined:
            return None
        usual = _is_usual(joined) and max(map(len, column)) <= MOST_CORRELATION_BYTES
    if not usual:
        column = [_own_id(each, place, reasons) for place, each in enumerate(column)]
    if not all(values):
        # Nobody is at such a place, so nobody has its id.
        column = [
            own_id if value or place in several else ""
            for place, (own_id, value) in enumerate(zip(column, values, strict=True))
        ]
        usual = False
    return column if usual or any(column) else None


def _is_usual(joined: str) -> bool:
    """
    Whether no id in *joined* can have a cover or spaces, or more bytes than letters.
    """
    return (
        joined.isascii()
        and joined.split(None, 1) == [joined]
        and "'" not in joined
        and '="' not in joined
    )


def _own_id(value: Any, place: int, reasons: MutableMapping[int, str]) -> str:
    try:
        text = _uncovered(_text_of(value)).strip()
        return check_correlation_id(text) if text else ""
    except InputError:
        reasons[place] = BAD_CORRELATION_ID
        return ""


# An apostrophe that keeps a spreadsheet from taking a cell for a formula, and what
# keeps it from taking a text for a number.
_COVERED = re.compile(r"""\s*(?:'(?=[=@+\-\t\r])(.*)|="([^"]*)"\s*)""", re.DOTALL)


def _uncovered(cell: str) -> str:
    """
    *cell* without what was put around it for a spreadsheet's sake.
    """
    found = _COVERED.fullmatch(cell)
    return cell if found is None else (found[1] or found[2] or "")


# What is kept.


def kept_texts(column: Sequence[Any]) -> Sequence[str]:
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
