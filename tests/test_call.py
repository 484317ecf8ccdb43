"""
One call, now.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest
from conftest import Serve
from mishaps import LEDGER, say

from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

NUMBER = "+999000000001"


def calling(simulator: Simulator, *words: str) -> list[str]:
    """
    The command that plays a message to whom the *words* name.
    """
    return ["call", *words, "--media", "x", "--base-url", simulator.url]


def test_a_call_and_the_same_again(serve: Serve) -> None:
    """
    Each is a campaign of its own, so that the same number can be called again.
    """
    simulator = serve()
    first = say(*calling(simulator, NUMBER))
    again = say(*calling(simulator, "+999 (000) 000-001", "--json"))

    assert (0, 0) == (first.code, again.code), first.err + again.err
    assert f"{NUMBER}: accepted in campaign call-" in first.out
    name = json.loads(again.out)["campaign"]
    assert 1 == json.loads(again.out)["accepted"]
    assert Counter({NUMBER: 2}) == simulator.calls
    # Nothing in it is taken for a phone number, so that it can be copied.
    assert name in say("status", "nothing-like-it").complaint


def test_who_was_not_called(serve: Serve) -> None:
    """
    The exit status tells it, and the line why.
    """
    simulator = serve()
    simulator.next_replies("7100")

    said = say(*calling(simulator, NUMBER))

    assert 1 == said.code
    assert f"{NUMBER}: rejected in campaign call-" in said.out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["5550100"], "begin with + and the calling code, or give its country"),
        (["+0123"], "too short"),
        ([NUMBER, "+999000000002"], "too many arguments"),
    ],
)
def test_what_is_no_number(serve: Serve, words: list[str], complaint: str) -> None:
    """
    Nobody is rung, and nothing is kept.
    """
    simulator = serve()
    said = say(*calling(simulator, *words))

    assert 2 == said.code
    assert complaint in said.complaint
    assert not simulator.calls
    assert not LEDGER.exists()


def test_a_service_that_is_not_there(unused_tcp_port: int) -> None:
    """
    A call is for now: it does not wait for a quarter of an hour.
    """
    url = f"http://127.0.0.1:{unused_tcp_port}"
    said = say("call", NUMBER, "--media", "x", "--base-url", url, "--patience", "1s")

    assert 1 == said.code
    assert f"{NUMBER}: not sent in campaign call-" in said.out
