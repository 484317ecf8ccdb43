"""
What can be wrong with a page as people see it: each check gives sentences, none where
nothing is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

from browser import Watched
from playwright.async_api import Page

Check: TypeAlias = Callable[[Watched], Awaitable[list[str]]]

#: Of WCAG 2.0 to 2.2 at its levels A and AA, and what is held to be good practice.
AXE_RULES = [
    *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"),
    "best-practice",
]

#: Rows like those above them, which only take time.
_ALIKE = "tbody tr:nth-child(n+6)"

#: In pixels on the screen.
SMALLEST_TEXT = 9

#: What WCAG asks of text at level AA; axe does not look at the labels of a drawing.
LEAST_CONTRAST = 4.5

_AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

_LOOKS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


async def faults_of(watched: Watched) -> list[str]:
    """
    Everything that is wrong with a page, as it came and with all its details open.
    """
    found = [f"closed: {said}" for look in LOOKS for said in await look(watched)]
    await open_details(watched.page)
    # Axe takes longest, and finds nothing in what is closed that it does not find then.
    checks = [*LOOKS, axe]
    found += [f"open: {said}" for check in checks for said in await check(watched)]
    return found + watched.faults


async def open_details(page: Page) -> None:
    """
    Open everything that can be opened.
    """
    await page.evaluate(
        "document.querySelectorAll('details').forEach(each => { each.open = true })"
    )


#: A page is looked at so often at most, with so many milliseconds between.
_TIMES, _A_MOMENT = 20, 100


async def broken_millions(watched: Watched, figures: str) -> list[str]:
    """
    What would be broken in *figures* if they were of ten million, whatever the width.
    """
    page = watched.page
    found: list[str] = []
    await page.locator(f"{figures} dd").evaluate_all(
        "all => all.forEach(each => { each.firstChild.textContent = '10,000,000' })"
    )
    for width in (360, 480, 768, 1024, 1200, 1440, 1920):
        await page.set_viewport_size({"width": width, "height": 900})
        for _ in range(_TIMES):
            said = await broken_words(watched) + await _look(watched, "sideways", width)
            if not said:
                break
            # Pictures take the new width a moment later.
            await page.wait_for_timeout(_A_MOMENT)
        found += [f"{width} px: {each}" for each in said]
    return found


async def axe(watched: Watched) -> list[str]:
    """
    Faults that axe-core holds to be serious or critical.
    """
    if await watched.page.evaluate("!window.axe"):
        await watched.page.evaluate(_AXE)
    found: dict[str, Any] = await watched.page.evaluate(
        "([left, rules]) => axe.run({ exclude: left },"
        " { runOnly: rules, resultTypes: ['violations'] })",
        [_ALIKE, AXE_RULES],
    )
    return [
        f"axe: {each['id']} ({each['impact']}): {each['help']}: {node['html'][:160]}"
        for each in found["violations"]
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


async def sideways(watched: Watched) -> list[str]:
    """
    What makes one scroll sideways.
    """
    return await _look(watched, "sideways", watched.screen.width)


async def untold_pictures(watched: Watched) -> list[str]:
    """
    Pictures without a text alternative, or without their numbers beside them; pictures
    of zeros, and figures without a picture.
    """
    return await _look(watched, "untold")


async def blank_pictures(watched: Watched) -> list[str]:
    """
    Canvases on which nothing is drawn.
    """
    return await _look(watched, "blank")


async def overlapping_labels(watched: Watched) -> list[str]:
    """
    Texts of one drawing that lie on each other, or touch.
    """
    return await _look(watched, "overlapping")


async def cut_labels(watched: Watched) -> list[str]:
    """
    Texts that the edge of their drawing cuts off.
    """
    return await _look(watched, "cut")


async def broken_words(watched: Watched) -> list[str]:
    """
    Numbers and short words that go on in the next line without a hyphen.
    """
    return await _look(watched, "broken")


async def small_text(watched: Watched) -> list[str]:
    """
    Texts too small to be read.
    """
    return await _look(watched, "small", SMALLEST_TEXT)


async def pale_labels(watched: Watched) -> list[str]:
    """
    Texts of drawings that are hardly seen before what lies under them.
    """
    return await _look(watched, "pale", LEAST_CONTRAST)


LOOKS: list[Check] = [
    sideways,
    untold_pictures,
    blank_pictures,
    overlapping_labels,
    cut_labels,
    broken_words,
    small_text,
    pale_labels,
]


async def printed(page: Page) -> list[tuple[int, int]]:
    """
    The pages of a print to PDF: width and height of each, in millimetres.
    """
    pdf = await page.pdf(prefer_css_page_size=True, format="A4")
    pages = re.findall(rb"/Type\s*/Page\b.*?/MediaBox\s*\[([^]]*)\]", pdf, re.DOTALL)
    sizes = [[float(each) * 25.4 / 72 for each in box.split()] for box in pages]
    return [(round(size[2]), round(size[3])) for size in sizes]


async def _look(watched: Watched, what: str, *wanted: float) -> list[str]:
    found: list[str] = await watched.page.evaluate(
        f"wanted => ({_LOOKS}).{what}(...wanted)", list(wanted)
    )
    return found
