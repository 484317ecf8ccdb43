"""
The command that tells how campaigns went, over a real ledger.
"""

from __future__ import annotations

import asyncio
import json
import re
import stat
import sys
from datetime import time
from pathlib import Path

import pytest
from conftest import Serve
from mishaps import LEDGER, june, say, sending

from voicepush.cli.reporting import parse_window
from voicepush.errors import InputError
from voicepush.ledger import open_ledger
from voicepush.model.call import Receipt, Report
from voicepush.model.outcome import Outcome
from voicepush.receipts.call_state import call_of

pytestmark = pytest.mark.usefixtures("in_a_folder")


@pytest.fixture
def sent(in_a_folder: None, serve: Serve) -> None:  # noqa: ARG001 -- where it is
    """
    A campaign of 40, of whom some are refused.
    """
    june(40)
    say(*sending(serve("mix:7102=20%@1/1")))


async def heard(campaign: str) -> None:
    """
    Let every other call of *campaign* be busy, and the others be picked up.
    """
    async with open_ledger(LEDGER) as ledger:
        receipts = []
        place = 0
        async for result in ledger.results(campaign, [Outcome.ACCEPTED]):
            for each in result:
                if each.outcome is not Outcome.ACCEPTED:
                    continue
                code = "7402" if place % 2 else "7519"
                place += 1
                call = call_of(code, "", "", 2_000_000_000.0)
                report = Report(call=call, correlation_id=each.correlation_id)
                receipts.append(Receipt(body=b"{}", received_at=2e9, reports=[report]))
        await ledger.receive(receipts)


@pytest.mark.usefixtures("sent")
def test_text_tells_how_it_went() -> None:
    """
    Without an option the report is text on standard output.
    """
    told = say("report", "june", "--window", "09:00-21:00")

    assert (0, "") == (told.code, told.err)
    assert told.out.startswith("Campaign june, looked at ")
    assert "Of 40 people on the list " in told.out
    assert "7102" in told.out
    assert "The sums" in told.out


@pytest.mark.usefixtures("sent")
def test_json_holds_what_status_says() -> None:
    """
    One object; its status is that of ``status --json``.
    """
    told = json.loads(say("report", "june", "--json").out)
    status = json.loads(say("status", "june", "--json").out)

    assert [status] == [each["status"] for each in told["campaigns"]]
    assert told["together"] is None
    figures = told["campaigns"][0]["figures"]
    assert {"flow", "outcomes", "calls", "hours", "speed", "waiting"} == set(figures)
    assert status["accepted"] == sum(
        each["accepted"] for each in figures["outcomes"]["rows"]
    )
    assert "planned" == told["campaigns"][0]["history"][0]["event"]


@pytest.mark.slow
@pytest.mark.usefixtures("sent")
def test_a_page_is_written_whole_and_for_nobody_else() -> None:
    """
    The file is readable by its owner only, also where it was there before; where it is,
    is said on stderr, and JSON may be had beside it.
    """
    where = Path("june.html")
    where.write_text("old")
    where.chmod(0o644)

    told = say("report", "june", "--html", str(where))
    both = say("report", "june", "--html", str(where), "--json")

    assert (0, "", "wrote june.html\n") == (told.code, told.out, told.err)
    assert 0o600 == stat.S_IMODE(where.stat().st_mode)
    assert where.read_text().endswith("</html>")
    assert "june" == json.loads(both.out)["campaigns"][0]["status"]["campaign"]
    assert {"june.html", "june.csv", LEDGER.name} <= {
        each.name for each in Path().iterdir()
    }


@pytest.mark.usefixtures("sent")
@pytest.mark.parametrize("name", ["june.csv", str(LEDGER)])
def test_no_page_overwrites_an_input(name: str) -> None:
    """
    Neither the ledger nor the list.
    """
    before = Path(name).read_bytes()

    told = say("report", "june", "--html", name)

    assert 2 == told.code
    assert "would be lost" in told.err
    assert before == Path(name).read_bytes()


@pytest.mark.usefixtures("sent")
def test_without_the_library_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    One line says how to install it; text needs nothing.
    """
    monkeypatch.setitem(sys.modules, "vl_convert", None)

    told = say("report", "june", "--html", "june.html")

    assert 2 == told.code
    assert 1 == told.err.count("\n")
    assert "pip install 'voicepush[report]'" in told.err
    assert not Path("june.html").exists()
    assert 0 == say("report", "june").code


@pytest.mark.usefixtures("sent")
def test_what_is_not_there_is_said() -> None:
    """
    No such campaign, no window, rounds of two.
    """
    june_and_july = say("report", "june", "july")
    window = say("report", "june", "--window", "9")
    rounds = say("report", "june", "july", "--rounds")

    assert (2, 2, 2) == (june_and_july.code, window.code, rounds.code)
    assert "there is no campaign 'july'" in june_and_july.err
    assert "write it like 09:00-21:00" in window.err
    assert "--rounds finds the rounds of one campaign" in rounds.err


def test_rounds_are_found_from_any_of_them(serve: Serve) -> None:
    """
    Named is one round; told of are those before and after it, the first one first.
    """
    simulator = serve()
    june(8)
    say(*sending(simulator))
    asyncio.run(heard("june"))
    address = ("--base-url", simulator.url)
    say("send", "--from-campaign", "june", "--media", "again", *address)
    alone = say("report", "june", "--rounds")
    told = [
        json.loads(say("report", name, "--rounds", "--json").out)
        for name in ("june", "june-2")
    ]

    assert 0 == alone.code
    for each in told:
        assert ["june", "june-2"] == [
            found["status"]["campaign"] for found in each["campaigns"]
        ]
        assert [4, 4] == [
            found["reached_so_far"] for found in each["together"]["rounds"]
        ]


@pytest.mark.usefixtures("sent")
def test_a_campaign_that_is_named_twice_is_told_once() -> None:
    """
    Its people would be counted twice in the sums.
    """
    told = say("report", "june", "june")

    assert 1 == len(re.findall("^Campaign june", told.out, re.MULTILINE))


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("09:00-21:00", time(9), time(21)),
        ("9:30 - 20", time(9, 30), time(20)),
        ("21:00-24:00", time(21), time(0)),
        ("22:00-06:00", time(22), time(6)),
    ],
)
def test_windows_are_read_as_they_are_typed(text: str, begin: time, end: time) -> None:
    """
    Hours alone are enough, and a window may go over midnight.
    """
    assert (begin, end) == tuple(parse_window(text))


@pytest.mark.parametrize(
    "text", ["", "9", "9-", "25:00-26:00", "09:00-21:00-22:00", "a-b", "9:00-9:00"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    """
    With the form that is wanted, or what to do instead.
    """
    with pytest.raises(InputError, match="--window"):
        parse_window(text)
