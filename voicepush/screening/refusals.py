"""
Why a recipient is refused.
"""

from __future__ import annotations

import enum

import attrs

from voicepush.masking import mask


class RefusalKind(enum.StrEnum):
    """
    Which of the three counts a refusal goes into.
    """

    INVALID = "invalid"
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"


class Reason(enum.StrEnum):
    """
    Why a recipient is refused, in words for the one who made the list.
    """

    EMPTY = "empty"
    NOT_A_TEXT = "not a text"
    NOT_A_NUMBER = "not a phone number"
    ROUNDED = "looks like a number that a spreadsheet rounded; store it as text"
    SEVERAL = "more than one number; give each a row of its own"
    NO_COUNTRY = (
        "does not begin with + or 00; give its country (--country), or say that all "
        "begin with their calling code (--international)"
    )
    NOT_NATIONAL = (
        "not possible in the country given; write it with + and its calling code"
    )
    AMBIGUOUS = (
        "may be a national number or begin with its calling code; write it with +"
    )
    ZERO = "no country's calling code begins with 0"
    TOO_SHORT = "too short for E.164"
    TOO_LONG = "too long for E.164"
    NOT_IN_USE = "not a valid number in its country's numbering plan"
    REPEATED_ID = "its correlation id was used before"
    GENERATED_ID = (
        "its correlation id has the form of those that voicepush makes; leave it out "
        "or use another"
    )
    NO_ZONE = (
        "its number does not tell in which time zone it is; say so (--zone or "
        "--zone-column), or call at any hour (--any-hour)"
    )
    NOT_A_ZONE = "its time zone is not known; write one such as Asia/Kolkata"
    NEVER_OPEN = (
        "the windows are never open in all of its time zones at once; say where it is "
        "(--zone or --zone-column)"
    )
    NO_MESSAGE = (
        "there is no message for what its column says (--media-map, --callflow-map), "
        "or that is blank and there is no --media"
    )
    NO_PRIORITY = (
        "its priority is no whole number; write 1 for who is called first, or leave it "
        "blank for who is called last"
    )
    NOT_A_CONSENT = (
        "its consent is no date; write until when it holds, as 2030-01-31, or as a "
        "time with its offset (--consent-column)"
    )
    DUPLICATE = "duplicate of an earlier row"
    SUPPRESSED = "on the suppression list"
    NO_CONSENT = "no consent: it is blank (--consent-column)"
    CONSENT_ENDS = (
        "its consent has ended, or ends before the campaign expires (--consent-column)"
    )
    CALLED_BEFORE = "was called too recently or too often (--not-within, --at-most)"

    @property
    def kind(self) -> RefusalKind:
        """
        The count it goes into.
        """
        return _KINDS.get(self, RefusalKind.INVALID)


_KINDS = {
    Reason.DUPLICATE: RefusalKind.DUPLICATE,
    Reason.SUPPRESSED: RefusalKind.SUPPRESSED,
    # They must not be called, as who has objected; what can't be read is bad input.
    Reason.NO_CONSENT: RefusalKind.SUPPRESSED,
    Reason.CONSENT_ENDS: RefusalKind.SUPPRESSED,
    Reason.CALLED_BEFORE: RefusalKind.SUPPRESSED,
}


@attrs.frozen
class Refusal:
    """
    One value that will not be called, and why.
    """

    row: int
    #: As it came.
    recipient: str = attrs.field(repr=mask)
    #: A `Reason`, or what `Malformed` says: one of a few fixed sentences.
    reason: str
    kind: RefusalKind = RefusalKind.INVALID
