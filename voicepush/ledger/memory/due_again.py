"""
Those who are due again are pending, and of their calls nothing is known any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from voicepush import clock
from voicepush.ledger.due_again import due_again, may_be_due_again, reopened
from voicepush.ledger.memory.campaign import NOTHING, Row, StoredCampaign
from voicepush.model.outcome import Outcome

_Campaigns = Mapping[str, StoredCampaign]


def call_again(campaigns: _Campaigns, campaign: StoredCampaign) -> None:
    """
    Make those of *campaign* pending who are due again.
    """
    if not _may_be(campaigns, campaign):
        return
    number = sum(
        _call_again(row)
        for row in campaign.rows
        if row.claimed_by is None and not row.is_ready
    )
    if number:
        campaign.note("due again", f"{number} not rung before their windows closed")


def number_due_again(campaigns: _Campaigns, campaign: StoredCampaign) -> int:
    """
    How many these may be.
    """
    found = sum(len(_expired_in(row)) for row in campaign.rows)
    return found if found and _may_be(campaigns, campaign) else 0


def _may_be(campaigns: _Campaigns, campaign: StoredCampaign) -> bool:
    plan = campaign.plan
    followed = [
        each.plan.follows
        for each in campaigns.values()
        if each.plan.follows is not None and each.plan.follows.campaign == plan.campaign
    ]
    return may_be_due_again(plan.expires_at, followed, clock.now())


def _expired_in(row: Row) -> dict[int, str]:
    return {
        recipient: call.expired_as
        for recipient, call in row.calls.items()
        if call.expired_as is not None
    }


def _call_again(row: Row) -> int:
    expired = _expired_in(row)
    places = [] if row.closes_at is None else due_again(row.known, expired)
    owners = row.known.batch.recipients.places_of_values()
    for recipient, name in expired.items():
        call = row.calls[recipient]
        call.expired_as = None
        if owners[recipient] in places:
            call.call = NOTHING
            call.past.add(name)
            call.transaction_ids.add(name)
    if places:
        row.known = reopened(row.known, places)
        row.due_at = row.closes_at
        # They are taken from where they were counted.
        at, weight = int(row.recorded_at or 0.0), row.weigh(places)
        row.times[int(clock.now())][Outcome.ACCEPTED] += weight
        row.times.setdefault(at, Counter())[Outcome.ACCEPTED] -= weight
    return row.weigh(places)
