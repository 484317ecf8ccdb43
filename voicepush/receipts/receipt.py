"""
Reads what the platform posts, leniently: names and payloads change without notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from voicepush.model.call import Receipt, Report
from voicepush.receipts.call_state import call_of

#: So many characters of a text are kept; no id or word of the platform is longer.
MOST_CHARACTERS = 300

#: So many calls are looked for in one body; the platform reports one.
_MOST_REPORTS = 1000

#: An offset may have an hour of one digit.
_SHORT_OFFSET = re.compile(r"([+-])(\d)(:?\d\d)$")

_decode = msgspec.json.Decoder().decode


class _Info(msgspec.Struct):
    code: str
    status: str = msgspec.field(name="deliveryStatus")
    words: str = msgspec.field(name="Description")
    at: str = msgspec.field(name="timeStamp")
    recipient: str = msgspec.field(name="destination")


class _Notification(msgspec.Struct):
    info: _Info = msgspec.field(name="deliveryInfo")
    transaction_id: str = msgspec.field(name="transid")
    callback_data: str = msgspec.field(name="callbackData")
    correlation_id: str = msgspec.field(name="correlationid")


class _Usual(msgspec.Struct):
    """
    A receipt with every field in its place, which is read in half the time.
    """

    notification: _Notification = msgspec.field(name="deliveryInfoNotification")


_decode_usual = msgspec.json.Decoder(_Usual).decode


def read_receipt(body: bytes, received_at: float, zone: tzinfo = UTC) -> Receipt:
    """
    What *body* says; nothing where it is no receipt. It never fails.

    Args:
        received_at: When it came, in seconds since 1970.
        zone: Of time stamps without an offset.
    """
    return Receipt(
        body=body, received_at=received_at, reports=tuple(_reports_in(body, zone))
    )


def _usual_report(body: bytes, zone: tzinfo) -> Report | None:
    """
    What *body* says, if every field stands where it usually does, and is filled.
    """
    try:
        usual = _decode_usual(body).notification
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    info = usual.info
    if not (info.code and usual.transaction_id and usual.correlation_id):
        return None  # what is missing may stand elsewhere
    return Report(
        call=call_of(
            _cut(info.code),
            _cut(info.status),
            _cut(info.words),
            moment_of(info.at, zone),
        ),
        correlation_id=_cut(usual.correlation_id),
        callback_data=_cut(usual.callback_data),
        transaction_id=_cut(usual.transaction_id),
        recipient=_cut(info.recipient),
    )


def _reports_in(body: bytes, zone: tzinfo) -> Iterator[Report]:
    usual = _usual_report(body, zone)
    if usual is not None:
        yield usual
        return
    try:
        thing = _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return
    things = thing[:_MOST_REPORTS] if isinstance(thing, list) else [thing]
    for each in things:
        report = _report(each, zone)
        if report is not None:
            yield report


def _report(thing: Any, zone: tzinfo) -> Report | None:
    notification = _inner(thing, "deliveryinfonotification")
    info = _inner(notification, "deliveryinfo")
    # What stands further out names the call, further in what happened to it.
    fields = {**_folded(notification), **_folded(info)}
    code, status = _text(fields, "code"), _text(fields, "deliverystatus")
    if not code and not status:
        return None
    return Report(
        call=call_of(
            code,
            status,
            _text(fields, "description"),
            moment_of(fields.get("timestamp"), zone),
        ),
        correlation_id=_text(fields, "correlationid"),
        callback_data=_text(fields, "callbackdata"),
        transaction_id=_text(fields, "transid") or _text(fields, "transactionid"),
        recipient=_text(fields, "destination"),
    )


def _inner(thing: Any, name: str) -> Any:
    """
    What stands under *name* in *thing*, or *thing* itself where nothing does.
    """
    found = _folded(thing).get(name)
    if isinstance(found, list) and found:
        found = found[0]
    return found if isinstance(found, dict) else thing


def _folded(thing: Any) -> dict[str, Any]:
    if not isinstance(thing, dict):
        return {}
    return {name.lower(): value for name, value in thing.items()}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return _cut(value) if isinstance(value, str) else ""


def _cut(text: str) -> str:
    return text.strip()[:MOST_CHARACTERS]


def moment_of(value: object, zone: tzinfo) -> float | None:
    """
    The moment that *value* tells, in seconds since 1970, where it is an ISO 8601 text.

    Args:
        zone: Of a text without an offset.
    """
    if not isinstance(value, str):
        return None
    try:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            text = _SHORT_OFFSET.sub(r"\g<1>0\2\3", value.strip())
            found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone)
        return found.timestamp()
    except (ValueError, OverflowError):
        return None
