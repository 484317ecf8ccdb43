"""
Those who are due again are pending, and of their calls nothing is known any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from voicepush import clock
from voicepush.ledger.due_again import (
    due_again,
    due_from,
    may_be_due_again,
    reopened,
    told,
)
from voicepush.ledger.memory.campaign import NOTHING, HeardOf, Row, StoredCampaign
from voicepush.model.outcome import Outcome
from voicepush.model.status import CampaignState

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
        campaign.note("due again", told(number))


def number_due_again(campaigns: _Campaigns, campaign: StoredCampaign) -> int:
    """
    How many these may be.
    """
    found = sum(len(_new_in(row)) for row in campaign.rows)
    return found if found and _may_be(campaigns, campaign) else 0


def _may_be(campaigns: _Campaigns, campaign: StoredCampaign) -> bool:
    plan = campaign.plan
    followed = [
        each.plan.follows
        for each in campaigns.values()
        if each.plan.follows is not None and each.plan.follows.campaign == plan.campaign
    ]
    is_over = campaign.state is CampaignState.CANCELLED
    return not is_over and may_be_due_again(plan.expires_at, followed, clock.now())


def _new_in(row: Row) -> list[HeardOf]:
    return [
        call
        for call in row.calls.values()
        if call.expired_as and not (call.looked_at or call.call.was_offered)
    ]


def _call_again(row: Row) -> int:
    if not _new_in(row):
        return 0
    expired = {
        recipient: call.expired_as
        for recipient, call in row.calls.items()
        if not call.call.was_offered
    }
    places = [] if row.closes_at is None else due_again(row.known, expired)
    owners = row.known.batch.recipients.places_of_values()
    heard: list[float] = []
    for recipient, call in row.calls.items():
        call.looked_at = True
        if owners[recipient] in places:
            call.call = NOTHING
            heard.append(call.received_at)
    if places:
        row.known = reopened(row.known, places)
        row.due_at = due_from(row.closes_at, row.claimed_at, heard)
        # They are taken from where they were counted.
        at, weight = int(row.recorded_at or 0.0), row.weigh(places)
        row.times[int(clock.now())][Outcome.ACCEPTED] += weight
        row.times.setdefault(at, Counter())[Outcome.ACCEPTED] -= weight
    return row.weigh(places)
