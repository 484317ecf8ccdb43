"""
A text that must not work wherever it is shown, and what a page must be like in which
it is.
"""

from __future__ import annotations

from browser import Watched

from voicepush.masking import UNSHOWN

#: HTML, script, a template, quotes and control characters; they turn the writing, too.
HOSTILE = (
    "<script>alert('run')</script><made-of-it>\x1b[31m\u202e\r\n&lt;{{ 7 * 7 }}\"'`"
    "<img src=x onerror=alert('shown')>"
)

_FIRST_WORDS = "<script>alert('run')</script><made-of-it>"

_LAST_WORDS = "&lt;{{ 7 * 7 }}\"'`<img src=x onerror=alert('shown')>"


async def check_harmless(watched: Watched, *, least: int) -> None:
    """
    `HOSTILE` stands in the page as a text, so many times at *least*; it did not run,
    made no element, and nothing of it is unseen.
    """
    page = watched.page
    text = await page.locator("body").inner_text()

    assert 0 == await page.locator("made-of-it, img").count()
    assert [] == watched.dialogs
    assert least <= text.count(_FIRST_WORDS)
    assert least <= text.count(_LAST_WORDS)
    assert [] == UNSHOWN.findall(text.replace("\n", "").replace("\t", ""))
    assert UNSHOWN.search(await page.title()) is None
