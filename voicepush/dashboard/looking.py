"""
What a page shows of a ledger, as values.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.ledger.reader import LedgerReader
from voicepush.model.call import ReceiptCounts
from voicepush.model.overview import LocalHours, Overview
from voicepush.model.status import CampaignState, CampaignStatus, HistoryEntry
from voicepush.report.account import Deed
from voicepush.report.figures.calls import calls
from voicepush.report.figures.figure import Figure
from voicepush.report.figures.speed import speed
from voicepush.report.wording import detail, outside

#: So many campaigns that are over are listed, and so many others, the newest first.
_MOST_OVER = 50
_MOST = 200

#: So much of a history is shown, the newest first.
_MOST_HISTORY = 100

_WAITING = (CampaignState.PLANNED, CampaignState.PAUSED, CampaignState.MOVING)
_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED, CampaignState.MOVED)


@attrs.frozen(kw_only=True)
class All:
    """
    The campaigns of a ledger, the newest first.
    """

    running: Sequence[CampaignStatus]
    #: Planned or paused.
    waiting: Sequence[CampaignStatus]
    over: Sequence[CampaignStatus]
    #: How many are not listed.
    left_out: int
    receipts: ReceiptCounts


@attrs.frozen(kw_only=True)
class One:
    """
    One campaign.
    """

    status: CampaignStatus
    receipts: ReceiptCounts
    #: What was done to it, the newest first, and how much of that is not shown.
    history: Sequence[HistoryEntry]
    earlier: int

    @property
    def deeds(self) -> list[Deed]:
        """
        Its history as it may be shown.
        """
        return [
            Deed(
                each.at,
                outside(each.who),
                outside(each.event),
                detail(each.detail),
            )
            for each in self.history
        ]


async def all_of(ledger: LedgerReader) -> All:
    """
    The campaigns of *ledger*.
    """
    found = (await ledger.campaigns())[::-1]
    running = [each for each in found if each.state is CampaignState.RUNNING][:_MOST]
    over = [each for each in found if each.state in _OVER][:_MOST_OVER]
    waiting = [each for each in found if each.state in _WAITING][:_MOST]
    return All(
        running=running,
        waiting=waiting,
        over=over,
        left_out=len(found) - len(running) - len(waiting) - len(over),
        receipts=await ledger.receipt_counts(),
    )


async def one_of(ledger: LedgerReader, campaign: str) -> One:
    """
    The campaign of that name.

    Raises:
        InputError: There is none.
    """
    status = await ledger.status(campaign)
    if status is None:
        raise InputError(f"there is no campaign {campaign!r} in this ledger")
    history = (await ledger.history(campaign))[::-1]
    return One(
        status=status,
        receipts=await ledger.receipt_counts(),
        history=history[:_MOST_HISTORY],
        earlier=max(0, len(history) - _MOST_HISTORY),
    )


async def figures_of(ledger: LedgerReader, one: One) -> list[Figure]:
    """
    The pictures of a campaign that change while it runs, as the report has them.
    """
    timeline = await ledger.timeline(one.status.campaign)
    # After it, so that no part is greater than its whole.
    status = await ledger.status(one.status.campaign)
    overview = Overview(
        made_at=clock.utc_now(),
        status=status or one.status,
        source="",
        settings={},
        timeline=timeline,
        reasons={},
        local_hours=LocalHours(),
        unknown=(),
        receipts=one.receipts,
        history=one.history[::-1],
    )
    return [speed(overview), calls(overview)]
