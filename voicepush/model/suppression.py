"""
Who must not be called any more, and what was done to the list of them.
"""

from __future__ import annotations

import re
from datetime import datetime

import attrs

from voicepush.errors import InputError
from voicepush.masking import mask, shown
from voicepush.model.fields import check_text
from voicepush.model.recipients import Kind

#: A category or a reason has at most so many bytes.
_MOST_BYTES = 200

#: A number in normal form; 15 digits are the most there are, and 18 fit.
NUMBER = re.compile(r"\+[1-9][0-9]{0,17}+")


@attrs.frozen
class SuppressedEntry:
    """
    Someone on a ledger's suppression list.
    """

    #: A number in normal form, or a customer id.
    value: str = attrs.field(repr=mask)
    kind: Kind
    #: Since when.
    since: datetime
    #: Which process put them there, in words.
    who: str
    #: What they do not want, or why they are there, in words of the owner.
    category: str | None = None
    reason: str | None = None

    @property
    def words(self) -> str:
        """
        Why they are left out.
        """
        category = f": {self.category}" if self.category else ""
        return f"on the suppression list of the ledger{category}"


@attrs.frozen
class SuppressionEvent:
    """
    Something that was done to a ledger's suppression list.
    """

    at: datetime
    #: The process, in words.
    who: str
    #: ``added``, ``imported`` or ``removed``.
    event: str
    #: How many were put on the list by it, or taken away.
    number: int
    category: str | None = None
    reason: str | None = None


def check_words(text: str | None, what: str) -> str | None:
    """
    *text* as it is kept, if it is one line of words.

    Raises:
        InputError: It is not; the text names it as *what*.
    """
    if text is None:
        return None
    text = text.strip()
    if not text or shown(text) != text or check_text(text, what) > _MOST_BYTES:
        raise InputError(f"{what} must be one line of 1 to {_MOST_BYTES} bytes")
    return text


def check_value(kind: Kind, value: str) -> str:
    """
    *value*, if it can be on a list.

    Raises:
        InputError: It is no number in normal form, or no customer id.
    """
    check_text(value, "who is suppressed")
    if kind is Kind.MSISDN and NUMBER.fullmatch(value) is None:
        raise InputError(f"{mask(value)} is no number in normal form")
    if not value or "\0" in value:
        raise InputError("a customer id is a text that is not empty, without NUL")
    return value
