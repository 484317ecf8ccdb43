"""
Until when someone has agreed to be called, as lists write it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

#: The name under which it is kept, whatever the column was called.
CONSENT = "consent"

#: What the option is called that names the column, in what was given for a plan.
CONSENT_COLUMN = "consent-column"

_SECONDS_OF_A_DAY = 86_400

#: A day. Spreadsheets write one as its midnight, without an offset.
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?)?", re.ASCII)

#: A time with its offset from UTC.
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)",
    re.ASCII | re.IGNORECASE,
)


@lru_cache(maxsize=2**16)
def end_of(text: str) -> float | None:
    """
    When the consent ends that is written as *text*, in seconds since 1970; None if it
    says no moment. A day counts to its end in UTC.
    """
    text = text.strip()
    day = _DAY.fullmatch(text)
    try:
        if day is not None:
            # As a number, since the last day of the calendar has no next one.
            begins = datetime.fromisoformat(day[1]).replace(tzinfo=UTC)
            return begins.timestamp() + _SECONDS_OF_A_DAY
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        pass
    return None
