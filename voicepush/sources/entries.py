"""
Cells and JSON values become entries of a block.
"""

from __future__ import annotations

import re
from collections.abc import (
    Iterable,
    Sequence,
)
from itertools import repeat
from typing import Any

from voicepush.errors import InputError
from voicepush.model.fields import check_correlation_id
from voicepush.model.recipients import Destination
from voicepush.sources.blocks import Entry, Malformed

#: Why a row is malformed.
NOT_A_RECORD = "not a JSON text, nor an object with a msisdn or customerid"


BAD_CORRELATION_ID = "the correlation id is no text of 1 to 50 bytes"


BAD_VALUES = "not between 1 and 1,000 values that are texts"


UNDECIDED_FIELD = "several fields may hold the number; choose one with --column"


_MALFORMED_TEXT = 200


# Cells and JSON values become entries.


def entries(columns: list[list[Any]], *, customers: bool) -> Sequence[Entry]:
    """
    The entries in *columns*: the values, and their correlation ids if there are any.
    """
    values, *ids = columns
    if not ids and not customers and _are_texts(values):
        return values
    own_ids: Iterable[Any] = ids[0] if ids else repeat(None, len(values))
    return [
        entry_of(value, own_id, customers=customers, shown=str(value))
        for value, own_id in zip(values, own_ids, strict=True)
    ]


def _are_texts(values: Sequence[object]) -> bool:
    try:
        "".join(values)  # type: ignore[arg-type]  # the fastest way to find out
    except TypeError:
        return False
    return True


def entry_of(value: Any, correlation_id: Any, *, customers: bool, shown: str) -> Entry:
    """
    The entry that one value makes, with its correlation id.
    """
    if isinstance(value, str) and correlation_id in (None, "") and not customers:
        return value
    try:
        own_id = _own_id(correlation_id)
    except InputError:
        return malformed(shown, BAD_CORRELATION_ID)
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
        return malformed(shown, BAD_VALUES)


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


def malformed(shown: str, reason: str) -> Malformed:
    """
    A row that is no recipient.
    """
    return Malformed(shown[:_MALFORMED_TEXT], reason)
