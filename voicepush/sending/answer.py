"""
Answer bytes -> what they say of each destination.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import attrs
import msgspec

from voicepush.masking import shown
from voicepush.model.batch import is_generated_id
from voicepush.sending.codes import Meaning, meaning_of_code, meaning_of_status

#: What the service says is kept up to so many bytes.
_MOST_TEXT_BYTES = 500


_MOST_CODE_BYTES = 50


#: What stands where the service repeated the key.
HIDDEN = "<service key>"
HIDDEN_TOKEN = "<token>"  # noqa: S105 -- which shows none


class ResponseItem(NamedTuple):
    """
    What an answer says of one destination, or of all.
    """

    meaning: Meaning
    code: str | None
    description: str


@attrs.frozen
class Answer:
    """
    An answer in columns: one entry for all destinations, or one for each.
    """

    items: Sequence[ResponseItem]
    #: None, one for all, or one for each; empty texts where there is none.
    transaction_ids: Sequence[str] = ()
    #: Whether it has a correlation id of this request, and none of another.
    proven: bool = False


#: The verdict on a destination that an answer passes over.
UNMATCHED = ResponseItem(
    Meaning.IN_DOUBT, None, "the answer says nothing about this destination"
)


#: The verdict on all where the answer was meant for others.
ANOTHERS = ResponseItem(Meaning.IN_DOUBT, None, "the answer belongs to another request")


def decode(  # noqa: PLR0911 -- the cases in their order
    status: int,
    body: bytes,
    ids: Sequence[str],
    *,
    request_id: str | None = None,
    asks_to_wait: bool = False,
    fresh: bool = True,
    secret: str = "",
) -> Answer:
    """
    What an answer says of the destinations with these correlation *ids*.

    A code in a well-formed body wins over the HTTP *status*, which decides only where
    there is none. An element is matched by its correlation id where that is present
    and unique, else by place where the counts agree; one element without the id of
    a single destination stands for all. Whatever stays unmatched is in doubt, and so
    is everyone if there is an id in our own form that is not of this request: a server
    or proxy may send one answer too many, which the next request must not believe.

    Args:
        request_id: The correlation id of this very request, if we made it.
        asks_to_wait: Whether there is a ``Retry-After``.
        fresh: Whether the connection carried nothing before. Only then may an id that
            nobody gave be one that the service made up; else it is another request's.
        secret: Is taken out of what the answer says, where that repeats it.
    """
    codes, descriptions, transaction_ids, theirs = _columns(body)
    items = _items(codes, descriptions, secret)
    if not any(item.code for item in items):
        meaning = meaning_of_status(status, asks_to_wait=asks_to_wait)
        return Answer([ResponseItem(meaning, None, status_text(status))])
    transaction_ids = _printable(transaction_ids, secret)
    if len(theirs) == 1 and (
        # An id that is empty is not looked for; that would cost making all of them.
        not theirs[0] or theirs[0] == request_id
    ):
        return Answer(items, transaction_ids, proven=bool(theirs[0]))
    ids = list(ids)
    distinct = set(theirs)
    # Equal lists prove an order only where no id comes twice.
    if theirs == ids and len(distinct) == len(ids):
        return Answer(items, transaction_ids, proven=True)
    foreign = distinct.difference(ids, [request_id, ""])
    if any(map(is_generated_id, foreign)) or (foreign and not fresh):
        return Answer([ANOTHERS])
    proven = len(distinct - {""}) > len(foreign)
    if len(theirs) == 1 and (len(ids) == 1 or theirs[0] not in ids):
        return Answer(items, transaction_ids, proven)
    if len(distinct) == 1 and theirs[0] not in ids:
        theirs = [""] * len(theirs)  # the request's own id tells nothing apart
    if len(theirs) == len(ids) and not any(theirs):
        return Answer(items, transaction_ids, proven)
    if len(items) == 1:
        items = list(items) * len(theirs)
    found = _match(theirs, ids, items)
    return Answer(
        [UNMATCHED if at is None else items[at] for at in found],
        ["" if at is None else transaction_ids[at] for at in found],
        proven,
    )


class _Element(msgspec.Struct, gc=False):
    """
    An element as it is by rule; anything else is looked at field by field.
    """

    code: str
    description: str
    transid: str
    correlationid: str


class _Response(msgspec.Struct):
    response: list[_Element]


_decode_response = msgspec.json.Decoder(_Response).decode


_decode_anything = msgspec.json.Decoder().decode


def _columns(body: bytes) -> list[list[Any]]:
    """
    The codes, descriptions, transaction ids and correlation ids of an answer.

    All are texts; a code that is missing may be None.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        elements = _decode_response(body).response
    except (ValueError, RecursionError):
        # An element that is no object still counts: places must not shift.
        objects = [each if isinstance(each, dict) else {} for each in _elements(body)]
        return [
            [kind(each.get(field)) for each in objects]
            for field, kind in _KINDS.items()
        ]
    return [
        [element.code for element in elements],
        [element.description for element in elements],
        [element.transid for element in elements],
        [element.correlationid for element in elements],
    ]


def _elements(body: bytes) -> list[Any]:
    try:
        answer = _decode_anything(body)
    except (ValueError, RecursionError):
        return []
    if isinstance(answer, dict):
        answer = answer.get("response", answer)
    if isinstance(answer, dict):
        answer = [answer]
    return answer if isinstance(answer, list) else []


def _code(value: object) -> str | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _id(value: object) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else _text(value)


_KINDS: dict[str, Callable[[object], str | None]] = {
    "code": _code,
    "description": _text,
    "transid": _id,
    "correlationid": _id,
}


def _items(
    codes: Sequence[str | None], descriptions: Sequence[str], secret: str
) -> Sequence[ResponseItem]:
    """
    What *codes* and *descriptions* mean, as one item if all of them say the same.
    """
    if len(set(codes)) == len(set(descriptions)) == 1:
        return [_item(codes[0], descriptions[0], secret)]
    said = list(zip(codes, descriptions, strict=True))
    items = {each: _item(*each, secret) for each in set(said)}
    return list(map(items.__getitem__, said))


def _item(code: str | None, description: str, secret: str) -> ResponseItem:
    code = _code(code)
    if code is None:
        return UNMATCHED
    meaning = meaning_of_code(code, description)
    return ResponseItem(
        meaning,
        shown(without_key(code, secret), _MOST_CODE_BYTES),
        shown(without_key(description, secret), _MOST_TEXT_BYTES),
    )


#: What any token looks like: three parts, of which the first is an
#: object in base64.
_TOKEN = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")


def without_key(text: str, secret: str) -> str:
    """
    *text* without the service key, if that is given and the service has repeated it,
    and without tokens that stand for one.
    """
    text = text.replace(secret, HIDDEN) if secret else text
    return _TOKEN.sub(HIDDEN_TOKEN, text) if "eyJ" in text else text


def _printable(texts: list[str], secret: str) -> list[str]:
    together = "".join(texts)
    if together.isprintable() and not (secret and secret in together):
        return texts
    return [shown(without_key(text, secret), _MOST_TEXT_BYTES) for text in texts]


def _match(
    theirs: Sequence[str], ids: Sequence[str], items: Sequence[ResponseItem]
) -> list[int | None]:
    """
    Which element speaks of which destination, as an index or None for each of *ids*.
    """
    bearers = Counter(ids)
    places = {
        correlation_id: place
        for place, correlation_id in enumerate(ids)
        if bearers[correlation_id] == 1
    }
    found: list[int | None] = [None] * len(ids)
    contradicted = set()
    in_order = len(theirs) == len(ids)
    for at, correlation_id in enumerate(theirs):
        place = places.get(correlation_id)
        if place is None:
            continue
        earlier = found[place]
        if earlier is not None and items[earlier] != items[at]:
            contradicted.add(place)
        found[place] = at
        in_order = in_order and place == at
    for place in contradicted:
        found[place] = None
    if in_order:  # so an element without an id can be trusted to be at its place
        for at, correlation_id in enumerate(theirs):
            if not correlation_id and found[at] is None:
                found[at] = at
    return found


def status_text(status: int) -> str:
    """
    An answer without a code, in words.
    """
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    return f"HTTP {status}{phrase}, without a code in the body"
