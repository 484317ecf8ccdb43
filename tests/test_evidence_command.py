"""
The command that settles the unknown by evidence, and says what it has found.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Sequence

import pytest
from conftest import Serve
from listing import table, write
from mishaps import (
    LEDGER,
    Said,
    check,
    exported,
    june,
    process,
    resume,
    say,
    sending,
    stand,
    wait_until,
)

from voicepush.cli import resolving
from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")


def lost(serve: Serve, count: int = 1000, drops: int = 1) -> Simulator:
    """
    A campaign of *count*, whose first requests had no answer.
    """
    simulator = serve()
    simulator.next_replies(*["drop"] * drops)
    june(count)
    say(*sending(simulator, "--concurrency", "1"))
    return simulator


def logged(outcome: str = "unknown") -> list[list[str]]:
    """
    The rows that the console would have of everyone with an *outcome*.
    """
    said = say("export", "june", "--outcome", outcome)
    return [
        [f"t-{at}", each["sent_as"], each["recipient"], "Answered"]
        for at, each in enumerate(csv.DictReader(io.StringIO(said.out)))
    ]


HEADERS = ["Txn ID", "Corr ID", "Mobile Number", "Delivery Status"]


def export(rows: Iterable[Sequence[str]], name: str = "export.csv") -> str:
    """
    A log with *rows*, in a file called *name*.
    """
    return str(write(table(rows, HEADERS, delimiter=";"), name))


def settle(*arguments: str) -> Said:
    """
    Settle june by what is in export.csv.
    """
    return say("resolve", "june", "--evidence", "export.csv", *arguments)


def check_no_numbers(*said: Said) -> None:
    """
    None of them shows a number.
    """
    for each in said:
        assert not re.search(r"999\d{7}", each.out + each.err)


@pytest.mark.slow
def test_a_thousand_unknown_of_whom_seven_hundred_are_listed(serve: Serve) -> None:
    """
    Seven hundred are accepted, three hundred shown; nobody is rung for it.
    """
    simulator = lost(serve)
    export(logged()[300:])
    rung = dict(simulator.calls)

    shown = say("resolve", "june")
    dry = settle("--dry-run")
    before = stand()
    done = settle("--yes")
    after = stand()
    again = settle("--yes")

    assert "june: 1,000 unknown in 1 request" in shown.out
    assert "this ledger never received a receipt" in shown.out
    assert [0, 0, 0] == [dry.code, done.code, again.code]
    for said in (dry, done):
        assert "june: 700 rows of evidence read, of which" in said.out
        assert "700  list someone who was unknown: accepted" in said.out
        assert "300 are not listed, which proves nothing" in said.out
        assert "voicepush export june --outcome unknown" in said.out
        assert "correlation in 'Corr ID'" in said.err
    assert "700 of 1,000 unknown would be accepted" in dry.out
    assert "nothing was changed" in dry.out
    assert "700 of 1,000 unknown are accepted" in done.out
    assert "0 of 300 unknown are accepted" in again.out
    assert 1000 == before["unknown"]
    assert (700, 300) == (after["accepted"], after["unknown"])
    assert 300 == len(exported("--outcome", "unknown"))
    assert rung == simulator.calls
    check_no_numbers(shown, dry, done, again)


def test_what_evidence_says_is_shown_by_request(serve: Serve) -> None:
    """
    A request of which most are listed was taken, and one of which some are, in part.
    """
    simulator = serve()
    simulator.next_replies("drop", "drop")
    june(200)
    say(*sending(simulator, "--batch-size", "100", "--concurrency", "1"))
    export([*logged()[:30], *logged()[102:]])
    settle("--yes")

    shown = say("resolve", "june")
    found = json.loads(say("resolve", "june", "--json").out)

    assert "70 unknown, 30 of 100 have receipts, the last " in shown.out
    assert "2 unknown, 98 of 100 have receipts, the last " in shown.out
    assert ["partly", "taken"] == [each["advice"] for each in found["batches"]]
    assert {"requests": 1, "unknown": 2} == found["advice"]["taken"]
    assert ("june", 72) == (found["campaign"], found["unknown"])


def test_who_is_listed_is_not_called_again(serve: Serve) -> None:
    """
    Resending rings only those whom nothing proves to have been called.
    """
    simulator = lost(serve, 100)
    rows = logged()
    export(rows[:90])
    settle("--yes")

    said = say("resolve", "june", "--resend", "--yes", "--json")
    decided = json.loads(said.out)
    resume(simulator)

    assert "10 of them are in requests that the platform took" in said.err
    assert ("resend", 10) == (
        decided["decided"]["decision"],
        decided["decided"]["recipients"],
    )
    assert {2: 10, 1: 90} == {
        times: list(simulator.calls.values()).count(times) for times in (1, 2)
    }


def test_it_is_asked_first(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without --yes a script is refused, and nothing is done; a person sees the count.
    """
    lost(serve, 20)
    export(logged()[:5])

    refused = settle()
    before = stand()
    asked: list[str] = []
    monkeypatch.setattr(resolving, "confirm", lambda deed, **_: asked.append(deed))
    done = settle()
    nothing_new = settle()

    assert 2 == refused.code
    assert (
        "accept 5 of 20 unknown, who are listed: nobody is there to be asked"
        in refused.complaint
    )
    assert 20 == before["unknown"]
    assert ["june: accept 5 of 20 unknown, who are listed"] == asked
    assert "5 of 20 unknown are accepted" in done.out
    history = say("status", "june", "--history").out
    assert "resolved" in history
    assert "5 unknown accepted by evidence" in history
    assert "0 of 15 unknown would be accepted" in nothing_new.out
    assert 15 == stand()["unknown"]


def test_the_same_for_programs(serve: Serve) -> None:
    """
    All counts, and nothing else.
    """
    lost(serve, 20)
    export([*logged()[:5], ["", "", "x", ""]])

    dry = json.loads(settle("--dry-run", "--json").out)
    done = json.loads(settle("--yes", "--json").out)

    where = [{"file": "export.csv", "row": 7}]
    assert (False, 20, 15, 6, 5, 1, where) == tuple(
        dry[name]
        for name in (
            *("applied", "unknown_before", "unknown_after", "read", "proven"),
            *("unreadable", "unreadable_rows"),
        )
    )
    assert {**dry, "applied": True} == done


def test_every_count_has_its_words(serve: Serve) -> None:
    """
    Rows of others, of nobody, refused ones and odd ones are told with the reason.
    """
    lost(serve, 20)
    rows = logged()
    export(
        [
            *(rows[0], rows[0]),
            ["t", "other", "999000000000", "busy"],
            ["", "", "999000000001", "busy"],
            ["t", rows[1][1], "", "Invalid"],
            *[["", "", "x", ""]] * 6,
        ]
    )
    said = settle("--dry-run")

    for words in (
        "1  list someone who was unknown",
        "1  are of someone who is listed above",
        "1  bear an id that is not in this ledger",
        "a number alone names nobody",
        "1  prove nothing: the platform refused the call, or gave it no id",
        "6  can't be understood: rows 7, 8, 9, 10, 11, …",
    ):
        assert words in said.out
    check_no_numbers(said)


def test_a_column_can_be_named(serve: Serve) -> None:
    """
    Where it can't be found one line says how.
    """
    lost(serve, 20)
    headers = ["Ours", "Theirs", "Who", "Outcome"]
    rows = [[each[1], each[0], *each[2:]] for each in logged()]
    write(table(rows, headers).encode("utf-16-le"))

    unknown = settle("--dry-run", "--encoding", "utf-16-le")
    done = settle(
        *("--evidence-column", "transaction=Theirs", "--evidence-column", "status=4"),
        *("--evidence-column", "correlation=ours", "--encoding", "utf-16-le"),
        "--yes",
    )
    wrong = settle("--evidence-column", "transactions=Theirs")

    assert (2, 0, 2) == (unknown.code, done.code, wrong.code)
    assert "choose one with --evidence-column transaction=COLUMN" in unknown.complaint
    assert "transaction, correlation, number" in wrong.complaint
    assert 20 == stand()["accepted"]


def test_several_files(serve: Serve) -> None:
    """
    They are counted together.
    """
    lost(serve, 20)
    rows = logged()
    odd = ["", "", "x", ""]
    export([*rows[:5], odd])
    other = export([*rows[3:9], odd], "other.csv")

    said = settle("--evidence", other, "--yes")

    assert "9 of 20 unknown are accepted" in said.out
    assert "2  are of someone who is listed above" in said.out
    assert "can't be understood: export.csv row 7, other.csv row 8" in said.out


def test_a_file_that_breaks_off(serve: Serve) -> None:
    """
    What was read before is told, and stays; the rest can be read once it is whole.
    """
    lost(serve, 20)
    rows = logged()
    export(rows[:5])
    write(b"Txn ID,Corr ID,Status\n\xff", "broken.csv")

    said = settle("--evidence", "broken.csv", "--yes")
    missing = say("resolve", "june", "--evidence", "nowhere.csv", "--yes")

    assert 2 == said.code
    assert "broken.csv, row 2: is not utf-8" in said.err
    assert "until then, this was read and applied" in said.err
    assert "5  list someone who was unknown" in said.out
    assert 15 == stand()["unknown"]
    assert (2, "") == (missing.code, missing.out)
    assert "nowhere.csv: can't be read" in missing.complaint


@pytest.mark.parametrize(
    "options",
    [
        ["--dry-run"],
        ["--evidence-column", "status=x"],
        ["--encoding", "utf-8"],
        ["--evidence", "export.csv", "--resend"],
        ["--evidence", "export.csv", "--give-up"],
        ["--evidence", "-"],
        ["--evidence", "--yes"],
    ],
)
def test_what_does_not_belong_together_is_refused(
    serve: Serve, options: list[str]
) -> None:
    """
    Before anything is read.
    """
    lost(serve, 20)
    said = say("resolve", "june", *options)

    assert (2, "") == (said.code, said.out)
    assert "--" in said.complaint


def test_standard_input(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It can be read once, so it has to be decided before.
    """
    lost(serve, 20)
    content = table(logged()[:7], HEADERS).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    said = say("resolve", "june", "--evidence", "-", "--yes")

    assert "7 of 20 unknown are accepted" in said.out


@pytest.mark.slow
def test_while_another_process_dispatches(serve: Serve) -> None:
    """
    It is settled at once, and nobody is rung twice.
    """
    simulator = serve()
    simulator.next_replies("drop", *["hang"] * 9)
    june(100)

    with process(*sending(simulator, "--batch-size", "10", "--concurrency", "2")) as it:
        wait_until(lambda: LEDGER.exists() and len(simulator.calls) == 30)
        rows = [each for each in logged() if each[2] in simulator.calls]
        export(rows)
        said = settle("--yes")
        found = stand()
        it.kill()
        it.wait()
    check(simulator)

    assert 0 == said.code
    assert "list someone who was unknown" in said.out
    assert "running" == found["state"]
    assert len(rows) == found["accepted"]


@pytest.mark.slow
def test_whom_a_dead_process_left(serve: Serve) -> None:
    """
    They are unknown first, and settled like others.
    """
    simulator = serve()
    simulator.next_replies("hang")
    june(20)

    with process(*sending(simulator, "--batch-size", "10", "--concurrency", "1")) as it:
        wait_until(lambda: len(simulator.calls) == 10)
        it.kill()
        it.wait()
    export(logged()[:4])
    said = settle("--yes")

    assert "4 of 10 unknown are accepted" in said.out
    assert (4, 6) == (stand()["accepted"], stand()["unknown"])
