"""
The pictures of pages in the documentation.

``VOICEPUSH_SCREENSHOTS=docs/pictures pytest tests/test_screenshots.py`` makes them
anew, of large campaigns; otherwise small ones are made, and kept nowhere.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from browser import Screen, Watch, Watched
from campaigns_made import going_on, make
from page_faults import faults_of
from playwright.async_api import FloatRect, expect
from processes import said, served

from voicepush import clock

pytestmark = pytest.mark.asyncio(loop_scope="session")

_FOLDER = os.environ.get("VOICEPUSH_SCREENSHOTS")

#: So many are on the first list, and are called at that rate, in batches of that size.
_PEOPLE, _RATE, _SIZE = (40_000, 12.0, 12) if _FOLDER else (500, 4.0, 50)

#: A page of documentation should not take long to load.
_MOST_BYTES = 250_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """
    Where the pictures go.
    """
    return Path(_FOLDER).resolve() if _FOLDER else tmp_path


async def _keep(watched: Watched, file: Path, last: str) -> None:
    """
    Keep a page without faults as a picture, down to the end of its *last* part.
    """
    page, width = watched.page, watched.screen.width
    assert [] == watched.faults
    box = await page.locator(last).first.bounding_box()
    assert box is not None
    clip = FloatRect(x=0, y=0, width=width, height=box["y"] + box["height"] + 16)
    picture = await page.screenshot(path=file, full_page=True, clip=clip)
    assert len(picture) < _MOST_BYTES
    assert [] == await faults_of(watched)


async def test_pictures_of_the_report(
    folder: Path, tmp_path: Path, watch: Watch
) -> None:
    """
    On a wide screen and on a phone.
    """
    ledger, report = tmp_path / "voicepush.db", tmp_path / "june.html"
    await make(ledger, recipients=_PEOPLE, rate=_RATE, size=_SIZE)
    written = ["--html", str(report), "--ledger", str(ledger)]
    await said("report", "june", "--window", "09:00-21:00", *written)
    for name, screen, last in (
        ("report-wide", Screen(1200), ".pictures"),
        ("report-phone", Screen(360), "[data-figure=calls]"),
    ):
        watched = await watch(screen)
        await watched.page.goto(report.as_uri())
        await _keep(watched, folder / f"{name}.png", last)


async def test_pictures_of_the_dashboard(
    folder: Path, tmp_path: Path, watch: Watch
) -> None:
    """
    Of all campaigns and of one that is running, on a wide screen in light and dark.
    """
    ledger = tmp_path / "voicepush.db"
    began = clock.utc_now() - timedelta(hours=26)
    await make(ledger, recipients=_PEOPLE // 5, rate=_RATE, began=began)
    async with (
        going_on(ledger, recipients=_PEOPLE, rate=_RATE, size=_SIZE),
        served("dashboard", "--ledger", ledger, "--listen", "127.0.0.1:0") as address,
    ):
        for name, screen, campaign, last in (
            ("dashboard-list", Screen(1200), "", "main"),
            ("dashboard-wide", Screen(1200), "july", ".two"),
            ("dashboard-dark", Screen(1200, "dark"), "july", ".two"),
        ):
            watched = await watch(screen)
            page = watched.page
            await page.goto(address)
            await expect(page.locator("[data-campaign]")).to_have_count(4)
            if campaign:
                await page.locator(f"[data-campaign={campaign}] a").click()
                await expect(page.locator("canvas")).to_have_count(2)
            await _keep(watched, folder / f"{name}.png", last)
