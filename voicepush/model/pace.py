"""
The rules of pace: how fast at present, and what a refusal for speed makes of that.

They hold for one process that paces alone (`sending.pacing`), and for all that share a
row of a database (`ledger.postgres.pace`).
"""

from __future__ import annotations

import enum
from math import inf

import attrs

from voicepush.errors import InputError
from voicepush.model.message import Priority
from voicepush.model.recipients import MOST_PER_REQUEST

#: No campaign is slower, in destinations per second: one per hour.
_SLOWEST_RATE = 1 / 3600


def check_rate(rate: float) -> None:
    """
    Refuse what is no rate.
    """
    if not is_rate(rate):
        raise InputError(
            f"a rate must be at least one destination per hour, not {rate} per second"
        )


def is_rate(rate: float) -> bool:
    """
    Whether *rate* is a number of destinations per second that can be kept.
    """
    return _SLOWEST_RATE <= rate < inf


#: A request holds at most so much of a second's allowance: the flow stays even, and
#: no single request is larger than what the tenant's limit takes in a second.
_SHARE_OF_A_SECOND = 0.25


#: Where no rate is known, a refusal for speed begins a search here, in destinations
#: per second. It is doubled each second; the next refusal halves it and ends the
#: search.
_SEARCH_BEGINS = 50.0


_SEARCH_GROWTH = 2.0


_SEARCH_ENDS = 0.5


#: What a later refusal leaves of the rate, at most once a second, and how fast the
#: rate comes back.
_SLOWED = 0.85


_REGAINED_PER_SECOND = 1.05


_SLOWEST = 1.0


#: One a day; what is slower can't be told from a standstill, nor reckoned with.
_SLOWEST_EVER = 1 / 86_400


_SAYS_NOTHING_NEW = 1.0


#: The rate comes back in steps of so many seconds.
_REGAINED_EVERY = 1.0


_LONG_AGO = 300.0


_AS_GOOD_AS_NONE = 1_000_000.0


def most_at(rate: float | None, size: int = MOST_PER_REQUEST) -> int:
    """
    The most destinations, *size* or fewer, that one request should hold at *rate*.
    """
    if rate is None:
        return size
    return max(1, min(size, int(rate * _SHARE_OF_A_SECOND)))


def burst_at(rate: float) -> float:
    """
    How long one such request has to pay at *rate*, in seconds.
    """
    return most_at(rate) / rate


def slower(one: float | None, other: float | None) -> float | None:
    """
    The lower of two rates; None is no limit.
    """
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def kept(rate: float | None) -> float | None:
    """
    *rate*, but not so slow that it can't be reckoned with.
    """
    return None if rate is None else max(rate, _SLOWEST_EVER)


@attrs.frozen(kw_only=True)
class Pace:
    """
    How fast at present, and what has to be known to change that.

    All moments are of one clock, in seconds.
    """

    #: Destinations per second; None for no limit.
    rate: float | None = attrs.field(default=None, converter=kept)
    #: What the rate comes back to; None where its owner set none.
    ceiling: float | None = attrs.field(default=None, converter=kept)
    #: Whether it is still to be found out what the service takes.
    searches: bool = False
    #: When a refusal changed the rate.
    changed_at: float = -inf
    #: When the rate was raised last, or could have been.
    regained_at: float = -inf
    #: Until when nothing is let through.
    held_until: float = -inf

    @property
    def most(self) -> int:
        """
        The most destinations that one request should hold at this rate.
        """
        return most_at(self.rate)

    def set_to(self, rate: float | None, now: float) -> Pace:
        """
        From *now* its owner wants it to be *rate*.
        """
        return attrs.evolve(
            self, rate=rate, ceiling=rate, searches=False, regained_at=now
        )

    def held(self, until: float) -> Pace:
        """
        Nothing is let through before *until*.
        """
        until = max(self.held_until, until)
        # A time in which nothing may be sent proves nothing about the rate.
        regained_at = max(self.regained_at, until)
        return attrs.evolve(self, held_until=until, regained_at=regained_at)

    def slowed(
        self, now: float, retry_after: float | None = None, *, sent_at: float
    ) -> Pace:
        """
        The service refused for speed what left at *sent_at*, and asks to wait.

        What left before the rate was changed last says nothing about the rate since.
        """
        # A clock that machines share may have been set back.
        is_news = sent_at >= self.changed_at or self.changed_at > now
        pace = self._lowered(now) if is_news else self
        until = max(pace.held_until, now + retry_after if retry_after else -inf)
        return attrs.evolve(pace, held_until=until, regained_at=max(now, until))

    @property
    def raise_at(self) -> float:
        """
        When the rate comes back a little; never, where it was not lowered.
        """
        is_lowered = self.rate is not None and self.rate != self.ceiling
        return self.regained_at + _REGAINED_EVERY if is_lowered else inf

    def raised(self, now: float) -> Pace:
        """
        With what came back of the rate until *now*.
        """
        if self.rate is None or now < self.raise_at:
            return self
        growth = _SEARCH_GROWTH if self.searches else _REGAINED_PER_SECOND
        passed = min(now - self.regained_at, _LONG_AGO)
        pace = attrs.evolve(self, regained_at=now)
        regained = self.rate * growth**passed
        if self.ceiling is not None:
            return attrs.evolve(pace, rate=min(regained, self.ceiling))
        if regained < _AS_GOOD_AS_NONE:
            return attrs.evolve(pace, rate=regained)
        return attrs.evolve(pace, searches=False, rate=None)

    def _lowered(self, now: float) -> Pace:
        if self.rate is None:
            # What went through before still fills the second that the service sees.
            until = max(self.held_until, now + 1.0)
            return attrs.evolve(
                self,
                rate=_SEARCH_BEGINS,
                searches=True,
                held_until=until,
                changed_at=now,
            )
        if self.searches:
            rate = self.rate * _SEARCH_ENDS
        elif abs(now - self.changed_at) >= _SAYS_NOTHING_NEW:
            rate = self.rate * _SLOWED
        else:
            return self
        return attrs.evolve(
            self,
            rate=max(min(_SLOWEST, self.rate), rate),
            searches=False,
            changed_at=now,
        )


class Urgency(enum.IntEnum):
    """
    Who goes first where several share a rate.
    """

    URGENT = 0  #: someone waits for the answer
    HIGH = 1
    MEDIUM = 2
    LOW = 3

    @classmethod
    def of(cls, priority: Priority | None) -> Urgency:
        """
        That of a campaign whose messages have this *priority*.
        """
        return cls.MEDIUM if priority is None else cls[priority.name]


@attrs.frozen(kw_only=True)
class Taker:
    """
    Someone who wants to send, among all who share a rate.
    """

    #: Tells it from the others.
    name: str
    urgency: Urgency
    #: Whose own rate it keeps to, besides the one that all share.
    campaign: str
    #: That rate; None for no limit.
    rate: float | None = None
    #: So many seconds before its time it may be told that it may send then.
    ahead: float = 0.0


@attrs.frozen(kw_only=True)
class Allowed:
    """
    What a taker is told.
    """

    #: So many destinations may be sent, out of those that were asked for.
    number: int
    #: They may after so many seconds; where none may, that is when to ask again.
    wait: float = 0.0
    #: For so many seconds everything is held, and that is why none may.
    held: float = 0.0
