"""
The sentence that says how a campaign went, and how numbers are written.
"""

from __future__ import annotations

from typing import Any

import attrs
import overviews
import pytest

from voicepush.model.call import Calls
from voicepush.report.account import account_of
from voicepush.report.headline import headline, key_figures
from voicepush.report.together import together
from voicepush.report.wording import cell, outside, share

TOLD: list[tuple[dict[str, Any], str]] = [
    ({}, "The list holds nobody."),
    (
        {"read": 1, "planned": 1, "pending": 1},
        "Of 1 person on the list nobody was called yet; 1 is still to be called.",
    ),
    (
        {"read": 9, "planned": 9, "rejected": 1, "expired": 8},
        (
            "Of 9 people on the list nobody was called; 1 was refused, 8 expired "
            "before they were sent."
        ),
    ),
    (
        {"read": 20, "planned": 20, "accepted": 15, "not_sent": 5},
        (
            "Of 20 people on the list 15 were called; who picked up is not known, "
            "since no receipt has come; 5 were not sent."
        ),
    ),
    (
        {
            "read": 20_000,
            "planned": 20_000,
            "accepted": 19_640,
            "unknown": 40,
            "rejected": 320,
            "calls": Calls(reached=11_904, agent=100, not_reached=7_636),
        },
        (
            "Of 20,000 people on the list 19,640 were called and 12,004 picked up "
            "(61 %); 40 may have been called, 320 were refused."
        ),
    ),
    (
        {"read": 2, "planned": 2, "accepted": 2, "calls": Calls(reached=2)},
        "Of 2 people on the list 2 were called and 2 picked up (100 %).",
    ),
]


@pytest.mark.parametrize(("changed", "says"), TOLD)
def test_one_sentence_says_how_it_went(changed: dict[str, Any], says: str) -> None:
    """
    Whom it called, who picked up, and what became of the others.
    """
    assert says == headline(overviews.status(**changed))


def test_all_and_nobody_are_said_only_where_it_is_so() -> None:
    """
    A share is rounded, but never to nothing or to everything.
    """
    assert ["0 %", "<1 %", "50 %", ">99 %", "100 %", "0 %"] == [
        share(part, whole)
        for part, whole in ((0, 9), (1, 900), (1, 2), (899, 900), (9, 9), (0, 0))
    ]


def test_key_figures_are_as_many_as_there_are_facts() -> None:
    """
    Who is unknown or still to be called is told only where there is someone.
    """
    words = [each.words for each in key_figures(overviews.paused())]

    assert [
        *("on the list", "called", "picked up", "may have been called"),
        *("still to be called", "took"),
    ] == words
    assert ["on the list", "called", "still to be called"] == [
        each.words for each in key_figures(overviews.planned())
    ]


def test_long_texts_from_outside_end_in_dots() -> None:
    """
    What is cut is seen to be cut; numbers are masked.
    """
    assert "x" * 48 + "…" == outside("x" * 49, 48)
    assert "+99*****4567" == outside("+99912344567")


def test_cells_are_written_as_people_read_them() -> None:
    """
    Thousands have commas, and nothing is nothing.
    """
    assert ["1,234", "1,234.5", "", "as it is"] == [
        cell(each) for each in (1234, 1234.5, None, "as it is")
    ]


def test_why_nothing_goes_on_is_told() -> None:
    """
    Each of the reasons is a sentence.
    """
    found = overviews.paused()
    waiting = attrs.evolve(
        found.status, reason=None, follows="june", waiting="the window is closed"
    )
    account = account_of(attrs.evolve(found, status=waiting))

    assert [
        "The campaign is paused.",
        "It calls people of june again.",
        "Nothing goes on: the window is closed.",
    ] == account.standing


def test_several_campaigns_without_receipts_do_not_say_that_nobody_picked_up() -> None:
    """
    It is not known, and everyone else is told as of one.
    """
    one = attrs.evolve(
        overviews.unheard().status, unknown=3, pending=4, invalid=5, duplicate=0
    )
    told = together([one, one])

    assert "who picked up is not known, since no receipt has come" in told.headline
    assert f"on 2 lists {2 * one.accepted:,} were called" in told.headline
    for words in (
        "6 may have been called",
        "8 are still to be called",
        "10 were left out of the lists",
    ):
        assert words in told.headline
    assert [None, None] == list(told.table.rows[-1][5:7])
    assert (0, "0 %") != tuple(told.table.rows[0][5:7])
