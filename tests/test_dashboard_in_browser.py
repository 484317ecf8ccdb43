"""
The pages of ``voicepush dashboard``, as people see them in a browser.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from browser import SCREENS, WIDE, Screen, Watch, Watched
from campaigns_made import hostile
from conftest import KEY, Serve, numbers
from harmless import check_harmless
from page_faults import broken_millions, faults_of, printed
from playwright.async_api import expect
from processes import said, served, status_of

from voicepush import Campaign, VoiceMessage, open_ledger
from voicepush.masking import mask

pytestmark = pytest.mark.asyncio(loop_scope="session")

_A4 = (210, 297)

_TOKEN = "made-up-token-of-a-test"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def address(made: Path) -> AsyncIterator[str]:
    """
    Where the ledger that was made is shown.
    """
    async with served(*_dashboard(made)) as address:
        yield address


def _dashboard(ledger: Path, port: int = 0) -> list[str]:
    return ["dashboard", *_where(ledger, port)]


def _where(ledger: Path, port: int = 0) -> list[str]:
    return ["--ledger", str(ledger), "--listen", f"127.0.0.1:{port}"]


async def _plan(ledger: Path, *campaigns: str) -> None:
    async with open_ledger(ledger) as opened:
        for campaign in campaigns:
            message = VoiceMessage(media="welcome")
            await Campaign.plan(opened, campaign, message, numbers(10))


def _dump(ledger: Path) -> list[str]:
    """
    Everything that stands in *ledger*.
    """
    connection = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


async def _ask_why(watched: Watched) -> None:
    link = watched.page.locator("#why a")
    await expect(link).to_be_visible()
    # Before the scripts are there it leads to another page, for who has none.
    await watched.page.wait_for_load_state("load")
    await link.click()
    settings = watched.page.get_by_role("heading", name="What it runs with")
    await expect(settings).to_be_visible()


def _someone(ledger: Path) -> str:
    """
    A number on the list that *ledger* was made of.
    """
    return ledger.with_name("june.csv").read_text().rpartition(",")[2]


async def _look_up(watched: Watched, number: str) -> None:
    await watched.page.get_by_role("textbox").fill(number)
    await watched.page.get_by_role("button").click()
    await expect(watched.page.locator("article").first).to_be_visible()


async def _shown(watched: Watched, part: str) -> dict[str, int]:
    """
    The numbers in a *part* of the page, by the field of the status.
    """
    pairs: list[tuple[str, str]] = await watched.page.locator(part).evaluate_all(
        "parts => parts.flatMap(part => [...part.querySelectorAll('data[data-field]')])"
        ".map(each => [each.dataset.field, each.value])"
    )
    found = {field: int(value) for field, value in pairs}
    # However often a number is shown, it is the same.
    assert set(found.items()) == {(field, int(value)) for field, value in pairs}
    return found


def _told(status: Mapping[str, Any]) -> dict[str, int]:
    """
    The same of ``status --json``.
    """
    calls = status["calls"] or {}
    done = status["planned"] - status["pending"] - status["in_flight"]
    told = {**status, "done": done}
    told |= {f"calls.{name}": number for name, number in calls.items()}
    return {name: each for name, each in told.items() if isinstance(each, int)}


@pytest.mark.parametrize("screen", SCREENS, ids=str)
async def test_the_dashboard_is_fit_to_be_shown(
    screen: Screen, address: str, made: Path, watch: Watch
) -> None:
    """
    The list, a campaign with all that can be asked for, and who was looked up: nothing
    is cut off, each picture has its words and its numbers, axe finds no serious fault,
    and nothing but the server is asked.
    """
    watched = await watch(screen)
    page = watched.page
    await page.goto(address)
    await expect(page.locator("[data-campaign]")).to_have_count(3)
    assert [] == await faults_of(watched)

    await page.locator("[data-campaign=june] a").click()
    await _ask_why(watched)
    await expect(page.locator("canvas")).to_have_count(2)
    assert [] == await faults_of(watched)

    await page.goto(f"{address}lookup")
    await _look_up(watched, _someone(made))
    assert [] == await faults_of(watched)


async def test_millions_stay_whole(address: str, watch: Watch) -> None:
    """
    However wide the window is.
    """
    watched = await watch(WIDE)
    await watched.page.goto(f"{address}campaign?name=june")

    assert [] == await broken_millions(watched, ".key-figures")


async def test_the_dashboard_is_printed(address: str, watch: Watch) -> None:
    """
    A campaign on two pages of A4 at most.
    """
    watched = await watch(WIDE)
    await watched.page.goto(f"{address}campaign?name=june")
    await expect(watched.page.locator("canvas")).to_have_count(2)

    pages = await printed(watched.page)

    assert pages in ([_A4], [_A4, _A4])


async def test_the_numbers_are_those_of_status(
    address: str, made: Path, watch: Watch
) -> None:
    """
    Of all campaigns in the list, and of one on its page.
    """
    watched = await watch(WIDE)
    await watched.page.goto(address)
    for campaign in ("june", "june-2", "survey"):
        told = _told(await status_of(made, campaign))
        shown = await _shown(watched, f"[data-campaign={campaign}]")

        assert {"done", "planned", "accepted"} <= set(shown)
        assert {name: told[name] for name in shown} == shown

    await watched.page.locator("[data-campaign=june] a").click()
    await expect(watched.page.locator("#calls-numbers tbody tr")).not_to_have_count(0)
    told = _told(await status_of(made, "june"))
    shown = await _shown(watched, "main")
    last = await watched.page.locator("#calls-numbers tbody tr").last.evaluate(
        "row => [...row.querySelectorAll('data')].map(each => Number(each.value))"
    )

    assert {name: told[name] for name in shown} == shown
    assert {name for name in told if name.startswith("calls.")} <= set(shown)
    assert told["accepted"] - told["calls.on_its_way"] == sum(last[:5])


async def test_a_running_campaign_is_followed(
    tmp_path: Path, serve: Serve, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It appears when it is sent, its numbers move, and that it was paused is seen, all
    without a click.
    """
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", KEY)
    ledger, file = tmp_path / "ledger.db", tmp_path / "july.csv"
    file.write_text("\n".join(["msisdn", *numbers(5_000)]))
    await _plan(ledger, "june")
    watched = await watch(WIDE)
    page = watched.page
    send = ["send", str(file), "--media", "welcome", "--ledger", str(ledger)]
    service = ["--base-url", serve().url, "--rate", "40"]
    async with served(*_dashboard(ledger)) as address, asyncio.TaskGroup() as tasks:
        await page.goto(address)
        await expect(page.locator("[data-campaign]")).to_have_count(1)
        # Its exit status says that not everyone was called.
        tasks.create_task(said(*send, *service, code=1))
        card = page.locator("[data-campaign=july]")
        await expect(card.locator(".badge")).to_have_text("running")
        await card.locator("a").click()
        accepted = page.locator("main data[data-field=accepted]").first
        seen = ["0"]
        for _ in range(3):
            for value in seen:
                await expect(accepted).not_to_have_attribute("value", value)
            seen.append(await accepted.get_attribute("value") or "")
        await said("pause", "july", "--ledger", ledger)
        await expect(page.locator(".badge").first).to_have_text("paused")
        told = _told(await status_of(ledger, "july"))
        for name in ("done", "pending"):
            field = page.locator(f"main data[data-field={name}]").first
            await expect(field).to_have_attribute("value", str(told[name]))

        shown = await _shown(watched, "main")

        assert sorted(seen, key=int) == seen
        assert {name: told[name] for name in shown} == shown
        assert [] == watched.faults


async def test_a_restarted_server_is_found_again(tmp_path: Path, watch: Watch) -> None:
    """
    While there is none the page says since when, and afterwards it shows what is new.
    """
    ledger = tmp_path / "ledger.db"
    await _plan(ledger, "june")
    watched = await watch(WIDE)
    page = watched.page
    cut_off = page.locator("#cut-off")
    async with served(*_dashboard(ledger)) as address:
        await page.goto(address)
        await expect(page.locator("[data-campaign=june]")).to_be_visible()
        await expect(cut_off).to_be_hidden()
        port = int(address.rstrip("/").rpartition(":")[2])

    await expect(cut_off).to_have_text(
        re.compile(r"Not connected since \d\d:\d\d:\d\d; what you see may be old")
    )
    await expect(cut_off).to_be_visible()
    await _plan(ledger, "july")
    async with served(*_dashboard(ledger, port)):
        await expect(page.locator("[data-campaign=july]")).to_be_visible()
        await expect(cut_off).to_be_hidden()
        watched.forgive()

        assert [] == await faults_of(watched)


async def test_it_is_shown_on_the_port_of_the_receiver(
    tmp_path: Path, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Under another path, to who has the token, and what is new comes there as well.
    """
    monkeypatch.setenv("VOICEPUSH_DASHBOARD_TOKEN", _TOKEN)
    ledger = tmp_path / "ledger.db"
    await _plan(ledger, "june")
    watched = await watch(WIDE, password=_TOKEN)
    page = watched.page
    receiver = ["receipts", "--dashboard", *_where(ledger)]
    async with served(*receiver) as receipts:
        await page.goto(receipts.replace("/receipts", "/dashboard/"))
        await expect(page.locator("[data-campaign=june]")).to_be_visible()
        await _plan(ledger, "july")
        await expect(page.locator("[data-campaign=july]")).to_be_visible()
        await page.locator("[data-campaign=july] a").click()
        await _ask_why(watched)

        assert [] == watched.faults
        assert "/dashboard/campaign?name=july" in page.url


async def test_nothing_in_it_writes(address: str, made: Path, watch: Watch) -> None:
    """
    Whatever is asked for, in whichever way, the ledger holds the same; and only what
    looks is answered.
    """
    before, someone = _dump(made), _someone(made)
    watched = await watch(WIDE)
    page = watched.page
    await page.goto(address)
    await page.locator("[data-campaign=june] a").click()
    await _ask_why(watched)
    await page.goto(f"{address}lookup")
    await _look_up(watched, someone)
    text = await page.locator("body").inner_text()
    refused = [
        (await page.request.fetch(f"{address}{path}", method=method)).status
        for path in ("", "campaign?name=june", "why?name=june", "events", "lookup")
        for method in ("POST", "PUT", "PATCH", "DELETE")
        if (path, method) != ("lookup", "POST")
    ]

    assert before == _dump(made)
    assert {405} == set(refused)
    assert mask(someone) in text
    assert someone[1:] not in text + page.url


@pytest.mark.parametrize("screen", [WIDE, Screen(360, "dark")], ids=str)
async def test_texts_from_outside_are_shown_as_texts(
    screen: Screen, tmp_path: Path, watch: Watch
) -> None:
    """
    HTML, script, templates and control characters, wherever they stand; they neither
    run nor make elements, also where they come with an event.
    """
    ledger = tmp_path / "hostile.db"
    watched = await watch(screen)
    page = watched.page
    async with hostile(ledger), served(*_dashboard(ledger)) as address:
        await page.goto(address)
        await check_harmless(watched, least=2)
        assert [] == await faults_of(watched)

        await page.locator("[data-campaign] a").click()
        await _ask_why(watched)
        await check_harmless(watched, least=8)
        assert [] == await faults_of(watched)
