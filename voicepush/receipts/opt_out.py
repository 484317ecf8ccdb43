"""
Reads an opt-out by key-press, strictly: who is misread would be called again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl

import attrs

from voicepush.errors import InputError
from voicepush.masking import mask_numbers, masked_repr, shown
from voicepush.model.recipients import Kind
from voicepush.model.suppression import check_value, check_words
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Reason

#: Where the request names none.
CATEGORY = "pressed a key"

_NUMBER, _CUSTOMER_ID, _CATEGORY = _FIELDS = ("number", "customer_id", "category")

#: So many are looked at to say which is one too many.
_MOST_FIELDS = 10

#: No customer id of anyone's is longer, in bytes.
_MOST_BYTES = 1000

#: The flow builder puts the value of a variable in the place of ``$(its name)``; where
#: there is no such variable, that may be left as it is.
_UNFILLED = "$("


@attrs.frozen
class OptOut:
    """
    Someone who has pressed a key to be called no more.
    """

    #: Their number in normal form, their customer id, or both.
    people: Sequence[tuple[Kind, str]] = attrs.field(repr=False)
    category: str = CATEGORY


def read_opt_out(body: bytes, content_type: str = "") -> OptOut:
    """
    What *body* says, a JSON object or a form.

    Args:
        content_type: As it was announced; what begins as a JSON object is one,
            whatever was.

    Raises:
        InputError: It can't be understood; the text has nobody's number in it.
    """
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise InputError("the body is no UTF-8; post a JSON object or a form") from None
    if not text:
        raise InputError("the body is empty; post a JSON object or a form")
    is_json = text[0] in "{[" or content_type.lower().endswith("json")
    fields = _fields(_in_json(text) if is_json else _in_form(text))
    people = []
    if _NUMBER in fields:
        people.append((Kind.MSISDN, _number(fields[_NUMBER])))
    if _CUSTOMER_ID in fields:
        people.append((Kind.CUSTOMER_ID, _customer_id(fields[_CUSTOMER_ID])))
    if not people:
        raise InputError(f"there is no {_NUMBER} and no {_CUSTOMER_ID}")
    category = fields.get(_CATEGORY, CATEGORY)
    _check_filled(_CATEGORY, category)
    return OptOut(people, check_words(category, _CATEGORY) or CATEGORY)


class _Pairs(list[tuple[str, Any]]):
    """
    The names and values of a JSON object, also those that come twice.
    """


def _in_json(text: str) -> Iterable[tuple[str, Any]]:
    try:
        found = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        raise InputError("the body is no JSON") from None
    if not isinstance(found, _Pairs):
        raise InputError(f"the body is no JSON object; post one with {_NUMBER}")
    return found


def _in_form(text: str) -> Iterable[tuple[str, Any]]:
    try:
        return parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise InputError("the body is neither a JSON object nor a form") from None


def _fields(pairs: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """
    The fields that are filled.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in pairs:
        if name not in _FIELDS:
            words = masked_repr(shown(name, 60))
            raise InputError(f"the field {words} is none of {', '.join(_FIELDS)}")
        if name in seen:
            raise InputError(f"the field {name} is there twice")
        seen.add(name)
        text = _text(name, value)
        if text:
            found[name] = text
    return found


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text or a whole number")
    return value.strip()


def _number(text: str) -> str:
    _check_filled(_NUMBER, text)
    # The platform leaves the plus out now and then, never the calling code.
    found = normalise(text, international=True)
    if isinstance(found, Reason):
        raise InputError(f"{_NUMBER}: {mask_numbers(str(found))}")
    return found


def _customer_id(text: str) -> str:
    _check_filled(_CUSTOMER_ID, text)
    if len(text.encode("utf-8", "replace")) > _MOST_BYTES:
        raise InputError(f"{_CUSTOMER_ID} has more than {_MOST_BYTES:,} bytes")
    try:
        return check_value(Kind.CUSTOMER_ID, text)
    except InputError as error:
        raise InputError(f"{_CUSTOMER_ID}: {error}") from None


def _check_filled(name: str, text: str) -> None:
    if text.startswith(_UNFILLED):
        raise InputError(f"{name} is a variable that was not filled in")
