"""
Batch -> body bytes: the only module that uses cattrs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from voicepush.model.batch import Batch
from voicepush.model.message import Priority, VoiceMessage, parse_time
from voicepush.model.recipients import MOST_PER_REQUEST, Kind

if TYPE_CHECKING:
    from cattrs.preconf.msgspec import MsgspecJsonConverter

#: The fields of `VoiceMessage` that belong to the channel in a request.
_OF_THE_CHANNEL = ("media", "callflowid", "cli")


#: How the API spells what Python spells otherwise.
_RENAMED = {
    "callflow": "callflowid",
    "correlation_id": "correlationid",
    "notify_url": "notifyurl",
    "callback_data": "callbackData",
}


def format_time(moment: datetime) -> str:
    """
    *moment* as the API takes it: in UTC, with milliseconds and ``Z``.
    """
    in_utc = moment.astimezone(UTC).replace(tzinfo=None)
    return in_utc.isoformat(timespec="milliseconds") + "Z"


@cache
def _converter() -> MsgspecJsonConverter:
    # Who only looks at a ledger writes no message, and starts the sooner.
    from cattrs.gen import (  # noqa: PLC0415
        make_dict_structure_fn,
        make_dict_unstructure_fn,
        override,
    )
    from cattrs.preconf.msgspec import make_converter  # noqa: PLC0415

    converter = make_converter()
    renamed: dict[str, Any] = {
        name: override(rename=theirs) for name, theirs in _RENAMED.items()
    }
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
            extra=override(unstruct_hook=dict),
            **renamed,
        ),
    )
    converter.register_structure_hook_factory(
        lambda cls: cls is VoiceMessage,
        lambda _: make_dict_structure_fn(
            VoiceMessage,
            converter,
            expiry=override(struct_hook=lambda text, _: text and parse_time(text)),
            priority=override(struct_hook=lambda value, _: value and Priority(value)),
            extra=override(struct_hook=lambda fields, _: fields),
            **renamed,
        ),
    )
    return converter


def load() -> None:
    """
    Make the converter now, and not when the first request needs it; see
    `retrying.load`.
    """
    _converter()


def dump_message(message: VoiceMessage) -> str:
    """
    *message* as JSON, to be kept; its expiry must be a moment.
    """
    return _converter().dumps(message).decode()


def load_message(text: str) -> VoiceMessage:
    """
    The message that `dump_message` wrote.
    """
    return _converter().loads(text.encode(), VoiceMessage)


def encode(
    batch: Batch,
    places: Sequence[int] | None = None,
    *,
    request_id: str | None = None,
    expiry: datetime | None = None,
    prompt_field: str = "media",
) -> bytes:
    """
    The body of a request for *batch*, or for those of its destinations at *places*.

    The destinations are joined from columns: building and encoding an object for each
    of them would cost about ten times as much. Where the owner gave no callback data
    the id of the batch travels there, so that each receipt names it.

    Args:
        request_id: The correlation id of the request, if its message has none.
        expiry: That of this request, where its message's is later or has none.
        prompt_field: What the API calls the prompt id.
    """
    recipients = batch.recipients
    if places is None or len(places) == len(batch):
        places = range(len(batch))
    head = _head(batch.message, expiry, prompt_field)
    tail = _tail(batch, request_id)
    if recipients.widths is None:
        values = recipients.values_at(places)
        name = _NAMES[recipients.kind]
        if recipients.correlation_ids is None:
            if _needs_no_escape(values):
                return _joined(head, name, values, str(batch.id), places, tail)
        else:
            ids = list(map(batch.correlation_ids.__getitem__, places))
            if _needs_no_escape(values, ids):
                return _joined_with_ids(head, name, values, ids, tail)
    entries = msgspec.json.encode(_entries(batch, places))
    return head.encode() + entries[1:-1] + tail.encode()


def _joined(
    head: str,
    name: str,
    values: Sequence[str],
    key: str,
    places: Sequence[int],
    tail: str,
) -> bytes:
    """
    The body where the ids are our own: values, the batch's id and what is between, each
    put into every third place of one list at once.
    """
    opening, between = _OPENING[name], _BETWEEN[name]
    pieces: list[str] = [head + opening] * (1 + 3 * len(values))
    pieces[1::3] = values
    pieces[2::3] = ['"],"correlationid":"' + key] * len(values)
    if isinstance(places, range) and places.step == 1:
        pieces[3::3] = between[places.start : places.stop]
    else:
        pieces[3::3] = map(between.__getitem__, places)
    pieces[-1] = pieces[-1].removesuffix("," + opening) + tail
    return "".join(pieces).encode()


def _joined_with_ids(
    head: str, name: str, values: Sequence[str], ids: Sequence[str], tail: str
) -> bytes:
    """
    The same with a column of ids.
    """
    opening = _OPENING[name]
    pieces: list[str] = [head + opening] * (1 + 4 * len(values))
    pieces[1::4] = values
    pieces[2::4] = ['"],"correlationid":"'] * len(values)
    pieces[3::4] = ids
    pieces[4::4] = ['"},' + opening] * len(values)
    pieces[-1] = '"}' + tail
    return "".join(pieces).encode()


def _entries(batch: Batch, places: Sequence[int]) -> list[dict[str, Any]]:
    name, ids = _NAMES[batch.recipients.kind], batch.correlation_ids
    values = list(batch.recipients.by_destination())
    return [{name: values[place], "correlationid": ids[place]} for place in places]


def _tail(batch: Batch, request_id: str | None) -> str:
    """
    What stands behind the last destination.
    """
    tail = "]"
    if request_id is not None and batch.message.correlation_id is None:
        tail += f',"correlationid":"{request_id}"'
    if batch.message.callback_data is None:
        tail += f',"callbackData":"{batch.id}"'
    return tail + "}"


@lru_cache(maxsize=64)
def _head(message: VoiceMessage, expiry: datetime | None, prompt_field: str) -> str:
    """
    What stands before the first destination in a request of *message*.
    """
    if expiry is not None:
        message = attrs.evolve(message, expiry=expiry)
    fields = _converter().unstructure(message)
    extra = fields.pop("extra", {})
    names = {name: name for name in _OF_THE_CHANNEL} | {"media": prompt_field}
    voice = {
        theirs: fields.pop(name) for name, theirs in names.items() if name in fields
    }
    body = msgspec.json.encode(
        {
            "deliverychannel": "voice",
            "channels": {"voice": voice},
            **fields,
            **extra,
            "destination": [],
        }
    )
    return body[: -len(b"]}")].decode()


#: What the API calls the values of each kind.
_NAMES = {Kind.MSISDN: "msisdn", Kind.CUSTOMER_ID: "customerid"}

#: What stands before a destination's value.
_OPENING = {name: f'{{"{name}":["' for name in _NAMES.values()}

#: What stands between the batch's id in our own ids and the next value, by place.
_BETWEEN = {
    name: tuple(f'-{place}"}},{opening}' for place in range(MOST_PER_REQUEST))
    for name, opening in _OPENING.items()
}


def _needs_no_escape(*columns: Sequence[str]) -> bool:
    text = "".join(map("".join, columns))
    return len(msgspec.json.encode(text)) == len(text) + len('""')
