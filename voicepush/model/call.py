"""
What the platform reports of calls: receipts, and what follows from those of one call.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import attrs

from voicepush.masking import mask, only_count


class CallState(enum.StrEnum):
    """
    What is known of a call that the API has accepted.
    """

    REACHED = "reached"  #: someone or something picked up; voicemail is not told apart
    AGENT = "agent"  #: so it was, and an agent was connected
    NOT_REACHED = "not_reached"  #: no answer, busy, refused or hung up while ringing
    DROPPED = "dropped"  #: it has ended, and nothing says how
    EXPIRED = "expired"  #: it expired before the platform offered it to the network
    ON_ITS_WAY = "on_its_way"  #: it may ring yet; nothing heard of it counts here, too


#: The platform's code for a request that has expired.
_EXPIRED = "7005"


@attrs.frozen(kw_only=True)
class Call:
    """
    What the receipts of one call say, each alone or all of them merged.
    """

    state: CallState
    #: What decides between two receipts: the higher rank, whichever came first.
    rank: int
    #: The platform's code and words of the receipt that decided.
    code: str = ""
    words: str = ""
    #: When that happened, in seconds since 1970 by the platform's own stamp.
    at: float | None = None
    #: When it was picked up, and when it ended, likewise.
    answered_at: float | None = None
    ended_at: float | None = None
    #: Whether it can't ring any more.
    has_ended: bool = False
    #: Whether the network was offered it, or may have been: someone may have been rung.
    was_offered: bool = True
    #: When a ledger was last told something new of it, in seconds since 1970 by our
    #: clock.
    received_at: float | None = attrs.field(default=None, eq=False)
    #: The platform's name for it, where a receipt told that and no answer did.
    transaction_id: str = attrs.field(default="", eq=False)

    @property
    def heard(self) -> float | None:
        """
        For how many seconds someone or something listened, where that is known.
        """
        if self.answered_at is None or self.ended_at is None:
            return None
        heard = self.ended_at - self.answered_at
        return heard if heard >= 0 else None

    @property
    def is_expiry(self) -> bool:
        """
        Whether the platform says that its request expired before the network was
        offered it.
        """
        return self.code == _EXPIRED and self.state is CallState.EXPIRED

    def merged(self, other: Call) -> Call:
        """
        What both say; the same in whatever order and however often they come.
        """
        decides = max(self, other, key=_weight)
        return Call(
            state=decides.state,
            rank=decides.rank,
            code=decides.code,
            words=decides.words,
            at=decides.at,
            answered_at=_first(self.answered_at, other.answered_at),
            ended_at=_first(self.ended_at, other.ended_at),
            has_ended=self.has_ended or other.has_ended,
            was_offered=self.was_offered or other.was_offered,
        )


def is_told(call: Call | None) -> bool:
    """
    Whether it is known what became of *call*.
    """
    return call is not None and call.state is not CallState.ON_ITS_WAY


def _weight(call: Call) -> tuple[int, float, str, str, str]:
    # Of equal ranks the latest; the rest is there so that no two weigh the same.
    at = float("-inf") if call.at is None else call.at
    return call.rank, at, call.code, call.words, call.state


def _first(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


@attrs.frozen(kw_only=True)
class Report:
    """
    What one receipt says, and by which names it says whose call that is.
    """

    call: Call
    #: Ours or the owner's; empty where the platform has left it out.
    correlation_id: str = ""
    #: What was sent along with the request; the batch's id where its owner gave none.
    callback_data: str = ""
    #: The platform's own name for the call.
    transaction_id: str = ""
    #: The number or customer id; a number may lack its plus.
    recipient: str = attrs.field(default="", repr=mask)


@attrs.frozen(kw_only=True)
class Receipt:
    """
    One body that the platform has posted.
    """

    body: bytes = attrs.field(repr=only_count)
    #: When it came, in seconds since 1970 by our clock.
    received_at: float
    #: What it says; nothing where it could not be understood.
    reports: Sequence[Report] = ()
    #: Whether its owner has brought it from elsewhere: no sign of receipts arriving.
    is_evidence: bool = False
    #: Whether it is what the platform answered when it was asked: no such sign either.
    is_asked: bool = False

    @property
    def is_posted(self) -> bool:
        """
        Whether the platform has posted it by itself.
        """
        return not (self.is_evidence or self.is_asked)


@attrs.frozen
class Received:
    """
    What was done with receipts, counted by what they say.
    """

    #: So many were applied to a call, also where they said nothing new.
    applied: int = 0
    #: So many belong to no known call, and are kept until they do.
    unplaced: int = 0
    #: So many bodies could not be understood, and are kept as they are.
    unreadable: int = 0
    #: So many had been kept, and were applied now.
    placed_late: int = 0


@attrs.frozen(kw_only=True)
class Calls:
    """
    How many calls of a campaign are in which state; they add up to the accepted.
    """

    reached: int = 0
    agent: int = 0
    not_reached: int = 0
    dropped: int = 0
    expired: int = 0
    on_its_way: int = 0

    @classmethod
    def of(cls, found: Mapping[CallState, int], accepted: int) -> Calls:
        """
        How many calls were *found* in each state; of the others of the *accepted*
        nothing was heard yet.
        """
        counts = {state.value: number for state, number in found.items()}
        counts.pop(CallState.ON_ITS_WAY.value, None)
        return cls(**counts, on_its_way=accepted - sum(counts.values()))


@attrs.frozen(kw_only=True)
class ReceiptCounts:
    """
    What a ledger has received.
    """

    #: Bodies that were stored, in all.
    received: int = 0
    #: What is kept aside at present: of no known call, or not understood.
    unplaced: int = 0
    unreadable: int = 0
    #: Requests that were refused because of a wrong signature or password.
    refused: int = 0
    #: When the last one came, in seconds since 1970.
    last_at: float | None = None
