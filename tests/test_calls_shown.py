"""
What became of the calls, as commands tell it.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path

import pytest
from conftest import Serve, numbers
from mishaps import LEDGER, june, say, sending

from voicepush import Receipt, Report, open_ledger
from voicepush.receipts.call_state import call_of

pytestmark = pytest.mark.usefixtures("in_a_folder")


def sent(serve: Serve) -> None:
    """
    A campaign of five: one was heard for 21 s, one was busy, one rings, and of two
    nothing is known; the answer to the last two was lost, and one of them was reached.
    """
    simulator = serve()
    simulator.next_replies("1001", "1001", "drop")
    june(5)
    say(*sending(simulator, "--batch-size", "2", "--concurrency", "1"))
    people = numbers(5)
    told = [
        *((people[0], "7519", 9.0), (people[0], "7409", 30.0)),
        *((people[1], "7402", 5.0), (people[2], "7408", 5.0)),
        (people[4], "7519", 5.0),
    ]
    asyncio.run(report(told))


async def report(told: list[tuple[str, str, float]]) -> None:
    """
    Let people have receipts: who, the code, and when it happened.
    """
    async with open_ledger(LEDGER) as ledger:
        for value, code, at in told:
            (known,) = await ledger.lookup(value)
            said = Report(
                call=call_of(code, "", f"words of {code}", at),
                correlation_id=known.result.correlation_id,
                transaction_id=f"t-{value}",
            )
            body = json.dumps({"code": code}).encode()
            await ledger.receive([Receipt(body=body, received_at=9.0, reports=[said])])


def test_status_counts_the_calls(serve: Serve) -> None:
    """
    Below the accepted, to whom they add up.
    """
    sent(serve)
    text, found = say("status", "june").out, say("status", "june", "--json").out
    heard = [
        json.loads(say("status", "june", "--json", "--heard-after", each).out)["heard"]
        for each in ("1s", "21s", "22s")
    ]
    lines = [line.split() for line in text.splitlines()]

    assert ["reached", "2"] in lines
    assert ["not", "reached", "1"] in lines
    assert ["on", "its", "way", "2"] in lines
    assert {
        "reached": 2,
        "not_reached": 1,
        "on_its_way": 2,
        "agent": 0,
        "dropped": 0,
        "expired": 0,
    } == json.loads(found)["calls"]
    assert (5, 0) == tuple(json.loads(found)[each] for each in ("accepted", "unknown"))
    assert [1, 1, 0] == heard
    assert (
        "heard for 21 s or longer" in say("status", "june", "--heard-after", "21s").out
    )
    assert "5 receipts received" in say("status").out


def test_export_writes_the_calls(serve: Serve) -> None:
    """
    With a column for all that is known, or only those in some state.
    """
    sent(serve)
    people = numbers(5)
    rows = list(csv.DictReader(io.StringIO(say("export", "june").out)))
    reached = say("export", "june", "--calls", "reached", "--format", "jsonl").out
    others = say(
        "export", "june", "--calls", "on-its-way", "--calls", "not_reached"
    ).out
    found = [json.loads(line) for line in reached.splitlines()]

    assert [
        *(("reached", "7519", "21.000"), ("not_reached", "7402", "")),
        *(("on_its_way", "7408", ""), ("on_its_way", "", ""), ("reached", "7519", "")),
    ] == [(row["call"], row["call_code"], row["heard_seconds"]) for row in rows]
    assert "words of 7402" == rows[1]["call_words"]
    # Of whom no answer tells, the receipt does.
    assert f"t-{people[4]}" == rows[4]["transaction_id"]
    assert [people[0], people[4]] == [each["recipient"] for each in found]
    assert (21.0, "1970-01-01T00:00:09+00:00") == (
        *(found[0]["heard_seconds"],),
        found[0]["answered_at"],
    )
    assert people[1:4] == [
        row["recipient"] for row in csv.DictReader(others.splitlines())
    ]


def test_lookup_tells_of_the_call(serve: Serve) -> None:
    """
    In words, and with what was posted for programs.
    """
    sent(serve)
    value = numbers(5)[0]
    text = say("lookup", value).out
    (found,) = json.loads(say("lookup", value, "--json").out)

    assert "call reached (7519 words of 7519)" in text
    assert "heard for 21 s" in text
    assert "2 receipts kept" in text
    assert ("reached", 21.0, True) == tuple(
        found["call"][each] for each in ("state", "heard_seconds", "has_ended")
    )
    assert ['{"code": "7519"}', '{"code": "7409"}'] == found["receipts"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["status", "--heard-after", "5s"], "--heard-after needs the name"),
        (["status", "june", "--heard-after", "soon"], "--heard-after soon"),
        (["status", "june", "--heard-after", "1.5s"], "whole seconds"),
        (["status", "june", "--history", "--heard-after", "5s"], "choose either"),
        (["export", "june", "--calls", "ringing"], "--calls 'ringing' is none of"),
    ],
)
def test_wrong_usage(serve: Serve, arguments: list[str], complaint: str) -> None:
    """
    One clear line.
    """
    sent(serve)
    said = say(*arguments)

    assert 2 == said.code
    assert complaint in said.complaint
    assert Path(LEDGER).exists()
