"""
Durations and moments as operators type them, and as they are told.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from voicepush import clock
from voicepush.errors import InputError
from voicepush.model.message import parse_time

_UNITS = {
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}
_PART = re.compile(
    r"(\d+(?:\.\d+)?)\s*"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)"
    r"(?![a-z])\s*(?:,|and\b)?\s*",
    re.IGNORECASE | re.ASCII,
)
_TIME_OF_DAY = re.compile(
    r"(\d{1,2}:\d\d(?::\d\d)?)\s*(z|[+-]\d{1,2}(?::?\d\d)?)?", re.IGNORECASE | re.ASCII
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_FORMS = (
    "a duration such as 90m, 1h30m or '2 hours', a time of day such as 18:00, or a "
    "time with its offset such as 2030-04-12T18:00+02:00"
)


def parse_duration(text: str) -> timedelta | None:
    """
    The duration that *text* names, such as ``90m``, ``1h30m``, ``2 hours`` or ``1w``.

    Returns:
        None if it is no duration.

    Raises:
        InputError: It is too long to be counted.
    """
    # The parts must be the whole of it.
    if not text.strip() or _PART.sub("", text.strip()):
        return None
    try:
        return sum(
            (
                timedelta(**{_UNITS[unit[0].lower()]: float(number)})
                for number, unit in _PART.findall(text)
            ),
            timedelta(),
        )
    except OverflowError as error:
        raise InputError(f"a duration of {text} is out of reach") from error


def parse_expiry(text: str, *, now: datetime | None = None) -> datetime | timedelta:
    """
    The duration, or the moment, that an operator means by *text*.

    A time of day is the next one: today or tomorrow, on this machine's clock where it
    has no offset. A date needs an offset, since whose clock it means is a guess.

    Raises:
        InputError: It is none of these; the text says what to add.
    """
    found = parse_duration(text)
    if found is not None:
        return found
    now = now or clock.utc_now()
    # "18:00 +0200" is how moments are told, so it is read as well.
    joined = re.sub(r"\s+(?=[+-]\d|z$)", "", text.strip(), flags=re.IGNORECASE)
    if _TIME_OF_DAY.fullmatch(joined):
        return _next(joined, now)
    try:
        return parse_time(joined)
    except InputError as error:
        local = _as_local(joined)
        if local is None:
            raise InputError(f"{text!r} is not a time; write {_FORMS}") from error
        raise InputError(
            f"{text!r} has no offset from UTC; for this machine's time write "
            f"{local.isoformat(timespec='minutes')}"
        ) from error


def parse_since(option: str, text: str) -> datetime:
    """
    The moment in the past that was typed for *option*: how long ago it was, a day in
    UTC, or a time with its offset.

    Raises:
        InputError: It is none of these.
    """
    ago = parse_duration(text)
    try:
        if ago is not None:
            return clock.utc_now() - ago
        if _DAY.fullmatch(text.strip()):
            day = date.fromisoformat(text.strip())
            return datetime.combine(day, time(), UTC)
        return parse_time(text)
    except (InputError, ValueError, OverflowError) as error:
        raise InputError(
            f"{option} {text!r} is no time; write how long ago, such as 24h, a day in "
            "UTC such as 2030-04-12, or a time with its offset such as "
            "2030-04-12T18:00+02:00"
        ) from error


def _as_local(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.utcoffset() is not None else moment.astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _next(text: str, now: datetime) -> datetime:
    hour, rest = text.split(":", 1)
    padded = f"{hour:0>2}:{rest}"
    padded = re.sub(r"([+-])(\d)(:|$)", r"\g<1>0\2\3", padded)
    try:
        wanted = time.fromisoformat(padded.upper())
    except ValueError as error:
        raise InputError(f"{text!r} is not a time of day; write {_FORMS}") from error
    today = now.astimezone(wanted.tzinfo).date()
    moment = _moment(today, wanted)
    if moment <= now:
        moment = _moment(today + timedelta(days=1), wanted)
    return moment


def _moment(day: date, wanted: time) -> datetime:
    # Without an offset it is taken for local time, also across a change of clocks.
    return datetime.combine(day, wanted).astimezone(UTC)


def check_future(moment: datetime, option: str) -> None:
    """
    Refuse *moment* if it has passed.

    Raises:
        InputError: It has; the text names *option* and says how long ago it was.
    """
    ago = (clock.utc_now() - moment).total_seconds()
    if ago >= 0:
        raise InputError(
            f"{option} names {told(moment)}, which was {about(ago)} ago; "
            "choose a time that is still to come"
        )


def told(moment: datetime) -> str:
    """
    *moment* on this machine's clock, with its offset.
    """
    return f"{moment.astimezone():%Y-%m-%d %H:%M %z}"


def told_expiry(moment: datetime) -> str:
    """
    When it expires, or has expired, and how long that is from now.
    """
    left = (moment - clock.utc_now()).total_seconds()
    if left < 0:
        return f"expired {told(moment)} ({about(-left)} ago)"
    return f"expires {told(moment)} (in {about(left)})"


def about(seconds: float) -> str:
    """
    *seconds* in the two largest units that they fill.
    """
    whole = round(seconds)
    parts: list[str] = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        number, whole = divmod(whole, size)
        if number or (name == "s" and not parts):
            parts.append(f"{number} {name}")
        elif parts:
            break
    return " ".join(parts[:2])
