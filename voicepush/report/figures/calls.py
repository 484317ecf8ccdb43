"""
How many had picked up, or would not, at any time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from voicepush import clock
from voicepush.model.call import CallState
from voicepush.model.overview import Overview
from voicepush.report.bins import Bins
from voicepush.report.figures.axes import (
    colour,
    colours,
    number_axis,
    time_axis,
    values,
)
from voicepush.report.figures.figure import Figure, Key, Table
from voicepush.report.figures.own_time import strangers, time_of_calls
from voicepush.report.wording import share

#: In the order in which they are stacked, the first at the bottom.
WORDS = {
    CallState.AGENT: "reached, and an agent was connected",
    CallState.REACHED: "reached",
    CallState.NOT_REACHED: "not reached",
    CallState.DROPPED: "dropped",
    CallState.EXPIRED: "expired",
}

_TITLE = "What became of the calls"


def calls(overview: Overview) -> Figure:
    """
    Call states over time, summed up from the beginning.
    """
    status = overview.status
    told = [
        each for each in overview.timeline.calls if each.calls and each.state in WORDS
    ]
    if status.calls is None or not told:
        return Figure(name="calls", title=_TITLE, says=_why_nothing(overview))
    stamps = [(each.at, each.calls) for each in told]
    bins = time_of_calls(overview).bins(stamps)
    counted: list[Counter[CallState]] = [Counter() for _ in range(len(bins))]
    for each in told:
        counted[bins.place(each.at)][each.state] += each.calls
    sums = sum(counted, Counter[CallState]())
    kinds = [state for state in WORDS if sums[state]]
    keys = [Key(state.value, WORDS[state], sums[state]) for state in kinds]
    every = Key("every-call", "all calls, as far as accepted", status.accepted)
    on_its_way = status.calls.on_its_way
    picked_up = sums[CallState.REACHED] + sums[CallState.AGENT]
    so_far: Counter[CallState] = Counter()
    rows = []
    for at, each in zip(bins.edges[1:], counted, strict=True):
        so_far += each
        rows.append((clock.moment(at), *(so_far[state] for state in kinds)))
    return Figure(
        name="calls",
        title=_TITLE,
        says=(
            f"{picked_up:,} of {status.accepted:,} calls were picked up "
            f"({share(picked_up, status.accepted)}), {sums[CallState.NOT_REACHED]:,} "
            f"reached nobody; of {on_its_way:,} nothing final is known."
        ),
        notes=strangers(bins.outside(stamps), "calls"),
        keys=[*keys, every],
        table=Table(
            columns={"until": "until", **{each.value: WORDS[each] for each in kinds}},
            rows=rows,
        ),
        spec=_spec(bins, counted, kinds, keys, status.accepted),
        bars=[
            (f"{clock.moment(at).astimezone():%H:%M:%S}", each.total())
            for at, each in zip(bins.edges, counted, strict=False)
        ],
    )


def _why_nothing(overview: Overview) -> str:
    if not overview.status.accepted:
        return "No call was accepted yet."
    return why_no_receipt(overview)


def why_no_receipt(overview: Overview) -> str:
    """
    Why nothing is known of calls, and what to do about it.
    """
    if overview.receipts.last_at is None:
        return (
            "No receipt has come yet: send with --notify-url, serve it by voicepush "
            "receipts, and select all receipts of Voice in the platform's console."
        )
    return (
        "Receipts have come, but none says yet what became of these calls; voicepush "
        "poll asks the platform."
    )


def _spec(
    bins: Bins,
    counted: Sequence[Counter[CallState]],
    kinds: Sequence[CallState],
    keys: Sequence[Key],
    accepted: int,
) -> dict[str, Any]:
    so_far: Counter[CallState] = Counter()
    rows = []
    for at, each in zip(bins.edges, [Counter[CallState](), *counted], strict=True):
        so_far += each
        rows += [
            {"x": at, "what": state.value, "n": so_far[state], "rank": rank}
            for rank, state in enumerate(kinds)
        ]
    y = number_axis("calls so far", domain=[0, accepted])
    return {
        "height": 190,
        "layer": [
            {
                "data": values(rows),
                "mark": {"type": "area"},
                "encoding": {
                    "x": {**time_axis(bins), "field": "x"},
                    "y": {**y, "field": "n", "stack": "zero"},
                    "color": colours(keys),
                    "order": {"field": "rank"},
                },
            },
            {
                "data": values([{"n": accepted}]),
                "mark": {
                    "type": "rule",
                    "strokeDash": [4, 3],
                    "color": colour("every-call"),
                },
                "encoding": {"y": {"field": "n", "type": "quantitative"}},
            },
        ],
    }
