"""
At what hour of their own day people were called.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from typing import Any, NamedTuple, Self

from voicepush.model.overview import LocalHours, Overview
from voicepush.report.figures.axes import colour, colours, number_axis, values
from voicepush.report.figures.figure import Figure, Key, Table
from voicepush.report.wording import share

_TITLE = "At what hour of their own day people were called"


class Window(NamedTuple):
    """
    When people may be called, by their own clocks; it may go over midnight.
    """

    begin: time
    end: time

    def __str__(self) -> str:
        return f"{self.begin:%H:%M}-{self.end:%H:%M}"

    @classmethod
    def of_minutes(cls, opens: int, closes: int) -> Self:
        """
        The one that *opens* and *closes* so many minutes after midnight.
        """
        begin, end = (time(each // 60 % 24, each % 60) for each in (opens, closes))
        return cls(begin, end)

    def stretches(self) -> list[tuple[float, float]]:
        """
        The same in hours, as stretches of one day.
        """
        begin, end = (each.hour + each.minute / 60 for each in self)
        if begin < end:
            return [(begin, end)]
        return [each for each in ((begin, 24.0), (0.0, end)) if each[0] < each[1]]

    def holds(self, hour: int) -> bool | None:
        """
        Whether all of that *hour* lies in it; None where only a part does.
        """
        parts = [
            max(0.0, min(end, hour + 1) - max(begin, hour))
            for begin, end in self.stretches()
        ]
        if sum(parts) >= 1:
            return True
        return None if sum(parts) else False


def hours(overview: Overview, window: Window | None = None) -> Figure:
    """
    Calls by the recipient's local hour.

    Args:
        window: When people may be called.
    """
    found = overview.local_hours
    counted = sum(found.calls)
    if not counted:
        return Figure(name="hours", title=_TITLE, says=_why_nothing(found))
    most = max(range(24), key=found.calls.__getitem__)
    part = share(found.calls[most], counted)
    many = "All calls" if found.calls[most] == counted else f"Most calls, {part},"
    says = (
        f"{many} were made from {most}:00 to {most + 1}:00 by the clock of the person "
        "who was called."
    )
    if window is not None:
        says = _against(found, window)
    inside = [window is None or window.holds(hour) is not False for hour in range(24)]
    keys = [Key("accepted", "calls")]
    if window is not None:
        keys = [Key("accepted", f"within {window}")]
        if not all(inside[hour] for hour in range(24) if found.calls[hour]):
            keys.append(Key("outside", "outside"))
    return Figure(
        name="hours",
        title=_TITLE,
        says=says,
        notes=_notes(found),
        keys=keys if window is not None else (),
        table=Table(
            columns={"hour": "hour", "calls": "calls"},
            rows=[(f"{hour:02}:00", found.calls[hour]) for hour in range(24)],
        ),
        spec=_spec(found, window, inside, keys),
        bars=[(f"{hour:02}:00", found.calls[hour]) for hour in range(24)],
    )


def _why_nothing(found: LocalHours) -> str:
    if not found.called:
        return "Nobody was called yet."
    return (
        "The numbers tell of no time zone, or of several, so the hours of the people "
        "who were called are not known."
    )


def _against(found: LocalHours, window: Window) -> str:
    held = [window.holds(hour) for hour in range(24)]
    outside = sum(
        n for n, is_held in zip(found.calls, held, strict=True) if is_held is False
    )
    partly = sum(
        n for n, is_held in zip(found.calls, held, strict=True) if is_held is None
    )
    counted = sum(found.calls)
    says = (
        f"{outside:,} of {counted:,} calls ({share(outside, counted)}) fell outside "
        f"{window}."
        if outside
        else f"No call fell outside {window}."
    )
    if partly:
        says = f"{says[:-1]}; {partly:,} more were made in an hour that it cuts."
    return says


def _notes(found: LocalHours) -> list[str]:
    notes = []
    if found.looked_at < found.called:
        notes.append(
            f"{found.looked_at:,} calls of {found.called:,} were looked at, spread "
            "evenly over the campaign."
        )
    if found.several:
        notes.append(
            f"{found.several:,} numbers may be in several time zones and are left out."
        )
    if found.unplaced:
        notes.append(f"{found.unplaced:,} tell of no time zone and are left out.")
    return notes


def _spec(
    found: LocalHours,
    window: Window | None,
    inside: Sequence[bool],
    keys: Sequence[Key],
) -> dict[str, Any]:
    x = {
        "type": "quantitative",
        "scale": {"domain": [0, 24], "nice": False},
        "axis": {
            "values": [0, 6, 12, 18, 24],
            "grid": False,
            "labelExpr": "datum.value + ':00'",
            "title": "their own clock",
        },
    }
    shades = (
        [
            {
                "data": values(
                    [{"x": begin, "x2": end} for begin, end in window.stretches()]
                ),
                "mark": {"type": "rect", "color": colour("shade")},
                "encoding": {"x": {**x, "field": "x"}, "x2": {"field": "x2"}},
            }
        ]
        if window is not None
        else []
    )
    rows = [
        {
            "x": hour,
            "x2": hour + 1,
            "n": number,
            "what": "accepted" if inside[hour] else "outside",
        }
        for hour, number in enumerate(found.calls)
        if number
    ]
    is_part = found.looked_at < found.called
    counts = "calls that were looked at" if is_part else "calls"
    bars = {
        "data": values(rows),
        "mark": {"type": "bar", "binSpacing": 2},
        "encoding": {
            "x": {**x, "field": "x", "bin": "binned"},
            "x2": {"field": "x2"},
            "y": {**number_axis(counts), "field": "n"},
            "color": colours(keys),
        },
    }
    return {"height": 190, "layer": [*shades, bars]}
