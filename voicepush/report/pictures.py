"""
Figures drawn as SVG, in colours that the page around them decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from voicepush.errors import InputError
from voicepush.report.figures.axes import colour
from voicepush.report.figures.figure import Figure

#: In points; a phone of 360 is as wide, and a grid on a large screen scales it up.
_WIDTH = 360

_CONFIG: Mapping[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "text": {"fontSize": 12},
    "axis": {
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelColor": colour("faint"),
        "titleColor": colour("faint"),
        "gridColor": colour("line"),
        "domainColor": colour("faint"),
        "tickColor": colour("faint"),
        "labelOverlap": True,
        "labelLineHeight": 14,
    },
}

_HEAD = re.compile(r"<svg[^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")

#: What the whole picture says is not said of its parts; nor does a page need names for
#: them.
_OF_PARTS = re.compile(r' (?:role|aria-\w+|class|pointer-events)="[^"]*"')


def check_library() -> None:
    """
    Make sure that pictures can be drawn.

    Raises:
        InputError: The library is not there.
    """
    try:
        import vl_convert  # noqa: F401, PLC0415
    except ImportError as error:
        raise InputError(
            "pictures need a library that is not there: pip install 'voicepush[report]'"
        ) from error


def svg_of(figure: Figure) -> str:
    """
    *figure* as SVG that says in a sentence what can be seen; nothing is fetched.
    """
    import vl_convert  # noqa: PLC0415 -- it is large, and an extra

    spec = {
        "width": _WIDTH,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 2, "right": 2, "top": 4, "bottom": 4},
        **figure.spec,
        "config": _CONFIG,
    }
    drawn = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    head = _HEAD.match(drawn)
    assert head is not None  # noqa: S101 -- so it writes them
    parts = _OF_PARTS.sub("", drawn[head.end() :])
    size = f'viewBox="0 0 {head[1]} {head[2]}" width="{head[1]}" height="{head[2]}"'
    label = escape(f"{figure.title}: {figure.says}")
    return f'<svg role="img" aria-label="{label}" {size}>{parts}'
