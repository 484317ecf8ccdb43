"""
The axes that pictures share, as Vega-Lite has them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from voicepush.report.bins import Bins
from voicepush.report.figures.figure import Key

#: Large numbers as 20k and 5M, small ones without thousandths.
_SHORT = "format(datum.value, datum.value < 1 ? '.1~f' : '~s')"


def time_axis(bins: Bins) -> dict[str, Any]:
    """
    Moments along the bottom, in seconds since 1970.
    """
    ticks = bins.ticks()
    words = json.dumps({str(int(each.at)): each.words for each in ticks})
    return {
        "type": "quantitative",
        "scale": {"domain": [bins.edges[0], bins.edges[-1]], "nice": False},
        "axis": {
            "values": [each.at for each in ticks],
            "labelExpr": f"({words})[toString(datum.value)]",
            "title": bins.zone_words,
            "grid": False,
            # One that would be cut off at the side is left out.
            "labelBound": True,
        },
    }


def number_axis(title: str, least_step: float = 1, **scale: Any) -> dict[str, Any]:
    """
    Numbers along the side, with what they count above them.

    Args:
        least_step: How far apart they are at the least.
        scale: What is to be said of the scale otherwise.
    """
    return {
        "type": "quantitative",
        "scale": scale,
        "axis": {
            "title": title,
            "labelExpr": _SHORT,
            "minExtent": 36,
            "tickCount": 4,
            "tickMinStep": least_step,
            "titleAngle": 0,
            "titleAlign": "left",
            "titleBaseline": "bottom",
            "titleX": 0,
            "titleY": -8,
            "domain": False,
            "ticks": False,
        },
    }


def colours(keys: Sequence[Key]) -> dict[str, Any]:
    """
    The colours of *keys* by their names in the style sheet; the legend stands below.
    """
    names = [each.colour for each in keys]
    return {
        "field": "what",
        "type": "nominal",
        "scale": {"domain": names, "range": [colour(each) for each in names]},
        "legend": None,
    }


def colour(name: str) -> str:
    """
    The colour of that *name* in the style sheet.
    """
    return f"var(--{name.replace('_', '-')})"


def values(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    The numbers that a picture is drawn from.
    """
    return {"values": list(rows)}


def clock_times(bins: Bins, numbers: Sequence[int]) -> list[tuple[str, int]]:
    """
    *numbers* by the time at which their bars begin, for a terminal.
    """
    return list(zip(bins.begin_words(), numbers, strict=True))


def named_bars(rows: Sequence[tuple[str, int, str]]) -> dict[str, Any]:
    """
    A bar for each name, with its number behind it.

    Args:
        rows: Names, numbers, and the names of their colours.
    """
    most = max(number for _, number, _ in rows)
    axis = {"title": None, "domain": False, "ticks": False, "minExtent": 88}
    return {
        "height": 19 * len(rows),
        "data": values(
            [
                {"words": words, "n": n, "told": f"{n:,}", "c": colour(tone)}
                for words, n, tone in rows
            ]
        ),
        "encoding": {
            "y": {"field": "words", "type": "nominal", "sort": None, "axis": axis},
            "x": {
                "field": "n",
                "type": "quantitative",
                "axis": None,
                # Room for the number behind the longest bar.
                "scale": {"domain": [0, 1.4 * most], "nice": False},
            },
        },
        "layer": [
            {
                "mark": {"type": "bar", "height": 14},
                "encoding": {"color": {"field": "c", "type": "nominal", "scale": None}},
            },
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
