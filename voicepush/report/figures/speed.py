"""
How fast it went, the limit, and when the service refused for speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from voicepush import clock
from voicepush.model.outcome import Outcome
from voicepush.model.overview import Overview
from voicepush.model.status import Minute
from voicepush.report.bins import Bins
from voicepush.report.figures.axes import (
    clock_times,
    colour,
    number_axis,
    time_axis,
    values,
)
from voicepush.report.figures.figure import Cell, Figure, Key, Table
from voicepush.report.figures.own_time import own_time
from voicepush.report.text import counted
from voicepush.report.wording import speed_words

_TITLE = "How fast it went"

#: The outcomes of those who had an answer.
_ANSWERS = (Outcome.ACCEPTED, Outcome.REJECTED)

#: Fewer minutes make no picture by themselves.
_FEW_MINUTES = 3

_MINUTE = 60.0

#: Below so many per second an axis shows tenths.
_SLOW = 4


def speed(overview: Overview) -> Figure:
    """
    The rate against the limit, with the refusals for speed marked.
    """
    minutes = overview.timeline.minutes
    amounts = _amounts(overview)
    if not minutes or not any(number for _, number in amounts):
        return Figure(
            name="speed", title=_TITLE, says="Nobody was called yet, at no speed."
        )
    narrowest = int(_MINUTE) if len(minutes) >= _FEW_MINUTES else 1
    stamps = [(at, number) for at, number in amounts if number]
    bins = own_time(overview).bins(stamps, narrowest)
    numbers = [0] * len(bins)
    for at, number in amounts:
        numbers[bins.place(at)] += number
    paces, refusals = _of_minutes(minutes, bins)
    lengths = [b - a for a, b in pairwise(bins.edges)]
    speeds = [round(n / length, 3) for n, length in zip(numbers, lengths, strict=True)]
    refused = sum(each.progress.throttled for each in minutes)
    limits = [pace for pace in paces if pace is not None]
    told, rate = "no limit was set", overview.status.rate
    if rate is not None:
        told = f"the limit is set to {speed_words(rate)}"
        if limits and min(limits) < rate:
            told += f", and was {speed_words(min(limits))} at the lowest"
    elif limits:
        told = f"the limit was {speed_words(max(limits))} at most"
    told_refused = "no request was refused for speed"
    if refused:
        told_refused = f"{counted(refused, 'request')} refused for speed"
    keys = [Key("accepted", f"people per second, over each {bins.width_words}")]
    if limits:
        keys.append(Key("limit", "the limit"))
    if refused:
        keys.append(Key("refusals", "requests refused for speed", refused))
    rows: list[Sequence[Cell]] = [
        (clock.moment(at), *row)
        for at, *row in zip(bins.edges, speeds, paces, refusals, strict=False)
    ]
    return Figure(
        name="speed",
        title=_TITLE,
        says=(
            f"At most {speed_words(max(speeds))} people per second had their answer; "
            f"{told}; {told_refused}."
        ),
        keys=keys,
        table=Table(
            columns={
                "at": "from",
                "per_second": "people per second",
                "limit": "limit",
                "refused": "requests refused for speed",
            },
            rows=rows,
        ),
        spec=_spec(bins, speeds, paces, refusals),
        bars=clock_times(bins, list(map(round, speeds))),
    )


def _amounts(overview: Overview) -> list[tuple[float, int]]:
    """
    How many had their answer when; by the second where it did not last long.
    """
    minutes = overview.timeline.minutes
    if len(minutes) >= _FEW_MINUTES:
        return [(each.at.timestamp(), each.progress.recipients) for each in minutes]
    return [
        (each.at, sum(each.outcomes.get(answer, 0) for answer in _ANSWERS))
        for each in overview.timeline.outcomes
    ]


def _of_minutes(
    minutes: Sequence[Minute], bins: Bins
) -> tuple[list[float | None], list[int]]:
    """
    The last limit in each bar, and how many requests were refused in it.
    """
    paces: list[float | None] = [None] * len(bins)
    refusals = [0] * len(bins)
    for minute in minutes:
        begin = minute.at.timestamp()
        first, last = bins.place(begin), bins.place(begin + _MINUTE - 1)
        paces[first : last + 1] = [minute.progress.rate] * (last + 1 - first)
        refusals[first] += minute.progress.throttled
    return paces, refusals


def _spec(
    bins: Bins,
    speeds: Sequence[float],
    paces: Sequence[float | None],
    refusals: Sequence[int],
) -> dict[str, Any]:
    edges = bins.edges
    top = max([*speeds, *(pace for pace in paces if pace is not None)])
    y = number_axis(
        "people per second", 1 if top > _SLOW else 0.1, domain=[0, top * 1.15]
    )
    x = time_axis(bins)
    bars = [
        {"x": edges[i], "x2": edges[i + 1], "n": each}
        for i, each in enumerate(speeds)
        if each
    ]
    limits = [
        {"x": edges[i], "x2": edges[i + 1], "n": pace}
        for i, pace in enumerate(paces)
        if pace is not None
    ]
    marks = [
        {"x": (edges[i] + edges[i + 1]) / 2, "n": top * 1.1}
        for i, number in enumerate(refusals)
        if number
    ]
    return {
        "height": 190,
        "layer": [
            {
                "data": values(bars),
                "mark": {"type": "bar", "binSpacing": 1, "color": colour("accepted")},
                "encoding": {
                    "x": {**x, "field": "x", "bin": "binned"},
                    "x2": {"field": "x2"},
                    "y": {**y, "field": "n"},
                },
            },
            {
                "data": values(limits),
                "mark": {"type": "rule", "strokeWidth": 2, "color": colour("limit")},
                "encoding": {
                    "x": {"field": "x", "type": "quantitative"},
                    "x2": {"field": "x2"},
                    "y": {"field": "n", "type": "quantitative"},
                },
            },
            {
                "data": values(marks),
                "mark": {
                    "type": "point",
                    "shape": "triangle-down",
                    "filled": True,
                    "size": 60,
                    "color": colour("rejected"),
                    "opacity": 1,
                },
                "encoding": {
                    "x": {"field": "x", "type": "quantitative"},
                    "y": {"field": "n", "type": "quantitative"},
                },
            },
        ],
    }
