"""
The page of ``voicepush report --html``, as people see it in a browser.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from browser import SCREENS, WIDE, Screen, Watch, Watched
from campaigns_made import hostile
from harmless import HOSTILE, check_harmless
from page_faults import broken_millions, faults_of, printed
from processes import said, status_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: The widest and the narrowest, one of each scheme.
_BOTH = [WIDE, Screen(360, "dark")]

_A4 = (210, 297)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def report(made: Path) -> Path:
    """
    Of a campaign that has everything.
    """
    return await _written(made, "june", "--window", "09:00-21:00")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Of a campaign in whose every text stands what must not work.
    """
    ledger = tmp_path_factory.mktemp("hostile") / "hostile.db"
    async with hostile(ledger):
        return await _written(ledger, HOSTILE)


async def _written(ledger: Path, *arguments: str) -> Path:
    page = ledger.with_name(f"{len(list(ledger.parent.iterdir()))}.html")
    options = [*arguments[1:], "--html", str(page), "--ledger", str(ledger)]
    await said("report", *options, "--", arguments[0])
    return page


async def _opened(watch: Watch, screen: Screen, page: Path) -> Watched:
    watched = await watch(screen)
    await watched.page.goto(page.as_uri())
    return watched


@pytest.mark.parametrize("screen", SCREENS, ids=str)
async def test_a_report_is_fit_to_be_shown(
    screen: Screen, report: Path, watch: Watch
) -> None:
    """
    On any screen: nothing overlaps, is cut off, too small or too pale, each picture has
    its words and its numbers, axe finds no serious fault, and it asks for nothing else.
    """
    watched = await _opened(watch, screen, report)

    assert 6 == await watched.page.locator("figure svg").count()
    assert [] == await faults_of(watched)
    assert [report.as_uri()] == watched.requests
    assert 0 == await watched.page.locator("script").count()


@pytest.mark.parametrize(
    ("arguments", "screen"),
    [(["june", "--rounds"], Screen(360, "dark")), (["survey"], WIDE)],
    ids=str,
)
async def test_other_reports_are_fit_to_be_shown(
    arguments: list[str], screen: Screen, made: Path, watch: Watch
) -> None:
    """
    Of several rounds, and of a campaign of which nobody was called yet.
    """
    page = await _written(made, *arguments)
    watched = await _opened(watch, screen, page)

    assert [] == await faults_of(watched)
    assert [page.as_uri()] == watched.requests


async def test_millions_stay_whole(report: Path, watch: Watch) -> None:
    """
    However wide the window is.
    """
    watched = await _opened(watch, WIDE, report)

    assert [] == await broken_millions(watched, ".key-figures")


async def test_a_report_is_printed_on_two_pages(report: Path, watch: Watch) -> None:
    """
    Of A4, whatever it was looked at with.
    """
    for screen in _BOTH:
        watched = await _opened(watch, screen, report)

        assert [_A4, _A4] == await printed(watched.page)


async def test_the_numbers_are_those_of_status(
    made: Path, report: Path, watch: Watch
) -> None:
    """
    In the table of sums, and in the tables beside the pictures.
    """
    status = await status_of(made, "june")
    told = await said("status", "june", "--history", "--json", "--ledger", made)
    throttled = sum(each["throttled"] for each in json.loads(told)["minutes"])
    calls = status["calls"]
    picked_up = calls["reached"] + calls["agent"]
    watched = await _opened(watch, WIDE, report)

    sums = dict(await _rows(watched, ".sums"))
    outcomes = await _rows(watched, "[data-figure=outcomes] table")
    last_calls = (await _rows(watched, "[data-figure=calls] table"))[-1]
    waited = await _rows(watched, "[data-figure=waiting] table")
    speeds = await _rows(watched, "[data-figure=speed] table")

    for name in ("read", "invalid", "duplicate", "suppressed", "planned", "pending"):
        assert status[name] == sums[name], name
    for name in ("accepted", "rejected", "unknown"):
        assert status[name] == sums[name] > 0, name
    for name, number in calls.items():
        assert number == sums[name.replace("_", " ")] > 0, name
    names = ["accepted", "rejected", "unknown"]
    columns = zip(*[row[1:] for row in outcomes], strict=True)
    assert [status[name] for name in names] == [sum(column) for column in columns]
    names = ["agent", "reached", "not_reached", "dropped", "expired"]
    assert [calls[name] for name in names] == last_calls[1:]
    assert picked_up == sum(row[1] for row in waited)
    assert throttled == sum(row[3] or 0 for row in speeds) > 0


async def test_the_sentence_tells_how_it_went(
    made: Path, report: Path, watch: Watch
) -> None:
    """
    With the numbers of status, before anything else.
    """
    status = await status_of(made, "june")
    picked_up = status["calls"]["reached"] + status["calls"]["agent"]
    watched = await _opened(watch, WIDE, report)

    headline = await watched.page.locator(".headline").first.inner_text()

    for number in (status["read"], status["accepted"], picked_up, status["unknown"]):
        assert f"{number:,}" in headline


@pytest.mark.parametrize("screen", _BOTH, ids=str)
async def test_texts_from_outside_are_shown_as_texts(
    screen: Screen, hostile_report: Path, watch: Watch
) -> None:
    """
    HTML, script, templates and control characters, wherever they stand; they neither
    run nor make elements, nor is the page torn by them.
    """
    watched = await _opened(watch, screen, hostile_report)

    assert [] == await faults_of(watched)
    assert [hostile_report.as_uri()] == watched.requests
    await check_harmless(watched, least=8)


async def _rows(watched: Watched, table: str) -> list[list[Any]]:
    """
    The rows of a table: texts, and numbers as numbers; None where nothing stands.
    """
    texts: list[list[str]] = await watched.page.locator(f"{table} >> nth=0").evaluate(
        "table => [...table.tBodies[0].rows].map("
        "row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return [[row[0], *map(_value, row[1:])] for row in texts]


def _value(text: str) -> float | str | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return text or None
