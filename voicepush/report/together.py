"""
Several campaigns in one report: side by side, or as rounds of calling the same people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from voicepush.model.call import Calls
from voicepush.model.status import CampaignStatus
from voicepush.report.figures.figure import Cell, Table
from voicepush.report.headline import headline, reached
from voicepush.report.wording import outside, share

_COLUMNS = {
    "campaign": "campaign",
    "state": "state",
    "read": "on the list",
    "planned": "planned",
    "accepted": "accepted",
    "reached": "picked up",
    "share": "of the accepted",
    "unknown": "unknown",
}

_ROUNDS = {
    "rounds": "after round",
    "called": "calls in it",
    "reached": "picked up in it",
    "reached_so_far": "picked up so far",
    "share": "of the people",
}


_TWICE = (
    "A person who picked up in one round and was called again in another, by --calls "
    "reached, is counted in both."
)


@attrs.frozen(kw_only=True)
class Together:
    """
    What is told of several campaigns at once.
    """

    title: str
    headline: str
    caption: str
    table: Table
    #: How many had picked up after how many rounds, where they are rounds.
    rounds: Table | None = None
    notes: Sequence[str] = ()

    def as_object(self) -> dict[str, object]:
        """
        The same for JSON.
        """
        return {
            "headline": self.headline,
            "campaigns": self.table.objects(),
            "rounds": None if self.rounds is None else self.rounds.objects(),
            "notes": list(self.notes),
        }


def together(
    statuses: Sequence[CampaignStatus], *, are_rounds: bool = False
) -> Together:
    """
    What is told of *statuses* at once.

    Args:
        are_rounds: Whether they call the same people again, the first round first.
    """
    rows = [_row(outside(each.campaign), each.state.value, [each]) for each in statuses]
    rows.append(_row("together", "", statuses))
    accepted = sum(each.accepted for each in statuses)
    picked_up = sum(map(reached, statuses))
    if not are_rounds:
        return Together(
            title=f"{len(statuses)} campaigns",
            headline=headline(_sum_of(statuses), len(statuses)),
            caption="The campaigns, and their sums",
            table=Table(columns=_COLUMNS, rows=rows),
            notes=("Who is on several lists is counted on each.",),
        )
    rounds = _by_round(statuses)
    people = statuses[0].planned
    part = share(picked_up, people)
    return Together(
        title=f"{outside(statuses[0].campaign)}, in {len(rounds)} rounds",
        headline=(
            f"Of {people:,} people {picked_up:,} picked up ({part}) "
            f"within {len(rounds)} rounds and {accepted:,} calls."
        ),
        caption="The rounds, and their sums",
        table=Table(columns=_COLUMNS, rows=rows),
        rounds=Table(columns=_ROUNDS, rows=_rows_of(rounds, people)),
        notes=(_TWICE,),
    )


_SUMMED = (
    *("read", "invalid", "duplicate", "suppressed", "planned", "pending", "in_flight"),
    *("accepted", "rejected", "expired", "not_sent", "unknown"),
)


def _sum_of(statuses: Sequence[CampaignStatus]) -> CampaignStatus:
    """
    All of *statuses* as that of one campaign, in numbers.
    """
    sums = {name: sum(getattr(each, name) for each in statuses) for name in _SUMMED}
    heard = [each.calls for each in statuses if each.calls is not None]
    calls = Calls(
        reached=sum(each.reached for each in heard),
        agent=sum(each.agent for each in heard),
    )
    return attrs.evolve(statuses[0], **sums, calls=calls if heard else None)


def _row(name: str, state: str, found: Sequence[CampaignStatus]) -> list[Cell]:
    accepted, picked_up = sum(each.accepted for each in found), sum(map(reached, found))
    is_heard = any(each.calls is not None for each in found)
    return [
        name,
        state,
        sum(each.read for each in found),
        sum(each.planned for each in found),
        accepted,
        picked_up if is_heard else None,
        share(picked_up, accepted) if is_heard else None,
        sum(each.unknown for each in found),
    ]


def _by_round(statuses: Sequence[CampaignStatus]) -> list[tuple[int, int]]:
    """
    The calls in each round, and how many were picked up; several campaigns may be one.
    """
    known = {each.campaign: each for each in statuses}
    called: Counter[int] = Counter()
    picked_up: Counter[int] = Counter()
    for each in statuses:
        depth, before = 0, each.follows
        while before in known:
            depth, before = depth + 1, known[before].follows
        called[depth] += each.accepted
        picked_up[depth] += reached(each)
    return [(called[depth], picked_up[depth]) for depth in sorted(called)]


def _rows_of(rounds: Sequence[tuple[int, int]], people: int) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    so_far = 0
    for number, (called, picked_up) in enumerate(rounds, 1):
        so_far += picked_up
        rows.append([number, called, picked_up, so_far, share(so_far, people)])
    return rows
