"""Reading a request as strictly as the API would, or refusing it with a code."""

import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NoReturn

import attrs
import msgspec

from voicepush.simulator.codes import describe
from voicepush.simulator.tenant import TenantOptions

MOST_DESTINATIONS = 1_000
MOST_CORRELATION_BYTES = 50

_REQUIRED = frozenset({"deliverychannel", "channels", "destination"})
_TEXTS = frozenset({"correlationid", "notifyurl", "callbackData", "expiry", "priority"})
_PRIORITIES = ("1", "2", "3")

_ENTRY = frozenset({"msisdn", "customerid", "correlationid"})

_MSISDN = re.compile(r"\+?[0-9]{7,15}")

# The hour of an offset may have a single digit, which ISO 8601 does not know.
_EXPIRY = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3})"
    r"(?:Z|([+-])([0-9]{1,2}):([0-5][0-9]))"
)


@attrs.define
class RefusedError(Exception):
    """
    A request that the API would refuse before it looks at anyone's phone.
    """

    code: str
    detail: str

    @property
    def description(self) -> str:
        """
        The words of the API, and what exactly is wrong.
        """
        return f"{describe(self.code)}: {self.detail}"


@attrs.frozen
class CallRequest:
    """
    What the simulator keeps of a well-formed request: who is to be rung.
    """

    #: The values of each entry, in the order of the request.
    destinations: list[list[str]] = attrs.field(factory=list, repr=False)
    #: The id that holds for each entry, its own or the request's; "" for none.
    correlation_ids: tuple[str, ...] = ()
    #: The id of the request itself.
    correlation_id: str = ""
    #: What the values of each entry are: msisdn or customerid.
    kinds: tuple[str, ...] = ()
    #: Where its receipts go, and what they give back; "" for nowhere and nothing.
    notify_url: str = attrs.field(default="", repr=False)
    callback_data: str = attrs.field(default="", repr=False)
    #: After it nobody is rung; None for no such time.
    expiry: datetime | None = None
    #: The id of what is played, or of the call flow.
    played: str = ""
    #: Who is said to call, and how urgent it is; "" where the request does not say.
    cli: str = ""
    priority: str = ""

    @property
    def size(self) -> int:
        """
        How many phones the request asks for: values, not entries.
        """
        return sum(map(len, self.destinations))


def read_request(
    headers: Mapping[str, str],
    body: bytes,
    *,
    tenant: TenantOptions,
    most_bytes: int,
    now: datetime,
) -> CallRequest:
    """
    Read *body*, or raise `RefusedError` with the API's code for what is wrong.

    Stricter than the API where that catches a mistake of the client: a field the
    document does not name is an invalid parameter.

    Args:
        headers: Looked up without regard to case.
        tenant: Says who may send, and what the prompt id is called.
        now: An aware time; an expiry that is not after it has passed.
    """
    _check_headers(headers, tenant)
    if len(body) > most_bytes:
        _refuse("7022", f"{len(body)} bytes")
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        _refuse("7000", str(error))
    _check_fields(message, "the request", required=_REQUIRED, optional=_TEXTS)
    _check_texts(message)
    prompts = frozenset({"callflowid", tenant.prompt_field})
    _check_channels(message, prompts)
    expiry = _read_expiry(message["expiry"]) if "expiry" in message else None
    request = _read_destinations(message, expiry, prompts)
    if expiry is not None and expiry <= now:
        _refuse("7005", "expiry is in the past")
    return request


def _check_headers(headers: Mapping[str, str], tenant: TenantOptions) -> None:
    if (refusal := tenant.refuse(headers)) is not None:
        _refuse(*refusal)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        _refuse("7000", "the content type is not application/json")


def _check_fields(
    thing: Any,
    where: str,
    *,
    required: AbstractSet[str] = frozenset(),
    optional: AbstractSet[str] = frozenset(),
) -> None:
    if not isinstance(thing, dict):
        _refuse("7004", f"{where} is not an object")
    if missing := required - thing.keys():
        _refuse("7003", f"{where} has no {', '.join(sorted(missing))}")
    if unknown := thing.keys() - required - optional:
        _refuse("7004", f"{where} has an unknown {', '.join(sorted(unknown))}")


def _check_texts(message: dict[str, Any]) -> None:
    for name in sorted(_TEXTS & message.keys()):
        if not isinstance(message[name], str):
            _refuse("7004", f"{name} is not a string")
    if message.get("priority", "1") not in _PRIORITIES:
        _refuse("7004", f"priority is not one of {', '.join(_PRIORITIES)}")


def _check_channels(message: dict[str, Any], names: AbstractSet[str]) -> None:
    if message["deliverychannel"] != "voice":
        _refuse("7004", "deliverychannel is not voice")
    _check_fields(message["channels"], "channels", required={"voice"})
    voice = message["channels"]["voice"]
    _check_fields(voice, "channels.voice", optional=names | {"cli"})
    for name, value in voice.items():
        if not (isinstance(value, str) and value):
            _refuse("7004", f"channels.voice.{name} is not a non-empty string")
    prompts = names & voice.keys()
    if not prompts:
        _refuse("7003", f"channels.voice has neither {' nor '.join(sorted(names))}")
    if len(prompts) > 1:
        _refuse("7004", f"channels.voice has both {' and '.join(sorted(names))}")


def _read_destinations(
    message: dict[str, Any], expiry: datetime | None, prompts: AbstractSet[str]
) -> CallRequest:
    entries = message["destination"]
    if not (isinstance(entries, list) and entries):
        _refuse("7004", "destination is not a non-empty list")
    shared = _read_correlation_id(message)
    destinations = []
    correlation_ids = []
    for place, entry in enumerate(entries):
        try:
            destinations.append(_read_values(entry))
            correlation_ids.append(_read_correlation_id(entry, shared))
        except RefusedError as refusal:
            _refuse(refusal.code, f"in destination[{place}] {refusal.detail}")
    voice = message["channels"]["voice"]
    request = CallRequest(
        destinations,
        tuple(correlation_ids),
        shared,
        # Each entry has either of the two by now.
        tuple("msisdn" if "msisdn" in entry else "customerid" for entry in entries),
        message.get("notifyurl", ""),
        message.get("callbackData", ""),
        expiry,
        "".join(voice[name] for name in prompts & voice.keys()),
        voice.get("cli", ""),
        message.get("priority", ""),
    )
    # Every entry has a value, so counting values counts the entries as well.
    if request.size > MOST_DESTINATIONS:
        _refuse("7009", f"{request.size} values")
    return request


def _read_values(entry: Any) -> list[str]:
    # Runs a thousand times per request: the usual entry must be cheap.
    if not (isinstance(entry, dict) and entry.keys() <= _ENTRY):
        _check_fields(entry, "the entry", optional=_ENTRY)
    if "msisdn" in entry and "customerid" in entry:
        _refuse("7004", "there are both msisdn and customerid")
    if "msisdn" in entry:
        return _read_list(entry["msisdn"], "msisdn", _MSISDN.fullmatch)
    if "customerid" not in entry:
        _refuse("7003", "there is neither msisdn nor customerid")
    return _read_list(entry["customerid"], "customerid", bool)


def _read_list(values: Any, name: str, fits: Callable[[str], object]) -> list[str]:
    if not (isinstance(values, list) and values):
        _refuse("7004", f"{name} is not a non-empty list")
    for value in values:
        if not (isinstance(value, str) and fits(value)):
            _refuse("7004", f"{name} holds something that is no {name}")
    return values


def _read_correlation_id(holder: dict[str, Any], default: str = "") -> str:
    value: str = holder.get("correlationid", default)
    if not isinstance(value, str):
        _refuse("7004", "correlationid is not a string")
    if len(value.encode()) > MOST_CORRELATION_BYTES:
        _refuse("7004", f"correlationid has more than {MOST_CORRELATION_BYTES} bytes")
    return value


def _read_expiry(text: str) -> datetime:
    match = _EXPIRY.fullmatch(text)
    if match is None:
        _refuse("7004", "expiry has neither of the two forms")
    moment, sign, hours, minutes = match.groups()
    offset = f"{sign}{hours:0>2}:{minutes}" if sign else "+00:00"
    try:
        return datetime.fromisoformat(moment + offset)
    except ValueError:
        _refuse("7004", "expiry is no moment of the calendar")


def _refuse(code: str, detail: str) -> NoReturn:
    raise RefusedError(code, detail)
