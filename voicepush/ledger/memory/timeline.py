"""
How a campaign went: what happened when, and why.
"""

from __future__ import annotations

from collections import Counter

from voicepush import clock
from voicepush.ledger.lasting import lasting
from voicepush.ledger.memory.campaign import StoredCampaign
from voicepush.model.call import Call, CallState, is_told
from voicepush.model.outcome import Outcome, Verdict, count_reason
from voicepush.model.overview import CallsAt, Timeline
from voicepush.model.status import GroupCounts, Minute

#: Those who wait, are under way or were left out.
_UNTOLD = frozenset({Outcome.PENDING, Outcome.SUPPRESSED})


def group_counts_of(campaign: StoredCampaign) -> dict[int, GroupCounts]:
    """
    Where the people of each group of *campaign* stand, by its number.
    """
    found: dict[int, GroupCounts] = {}
    for row in campaign.rows:
        counted, under_way = row.known.counts(), row.weigh(row.in_flight)
        number = row.group.number
        found[number] = found.get(number, GroupCounts()) + GroupCounts(
            planned=row.known.batch.size - counted[Outcome.SUPPRESSED],
            pending=counted[Outcome.PENDING] - under_way,
            in_flight=under_way,
            accepted=counted[Outcome.ACCEPTED],
            rejected=counted[Outcome.REJECTED],
            expired=counted[Outcome.EXPIRED],
            not_sent=counted[Outcome.NOT_SENT],
            unknown=counted[Outcome.UNKNOWN],
        )
    return found


def timeline_of(campaign: StoredCampaign) -> Timeline:
    """
    What happened when in *campaign*.
    """
    changes: dict[int, Counter[Outcome]] = {}
    calls: Counter[tuple[int, CallState, str]] = Counter()
    picked_up: Counter[int] = Counter()
    for row in campaign.rows:
        for at, change in row.times.items():
            changes.setdefault(at, Counter()).update(change)
        for heard_of in row.calls.values():
            call = heard_of.call
            if is_told(call):
                at = int((heard_of.received_at if call.at is None else call.at) // 10)
                calls[at, call.state, call.code] += 1
            after = _picked_up_after(call, row.claimed_at)
            if after is not None:
                picked_up[after] += 1
    return Timeline(
        outcomes=lasting(changes),
        calls=[
            CallsAt(10.0 * at, state, code, calls[at, state, code])
            for at, state, code in sorted(calls)
        ],
        picked_up_after=dict(sorted(picked_up.items())),
        minutes=minutes_of(campaign),
    )


def minutes_of(campaign: StoredCampaign) -> list[Minute]:
    """
    How it went in each minute in which a worker was at work.
    """
    return [
        Minute(clock.moment(60.0 * minute), progress)
        for minute, progress in sorted(campaign.minutes.items())
    ]


def reasons_of(campaign: StoredCampaign) -> Counter[Verdict]:
    """
    How many recipients of *campaign* have which verdict.
    """
    found: Counter[Verdict] = Counter()
    for row in campaign.rows:
        for verdict, number in row.known.reasons().items():
            if verdict.outcome not in _UNTOLD:
                count_reason(found, verdict, number)
    return found


def _picked_up_after(call: Call, claimed_at: float | None) -> int | None:
    if call.answered_at is None or claimed_at is None:
        return None
    # The platform's clock may be ahead of ours, if not by more than a minute.
    after = call.answered_at - claimed_at
    if after < -_MINUTE:
        return None
    if after >= _DAY:
        return _DAY
    return int(max(after, 0)) if after < 2 * _MINUTE else int(after // 60) * 60


_MINUTE = 60

_DAY = 86_400
