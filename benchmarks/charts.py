"""
Draws the charts of the documentation from what was measured last.

    python benchmarks/charts.py [FOLDER]

`compare.py` keeps its medians in `measured.json`, and nothing else is drawn. Ours is
blue and bold, all else is grey. A chart is as wide as a phone twice over at most, with
letters that can be read when it is shrunk to one, and has colours for light and dark.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent

#: Of each section: how it was measured, and by lane the medians of what it took.
MEASURED = _HERE / "measured.json"

_DOCS = _HERE.parent / "docs"

_MILLION = 1_000_000
_SIZE = 1000
_LATENCY = 0.05

#: What lanes are called where strangers read of them.
NAMES = {
    "floor": "by hand, for speed alone",
    "floor_slots": "by hand, joined as voicepush does",
    "floor_file": "by hand, for speed alone",
    "send": "Client.send of a list in memory",
    "send_generator": "Client.send of a generator",
    "stream": "Client.stream of a list in memory",
    "voicepush send": "voicepush send",
    "people": "a script on aiohttp",
    "people_httpx": "a script on httpx",
    "people_requests": "a script on requests",
    "bare of 1": "a bare post of 1",
    "bare of 100": "a bare post of 100",
    "small of 1": "Client.send of 1",
    "small of 100": "Client.send of 100",
}

_OURS = "voicepush"
_BY_HAND = "by hand, for speed alone"
_LIMIT = "what the service allows"

#: In a light scheme and in a dark one.
_GROUND = ("#ffffff", "#0d1117")
_INK = ("#1f2328", "#e6edf3")
_FAINT = ("#59636e", "#9198a1")
_LINE = ("#d1d9e0", "#30363d")
_BLUE = ("#0969da", "#58a6ff")
_GREY = ("#8c959f", "#7d8590")
_SCHEMES = (_GROUND, _INK, _FAINT, _LINE, _BLUE, _GREY)

#: Points of a line that have room for their number.
_NUMBERED = (1, 4, 16, 64, 256)

_WIDTH = 480
_LETTERS = 15
_FONTS = "system-ui, 'DejaVu Sans', sans-serif"

_AXIS = {
    "labelFontSize": _LETTERS,
    "titleFontSize": _LETTERS,
    "titleFontWeight": "normal",
    "titlePadding": 10,
    "labelFlush": False,
    "labelColor": _FAINT[0],
    "titleColor": _INK[0],
    "gridColor": _LINE[0],
    "domainColor": _GREY[0],
    "tickColor": _GREY[0],
}

_HEAD = re.compile(r"<svg[^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")

#: The whole picture has a name, so its parts need none.
_OF_PARTS = re.compile(r' (?:role|aria-\w+|class|pointer-events)="[^"]*"')

Costs = Mapping[str, Mapping[str, float]]


def rate_of(name: str, at_once: int, found: Costs) -> float:
    """
    Recipients per second of a lane of the section `latency`.
    """
    each = found[f"{name}, {at_once} at {_LATENCY:g}"]
    return each["requests"] * _SIZE / each["wall"]


def bars(found: Costs, field: str, number: str, title: str) -> Mapping[str, Any]:
    """
    One bar for each lane, its name above it and its number behind it.

    Args:
        number: How the number is written, with its unit.
        title: What is measured, with its unit.
    """
    rows = [
        {
            "lane": NAMES[name],
            "is_ours": NAMES[name].startswith(_OURS),
            "of": each[field],
            "says": number.format(each[field]),
        }
        for name, each in found.items()
    ]
    highest = max(each[field] for each in found.values())
    lane = {"field": "lane", "type": "nominal", "sort": None, "axis": None}
    value = {
        "field": "of",
        "type": "quantitative",
        # There is room for the number behind the longest one.
        "scale": {"domain": [0, highest * 1.22], "nice": False},
        "axis": {"title": title, "tickCount": 5, "format": ",d", "grid": False},
    }
    weight = {"expr": "datum.is_ours ? 'bold' : 'normal'"}
    words = {
        "type": "text",
        "align": "left",
        "fontSize": _LETTERS,
        "fontWeight": weight,
    }
    colour = _if_ours(_BLUE[0], _INK[0])
    return {
        "data": {"values": rows},
        "height": {"step": 56},
        "encoding": {"y": lane},
        "layer": [
            {
                "mark": {"type": "bar", "height": 22, "yOffset": 11},
                "encoding": {"x": value, "color": _if_ours(_BLUE[0], _GREY[0])},
            },
            {
                "mark": {**words, "x": 2, "yOffset": -11},
                "encoding": {"text": {"field": "lane"}, "color": colour},
            },
            {
                "mark": {**words, "xOffset": 6, "yOffset": 12},
                "encoding": {
                    "x": value,
                    "text": {"field": "says"},
                    "color": colour,
                },
            },
        ],
    }


def _if_ours(ours: str, other: str) -> Mapping[str, Any]:
    return {"condition": {"test": "datum.is_ours", "value": ours}, "value": other}


def lines(found: Costs) -> Mapping[str, Any]:
    """
    Recipients per second against requests at a time, below what the service allows.
    """
    at_once = sorted({int(re.findall(r", (\d+) at", name)[0]) for name in found})
    rows = [
        {"at": at, "line": line, "rate": rate}
        for at in at_once
        for line, rate in (
            (_LIMIT, at * _SIZE / _LATENCY),
            (_BY_HAND, rate_of("floor_one", at, found)),
            (_OURS, rate_of("send_one", at, found)),
        )
    ]
    named = [_OURS, _BY_HAND, _LIMIT]
    across = {
        "field": "at",
        "type": "quantitative",
        # There is room for the number beside the last point.
        "scale": {"type": "log", "domain": [0.75, 500], "nice": False},
        "axis": {
            "title": f"requests at a time, each answered after {_LATENCY * 1e3:.0f} ms",
            "values": at_once,
            "grid": False,
        },
    }
    up = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"type": "log", "domain": [7e3, 6e6], "nice": False},
        "axis": {
            "title": "recipients per second",
            "values": [1e4, 1e5, 1e6],
            "format": "~s",
            "titleAngle": 0,
            "titleAlign": "left",
            "titleBaseline": "bottom",
            "titleX": -42,
            "titleY": -12,
            "domain": False,
        },
    }
    scale = {"domain": named, "range": [_BLUE[0], _GREY[0], _GREY[0]]}
    legend = {
        "title": None,
        "orient": "bottom",
        "direction": "vertical",
        "labelFontSize": _LETTERS,
        "labelColor": _INK[0],
        "labelLimit": 0,
        "symbolType": "stroke",
        "symbolSize": 600,
    }
    line = {"field": "line", "type": "nominal"}
    styles = {
        "color": {**line, "scale": scale, "legend": legend},
        "strokeDash": {
            **line,
            "scale": {"domain": named, "range": [[1, 0], [1, 0], [5, 4]]},
            "legend": legend,
        },
        # What lies below ours can be seen on both sides of it.
        "strokeWidth": {
            **line,
            "scale": {"type": "ordinal", "domain": named, "range": [3.5, 9, 2]},
            "legend": legend,
        },
    }
    ours = {"filter": f"datum.line === '{_OURS}'"}
    return {
        "data": {"values": rows},
        "height": 420,
        "encoding": {"x": across, "y": up},
        "layer": [
            {
                "transform": [{"filter": f"datum.line !== '{_OURS}'"}],
                "mark": "line",
                "encoding": styles,
            },
            {
                "transform": [ours],
                "mark": "line",
                "encoding": styles,
            },
            {
                "transform": [ours],
                "mark": {"type": "circle", "size": 70, "opacity": 1, "color": _BLUE[0]},
            },
            {
                "transform": [ours, {"filter": {"field": "at", "oneOf": _NUMBERED}}],
                "mark": {
                    "type": "text",
                    "fontSize": _LETTERS - 1,
                    "fontWeight": "bold",
                    "color": _BLUE[0],
                    "align": "left",
                    "dx": 2,
                    "dy": 17,
                },
                "encoding": {"text": {"field": "rate", "format": ".3~s"}},
            },
        ],
    }


def svg_of(spec: Mapping[str, Any], says: str) -> str:
    """
    The chart as SVG that follows the scheme of its reader, and *says* what is in it.
    """
    import vl_convert  # noqa: PLC0415 -- it is large, and only for charts

    config = {
        "font": _FONTS,
        "background": None,
        "view": {"stroke": None},
        "axis": _AXIS,
    }
    whole = {
        "width": _WIDTH,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": 12,
        **spec,
        "config": config,
    }
    drawn = vl_convert.vegalite_to_svg(whole, allowed_base_urls=[])
    head = _HEAD.match(drawn)
    assert head is not None, "an SVG without a size"
    width, height = head[1], head[2]
    parts = _OF_PARTS.sub("", drawn[head.end() :])
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
            f'width="{width}" height="{height}" role="img">',
            f"<title>{escape(says)}</title>",
            f"<style>@media (prefers-color-scheme:dark){{{_dark()}}}</style>",
            # Where the scheme can't be known, it can be read all the same.
            f'<rect width="{width}" height="{height}" rx="6" fill="{_GROUND[0]}"/>',
            f"{parts}\n",
        ]
    )


def _dark() -> str:
    return "".join(
        f'[{part}="{light}"]{{{part}:{dark}}}'
        for light, dark in _SCHEMES
        for part in ("fill", "stroke")
    )


def charts(measured: Mapping[str, Costs]) -> Iterator[tuple[str, str]]:
    """
    The name of each chart, and its SVG.
    """
    yield (
        "cpu.svg",
        svg_of(
            bars(
                measured[f"files{_MILLION}"],
                "cpu",
                "{:.1f} s",
                "CPU of the whole process for 1 million people, in s",
            ),
            "CPU of whole processes: less is better",
        ),
    )
    yield (
        "memory.svg",
        svg_of(
            bars(
                measured[f"files{10 * _MILLION}"],
                "memory",
                "{:,.0f} MB",
                "memory at its peak for 10 million people, in MB",
            ),
            "Memory of whole processes: less is better",
        ),
    )
    yield (
        "concurrency.svg",
        svg_of(
            lines(measured["latency"]),
            "Recipients per second against requests at a time: more is better",
        ),
    )


def main(arguments: Sequence[str]) -> None:
    """
    Write the charts into the folder that is asked for, or into the documentation.
    """
    folder = Path(arguments[0]) if arguments else _DOCS
    measured = json.loads(MEASURED.read_text("utf-8"))
    found = {name: each["found"] for name, each in measured["sections"].items()}
    for name, svg in charts(found):
        (folder / name).write_text(svg, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
