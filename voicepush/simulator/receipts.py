"""Writing a receipt as the platform does, and signing it."""

import base64
import hmac
from datetime import timedelta

import msgspec

from voicepush.simulator.calls import Call, text_of
from voicepush.simulator.fates import Signature
from voicepush.simulator.options import ReceiptOptions

#: Receipts without correlation id and callback data: a mistake of the platform.
_NAMELESS = frozenset({"7410", "7411", "7412"})

#: Receipts whose destination has no +.
_BARE = frozenset({"7005"})


class _Info(msgspec.Struct):
    timestamp: str = msgspec.field(name="timeStamp")
    description: str = msgspec.field(name="Description")
    code: str
    channel: str = msgspec.field(name="deliveryChannel")
    additional_info: str = msgspec.field(name="additionalInfo")
    destination: str
    kind: str = msgspec.field(name="destinationType")
    status: str = msgspec.field(name="deliveryStatus")


class _Notification(msgspec.Struct):
    info: _Info = msgspec.field(name="deliveryInfo")
    subtid: str
    transid: str
    callback_data: str | msgspec.UnsetType = msgspec.field(name="callbackData")
    correlation_id: str | msgspec.UnsetType = msgspec.field(name="correlationid")


class _Receipt(msgspec.Struct):
    trans_info: str = msgspec.field(name="deliveryTransInfo")
    notification: _Notification = msgspec.field(name="deliveryInfoNotification")


_encode = msgspec.json.Encoder().encode


def write_receipt(
    call: Call,
    place: int,
    *,
    tenant_offset: timedelta | None = None,
    nameless: bool = False,
) -> bytes:
    """
    The body of the receipt of the event at *place* of *call*.

    Args:
        tenant_offset: The time zone of a time stamp without one; None for UTC and Z.
        nameless: Whether the correlation id is left empty.
    """
    event = call.events[place]
    recipient = call.recipient
    destination = recipient.value
    transid = recipient.transaction_id
    callback_data: str | msgspec.UnsetType = call.origin.callback_data
    correlation_id: str | msgspec.UnsetType = recipient.correlation_id
    if event.code in _BARE and recipient.kind == "msisdn":
        destination = destination.removeprefix("+")
    if event.code in _NAMELESS:
        callback_data = correlation_id = msgspec.UNSET
    elif nameless:
        correlation_id = ""
    moment = call.moments[place]
    if tenant_offset is None:
        timestamp = text_of(moment)
    else:
        moment += round(tenant_offset.total_seconds() * 1000)
        timestamp = text_of(moment).removesuffix("Z")
    info = _Info(
        timestamp,
        event.description,
        event.code,
        "voice",
        "",
        destination,
        recipient.kind,
        event.status,
    )
    return _encode(
        _Receipt(
            f"<event><name>{event.status}</name><transid>{transid}</transid></event>",
            _Notification(info, "", transid, callback_data, correlation_id),
        )
    )


def headers_of(
    body: bytes, options: ReceiptOptions, signature: Signature
) -> dict[str, str]:
    """
    The headers of a post with *body*.
    """
    headers = {"Content-Type": "application/json"}
    if options.notify_login is not None:
        login = base64.b64encode(":".join(options.notify_login).encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    if options.hub_secret is not None and signature != "missing":
        # A forger knows everything but the secret.
        secret = options.hub_secret + ("" if signature == "right" else " forged")
        digest = hmac.digest(secret.encode(), body, options.hub_algorithm).hex()
        prefix = f"{options.hub_algorithm}=" if options.hub_prefix else ""
        headers["x-hub-signature"] = prefix + digest
    return headers
