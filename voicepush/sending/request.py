"""
Batch -> body bytes: the only module that uses cattrs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.msgspec import MsgspecJsonConverter, make_converter

from voicepush.model.batch import Batch
from voicepush.model.message import Priority, VoiceMessage, parse_time
from voicepush.model.recipients import MOST_PER_REQUEST, Destination, Recipient

#: The fields of `VoiceMessage` that belong to the channel in a request.
_OF_THE_CHANNEL = ("media", "callflowid", "cli")


#: How the API spells what Python spells otherwise.
_RENAMED: dict[str, Any] = {
    "callflow": override(rename="callflowid"),
    "correlation_id": override(rename="correlationid"),
    "notify_url": override(rename="notifyurl"),
    "callback_data": override(rename="callbackData"),
}


def format_time(moment: datetime) -> str:
    """
    *moment* as the API takes it: in UTC, with milliseconds and ``Z``.
    """
    in_utc = moment.astimezone(UTC).replace(tzinfo=None)
    return in_utc.isoformat(timespec="milliseconds") + "Z"


def _make_converter() -> MsgspecJsonConverter:
    converter = make_converter()
    converter.register_unstructure_hook(datetime, format_time)
    converter.register_structure_hook(datetime, lambda text, _: parse_time(text))
    # Factories make the functions when they are first needed, not on import.
    converter.register_unstructure_hook_factory(
        lambda cls: cls is VoiceMessage,
        lambda _: make_dict_unstructure_fn(
            VoiceMessage,
            converter,
            _cattrs_omit_if_default=True,
            # Unions are told apart by hand: the wire knows moments only.
            expiry=override(unstruct_hook=format_time),
            priority=override(unstruct_hook=str),
            **_RENAMED,
        ),
    )
    converter.register_structure_hook_factory(
        lambda cls: cls is VoiceMessage,
        lambda _: make_dict_structure_fn(
            VoiceMessage,
            converter,
            expiry=override(struct_hook=lambda text, _: text and parse_time(text)),
            priority=override(struct_hook=lambda value, _: value and Priority(value)),
            **_RENAMED,
        ),
    )
    converter.register_unstructure_hook_factory(
        lambda cls: cls is Destination,
        lambda _: make_dict_unstructure_fn(
            Destination,
            converter,
            _cattrs_omit_if_default=True,
            customer_id=override(rename="customerid"),
            correlation_id=override(rename="correlationid"),
        ),
    )
    return converter


_converter = _make_converter()


def dump_message(message: VoiceMessage) -> str:
    """
    *message* as JSON, to be kept; its expiry must be a moment.
    """
    return _converter.dumps(message).decode()


def load_message(text: str) -> VoiceMessage:
    """
    The message that `dump_message` wrote.
    """
    return _converter.loads(text.encode(), VoiceMessage)


def encode(
    batch: Batch, places: Sequence[int] | None = None, *, request_id: str | None = None
) -> bytes:
    """
    The body of a request for *batch*, or for those of its destinations at *places*.

    The destinations are joined from columns: building and encoding an object for each
    of them would cost about ten times as much.

    Args:
        request_id: The correlation id of the request, if its message has none.
    """
    head, tail = _head(batch.message), "]}"
    if request_id is not None and batch.message.correlation_id is None:
        tail = f'],"correlationid":"{request_id}"}}'
    if places is None or len(places) == len(batch):
        places, between = range(len(batch)), _BETWEEN[: len(batch)]
        destinations: Sequence[Recipient] = batch.destinations
    else:
        between = tuple(map(_BETWEEN.__getitem__, places))
        destinations = [batch.destinations[place] for place in places]
    if not (batch.plain and _needs_no_escape(destinations, batch.key)):
        own = batch.correlation_ids
        entries = [
            _entry(destination, own[place])
            for place, destination in zip(places, destinations, strict=True)
        ]
        return head.encode() + msgspec.json.encode(entries)[1:-1] + tail.encode()
    # Numbers, keys and what is between, each put into every third place at once.
    many = len(destinations)
    pieces: list[Any] = [head + _OPENING] * (1 + 3 * many)
    pieces[1::3] = destinations
    pieces[2::3] = ['"],"correlationid":"' + batch.key] * many
    pieces[3::3] = between
    pieces[-1] = pieces[-1].removesuffix("," + _OPENING) + tail
    return "".join(pieces).encode()


@lru_cache(maxsize=64)
def _head(message: VoiceMessage) -> str:
    """
    What stands before the first destination in a request of *message*.
    """
    fields = _converter.unstructure(message)
    voice = {name: fields.pop(name) for name in _OF_THE_CHANNEL if name in fields}
    body = msgspec.json.encode(
        {
            "deliverychannel": "voice",
            "channels": {"voice": voice},
            **fields,
            "destination": [],
        }
    )
    return body[: -len(b"]}")].decode()


_OPENING = '{"msisdn":["'


#: What stands between the key in one of our own ids and the next number, by place.
_BETWEEN = tuple(f'-{place}"}},{_OPENING}' for place in range(MOST_PER_REQUEST))


def _needs_no_escape(numbers: Sequence[Recipient], key: str) -> bool:
    text = "".join([key, *numbers])  # type: ignore[list-item]  # all are texts
    return len(msgspec.json.encode(text)) == len(text) + len('""')


def _entry(destination: str | Destination, correlation_id: str) -> dict[str, Any]:
    if isinstance(destination, str):
        return {"msisdn": [destination], "correlationid": correlation_id}
    fields: dict[str, Any] = _converter.unstructure(destination)
    return {**fields, "correlationid": correlation_id}
