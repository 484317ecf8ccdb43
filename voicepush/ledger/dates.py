"""
What a campaign's dates are, by what a ledger keeps of it.
"""

from __future__ import annotations

from voicepush import clock
from voicepush.model.status import CampaignDates, CampaignState


def dates_from(
    state: CampaignState,
    *,
    planned: float,
    claimed: tuple[float | None, float | None],
    minute: int | None,
    recorded: float | None,
    left: float | None,
) -> CampaignDates:
    """
    The dates of a campaign; all times are in seconds since 1970.

    Args:
        claimed: The earliest and the latest of the last claims of its batches.
        minute: The first minute since 1970 in which a worker brought anyone further.
        recorded: When a batch was last recorded.
        left: When a worker left it last.
    """
    first, last = claimed
    if first is not None and minute is not None and 60 * (minute + 1) <= first:
        # All who were claimed then were claimed again since.
        first = 60.0 * minute
    ended = None
    if state is CampaignState.FINISHED:
        ended = left if recorded is None else recorded
    elif state is CampaignState.CANCELLED:
        ended = left
    return CampaignDates(
        planned=clock.moment(planned),
        first_claimed=clock.moment(first),
        last_claimed=clock.moment(last),
        ended=clock.moment(ended),
    )
