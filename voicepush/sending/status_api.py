"""
Answers of the status API -> what they say of each call, read leniently.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

import attrs
import msgspec

from voicepush.masking import mask, only_count, shown
from voicepush.sending.answer import HIDDEN, status_text, without_key
from voicepush.sending.codes import Meaning, meaning_of_code, meaning_of_status

#: So many bytes of a text are kept; no word of the platform is longer.
_MOST_TEXT_BYTES = 300

#: The names of fields that tell whose an element is, as `_Element` has them.
_RECIPIENT = ("to", "destination")
_TRANSACTION = ("transactionid", "transid")

#: What the names of fields may have between their words.
_WITHOUT_SIGNS = str.maketrans("", "", "_- ")


@attrs.frozen(kw_only=True)
class CallStatus:
    """
    What the platform says of one call, in its own words.
    """

    #: What became of it: "queued", "answered", "no answer" and so on.
    status: str
    #: Who is called; a number may lack its plus.
    recipient: str = attrs.field(default="", repr=mask)
    transaction_id: str = ""
    #: When that was last changed, or when the call was asked for.
    updated: str = ""
    error_code: str = ""
    error_message: str = ""
    #: The element as it came.
    body: bytes = attrs.field(default=b"", repr=only_count)


@attrs.frozen
class Statuses:
    """
    An answer on the transaction that was asked for.
    """

    calls: Sequence[CallStatus] = attrs.field(repr=only_count)
    #: Whether it bears that transaction's id.
    is_proven: bool = False


@attrs.frozen
class Refusal:
    """
    None.
    """

    #: What it comes to, as for a request that calls people.
    meaning: Meaning
    #: What all that fail the same way have in common.
    way: str
    #: What happened, in words.
    words: str
    #: Whether the service itself refuses to tell of this transaction.
    is_answer: bool = False


StatusAnswer: TypeAlias = Statuses | Refusal

_NO_LIST = Refusal(
    Meaning.IN_DOUBT, "no list", "the answer does not list what became of calls"
)

_ANOTHERS = Refusal(
    Meaning.IN_DOUBT, "another's", "the answer belongs to another request"
)

#: The path is not there for this tenant, or does not know the transaction; a request
#: that calls people may do better.
_NOT_THERE = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)


class _Element(NamedTuple):
    """
    One object of an answer, by names in lower case and without signs, and as it came.
    """

    fields: Mapping[str, Any]
    body: bytes


def path_of(transaction_id: str) -> str:
    """
    Where a transaction's status stands, below the path of the API.
    """
    return f"/status/{quote(transaction_id, safe='')}"


def read_statuses(
    status: int,
    body: bytes,
    transaction_id: str,
    *,
    asks_to_wait: bool = False,
    fresh: bool = True,
    secret: str = "",
) -> StatusAnswer:
    """
    What an answer says of the calls of *transaction_id*. It never fails.

    A code in a well-formed body wins over the HTTP *status*. As for a request that
    calls people, an answer must prove to be on this one: by the transaction's id, or
    by a connection that carried nothing before. A server may send one answer too many.

    Args:
        asks_to_wait: Whether there is a ``Retry-After``.
        fresh: Whether the connection carried nothing before.
        secret: Is taken out of what the answer says, where that repeats it.
    """
    if secret:
        body = body.replace(secret.encode(), HIDDEN.encode())
    elements = _elements(body)
    for element in elements or ():
        refusal = _refusal(element, secret)
        if refusal is not None:
            return refusal
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _refusal_by(status, asks_to_wait=asks_to_wait)
    calls = [_call(each, secret) for each in elements or () if _is_call(each)]
    if elements is None or (elements and not calls):
        return _NO_LIST
    ours = [each for each in calls if _is_of(each, transaction_id)]
    if calls and not ours:
        return _ANOTHERS
    is_proven = any(each.transaction_id for each in ours)
    return Statuses(ours, is_proven) if is_proven or fresh else _ANOTHERS


def _elements(body: bytes) -> list[_Element] | None:
    """
    The objects in the list that *body* is or holds, or the object that it is; None if
    it is neither.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    for raw in _lists(body):
        found = [
            _Element(fields, bytes(each)) for each in raw if (fields := _folded(each))
        ]
        if found or not raw:
            return found
    fields = _folded(body)
    return [_Element(fields, body)] if fields else None


def _lists(body: bytes) -> Iterator[Sequence[msgspec.Raw]]:
    found = _decoded(body, list[msgspec.Raw])
    if found is not None:
        yield found
        return
    for value in (_decoded(body, dict[str, msgspec.Raw]) or {}).values():
        found = _decoded(value, list[msgspec.Raw])
        if found is not None:
            yield found


def _folded(body: msgspec.Raw | bytes) -> dict[str, Any]:
    fields = _decoded(body, dict[str, Any]) or {}
    return {
        name.lower().translate(_WITHOUT_SIGNS): value for name, value in fields.items()
    }


def _decoded(body: msgspec.Raw | bytes, type_: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=type_)
    except (ValueError, RecursionError):
        return None


def _text(element: _Element, *names: str) -> str:
    """
    What stands under the first of *names* that is there.
    """
    for name in names:
        value = element.fields.get(name)
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _is_call(element: _Element) -> bool:
    """
    Whether *element* says something of someone; errors have a ``status``, too.
    """
    whose = _text(element, *_RECIPIENT, *_TRANSACTION)
    return bool(whose and _text(element, "status"))


def _call(element: _Element, secret: str) -> CallStatus:
    def told(*names: str) -> str:
        return shown(without_key(_text(element, *names), secret), _MOST_TEXT_BYTES)

    return CallStatus(
        status=told("status"),
        recipient=_text(element, *_RECIPIENT),
        transaction_id=_text(element, *_TRANSACTION),
        updated=told("lastupdated", "datecreated"),
        error_code=told("errorcode"),
        error_message=told("errormessage"),
        body=element.body,
    )


def _is_of(call: CallStatus, transaction_id: str) -> bool:
    """
    Whether *call* may be one of *transaction_id*: each of a request may be called as
    that, with a number behind.
    """
    name, _, number = call.transaction_id.rpartition("_")
    return call.transaction_id in ("", transaction_id) or (
        name == transaction_id and number.isdecimal()
    )


def _refusal(element: _Element, secret: str) -> Refusal | None:
    if _text(element, *_RECIPIENT):
        return None
    code = without_key(_text(element, "code"), secret)
    words = without_key(_text(element, "description", "message"), secret)
    meaning = meaning_of_code(code, words)
    if not code or meaning is Meaning.ACCEPTED:
        return None
    code, words = shown(code, _MOST_TEXT_BYTES), shown(words, _MOST_TEXT_BYTES)
    return Refusal(meaning, code, f"{code} {words}".strip(), is_answer=True)


def _refusal_by(status: int, *, asks_to_wait: bool) -> Refusal:
    meaning = meaning_of_status(status, asks_to_wait=asks_to_wait)
    if status in _NOT_THERE:
        meaning = Meaning.REJECTED
    words = status_text(status)
    is_answer = meaning is Meaning.REJECTED
    return Refusal(meaning, words, words, is_answer=is_answer)
