"""
What a page shows of a ledger, as values.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from voicepush.dashboard.rates import Rates, rates_of
from voicepush.errors import InputError
from voicepush.ledger.reader import LedgerReader
from voicepush.model.call import ReceiptCounts
from voicepush.model.status import CampaignState, CampaignStatus, HistoryEntry

#: So many of the campaigns that are over are listed, the newest first.
_MOST_OVER = 50

#: So many others.
_MOST = 200

#: So much of a history is shown, the newest first.
_MOST_HISTORY = 100

_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)


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
    rates: Rates
    history: Sequence[HistoryEntry]
    #: How many earlier entries are not shown.
    earlier: int


async def all_of(ledger: LedgerReader) -> All:
    """
    The campaigns of *ledger*.
    """
    found = (await ledger.campaigns())[::-1]
    running = [each for each in found if each.state is CampaignState.RUNNING][:_MOST]
    over = [each for each in found if each.state in _OVER][:_MOST_OVER]
    waiting = [
        each
        for each in found
        if each.state in (CampaignState.PLANNED, CampaignState.PAUSED)
    ][:_MOST]
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
        rates=rates_of(await ledger.minutes(campaign)),
        history=history[:_MOST_HISTORY],
        earlier=max(0, len(history) - _MOST_HISTORY),
    )
