"""
How many of the list were reached, and where the others were left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any, NamedTuple

from voicepush.model.status import CampaignStatus
from voicepush.report.figures.axes import colour, values
from voicepush.report.figures.figure import Cell, Figure, Table
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

#: So many letters have room in a line; so many points high are a line and a bar.
_LETTERS = 54
_LINE, _BAR = 15, 18


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
    rows: list[Sequence[Cell]] = []
    for step in found:
        part = share(step.number, status.read)
        rows.append((step.name, step.words, step.number, part))
        rows += [
            (step.name, f"not: {loss.words}", loss.number, None) for loss in step.losses
        ]
    notes = (
        () if status.calls else ("Who picked up is not known: no receipt has come.",)
    )
    return Figure(
        name="flow",
        title=title,
        says=says,
        notes=notes if status.accepted else (),
        table=Table(
            columns={
                "step": "step",
                "who": "who",
                "people": "people",
                "share": "of the list",
            },
            rows=rows,
        ),
        spec=_spec(found),
        bars=[(step.words, step.number) for step in found],
    )


def _spec(found: Sequence[Step]) -> dict[str, Any]:
    """
    A bar for each step below its words, and below it who did not come as far.
    """
    parts: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    tails: list[dict[str, Any]] = []
    whole, top = found[0].number, 0
    for step in found:
        right = f"{step.number:,}"
        if step is not found[0]:
            right += f"  ({share(step.number, whole)} of the list)"
        heads.append({"y": top, "words": step.words, "right": right})
        bar = top + _LINE + 3
        parts += _parts(step, bar)
        told = ", ".join(f"{loss.number:,} {loss.words}" for loss in step.losses)
        lines = wrap(f"others: {told}", _LETTERS) if told else []
        tails.append({"y": bar + _BAR + 3, "words": lines or [""]})
        top = bar + _BAR + 3 + _LINE * len(lines)
        top += 12 if step is not found[-1] else 0
    across = {"domain": [0, whole], "nice": False}
    down = {"domain": [0, top], "reverse": True, "nice": False}
    y = {"field": "y", "type": "quantitative", "scale": down, "axis": None}
    bold = {"fontWeight": "bold", "color": colour("text")}
    faint = {"lineHeight": _LINE, "color": colour("faint")}
    return {
        "height": top,
        "layer": [
            {
                "data": values(parts),
                "mark": {"type": "rect", "stroke": colour("paper"), "strokeWidth": 1},
                "encoding": {
                    "x": {
                        "field": "x",
                        "type": "quantitative",
                        "axis": None,
                        "scale": across,
                    },
                    "x2": {"field": "x2"},
                    "y": y,
                    "y2": {"field": "y2"},
                    "color": {"field": "colour", "type": "nominal", "scale": None},
                },
            },
            _text(heads, y, "words", {"align": "left", **bold}, 0),
            _text(heads, y, "right", {"align": "right", **bold}, "width"),
            _text(tails, y, "words", {"align": "left", **faint}, 0),
        ],
    }


def _parts(step: Step, top: int) -> Iterator[dict[str, Any]]:
    """
    Who came as far, and beside them who did not.
    """
    x = 0
    whole = [(step.number, step.colour)]
    for number, tone in whole + [(loss.number, loss.colour) for loss in step.losses]:
        yield {
            "x": x,
            "x2": x + number,
            "y": top,
            "y2": top + _BAR,
            "colour": colour(tone),
        }
        x += number


def _text(
    rows: Sequence[Mapping[str, Any]],
    y: Mapping[str, Any],
    field: str,
    how: Mapping[str, Any],
    at: float | str,
) -> dict[str, Any]:
    return {
        "data": values(rows),
        "mark": {"type": "text", "baseline": "top", **how},
        "encoding": {"x": {"value": at}, "y": y, "text": {"field": field}},
    }
