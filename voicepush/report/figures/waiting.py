"""
How long it took from a request until the phone was picked up.
"""

from __future__ import annotations

from collections.abc import Mapping

from voicepush.model.overview import Overview
from voicepush.report.figures.axes import named_bars
from voicepush.report.figures.calls import why_no_receipt
from voicepush.report.figures.figure import Figure, Table
from voicepush.report.unknown import for_how_long
from voicepush.report.wording import share

#: From so many seconds on whole minutes are counted.
_MINUTES = 120

_TITLE = "How long until the phone was picked up"

#: Where bars begin, in seconds, and what they are called.
_BEGINS = {
    0: "under 1 s",
    1: "1 to 2 s",
    2: "2 to 5 s",
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
    half, most = (_within(after, total * part) for part in (0.5, 0.9))
    says = (
        f"Half of those who picked up did so within {half} of their request, 90 % "
        f"within {most}."
        if half != most
        else f"90 % of those who picked up did so within {most} of their request."
    )
    if len(bars) == 1:
        # One bar is no picture.
        return Figure(name="waiting", title=_TITLE, says=says)
    return Figure(
        name="waiting",
        title=_TITLE,
        says=says,
        table=Table(
            columns={"after": "after", "people": "people", "share": "share"},
            rows=[(words, number, share(number, total)) for words, number in bars],
        ),
        spec=named_bars([(words, number, "reached") for words, number in bars]),
        bars=bars,
    )


def _within(after: Mapping[int, int], number: float) -> str:
    """
    Within how long so many had picked up.
    """
    so_far = 0
    for seconds in sorted(after):  # pragma: no branch -- some is the last
        so_far += after[seconds]
        if so_far >= number:
            break
    # They were counted by whole seconds, and from two minutes on by whole minutes.
    return for_how_long(seconds + (1 if seconds < _MINUTES else 60))
