"""
A list that changes after it was planned, or is messy from the beginning.
"""

from __future__ import annotations

import csv
import json
import signal
from collections import Counter
from pathlib import Path

import pytest
from conftest import Serve, numbers
from mishaps import (
    SLOWLY,
    check_finished,
    ended,
    june,
    process,
    resume,
    say,
    sending,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("in_a_folder")

# A source that changes


@pytest.mark.parametrize(
    ("mishap", "way"),
    [("changed", "resume"), ("deleted", "send"), ("deleted", "resume")],
)
def test_the_plan_stays_what_it_was(serve: Serve, mishap: str, way: str) -> None:
    """
    Whatever becomes of the file, exactly those who were planned are rung.
    """
    simulator = serve(latency=0.1)
    listed = june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        running.send_signal(signal.SIGINT)
        ended(running)
    if mishap == "changed":
        Path("june.csv").write_text("msisdn\n" + "\n".join(numbers(600, 9_000)))
    else:
        Path("june.csv").unlink()
    said = resume(simulator) if way == "resume" else say(*sending(simulator))
    found = check_finished(simulator)

    assert 0 == said.code
    assert 400 == found["accepted"]
    assert Counter(listed) == simulator.calls


def test_going_on_keeps_the_refused_rows(serve: Serve) -> None:
    """
    The same command again does not empty the file of refused rows.
    """
    simulator = serve()
    Path("june.csv").write_text("msisdn\nnobody\n" + "\n".join(numbers(20)))
    command = sending(simulator, "--rejects", "bad.csv")

    say(*command)
    first = Path("bad.csv").read_text()
    say(*command)

    assert 2 == first.count("\n")
    assert first == Path("bad.csv").read_text()


# A messy file


def test_a_messy_file_is_counted_exactly(serve: Serve) -> None:
    """
    Each of 6,005 rows is planned, or named with its number and its reason.
    """
    simulator = serve()
    rows: list[str] = []
    expected: dict[int, tuple[str, str, str]] = {}
    planned: list[str] = []

    def add(text: str, kind: str = "", reason: str = "") -> None:
        rows.append(text)
        if kind:
            # The header is row 1.
            expected[len(rows) + 1] = (text, kind, reason)

    suppressed = numbers(50, 100_000)
    for n in range(1, 1_001):
        spellings = (f"+999{n:09d}", f"00999 {n:09d}", f"'+999{n:09d}")
        add(spellings[n % 3])
        planned.append(f"+999{n:09d}")
        add(f"+999 {n:09d}", "duplicate", "duplicate of an earlier row")
        add(f"(+999) {n:09d}", "duplicate", "duplicate of an earlier row")
        if n % 20 == 0:
            listed = suppressed[n // 20 - 1]
            add(listed, "suppressed", "on the suppression list")
            add(f"00{listed[1:]}", "suppressed", "on the suppression list")
        if n % 10 == 0:
            add("+12345", "invalid", "too short for E.164")
            add("+1234567890123456", "invalid", "too long for E.164")
            add(
                "9.19812E+11",
                "invalid",
                "looks like a number that a spreadsheet rounded; store it as text",
            )
            add(
                "0207 946 0000",
                "invalid",
                "does not begin with + or 00; give its country (--country), or say "
                "that all begin with their calling code (--international)",
            )
            add("call me", "invalid", "not a phone number")
            add("  ", "invalid", "empty")
    while len(rows) < 6_005:
        n = 200_000 + len(rows)
        add(f"+999-{n:09d}")
        planned.append(f"+999{n:09d}")
    Path("june.csv").write_text(
        "name,msisdn\n" + "".join(f"person,{row}\n" for row in rows)
    )
    Path("no.txt").write_text("\n".join(f"00{each[1:]}" for each in suppressed))

    said = say(
        *sending(simulator, "--rejects", "bad.csv", "--suppress", "no.txt"), "--json"
    )
    found = check_finished(simulator)
    with Path("bad.csv").open(newline="") as file:
        refused = {
            # What a spreadsheet would run has a quote before it.
            int(row["row"]): (
                row["recipient"].removeprefix("'"),
                row["kind"],
                row["reason"],
            )
            for row in csv.DictReader(file)
        }
    kinds_expected = Counter(kind for _, kind, _ in expected.values())

    assert 0 == said.code
    assert found == json.loads(said.out)
    assert (6_005, len(planned)) == (found["read"], found["planned"])
    assert kinds_expected == Counter(
        {name: found[name] for name in ("invalid", "duplicate", "suppressed")}
    )
    assert expected == refused
    assert Counter(planned) == simulator.calls
