"""
How many of the list were reached, and where the others were left.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import Any, NamedTuple

from voicepush.model.status import CampaignStatus
from voicepush.report.figures.axes import colour, values
from voicepush.report.figures.figure import Figure, Table
from voicepush.report.wording import share

#: What is left out at each step: the name in the status, its words, its colour.
_BEFORE = (
    ("invalid", "invalid", "rejected"),
    ("duplicate", "duplicate", "not_sent"),
    ("suppressed", "suppressed", "expired"),
)
_ON_THE_WAY = (
    ("pending", "pending", "pending"),
    ("in_flight", "in flight", "pending"),
    ("rejected", "rejected", "rejected"),
    ("expired", "expired", "expired"),
    ("not_sent", "not sent", "not_sent"),
    ("unknown", "unknown (may have been called)", "unknown"),
)
_ON_THE_PHONE = (
    ("not_reached", "not reached", "not_reached"),
    ("dropped", "dropped", "dropped"),
    ("expired", "expired", "expired"),
    ("on_its_way", "on their way", "on_its_way"),
)

#: So many letters have room in a line, so many points a step and a line of text.
_LETTERS = 54
_STEP, _LINE, _BAR = 52, 15, 18


class Loss(NamedTuple):
    """
    Some who did not come to the next step.
    """

    words: str
    number: int
    colour: str


class Step(NamedTuple):
    """
    How many came as far as this, and who of the step before did not.
    """

    name: str
    words: str
    number: int
    losses: Sequence[Loss]
    colour: str


def steps(status: CampaignStatus) -> list[Step]:
    """
    From the list to the phones, as far as is known.
    """
    found = [
        Step("read", "read from the list", status.read, (), "read"),
        Step("planned", "planned", status.planned, _losses(status, _BEFORE), "planned"),
        Step(
            "accepted",
            "accepted: called",
            status.accepted,
            _losses(status, _ON_THE_WAY),
            "accepted",
        ),
    ]
    calls = status.calls
    if calls is not None:
        number = calls.reached + calls.agent
        found.append(
            Step(
                "reached",
                "reached: picked up",
                number,
                _losses(calls, _ON_THE_PHONE),
                "reached",
            )
        )
    return found


def _losses(counts: object, names: Sequence[tuple[str, str, str]]) -> list[Loss]:
    found = [(words, getattr(counts, name), tone) for name, words, tone in names]
    return [Loss(*each) for each in found if each[1]]


def flow(status: CampaignStatus) -> Figure:
    """
    The sums as a way from the list to the phones.
    """
    title = "From the list to the phones"
    if not status.read:
        return Figure(name="flow", title=title, says="The list holds nobody.")
    found = steps(status)
    last = found[-1]
    says = (
        f"Of {status.read:,} on the list {last.number:,} were {last.name}, "
        f"{share(last.number, status.read)}."
    )
    rows: list[tuple[str, int, str]] = []
    for step in found:
        rows += [(f"others: {loss.words}", loss.number, "") for loss in step.losses]
        rows.append((step.words, step.number, share(step.number, status.read)))
    return Figure(
        name="flow",
        title=title,
        says=says,
        notes=()
        if status.calls
        else ("No receipt has come yet: who picked up is not known.",),
        table=Table(
            columns={"step": "step", "people": "people", "share": "of the list"},
            rows=rows,
        ),
        spec=_spec(found),
        bars=[(step.words, step.number) for step in found],
    )


def _spec(found: Sequence[Step]) -> dict[str, Any]:
    parts, heads, tails = [], [], []
    whole, top = found[0].number, 0
    for at, step in enumerate(found):
        heads.append(
            {
                "y": top,
                "left": step.words,
                "right": f"{step.number:,}"
                + (f"  ({share(step.number, whole)} of the list)" if at else ""),
            }
        )
        bar = top + _LINE + 3
        x = 0
        for number, tone in [
            (step.number, step.colour),
            *((loss.number, loss.colour) for loss in step.losses),
        ]:
            parts.append(
                {
                    "x": x,
                    "x2": x + number,
                    "y": bar,
                    "y2": bar + _BAR,
                    "c": colour(tone),
                }
            )
            x += number
        told = ", ".join(f"{loss.number:,} {loss.words}" for loss in step.losses)
        lines = wrap(f"others: {told}", _LETTERS) if told else []
        if lines:
            tails.append({"y": bar + _BAR + 3, "words": lines})
        top = bar + _BAR + 6 + _LINE * len(lines) + 12
    x = {
        "field": "x",
        "type": "quantitative",
        "scale": {"domain": [0, whole], "nice": False},
        "axis": None,
    }
    y = {
        "type": "quantitative",
        "scale": {"domain": [0, top], "reverse": True, "nice": False},
        "axis": None,
    }
    text = {"type": "text", "baseline": "top"}
    return {
        "height": top,
        "layer": [
            {
                "data": values(parts),
                "mark": {"type": "rect", "stroke": colour("paper"), "strokeWidth": 1},
                "encoding": {
                    "x": x,
                    "x2": {"field": "x2"},
                    "y": {**y, "field": "y"},
                    "y2": {"field": "y2"},
                    "color": {"field": "c", "type": "nominal", "scale": None},
                },
            },
            {
                "data": values(heads),
                "mark": {
                    **text,
                    "align": "left",
                    "fontWeight": "bold",
                    "color": colour("text"),
                },
                "encoding": {
                    "x": {"value": 0},
                    "y": {**y, "field": "y"},
                    "text": {"field": "left"},
                },
            },
            {
                "data": values(heads),
                "mark": {
                    **text,
                    "align": "right",
                    "fontWeight": "bold",
                    "color": colour("text"),
                },
                "encoding": {
                    "x": {"value": "width"},
                    "y": {**y, "field": "y"},
                    "text": {"field": "right"},
                },
            },
            {
                "data": values(tails),
                "mark": {
                    **text,
                    "align": "left",
                    "lineHeight": _LINE,
                    "color": colour("faint"),
                },
                "encoding": {
                    "x": {"value": 0},
                    "y": {**y, "field": "y"},
                    "text": {"field": "words"},
                },
            },
        ],
    }
