"""
The requests that ring nobody: each lacks what a call needs, for two reasons or more.

This is the whole list of what a check sends unasked; docs/check.md shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from voicepush.checking.request import Key, Request
from voicepush.sending.request import format_time

#: Stands in place of the service key where a wrong one is tried.
WRONG_KEY = "voicepush-check"

#: No tenant has such a prompt, and no text without digits or letters can be dialled.
_MEDIA = "voicepush-check-no-such-prompt"
_VALUES = ("-", "--")


def empty() -> Request:
    """
    An object without any field.
    """
    return Request("an empty request", b"{}", ("7003",))


def broken() -> Request:
    """
    No JSON at all.
    """
    return Request("a request that is no JSON", b"{", ("7000",))


def keyless() -> Request:
    """
    An empty request without a service key.
    """
    return Request("an empty request without a key", b"{}", ("7002",), Key.NONE)


def wrong_key() -> Request:
    """
    An empty request with a key that is nobody's.
    """
    return Request("an empty request with a wrong key", b"{}", ("7001",), Key.WRONG)


def nobody() -> Request:
    """
    A request without destinations.
    """
    return Request("a request to nobody", _body([]), ("7003", "7004"))


def unusable(tag: str, number: int = len(_VALUES)) -> Request:
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
    return Request(name, body, ("7004", "7102"), request_id=request_id, ids=ids)


def late(tag: str, expiry: datetime, words: str) -> Request:
    """
    The same with an *expiry*.

    Args:
        words: When that is.
    """
    entries = [{"msisdn": [_VALUES[0]], "correlationid": tag}]
    body = _body(entries, expiry=format_time(expiry))
    name = f"a request to an unusable destination with an expiry {words}"
    return Request(name, body, ("7005", "7004", "7102"), ids=(tag,))


def _body(entries: Sequence[dict[str, Any]], **fields: str) -> bytes:
    return msgspec.json.encode(
        {
            "deliverychannel": "voice",
            "channels": {"voice": {"media": _MEDIA}},
            "destination": entries,
            **fields,
        }
    )
