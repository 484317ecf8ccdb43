"""
A report as a page, as text and as JSON.
"""

from __future__ import annotations

import re
import sys
from datetime import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import attrs
import msgspec
import overviews
import pytest

from voicepush.errors import InputError
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.overview import Overview
from voicepush.report.account import account_of
from voicepush.report.figures.hours import Window
from voicepush.report.html import page
from voicepush.report.json import as_object, dump
from voicepush.report.narrative import narrative
from voicepush.report.objects import report_as_object
from voicepush.report.pages import style
from voicepush.report.pictures import check_library, svg_of
from voicepush.report.together import together

DAY = Window(time(9), time(21))

#: What has no end tag.
VOID = {"meta", "br"}


class Page(HTMLParser):
    """
    The elements of a page, and what is written in them.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """
        One begins.
        """
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """
        It ends in the order in which it began.
        """
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """
        Something is written in it.
        """
        self.words.setdefault(self.open[-1] if self.open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """
        The attributes of each *tag*.
        """
        return [found for name, found in self.elements if name == tag]

    @property
    def said(self) -> str:
        """
        All words but the style sheet.
        """
        return " ".join(
            word
            for tag, found in self.words.items()
            if tag != "style"
            for word in found
        )


def page_of(*found: Overview, window: Window | None = None) -> str:
    """
    The page on these campaigns.
    """
    accounts = [account_of(each, window) for each in found]
    whole = together([each.status for each in found]) if len(found) > 1 else None
    return page(accounts, whole, version="1.2.3")


def object_of(*found: Overview) -> dict[str, Any]:
    """
    The same for programs.
    """
    accounts = [account_of(each) for each in found]
    decoded: dict[str, Any] = msgspec.json.decode(
        dump(report_as_object(accounts, version="1.2.3"))
    )
    return decoded


MADE = [
    overviews.small,
    overviews.planned,
    overviews.paused,
    overviews.unheard,
    overviews.hostile,
]


@pytest.mark.parametrize("make", MADE)
def test_a_page_needs_nothing_else(make: Any) -> None:
    """
    No script, no style from outside, no address that a browser would ask; the elements
    are closed in order, and ids are there once.
    """
    found = Page(page_of(make(), window=DAY))
    tags = {tag for tag, _ in found.elements}
    named = [attributes["id"] for _, attributes in found.elements if "id" in attributes]

    assert not tags & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "form",
        "a",
    }
    assert not any(
        name.startswith("on") or name in {"href", "src", "srcset", "style", "action"}
        for _, attributes in found.elements
        for name in attributes
    )
    assert [] == found.open
    assert len(named) == len(set(named))
    assert "http" not in style()
    assert "url(" not in style()


@pytest.mark.parametrize("make", MADE)
def test_every_picture_has_its_words_and_its_table(make: Any) -> None:
    """
    A picture says in a sentence what can be seen, and its numbers stand beside it.
    """
    text = page_of(make(), window=DAY)
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)

    assert figures
    for each in figures:
        pictures = Page(each).all("svg")
        assert 1 == len(pictures)
        assert "img" == pictures[0]["role"]
        assert str(pictures[0]["aria-label"]).endswith(".")
        assert 1 == len(Page(each).all("caption"))
        assert Page(each).all("td")


def test_numbers_are_those_of_the_status() -> None:
    """
    Each sum of ``status`` is in the page, in the text and in the JSON.
    """
    found = overviews.small()
    status = found.status
    assert status.calls is not None
    text, told = page_of(found), narrative([account_of(found)])

    for number in (
        *(status.read, status.planned, status.accepted, status.rejected),
        *(status.unknown, *attrs.asdict(status.calls).values()),
    ):
        assert f">{number:,}</td>" in text
        assert f"{number:,}" in told
    assert as_object(status) == {
        **object_of(found)["campaigns"][0]["status"],
        "state": status.state,
        "expiry": status.expiry,
    }


def test_hostile_texts_are_texts() -> None:
    """
    What looks like HTML, a script, a template or a terminal's command is shown, without
    what is not seen; numbers are masked.
    """
    text = page_of(overviews.hostile(), window=DAY)
    found = Page(text)
    told = narrative([account_of(overviews.hostile())])

    for words in (found.said, told):
        assert "<script>alert(1)</script>" in words
        assert "{{ 7*7 }}" in words
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066]", words)
    for words in (found.said, told, dump(object_of(overviews.hostile()))):
        assert "W" * 60 in words
    assert "99000012345" not in text + told
    assert max(map(len, told.splitlines())) <= 80


def test_a_campaign_that_nobody_began_has_no_empty_picture() -> None:
    """
    Only the flow is drawn; of the others it is said why not.
    """
    found = Page(page_of(overviews.planned()))

    assert ["flow"] == [each["data-figure"] for each in found.all("figure")]
    assert "Nobody was called yet." in found.said


def test_why_it_stands_is_told() -> None:
    """
    A campaign that has paused itself says why.
    """
    text = page_of(overviews.paused())

    assert "The campaign is paused: most of the last 20 requests failed" in text
    assert "29,805 are still to be called" in text


def test_a_large_campaign_makes_a_small_page() -> None:
    """
    Ten million people, 10,000 batches: less than 200 KB.
    """
    assert len(page_of(overviews.large(), window=DAY).encode()) < 200_000


def test_many_reasons_end_in_a_line() -> None:
    """
    The most frequent reasons are listed, and the sum of the others.
    """
    reasons = {
        Verdict(Outcome.REJECTED, "7004", f"bad for {'x' * i}"): 100 - i
        for i in range(50)
    }
    found = attrs.evolve(overviews.small(), reasons=reasons)
    account = account_of(found)

    assert 21 == len(account.reasons)
    assert "for 30 other reasons" == account.reasons[-1].words
    assert sum(reasons.values()) == sum(each.number for each in account.reasons)
    assert "for 30 other reasons" in page_of(found)


def test_several_campaigns_have_their_sums() -> None:
    """
    Side by side, and together.
    """
    one, other = overviews.small(), overviews.unheard()
    text = page_of(one, other)
    accepted = one.status.accepted + other.status.accepted

    assert "2 campaigns" in text
    assert f"Of 25,000 people on 2 lists {accepted:,} were called" in text
    assert 2 == len(Page(text).all("article"))


def test_rounds_tell_who_was_reached_after_how_many() -> None:
    """
    Each round adds those that it reached, also where a round has two campaigns.
    """
    found = overviews.rounds()
    twin = attrs.evolve(found[1].status, campaign="june-2b")
    statuses = [*(each.status for each in found), twin]
    whole = together(statuses, are_rounds=True)
    picked_up = [
        each.calls.reached + each.calls.agent for each in statuses if each.calls
    ]

    assert whole.rounds is not None
    assert [
        picked_up[0],
        picked_up[0] + 2 * picked_up[1],
        sum(picked_up),
    ] == [each["reached_so_far"] for each in whole.rounds.objects()]
    accounts = list(map(account_of, found))
    assert "picked up so far" in page(accounts, whole, version="1.2.3")
    assert "picked up so far" in narrative(accounts, whole)
    assert whole.as_object()["rounds"] == whole.rounds.objects()
    assert together([twin]).as_object()["rounds"] is None


def test_a_terminal_without_blocks_gets_no_bars() -> None:
    """
    Nothing but ASCII is written where the terminal has nothing else.
    """
    accounts = [account_of(overviews.small(), DAY)]

    assert "█" in narrative(accounts)
    assert narrative(accounts, encoding="ascii").isascii()
    assert narrative(accounts, encoding="no such thing").isascii()


@pytest.mark.parametrize("make", MADE)
def test_lines_fit_a_terminal(make: Any) -> None:
    """
    No line is longer than eighty letters.
    """
    told = narrative([account_of(make(), DAY)])

    assert max(map(len, told.splitlines())) <= 80


def test_without_the_library_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The extra that draws is named.
    """
    check_library()
    monkeypatch.setitem(sys.modules, "vl_convert", None)

    with pytest.raises(InputError, match=r"pip install 'voicepush\[report\]'"):
        check_library()


def test_a_picture_takes_its_colours_from_the_page() -> None:
    """
    Every colour that is drawn is one of the style sheet's, so that one picture serves
    light, dark and paper.
    """
    known = set(re.findall(r"(--[a-z-]+):", style()))
    for made in (overviews.small(), overviews.paused()):
        for each in account_of(made, DAY).drawn:
            drawn = svg_of(each)
            painted = set(re.findall(r'(?:fill|stroke)="([^"]*)"', drawn))
            used = {found[4:-1] for found in painted if found.startswith("var(")}
            assert used
            assert used <= known
            assert {found for found in painted if found[:4] != "var("} <= {
                *("none", "transparent"),
            }
        for key in (key for each in account_of(made).drawn for key in each.keys):
            assert f"i.{key.colour.replace('_', '-')}" in style()


def test_style_sheet_is_in_the_wheel() -> None:
    """
    Templates lie within the package.
    """
    import voicepush.report  # noqa: PLC0415 -- to see where it is

    folder = Path(voicepush.report.__file__).parent / "templates"

    assert {"macros.html", "report.css", "report.html"} == {
        each.name for each in folder.iterdir()
    }
