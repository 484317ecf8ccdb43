"""
Gathers what a report tells of a campaign.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable
from datetime import datetime, tzinfo
from functools import cache
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import attrs

from voicepush import clock
from voicepush.campaign.counting import counts_by
from voicepush.errors import InputError
from voicepush.ledger import decisions
from voicepush.ledger.opening import groups_of
from voicepush.ledger.plan import Plan
from voicepush.ledger.reader import CalledBatch, LedgerReader
from voicepush.masking import mask
from voicepush.model.overview import LocalHours, Overview
from voicepush.model.recipients import Kind
from voicepush.model.status import CampaignStatus, GroupCounts
from voicepush.screening.zones import zones_of
from voicepush.sending.request import load_message

#: So many people, and batches, are looked at for what time it was for them; of a larger
#: campaign some that are spread evenly over it.
_PEOPLE = 200_000
_BATCHES = 5_000


async def overview_of(ledger: LedgerReader, campaign: str) -> Overview:
    """
    How *campaign* went.

    Raises:
        InputError: There is no such campaign.
        LedgerError: The ledger can't be read.
    """
    plan = await ledger.plan(campaign)
    if plan is None:
        raise InputError(f"there is no campaign {campaign!r} in this ledger")
    # The campaign may go on meanwhile, and sums of several moments would differ.
    seen = await ledger.snapshot(campaign)
    return Overview(
        made_at=clock.utc_now(),
        status=seen.status,
        source=plan.source,
        settings=_settings(plan),
        timeline=seen.timeline,
        reasons=seen.reasons,
        local_hours=await _local_hours(
            ledger.some_called(campaign, people=_PEOPLE, batches=_BATCHES),
            called=_called(seen.status),
        ),
        unknown=seen.unknown,
        receipts=seen.receipts,
        window=None if plan.windows is None else plan.windows.daily,
        messages=await by_message(ledger, campaign),
        history=seen.history,
    )


async def by_message(ledger: LedgerReader, campaign: str) -> dict[str, GroupCounts]:
    """
    Where the people of *campaign* stand by the prompt or call flow that they are
    played; nothing where all are played the same.

    Each batch is looked at, which takes a moment where there are many.
    """
    groups = groups_of(await ledger.groups(campaign), load_message)
    used = [group for number, group in groups.items() if number] or groups.values()
    if len({group.message for group in used}) == 1:
        return {}
    return await counts_by(
        ledger, campaign, lambda group: groups[group.number].message.played
    )


def _called(status: CampaignStatus) -> int:
    """
    How many people were called, or may have been.
    """
    expired = 0 if status.calls is None else status.calls.expired
    return status.accepted + status.unknown + status.in_flight - expired


async def _local_hours(
    batches: AsyncIterable[CalledBatch], *, called: int
) -> LocalHours:
    hours: Counter[int] = Counter()
    several = unplaced = 0
    async for batch in batches:
        if batch.kind is not Kind.MSISDN:
            unplaced += len(batch.values)
            continue
        at = clock.moment(batch.at)
        for zones, people in Counter(map(zones_of, batch.values)).items():
            there = {at.astimezone(_zone(name)).hour for name in zones}
            if len(there) == 1:
                hours[there.pop()] += people
            elif there:
                several += people
            else:
                unplaced += people
    found = LocalHours(
        calls=[hours[hour] for hour in range(24)],
        several=several,
        unplaced=unplaced,
    )
    # More may have been called since the others were counted.
    return attrs.evolve(found, called=max(called, found.looked_at))


@cache
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def _settings(plan: Plan) -> dict[str, str]:
    """
    What *plan* says, in the order of the options of ``send``.
    """
    message = load_message(plan.message)
    expiry = message.expiry
    found = {
        "media": message.media,
        "callflow": message.callflow,
        "cli": message.cli and mask(message.cli),
        "priority": message.priority and message.priority.name.lower(),
        "notify-url": message.notify_url and _without_query(message.notify_url),
        "correlation-id": message.correlation_id,
        "callback-data": message.callback_data and "given",
        "extra": ", ".join(message.extra),
        **plan.given,
        "expiry": f"{expiry:%Y-%m-%d %H:%M:%SZ}"
        if isinstance(expiry, datetime)
        else None,
        "rate": None if plan.rate is None else f"{plan.rate:g} destinations per second",
        "retry-internal-error": "yes" if plan.retry_internal_error else "no",
        "on-unknown": "resend" if plan.resend_unknown else "keep",
        "window": plan.windows and str(plan.windows),
        "not-on": plan.windows and ", ".join(map(str, sorted(plan.windows.not_on))),
        "any-hour": plan.any_hour,
        "first": plan.trial and f"{plan.trial.people:,} by seed {plan.trial.seed}",
        "from-campaign": plan.follows and plan.follows.campaign,
        "calls": plan.follows and ", ".join(plan.follows.states),
        "caps": "; ".join(
            f"at most {cap.most} within {decisions.duration_text(cap.seconds)}"
            for cap in plan.caps
        ),
    }
    return {name: text for name, text in found.items() if text}


def _without_query(url: str) -> str:
    # What stands behind the path, or before the host, may be a secret.
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
