"""
A record of the log -> one line of JSON, whatever is in it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite

from voicepush.logs.events import NAMES
from voicepush.masking import mask_numbers

#: What each record has. Everything else was given to it as an ``extra``.
_STANDARD = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
)

#: What the line of each record has.
_OURS = frozenset({"time", "level", "logger", "message", "exception", "stack"})

#: Of a text, so many characters are shown, and of a value within values, so many
#: levels.
_LONGEST = 20_000
_DEEPEST = 5

#: No number of a phone is smaller.
_LEAST_NUMBER = 1_000_000


class JsonFormatter(logging.Formatter):
    """
    Writes each record as one JSON object on one line: ``time``, ``level``, ``logger``,
    ``message``, and the fields of the event or whatever else came as its ``extra``.

    Texts have their numbers masked, a traceback too. It never fails.
    """

    def format(self, record: logging.LogRecord) -> str:
        """
        The line, without its end.
        """
        line: dict[str, object] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": _text(record.name),
            "message": _text(_message(record)),
        }
        is_ours = _is_ours(record)
        for name, value in _extras(record):
            line[name] = _plain(value, is_ours=is_ours)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = _text(self._trace(record))
        if record.stack_info:
            line["stack"] = _text(record.stack_info)
        return json.dumps(line, allow_nan=False)

    def _trace(self, record: logging.LogRecord) -> str:
        info = record.exc_info
        if not isinstance(info, tuple):
            return ""
        try:
            return self.formatException(info)
        except Exception:  # noqa: BLE001 -- an exception whose own text can't be made
            return str(info[0])


def _is_ours(record: logging.LogRecord) -> bool:
    """
    Whether it is an event, whose fields hold no number of a phone.
    """
    name = getattr(record, "event", None)
    is_named = record.name.partition(".")[0] == "voicepush"
    return is_named and isinstance(name, str) and name in NAMES


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 -- arguments that do not fit
        return _said(record.msg)


def _extras(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    for name, value in vars(record).items():
        if name not in _STANDARD:
            yield (f"{name}_" if name in _OURS else _text(name)), value


def _plain(value: object, *, is_ours: bool, depth: int = 0) -> object:
    """
    *value* as JSON has it.

    Args:
        is_ours: Whether its numbers are known to be nobody's.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and isfinite(value):
        is_harmless = is_ours or abs(value) < _LEAST_NUMBER
        return value if is_harmless else _text(f"{value:.0f}")
    if depth < _DEEPEST and isinstance(value, Mapping):
        return {
            _text(_said(name)): _plain(each, is_ours=is_ours, depth=depth + 1)
            for name, each in value.items()
        }
    if depth < _DEEPEST and isinstance(value, Sequence) and not _is_text(value):
        return [_plain(each, is_ours=is_ours, depth=depth + 1) for each in value]
    return _text(_said(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes | bytearray | memoryview)


def _said(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 -- whatever it is
        return f"<{type(value).__name__}>"


def _text(text: str) -> str:
    """
    *text* with numbers masked, no longer than is useful, and such as JSON can hold.
    """
    text = mask_numbers(str.__str__(text))
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    return text.encode("utf-8", "replace").decode("utf-8")
