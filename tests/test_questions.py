"""
Who was called, and what came of it: looked up by number, and exported.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Serve
from mishaps import (
    SLOWLY,
    check,
    exported,
    june,
    process,
    say,
    sending,
    stand,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("in_a_folder")


@pytest.mark.parametrize(
    "spelling",
    [
        "+999000000003",
        "999000000003",
        "00999000000003",
        "+999 (000) 000-003",
        "tel:+999.000.000.003",
        " +999-000-000-003 ",
    ],
)
def test_lookup_takes_any_spelling(serve: Serve, spelling: str) -> None:
    """
    A number is found as anyone writes it.
    """
    simulator = serve()
    june(20)
    say(*sending(simulator))

    said = say("lookup", spelling)
    unknown = say("lookup", "+999000000999")

    assert 0 == said.code
    assert "+999000000003: accepted in campaign june" in said.out
    assert (1, "") == (unknown.code, unknown.out)


def test_lookup_finds_an_id_of_digits(serve: Serve) -> None:
    """
    Which may be read as a number, too.
    """
    lines = "msisdn,correlationid\n+999000000001,334837061207\n"
    Path("june.csv").write_text(lines)
    sent = say(*sending(serve()))
    found = say("lookup", "334837061207")

    assert (0, 0) == (sent.code, found.code)
    assert "+999000000001" in found.out


def test_lookup_finds_customer_ids_with_any_character(serve: Serve) -> None:
    """
    Quotes and backslashes do not hide anyone.
    """
    simulator = serve()
    ids = ['O"Brien', "back\\slash", "naïve", "plain"]
    lines = [json.dumps({"customerid": each}) for each in ids]
    Path("june.jsonl").write_text("\n".join(lines) + "\n")
    say("send", "june.jsonl", "--media", "x", "--base-url", simulator.url)

    codes = {each: say("lookup", each).code for each in ids}

    assert Counter(ids) == simulator.calls
    assert dict.fromkeys(ids, 0) == codes


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_exports_name_each_number_once(serve: Serve, form: str) -> None:
    """
    By outcome or all together, on standard output or in a file.
    """
    simulator = serve("mix:7102=30%@1/2", "drop@1/5")
    listed = june(400)
    say(*sending(simulator, *SLOWLY))
    found = check(simulator)
    parts = ("accepted", "rejected", "unknown", "pending")
    read: Callable[[str], list[str]] = {
        "csv": lambda text: [
            row["recipient"] for row in csv.DictReader(io.StringIO(text))
        ],
        "jsonl": lambda text: [
            json.loads(line)["recipient"] for line in text.splitlines()
        ],
    }[form]

    by_outcome = {
        name: read(say("export", "june", "--outcome", name, "--format", form).out)
        for name in parts
    }
    everyone = say("export", "june", "--format", form, "--output", "all")
    written = read(Path("all").read_text())

    assert {name: found[name] for name in parts} == {
        name: len(each) for name, each in by_outcome.items()
    }
    assert Counter(listed) == sum(map(Counter, by_outcome.values()), Counter())
    assert 0 == everyone.code
    assert listed == written
    assert 0o600 == Path("all").stat().st_mode & 0o777


@pytest.mark.slow
def test_pending_are_only_those_who_were_not_tried(serve: Serve) -> None:
    """
    An export of the pending has no one in it who may have been rung.
    """
    simulator = serve()
    simulator.next_replies("hang", "hang")
    june(100)

    with process(*sending(simulator, "--batch-size", "10", "--concurrency", "2")) as it:
        wait_until(lambda: len(simulator.calls) == 20)
        pending = exported("--outcome", "pending")
        found = stand()
        it.kill()
        it.wait()
    check(simulator)

    assert 20 == found["in_flight"]
    assert found["pending"] == len(pending)
    assert not set(pending) & set(simulator.calls)
