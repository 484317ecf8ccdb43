"""
How long it took from a request until the phone was picked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from voicepush.model.overview import Overview
from voicepush.report.figures.axes import colour, values
from voicepush.report.figures.calls import why_no_receipt
from voicepush.report.figures.figure import Figure, Table
from voicepush.report.unknown import for_how_long
from voicepush.report.wording import share

_TITLE = "How long until the phone was picked up"

#: Where bars begin, in seconds, and what they are called.
_BEGINS = {
    0: "under 5 s",
    5: "5 to 10 s",
    10: "10 to 15 s",
    15: "15 to 20 s",
    20: "20 to 30 s",
    30: "30 to 45 s",
    45: "45 to 60 s",
    60: "1 to 2 min",
    120: "2 to 5 min",
    300: "5 to 10 min",
    600: "10 to 30 min",
    1800: "30 to 60 min",
    3600: "1 to 3 h",
    10_800: "3 to 12 h",
    43_200: "over 12 h",
}


def waiting(overview: Overview) -> Figure:
    """
    Time from queued to picked up.
    """
    after = overview.timeline.picked_up_after
    total = sum(after.values())
    if not total:
        calls = overview.status.calls
        says = why_no_receipt(overview)
        if not overview.status.accepted:
            says = "No call was accepted yet."
        elif calls is not None:
            says = "No call was picked up yet, or none whose time is known."
        return Figure(name="waiting", title=_TITLE, says=says)
    begins = list(_BEGINS)
    numbers = dict.fromkeys(begins, 0)
    for seconds, number in after.items():
        numbers[max(each for each in begins if each <= max(0, seconds))] += number
    seen = [each for each in begins if numbers[each]]
    bars = [
        (_BEGINS[each], numbers[each]) for each in begins if seen[0] <= each <= seen[-1]
    ]
    half, most = (_quantile(after, total * part) for part in (0.5, 0.9))
    return Figure(
        name="waiting",
        title=_TITLE,
        says=(
            f"Half of those who picked up did so within {for_how_long(half)} of their "
            f"request, 90 % within {for_how_long(most)}."
        ),
        table=Table(
            columns={"after": "after", "people": "people", "share": "share"},
            rows=[(words, number, share(number, total)) for words, number in bars],
        ),
        spec=_spec(bars),
        bars=bars,
    )


def _quantile(after: Mapping[int, int], number: float) -> int:
    """
    Within how many seconds so many had picked up.
    """
    so_far = 0
    for seconds in sorted(after):  # pragma: no branch -- some is the last
        so_far += after[seconds]
        if so_far >= number:
            break
    return seconds


def _spec(bars: Sequence[tuple[str, int]]) -> dict[str, Any]:
    rows = [
        {"words": words, "n": number, "told": f"{number:,}"} for words, number in bars
    ]
    most = max(number for _, number in bars)
    y = {
        "field": "words",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "domain": False, "ticks": False, "minExtent": 88},
    }
    x = {
        "field": "n",
        "type": "quantitative",
        # Room for the number behind the longest bar.
        "scale": {"domain": [0, most * 1.4], "nice": False},
        "axis": None,
    }
    return {
        "height": 19 * len(bars),
        "data": values(rows),
        "encoding": {"y": y, "x": x},
        "layer": [
            {"mark": {"type": "bar", "color": colour("reached"), "height": 14}},
            {
                "mark": {
                    "type": "text",
                    "align": "left",
                    "dx": 4,
                    "color": colour("text"),
                },
                "encoding": {"text": {"field": "told"}},
            },
        ],
    }
