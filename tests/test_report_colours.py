"""
The colours of a page are seen and told apart, by whomever and on whatever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from math import dist

import pytest

from voicepush.report.pages import style

#: How people see to whom a kind of cones is missing: matrices of Machado, Oliveira
#: and Fernandes (2009).
EYES = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}

#: What stands in one picture.
TOGETHER = (
    ("accepted", "rejected", "expired", "not-sent", "unknown", "pending"),
    ("agent", "reached", "not-reached", "dropped", "expired"),
    ("reached", "not-reached", "dropped", "expired", "on-its-way"),
    ("accepted", "outside"),
    ("accepted", "limit"),
)


def schemes() -> Sequence[dict[str, str]]:
    """
    The colours by name, light and dark.
    """
    light, dark = style().split("@media screen", 1)
    return [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part))
        for part in (light, dark.split("* {", 1)[0])
    ]


def linear(colour: str) -> list[float]:
    """
    The parts of *colour* by the light that they give.
    """
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]


def weighed(weights: Sequence[float], parts: Sequence[float]) -> float:
    """
    The sum of *parts* by their *weights*.
    """
    return sum(weight * part for weight, part in zip(weights, parts, strict=True))


def contrast(one: str, other: str) -> float:
    """
    How well two colours are told apart by their light, as WCAG counts it.
    """
    least, most = sorted(
        weighed((0.2126, 0.7152, 0.0722), linear(each)) for each in (one, other)
    )
    return (most + 0.05) / (least + 0.05)


def seen(colour: str, eyes: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """
    *colour* as such eyes see it, in CIELAB, where distances are as they are felt.
    """
    light = [min(1.0, max(0.0, weighed(row, linear(colour)))) for row in eyes]
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116
        for part in (
            weighed((0.4339, 0.3762, 0.1899), light),
            weighed((0.2126, 0.7152, 0.0722), light),
            weighed((0.0177, 0.1095, 0.8729), light),
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_colours_are_seen(scheme: dict[str, str]) -> None:
    """
    Text has a contrast of 4.5 at least and marks one of 3, on paper and in the window.
    """
    grounds = {"paper", "sheet", "shade", "line"}
    texts = {"text", "faint"}

    assert 20 < len(scheme)
    for name in set(scheme) - grounds:
        assert contrast(scheme[name], scheme["paper"]) >= (4.5 if name in texts else 3)
    assert contrast(scheme["faint"], scheme["sheet"]) >= 4.5
    for name in ("accepted", "outside"):
        assert contrast(scheme[name], scheme["shade"]) >= 3


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
@pytest.mark.parametrize("eyes", EYES)
def test_colours_are_told_apart(scheme: dict[str, str], eyes: str) -> None:
    """
    Also by who lacks a kind of cones: what stands in one picture is clearly different.
    """
    for names in TOGETHER:
        for one, other in combinations(names, 2):
            apart = dist(seen(scheme[one], EYES[eyes]), seen(scheme[other], EYES[eyes]))
            assert apart > 12, (one, other)
