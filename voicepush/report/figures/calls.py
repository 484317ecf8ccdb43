"""
How many had picked up, or would not, at any time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from voicepush import clock
from voicepush.model.call import CallState
from voicepush.model.overview import Overview
from voicepush.report.bins import Bins
from voicepush.report.figures.axes import (
    clock_times,
    colour,
    colours,
    named_bars,
    number_axis,
    time_axis,
    values,
)
from voicepush.report.figures.figure import Cell, Figure, Key, Table
from voicepush.report.figures.own_time import strangers, time_of_calls
from voicepush.report.wording import share

#: In the order in which they are stacked, the first at the bottom.
WORDS = {
    CallState.AGENT: "agent",
    CallState.REACHED: "reached",
    CallState.NOT_REACHED: "not reached",
    CallState.DROPPED: "dropped",
    CallState.EXPIRED: "expired",
}

_TITLE = "What became of the calls"

#: The stamps are told in so many seconds.
_NARROWEST = 10

#: Fewer bars show nothing of how it went on.
_FEW_BARS = 3


def calls(overview: Overview) -> Figure:
    """
    Call states over time, summed up from the beginning.
    """
    accepted = overview.status.accepted
    told = [each for each in overview.timeline.calls if each.state in WORDS]
    if not told:
        why = why_no_receipt(overview) if accepted else "No call was accepted yet."
        return Figure(name="calls", title=_TITLE, says=why)
    stamps = [(each.at, each.calls) for each in told]
    bins = time_of_calls(overview).bins(stamps, _NARROWEST)
    counted: list[Counter[CallState]] = [Counter() for _ in range(len(bins))]
    for each in told:
        counted[bins.place(each.at)][each.state] += each.calls
    so_far = list(accumulate(counted, _both))
    sums = so_far[-1]
    kinds = [state for state in WORDS if sums[state]]
    keys = [Key(state.value, WORDS[state], sums[state]) for state in kinds]
    rows: list[Sequence[Cell]] = [
        (clock.moment(at), *(each[state] for state in kinds))
        for at, each in zip(bins.edges[1:], so_far, strict=True)
    ]
    spec = (
        named_bars([(each.words, each.number or 0, each.colour) for each in keys])
        if len(bins) < _FEW_BARS
        else _over_time(bins, so_far, keys, accepted)
    )
    if len(bins) < _FEW_BARS:
        keys = []
    else:
        keys.append(Key("every-call", "all that were accepted", accepted))
    return Figure(
        name="calls",
        title=_TITLE,
        says=_says(overview, sums),
        notes=strangers(bins.outside(stamps), "calls"),
        keys=keys,
        table=Table(
            columns={"until": "until", **{each.value: WORDS[each] for each in kinds}},
            rows=rows,
        ),
        spec=spec,
        bars=[(WORDS[state], sums[state]) for state in kinds]
        if len(bins) < _FEW_BARS
        else clock_times(bins, [each.total() for each in counted]),
    )


def _both(one: Counter[CallState], other: Counter[CallState]) -> Counter[CallState]:
    return one + other


def _says(overview: Overview, sums: Mapping[CallState, int]) -> str:
    status = overview.status
    picked_up = sums[CallState.REACHED] + sums[CallState.AGENT]
    says = (
        f"{picked_up:,} of {status.accepted:,} calls were picked up "
        f"({share(picked_up, status.accepted)}), {sums[CallState.NOT_REACHED]:,} "
        "reached nobody"
    )
    if sums[CallState.AGENT]:
        says += f"; {sums[CallState.AGENT]:,} were connected to an agent"
    on_its_way = 0 if status.calls is None else status.calls.on_its_way
    if on_its_way:
        says += f"; of {on_its_way:,} nothing final is known"
    return f"{says}."


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


def _over_time(
    bins: Bins,
    so_far: Sequence[Mapping[CallState, int]],
    keys: Sequence[Key],
    accepted: int,
) -> dict[str, Any]:
    rows = [
        {
            "x": at,
            "what": key.colour,
            "n": each.get(CallState(key.colour), 0),
            "rank": i,
        }
        for at, each in zip(bins.edges, [{}, *so_far], strict=True)
        for i, key in enumerate(keys)
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
