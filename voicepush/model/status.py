"""
Where a campaign stands, and what is known of one recipient.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import attrs

from voicepush.masking import only_count
from voicepush.model.call import Call, Calls
from voicepush.model.outcome import Result


class Waiting(NamedTuple):
    """
    Why nothing goes on at present.
    """

    reason: str
    since: datetime


class CampaignState(enum.StrEnum):
    """
    What is going on with a campaign.
    """

    PLANNED = "planned"  #: everyone in it is known, no one was called yet
    RUNNING = "running"  #: a process is dispatching it
    PAUSED = "paused"  #: stopped with someone left; the reason is kept
    CANCELLED = "cancelled"  #: stopped for good by its owner
    FINISHED = "finished"  #: no one is left to be tried
    MOVING = "moving"  #: on its way to another ledger; nobody can dispatch it
    MOVED = "moved"  #: it goes on in another ledger


@attrs.frozen(kw_only=True)
class GroupCounts:
    """
    Where the people of a campaign stand who have something in common, as their message.
    """

    planned: int = 0
    pending: int = 0
    in_flight: int = 0
    accepted: int = 0
    rejected: int = 0
    expired: int = 0
    not_sent: int = 0
    unknown: int = 0

    def __add__(self, other: GroupCounts) -> GroupCounts:
        mine, theirs = attrs.astuple(self), attrs.astuple(other)
        names = [field.name for field in attrs.fields(GroupCounts)]
        sums = map(sum, zip(mine, theirs, strict=True))
        return GroupCounts(**dict(zip(names, sums, strict=True)))


@attrs.frozen(kw_only=True)
class CampaignStatus:
    """
    Where a campaign stands, in numbers of recipients; its sums always hold.

    ``planned`` is the sum of ``pending``, ``in_flight`` and the outcomes; ``read`` is
    ``planned`` with ``invalid``, ``duplicate`` and ``suppressed``.
    """

    campaign: str
    state: CampaignState
    #: Why it is in that state, where there is something to say.
    reason: str | None
    read: int
    planned: int
    pending: int
    #: Claimed by a dispatcher and not recorded: under way, or lost with it.
    in_flight: int
    accepted: int
    rejected: int
    expired: int
    not_sent: int
    unknown: int
    invalid: int
    duplicate: int
    suppressed: int
    #: Of the unknown, those that their owner has given up.
    given_up: int = 0
    #: When it expires.
    expiry: datetime | None = None
    #: Destinations per second, as its owner wants it.
    rate: float | None = None
    #: Recipients per second, as its dispatcher measured it lately.
    throughput: float | None = None
    #: How many processes are at work on it.
    workers: int = 0
    #: Why nothing goes on although it is running, where that has lasted a while.
    waiting: str | None = None
    #: Since when.
    waiting_since: datetime | None = None
    #: What became of the accepted, once a receipt has come.
    calls: Calls | None = None
    #: Of how many of those that is known only because the platform was asked.
    asked: int = 0
    #: The campaign whose calls it follows up, where it does.
    follows: str | None = None
    #: Of the accepted, about so many whose requests expired when their windows closed,
    #: before they were rung: they are called again when the campaign goes on.
    due_again: int = 0

    @property
    def done(self) -> int:
        """
        How many have an outcome.
        """
        return self.planned - self.pending - self.in_flight

    def will_expire(self, now: datetime) -> int | None:
        """
        How many will expire unsent if it goes on as lately, where that is known.
        """
        throughput = self.throughput or self.rate
        if self.expiry is None or throughput is None:
            return None
        left = max(0.0, (self.expiry - now).total_seconds())
        return max(0, self.pending - int(throughput * left))


@attrs.frozen(kw_only=True)
class CampaignDates:
    """
    When a campaign was planned, when its people were claimed, and when it ended.
    """

    planned: datetime
    #: When the first of its requests was about to leave; to the minute where the same
    #: people were claimed again later.
    first_claimed: datetime | None = None
    #: When the last one was.
    last_claimed: datetime | None = None
    #: When it was finished or cancelled, if it is.
    ended: datetime | None = None


@attrs.frozen(kw_only=True)
class Lookup:
    """
    What a ledger knows of one recipient.
    """

    campaign: str
    result: Result
    #: Whether it is under way, or was when its dispatcher died.
    in_flight: bool
    #: Whether it is unknown and its owner has given it up.
    given_up: bool = False
    #: The id of its batch; the ids of its requests begin with it.
    batch: str
    #: How many requests were made for its batch.
    attempts: int
    #: When its batch was last claimed and recorded.
    claimed: datetime | None
    recorded: datetime | None
    #: The campaign whose calls that one follows up, where it does.
    follows: str | None = None
    #: What its owner kept of the list, by the name of the column.
    kept: Mapping[str, str] = attrs.field(factory=dict, repr=only_count)
    #: What the receipts say, where any came.
    call: Call | None = None
    #: Their bodies, the earliest first, as far as they are kept.
    receipts: tuple[bytes, ...] = ()
    #: Since when the campaign is archived, where it is.
    archived: datetime | None = None


@attrs.frozen(kw_only=True)
class UnknownBatch:
    """
    A request whose answer is not known, and what speaks for either side.
    """

    #: The id of its batch; the ids of its requests begin with it.
    batch: str
    #: How many recipients are unknown in it.
    unknown: int
    #: How many others of the same batch were accepted.
    accepted: int
    #: How many recipients it holds.
    size: int
    #: When it was claimed.
    claimed: datetime | None
    #: What is known of the reason, the most frequent first.
    reasons: tuple[str, ...]
    #: Of how many of its recipients a receipt has come, and when the last one did.
    receipts: int = 0
    last_receipt: datetime | None = None


@attrs.frozen
class Resolved:
    """
    What came of a decision about the unknown.
    """

    #: How many recipients it was taken for.
    recipients: int
    #: How many were left as they are, since the process that claimed them may exist.
    left_alone: int = 0
    #: That process, in words.
    process: str | None = None


@attrs.frozen
class HistoryEntry:
    """
    Something that was done to a campaign.
    """

    at: datetime
    #: The process, in words.
    who: str
    #: ``planned``, ``changed``, ``joined``, ``left``, ``told`` or ``resolved``.
    event: str
    detail: str | None = None


@attrs.frozen
class Progress:
    """
    How a campaign went in some time.
    """

    #: How many recipients were brought further.
    recipients: int = 0
    #: How many requests were refused for speed.
    throttled: int = 0
    #: The pace at the end, in destinations per second; None without a limit.
    rate: float | None = None


@attrs.frozen
class Minute:
    """
    How a campaign went in one minute.
    """

    #: Its beginning.
    at: datetime
    progress: Progress
