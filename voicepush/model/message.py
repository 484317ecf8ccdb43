"""
What is played and how: the fields of a request other than its destinations.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import cast

import attrs

from voicepush.errors import InputError
from voicepush.masking import only_count
from voicepush.model.fields import (
    exact_text,
    optional_correlation_id,
    optional_text,
    optional_url,
)


class Priority(enum.StrEnum):
    """
    How urgent the platform takes a message to be, with the API's own values.
    """

    LOW = "1"
    MEDIUM = "2"
    HIGH = "3"


def parse_time(text: str) -> datetime:
    """
    The moment that *text* names, in one of the API's forms.

    Takes ``2015-04-12T13:00:19.456Z`` and ``2015-04-12T18:30:19.456+5:30``, with
    or without fractions; the hour of an offset may have one digit.

    Raises:
        InputError: It is not a time, or has no offset from UTC.
    """
    padded = re.sub(r"([+-])(\d):(\d\d)$", r"\g<1>0\2:\3", text.strip())
    try:
        moment = datetime.fromisoformat(padded)
    except ValueError as error:
        raise InputError(
            f"{text!r} is not a time; write it like 2030-04-12T13:00:00Z"
        ) from error
    return _aware(moment)


def _aware(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise InputError(
            f"the time {moment.isoformat()} has no offset from UTC; "
            "end it with Z or an offset such as +05:30"
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InputError(f"the time {moment.isoformat()} is out of reach") from error


def _expiry(value: datetime | timedelta | str | None) -> datetime | timedelta | None:
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, datetime):
        return _aware(value)
    if isinstance(value, timedelta) and value <= timedelta(0):
        raise InputError("an expiry must lie in the future, so its duration above 0")
    if value is not None and not isinstance(value, timedelta):
        raise InputError("an expiry is a time, a duration (timedelta), or a text")
    return value


def _priority(value: Priority | str | int | None) -> Priority | None:
    if value is None or isinstance(value, Priority):
        return value
    try:
        named = Priority.__members__.get(str(value).upper())
        return named or Priority(str(value))
    except ValueError as error:
        raise InputError(
            f"priority {value!r} is none of low, medium, high (or 1, 2, 3)"
        ) from error


def _hidden_text(text: str | None) -> str:
    return repr(text and "***")


#: The fields of a request that are ours.
_OURS = frozenset(
    (
        *("deliverychannel", "channels", "destination", "correlationid"),
        *("notifyurl", "callbackdata", "expiry", "priority"),
    )
)


def _extra(fields: Mapping[str, object]) -> Mapping[str, object]:
    # Not everyone has a type checker.
    for name in cast("Mapping[object, object]", fields):
        if not isinstance(name, str) or not name:
            raise InputError("the extra fields of a message have texts as names")
        if name.casefold() in _OURS:
            raise InputError(f"the extra field {name!r} would override one of ours")
    try:
        kept: dict[str, object] = json.loads(_as_json(fields))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the extra fields can't be JSON: {error}") from error
    return MappingProxyType(kept)


def _as_json(fields: Mapping[str, object]) -> str:
    return json.dumps(dict(fields), sort_keys=True, allow_nan=False)


@attrs.frozen(kw_only=True, cache_hash=True)
class VoiceMessage:
    """
    What is played and how: the fields of a request other than its destinations.

    Exactly one of *media* and *callflow* is given.

    Raises:
        InputError: A field is not usable; the text says which and why.
    """

    #: The prompt id of the uploaded audio.
    media: str | None = attrs.field(
        default=None, converter=exact_text, validator=optional_text
    )
    #: The id of a call flow that was built in the flow builder.
    callflow: str | None = attrs.field(
        default=None, converter=exact_text, validator=optional_text
    )
    #: The caller line identity, as predefined with the service.
    cli: str | None = attrs.field(
        default=None, converter=exact_text, validator=optional_text, repr=_hidden_text
    )
    #: Goes with the whole request; every destination has one of its own, too.
    correlation_id: str | None = attrs.field(
        default=None, converter=exact_text, validator=optional_correlation_id
    )
    #: Where receipts go, in place of the address configured on the service.
    notify_url: str | None = attrs.field(
        default=None, converter=exact_text, validator=optional_url
    )
    #: Comes back with every receipt.
    callback_data: str | None = attrs.field(
        default=None, converter=exact_text, validator=optional_text, repr=_hidden_text
    )
    #: After it nothing is sent. An aware datetime, one of the API's text forms, or
    #: a timedelta, which counts from the moment at which sending begins.
    expiry: datetime | timedelta | None = attrs.field(default=None, converter=_expiry)
    #: Left out, the platform takes the client's setting.
    priority: Priority | None = attrs.field(default=None, converter=_priority)

    #: Fields of the vendor's that have no name here, such as ``contactPolicy`` or
    #: ``notifyurlAuthId``, for the request as they are.
    extra: Mapping[str, object] = attrs.field(
        factory=dict, converter=_extra, eq=_as_json, repr=only_count
    )

    def __attrs_post_init__(self) -> None:
        if (self.media is None) == (self.callflow is None):
            raise InputError("a message needs either media or callflow, and not both")

    def starting(self, now: datetime) -> VoiceMessage:
        """
        The same message with its expiry as a moment, if sending begins *now*.
        """
        if not isinstance(self.expiry, timedelta):
            return self
        try:
            return attrs.evolve(self, expiry=now + self.expiry)
        except OverflowError as error:
            raise InputError(
                f"an expiry of {self.expiry.days} days is out of reach; leave it out "
                "to go on without one"
            ) from error

    @property
    def played(self) -> str:
        """
        The id of its prompt, or of its call flow.
        """
        return self.media or self.callflow or ""

    @property
    def deadline(self) -> float | None:
        """
        The expiry in seconds since 1970, once it is a moment.
        """
        return self.expiry.timestamp() if isinstance(self.expiry, datetime) else None
