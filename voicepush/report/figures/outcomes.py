"""
How many people were called when, and what the service said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from voicepush import clock
from voicepush.model.outcome import Outcome
from voicepush.model.overview import Overview
from voicepush.report.bins import Bins
from voicepush.report.figures.axes import (
    clock_times,
    colours,
    number_axis,
    time_axis,
    values,
)
from voicepush.report.figures.figure import Figure, Key, Table
from voicepush.report.figures.own_time import own_time, strangers
from voicepush.report.wording import share

#: In the order in which they are stacked, the first at the bottom.
WORDS = {
    Outcome.ACCEPTED: "accepted",
    Outcome.REJECTED: "rejected",
    Outcome.EXPIRED: "expired",
    Outcome.NOT_SENT: "not sent",
    Outcome.UNKNOWN: "unknown (may have been called)",
}

_TITLE = "When people were called"


def outcomes(overview: Overview) -> Figure:
    """
    Outcomes over time.
    """
    told = [
        (each.at, what, number)
        for each in overview.timeline.outcomes
        for what, number in each.outcomes.items()
        if number and what in WORDS
    ]
    if not told:
        return Figure(name="outcomes", title=_TITLE, says="Nobody was called yet.")
    stamps = [(at, number) for at, _, number in told]
    bins = own_time(overview).bins(stamps)
    counted: list[Counter[Outcome]] = [Counter() for _ in range(len(bins))]
    sums: Counter[Outcome] = Counter()
    for at, what, number in told:
        counted[bins.place(at)][what] += number
        sums[what] += number
    keys = [
        Key(what.value, words, sums[what])
        for what, words in WORDS.items()
        if sums[what]
    ]
    kinds = [what for what in WORDS if sums[what]]
    total = sums.total()
    says = (
        f"{sums[Outcome.ACCEPTED]:,} of {total:,} were accepted "
        f"({share(sums[Outcome.ACCEPTED], total)})"
    )
    most = max(each[Outcome.ACCEPTED] + each[Outcome.REJECTED] for each in counted)
    if most:
        says += f"; at most {most:,} people had their answer within {bins.span_words}"
    return Figure(
        name="outcomes",
        title=_TITLE,
        says=f"{says}.",
        notes=strangers(bins.outside(stamps), "records"),
        keys=keys,
        table=Table(
            columns={"at": "from", **{what.value: WORDS[what] for what in kinds}},
            rows=[
                (clock.moment(at), *(each[what] for what in kinds))
                for at, each in zip(bins.edges, counted, strict=False)
            ],
        ),
        spec=_spec(bins, counted, kinds, keys),
        bars=clock_times(bins, [each.total() for each in counted]),
    )


def _spec(
    bins: Bins,
    counted: Sequence[Counter[Outcome]],
    kinds: Sequence[Outcome],
    keys: Sequence[Key],
) -> dict[str, Any]:
    rows = [
        {
            "x": bins.edges[i],
            "x2": bins.edges[i + 1],
            "what": what.value,
            "n": each[what],
            "rank": rank,
        }
        for i, each in enumerate(counted)
        for rank, what in enumerate(kinds)
        if each[what]
    ]
    return {
        "height": 190,
        "data": values(rows),
        "mark": {"type": "bar", "binSpacing": 1},
        "encoding": {
            "x": {**time_axis(bins), "field": "x", "bin": "binned"},
            "x2": {"field": "x2"},
            "y": {**number_axis(f"people per {bins.width_words}"), "field": "n"},
            "color": colours(keys),
            "order": {"field": "rank"},
        },
    }
