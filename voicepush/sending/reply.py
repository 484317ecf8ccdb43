"""
What came back over HTTP, still in bytes.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

import attrs

from voicepush import clock

#: No wait that a server asks for is believed to be longer.
_LONGEST_RETRY_AFTER = 3600.0


@attrs.frozen
class Reply:
    """
    An answer.
    """

    status: int
    body: bytes = attrs.field(repr=False)
    #: The header ``Retry-After``, empty where there is none.
    retry_after_text: str = ""
    #: The header ``Date``, likewise.
    date_text: str = ""

    @property
    def retry_after(self) -> float | None:
        """
        How long the service asked to wait, in seconds; None where it did not, or said
        so in no form that HTTP knows.
        """
        text = self.retry_after_text.strip()
        if not text:
            return None
        try:
            is_number = text.isascii() and text.isdecimal()
            seconds = float(text) if is_number else _seconds_of(text) - clock.now()
        except (ValueError, TypeError, OverflowError, OSError):
            return None
        return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)

    @property
    def served_at(self) -> float | None:
        """
        The time of the service's clock, in seconds since 1970, where it said that.
        """
        try:
            return _seconds_of(self.date_text)
        except (ValueError, TypeError, OverflowError, OSError):
            return None


def _seconds_of(http_date: str) -> float:
    moment = parsedate_to_datetime(http_date)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
