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

_ANSWERED = EVENTS["7519"]


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
    )
