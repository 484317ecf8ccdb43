"""
The charts of the documentation, the tables beside them, and what both were made from.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGE = (DOCS / "performance.md").read_text(encoding="utf-8")
CHARTS = ["cpu.svg", "memory.svg", "concurrency.svg"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The charts, drawn anew from what was measured.
    """
    folder = tmp_path_factory.mktemp("charts")
    program = str(ROOT / "benchmarks" / "charts.py")
    subprocess.run([sys.executable, program, str(folder)], check=True)  # noqa: S603 -- ours
    return folder


def words_of(chart: Path) -> list[str]:
    """
    Everything that can be read in *chart*.
    """
    tree = ET.parse(chart)  # noqa: S314 -- ours
    return [each.text or "" for each in tree.iter() if each.tag.endswith("text")]


def rows_before(chart: str) -> list[list[str]]:
    """
    The cells of the last table before *chart*, without its headings.
    """
    above = PAGE[: PAGE.index(f"]({chart})")]
    lines = re.findall(r"(?:^\|.*\n)+", above, re.MULTILINE)[-1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_of_what_was_measured(chart: str, drawn: Path) -> None:
    """
    Whoever measures anew draws anew.
    """
    assert words_of(drawn / chart) == words_of(DOCS / chart)


@pytest.mark.parametrize(
    ("chart", "column", "form"),
    [("cpu.svg", 1, "{:.1f} s"), ("memory.svg", -1, "{:,.0f} MB")],
)
def test_bars_say_what_the_table_above_them_says(
    chart: str, column: int, form: str
) -> None:
    """
    Each lane by the same name, with the same figure.
    """
    words = words_of(DOCS / chart)
    rows = rows_before(chart)

    assert len(rows) >= 3
    for row in rows:
        assert row[0] in words
        assert form.format(float(row[column].replace(",", ""))) in words


def test_points_say_what_the_table_above_them_says() -> None:
    """
    Where there is room for a number, with three digits.
    """
    words = words_of(DOCS / "concurrency.svg")
    rates = [float(row[2].replace(",", "")) for row in rows_before("concurrency.svg")]

    said = [_short(each) for each in rates]

    assert len(said) == 7
    assert 5 == sum(each in words for each in said)


def _short(number: float) -> str:
    divided, letter = (number / 1e6, "M") if number >= 1e6 else (number / 1e3, "k")
    return f"{divided:.3g}{letter}"


@pytest.mark.parametrize("chart", CHARTS)
def test_every_colour_is_another_in_the_dark(chart: str) -> None:
    """
    So that nothing stays black on black.
    """
    text = (DOCS / chart).read_text(encoding="utf-8")
    _, _, dark = text.partition("prefers-color-scheme:dark")

    used = set(re.findall(r' (fill|stroke)="(#\w+)"', text))

    assert len(used) >= 5
    for part, colour in used:
        changed = re.search(rf'\[{part}="{colour}"\]{{{part}:(#\w+)}}', dark)
        assert changed is not None, (part, colour)
        assert colour != changed[1]
