"""
The requests that ring nobody: each lacks what a call needs, for two reasons or more.

This is the whole list of what a check sends unasked; docs/check.md shows it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import attrs
import msgspec

from voicepush.sending.request import format_time

#: Stands in place of the service key where a wrong one is tried.
WRONG_KEY = "voicepush-check"

#: No tenant has such a prompt, and no text without digits or letters can be dialled.
_MEDIA = "voicepush-check-no-such-prompt"
_VALUES = ("-", "--")


class Key(enum.Enum):
    """
    Which key a request carries.
    """

    OWN = enum.auto()
    WRONG = enum.auto()
    NONE = enum.auto()


@attrs.frozen
class Harmless:
    """
    A request that rings nobody.
    """

    #: What it is, in a few words that follow "the answer to".
    name: str
    body: bytes = attrs.field(repr=False)
    #: The codes that are believed to answer it.
    expected: Sequence[str]
    key: Key = Key.OWN
    #: The id of the request, and those of its destinations.
    request_id: str = ""
    ids: Sequence[str] = ()


def empty() -> Harmless:
    """
    An object without any field.
    """
    return Harmless("an empty request", b"{}", ("7003",))


def broken() -> Harmless:
    """
    No JSON at all.
    """
    return Harmless("a request that is no JSON", b"{", ("7000",))


def keyless() -> Harmless:
    """
    An empty request without a service key.
    """
    return Harmless("an empty request without a key", b"{}", ("7002",), Key.NONE)


def wrong_key() -> Harmless:
    """
    An empty request with a key that is nobody's.
    """
    return Harmless("an empty request with a wrong key", b"{}", ("7001",), Key.WRONG)


def nobody() -> Harmless:
    """
    A request without destinations.
    """
    return Harmless("a request to nobody", _body([]), ("7003", "7004"))


def unusable(tag: str, number: int = len(_VALUES)) -> Harmless:
    """
    A request whose destinations hold no digit, for a prompt that does not exist.

    Args:
        tag: The ids begin with it.
        number: How many destinations it has, at most 2.
    """
    ids = [f"{tag}-{place}" for place in range(number)]
    entries = [
        {"msisdn": [value], "correlationid": each}
        for value, each in zip(_VALUES, ids, strict=False)
    ]
    request_id = f"{tag}-request"
    body = _body(entries, correlationid=request_id)
    name = "a request to unusable destinations"
    return Harmless(name, body, ("7004", "7102"), request_id=request_id, ids=ids)


def late(tag: str, expiry: datetime, words: str) -> Harmless:
    """
    The same with an *expiry*.

    Args:
        words: When that is.
    """
    entries = [{"msisdn": [_VALUES[0]], "correlationid": tag}]
    body = _body(entries, expiry=format_time(expiry))
    name = f"a request to an unusable destination with an expiry {words}"
    return Harmless(name, body, ("7005", "7004", "7102"), ids=(tag,))


def _body(entries: Sequence[dict[str, Any]], **fields: str) -> bytes:
    return msgspec.json.encode(
        {
            "deliverychannel": "voice",
            "channels": {"voice": {"media": _MEDIA}},
            "destination": entries,
            **fields,
        }
    )
