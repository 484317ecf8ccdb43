"""
What each event of a call means: one table, from which its documentation is made.

Codes, words and sequences are the vendor's public ones for receipts of the voice
channel. Its labels such as "busy" and "no answer" are not reliable, so both are *not
reached*, with code and words kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from voicepush.model.call import Call, CallState


class Event(NamedTuple):
    """
    One kind of receipt.
    """

    #: What the platform calls it in ``deliveryStatus``.
    status: str
    #: The higher one decides what became of a call.
    rank: int
    state: CallState
    #: What it says, in our words.
    says: str
    #: Whether nothing can ring any more after it.
    ends: bool = False


_ON_ITS_WAY, _DROPPED = CallState.ON_ITS_WAY, CallState.DROPPED
_REACHED, _NOT_REACHED = CallState.REACHED, CallState.NOT_REACHED
_AGENT, _EXPIRED = CallState.AGENT, CallState.EXPIRED

#: By the platform's code.
EVENTS: Mapping[str, Event] = {
    "7411": Event("TROMBONE_CONNECTED", 90, _AGENT, "an agent was connected"),
    "7412": Event("TROMBONE_RELEASED", 85, _AGENT, "the agent left"),
    "7519": Event("ANSWERED", 80, _REACHED, "someone or something picked up"),
    "7401": Event("REJECTED", 70, _NOT_REACHED, "no answer", ends=True),
    "7402": Event("REJECTED", 70, _NOT_REACHED, "busy", ends=True),
    "7404": Event("REJECTED", 70, _NOT_REACHED, "for another reason", ends=True),
    "7406": Event("REJECTED", 70, _NOT_REACHED, "rejected", ends=True),
    "7005": Event("Failed", 70, _EXPIRED, "expired before it was offered", ends=True),
    "7410": Event("DISCONNECTED", 60, _NOT_REACHED, "the person hung up", ends=True),
    "7409": Event("DROPPED", 50, _DROPPED, "ended, as every call does", ends=True),
    "7405": Event("Released", 40, _DROPPED, "ended", ends=True),
    "7408": Event("ACCEPTED", 30, _ON_ITS_WAY, "the network took it and rings"),
    "7407": Event("OFFERED", 20, _ON_ITS_WAY, "offered to the network"),
}

#: What is made of a code that nobody knows.
UNKNOWN_EVENT = Event("", 0, _ON_ITS_WAY, "says nothing that is known")

#: By the platform's word, where it gives a code that is not in the table; of several
#: codes for one word the last, which says the least.
_BY_STATUS = {event.status.upper(): event for event in EVENTS.values()}

_ANSWERED, _EXPIRY = EVENTS["7519"], EVENTS["7005"]


class Status(NamedTuple):
    """
    One word of the status API.
    """

    rank: int
    state: CallState
    #: What it says, in our words.
    says: str
    #: Whether nothing can ring any more after it.
    ends: bool = False


#: By the platform's word. A status is a summary, and a receipt says more: each word
#: ranks just below the receipt that says the same. So who has a receipt that says
#: "answered" is reached whatever a status says; and of whom a status says "answered" is
#: reached unless a receipt knows more, since the receipt that said so was lost.
#: "answered" ends a call, too: no other word follows it.
STATUSES: Mapping[str, Status] = {
    "answered": Status(75, _REACHED, "someone or something picked up", ends=True),
    "no answer": Status(65, _NOT_REACHED, "no answer", ends=True),
    "busy": Status(65, _NOT_REACHED, "busy", ends=True),
    "rejected": Status(65, _NOT_REACHED, "rejected", ends=True),
    "others": Status(65, _NOT_REACHED, "for another reason", ends=True),
    "expired": Status(65, _EXPIRED, "expired before it was offered", ends=True),
    "failed": Status(55, _NOT_REACHED, "the platform could not call", ends=True),
    "sent": Status(15, _ON_ITS_WAY, "given to the network"),
    "queued": Status(10, _ON_ITS_WAY, "it waits for its turn"),
}

#: Of these nobody was rung.
_NOT_OFFERED = (STATUSES["queued"], STATUSES["expired"])

#: How far below its receipt a word ranks.
_BELOW = 5

_BY_LETTERS = {word.replace(" ", ""): status for word, status in STATUSES.items()}


def call_of(code: str, status: str, words: str, at: float | None) -> Call:
    """
    What one receipt says of its call.

    Args:
        code: The platform's.
        status: Its ``deliveryStatus``, which decides where *code* is not known.
        words: What it adds.
        at: When it happened, in seconds since 1970, where that is told.
    """
    event = EVENTS.get(code) or _BY_STATUS.get(status.upper(), UNKNOWN_EVENT)
    return Call(
        state=event.state,
        rank=event.rank,
        code=code,
        words=words or status,
        at=at,
        answered_at=at if event is _ANSWERED else None,
        ended_at=at if event.ends else None,
        has_ended=event.ends,
        # What failed for a reason that nobody knows may have been offered.
        was_offered=EVENTS.get(code) is not _EXPIRY,
    )


def call_of_status(
    word: str, error_code: str, error_words: str, at: float | None
) -> Call:
    """
    What the status API says of a call.

    Args:
        word: Its ``status``, however it is written. One that nobody knows, or "failed",
            says less than an *error_code* that is one of a receipt which ends a call.
        error_words: What it adds.
        at: When that was last changed, in seconds since 1970, where that is told.
    """
    letters = "".join(filter(str.isalnum, word.casefold()))
    known = _BY_LETTERS.get(letters)
    event = EVENTS.get(error_code)
    if event is not None and event.ends and (known is None or letters == "failed"):
        known = Status(event.rank - _BELOW, event.state, event.says, ends=True)
    return Call(
        state=UNKNOWN_EVENT.state if known is None else known.state,
        rank=UNKNOWN_EVENT.rank if known is None else known.rank,
        code=error_code if error_code.strip("0") else "",
        words=": ".join(filter(None, (word, error_words))),
        at=at,
        has_ended=known is not None and known.ends,
        was_offered=known not in _NOT_OFFERED,
    )
