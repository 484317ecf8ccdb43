"""
How a campaign went: everything that a report tells of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import attrs

from voicepush.model.call import CallState, ReceiptCounts
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.status import (
    CampaignStatus,
    GroupCounts,
    HistoryEntry,
    Minute,
    UnknownBatch,
)


class OutcomesAt(NamedTuple):
    """
    How many recipients got which outcome in one second.
    """

    #: Its beginning, in seconds since 1970.
    at: float
    outcomes: Mapping[Outcome, int]


class CallsAt(NamedTuple):
    """
    How many calls came to the same end in some ten seconds.
    """

    #: Their beginning, in seconds since 1970, by the platform's stamps.
    at: float
    state: CallState
    #: The platform's code that told it.
    code: str
    calls: int


@attrs.frozen(kw_only=True)
class Timeline:
    """
    What happened when; the sums of its parts are those of the campaign's status.
    """

    #: When each batch was last recorded, or claimed where its answer is lost. Nobody
    #: who is pending, in flight or suppressed is in it.
    outcomes: Sequence[OutcomesAt] = ()
    #: When it was decided what became of calls; none that are on their way.
    calls: Sequence[CallsAt] = ()
    #: So many calls were picked up as many whole seconds after their request, by the
    #: platform's stamp and our clock; from two minutes on in whole minutes, and a day
    #: stands for everything above.
    picked_up_after: Mapping[int, int] = attrs.field(factory=dict)
    #: The pace and the refusals for speed, as the dispatchers told them.
    minutes: Sequence[Minute] = ()


@attrs.frozen(kw_only=True)
class Snapshot:
    """
    How a campaign stood at one moment, whatever others did to it meanwhile.
    """

    status: CampaignStatus
    timeline: Timeline
    #: How many recipients have which verdict; nobody who is pending.
    reasons: Mapping[Verdict, int]
    #: The requests whose answer is not known.
    unknown: Sequence[UnknownBatch]
    #: What the ledger has received, of any campaign.
    receipts: ReceiptCounts
    #: What was done to it by whom, the oldest first.
    history: Sequence[HistoryEntry]


@attrs.frozen(kw_only=True)
class LocalHours:
    """
    At what hour of their own day people were called.
    """

    #: By the hour from 0 to 23, of those that were looked at.
    calls: Sequence[int] = (0,) * 24
    #: Whose number may be in several time zones, where it was not the same hour.
    several: int = 0
    #: Whose number tells of no time zone, as a customer id.
    unplaced: int = 0
    #: How many people were called, or may have been.
    called: int = 0

    @property
    def looked_at(self) -> int:
        """
        How many were looked at; fewer than were called where those were too many, and
        then they are spread evenly over the campaign.
        """
        return sum(self.calls) + self.several + self.unplaced


@attrs.frozen(kw_only=True)
class Overview:
    """
    How a campaign went: everything that a report tells of it.
    """

    #: When it was looked at.
    made_at: datetime
    status: CampaignStatus
    #: Where its recipients came from.
    source: str
    #: What it ran with, in words by its owner's names for it.
    settings: Mapping[str, str]
    timeline: Timeline
    #: How many recipients have which verdict; nobody who is pending.
    reasons: Mapping[Verdict, int]
    local_hours: LocalHours
    #: The requests whose answer is not known.
    unknown: Sequence[UnknownBatch]
    #: What the ledger has received, of any campaign.
    receipts: ReceiptCounts
    #: What was done to it by whom, the oldest first.
    history: Sequence[HistoryEntry]
    #: The window in which people may be called by their own clocks, in minutes since
    #: midnight, where that is the same each day.
    window: tuple[int, int] | None = None
    #: Where people stand by what they are played, where that is not one message.
    messages: Mapping[str, GroupCounts] = attrs.field(factory=dict)
