"""
The checks of pages, held against a sound page and against ones with a fault each.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from browser import PHONE, SCREENS, WIDE, Screen, Watch, Watched, launched
from page_faults import (
    Check,
    axe,
    blank_pictures,
    broken_words,
    cut_labels,
    faults_of,
    overlapping_labels,
    pale_labels,
    printed,
    sideways,
    small_text,
    untold_pictures,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'">
<title>Sound</title>
<style>
  :root { color-scheme: light dark; --text: #222; --mark: #9bf; }
  @media (prefers-color-scheme: dark) { :root { --text: #eee; --mark: #235; } }
  svg { width: 300px; height: 100px; }
  text { fill: var(--text); font-size: 12px; }
  .narrow { width: 60px; overflow-wrap: anywhere; }
  rect { fill: var(--mark); }
</style>
</head>
<body>
<main>
<h1>A campaign</h1>
<p>How it went.</p>
<figure>
<svg viewBox="0 0 300 100" role="img" aria-label="Most were reached.">
<rect x="0" y="20" width="200" height="40"/>
<text x="5" y="45" textLength="50">reached</text>
<text x="80" y="45">not reached</text>
</svg>
<details>
<summary>Table</summary>
<table>
<thead><tr><th scope="col">End</th><th scope="col">Calls</th></tr></thead>
<tbody><tr><th scope="row">reached</th><td>1,200</td></tr></tbody>
</table>
</details>
</figure>
</main>
</body>
</html>
"""

_NAME = ' aria-label="Most were reached."'

_ROW = '<th scope="row">reached</th><td>1,200</td>'

#: The check that finds it, what is changed into what, and what is said then.
_FAULTS: dict[str, tuple[Check, str, str, str]] = {
    "language": (axe, '<html lang="en">', "<html>", "html-has-lang"),
    "pale text": (axe, "<p>", '<p style="color: #888">', "color-contrast"),
    "no viewport": (sideways, "=device-width", "=900", "900 px wide on 360"),
    "too wide": (sideways, "<p>", '<p style="width: 400px">', "408 px wide on 360"),
    "no name": (untold_pictures, _NAME, "", "has no text alternative"),
    "no rows": (untold_pictures, _ROW, "", "has no table beside it"),
    "elsewhere": (untold_pictures, "<details>", "</figure><details>", "has no table"),
    "no picture": (untold_pictures, "<p>", "<figure></figure>", "has no picture"),
    "zeros": (untold_pictures, "1,200", "0", "shows zeros only"),
    "nothing drawn": (blank_pictures, "<p>", "<canvas></canvas>", "nothing is drawn"),
    "overlapping": (overlapping_labels, 'x="80"', 'x="40"', '"reached" and "not'),
    "touching": (overlapping_labels, 'x="80"', 'x="56"', '"reached" and "not'),
    "cut off": (cut_labels, 'x="80"', 'x="250"', 'cut off: "not reached"'),
    "broken": (broken_words, "<h1>", '<h1 class="narrow">', 'broken: "campaign"'),
    "small text": (small_text, "<p>", '<p style="font-size: 8px">', "8.0 px is too"),
    "small label": (small_text, "0 0 300", "0 0 600", "6.0 px is too small"),
    "pale label": (pale_labels, "--text: #222", "--text: #aaa", '"not reached"'),
    "label on a mark": (pale_labels, "--mark: #9bf", "--mark: #336", '"reached"'),
    "within details": (faults_of, "<td>", '<td style="padding: 9em">', "open: the"),
    "broken policy": (faults_of, "<p>", "<script>1</script>", "console: error"),
}


async def _shown(watch: Watch, folder: Path, page: str, screen: Screen) -> Watched:
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    watched = await watch(screen)
    await watched.page.goto(file.as_uri())
    return watched


@pytest.mark.parametrize("screen", SCREENS, ids=str)
async def test_a_sound_page_has_no_fault(
    screen: Screen, watch: Watch, tmp_path: Path
) -> None:
    """
    On any screen.
    """
    watched = await _shown(watch, tmp_path, _PAGE, screen)

    assert [] == await faults_of(watched)


@pytest.mark.parametrize("fault", _FAULTS)
async def test_each_fault_is_found(fault: str, watch: Watch, tmp_path: Path) -> None:
    """
    By the check that looks for it, in words that tell where it is.
    """
    check, old, new, said = _FAULTS[fault]
    assert old in _PAGE
    watched = await _shown(watch, tmp_path, _PAGE.replace(old, new), PHONE)

    found = await check(watched)

    assert any(said in each for each in found), found


async def test_what_a_page_did_is_told(watch: Watch, tmp_path: Path) -> None:
    """
    Requests, questions and errors of a page without a policy.
    """
    script = (
        "<script src='own.js'></script><img alt='' src='http://elsewhere.invalid/'>"
        "<script>alert(1); console.warn(2); throw new Error('3')</script>"
    )
    page = _PAGE.replace("default-src", "report-to").replace("<p>", script)
    watched = await _shown(watch, tmp_path, page, WIDE)

    own, elsewhere = (tmp_path / "own.js").as_uri(), "http://elsewhere.invalid/"
    assert {own, elsewhere} == set(watched.strangers)
    assert ["alert: 1"] == watched.dialogs
    assert ["3"] == watched.errors
    assert "warning: 2" in watched.told
    assert len(watched.faults) >= 5


async def test_answers_that_failed_are_told(watch: Watch) -> None:
    """
    And requests to the same server are none to elsewhere.
    """
    app = web.Application()
    app.router.add_get("/", _served)
    watched = await watch(WIDE)
    async with TestServer(app) as server:
        await watched.page.goto(str(server.make_url("/")))
        missing = str(server.make_url("/dot.png"))

        assert [] == watched.strangers
        assert [f"404 {missing}"] == watched.failed
        assert f"answer: 404 {missing}" in watched.faults
    watched.forgive()

    assert [] == watched.faults


async def _served(_: web.Request) -> web.Response:
    return web.Response(text='<img alt="" src="dot.png">', content_type="text/html")


@pytest.mark.parametrize("pages", [1, 3])
async def test_printed_pages_are_counted(
    pages: int, watch: Watch, tmp_path: Path
) -> None:
    """
    With their size, which is A4.
    """
    breaks = '<p style="break-before: page">More.</p>' * (pages - 1)
    page = _PAGE.replace("</main>", f"{breaks}</main>")
    watched = await _shown(watch, tmp_path, page, WIDE)

    assert [(210, 297)] * pages == await printed(watched.page)


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
async def test_a_missing_browser_is_told(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    With how to install it; in CI, where nothing is skipped, the test fails.
    """
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr("browser.CHROMIUM", Path("/nowhere/chromium"))

    with pytest.raises(outcome, match="/nowhere/chromium is missing: 'apt-get install"):
        async with launched():
            pass
