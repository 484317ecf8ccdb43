"""
`voicepush suppress`, as an operator meets it.
"""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from conftest import Serve, numbers
from mishaps import LEDGER, SLOWLY, ended, june, process, say, sending, wait_until
from sums import check_sums

from voicepush import Campaign, Kind, Outcome, open_ledger

pytestmark = pytest.mark.usefixtures("in_a_folder")

ANN, BEN = "+18005550101", "+18005550102"


def listed() -> list[dict[str, str]]:
    """
    Who is on the list, with whole numbers.
    """
    said = say("suppress", "list", "--json", "--show-numbers")
    return [json.loads(line) for line in said.out.splitlines()]


def test_add_and_remove() -> None:
    """
    Numbers are written as anyone writes them, and shown without their middle.
    """
    added = say(
        *("suppress", "add", ANN, "(800) 555-0102", "--country", "US"),
        *("--category", "no ads", "--reason", "wrote a letter"),
    )
    again = say("suppress", "add", ANN)
    ids = say("suppress", "add", "c1", "--customer-id")
    before, masked = listed(), say("suppress", "list")
    removed = say("suppress", "remove", ANN, BEN[:-1] + "9", "--reason", "asked")
    history = say("suppress", "list", "--history")

    assert "2 added to the list" in added.out
    assert "a new ledger is made" in added.err
    assert "0 added to the list; 1 were on it already" in again.out
    assert 0 == ids.code
    assert [ANN, BEN, "c1"] == [each["value"] for each in before]
    assert {"category": "no ads", "reason": "wrote a letter"}.items() <= before[
        0
    ].items()
    assert "5550101" not in masked.out + history.out
    assert "+18*****0101" in masked.out
    assert "1 removed; 1 were not on it" in removed.out
    assert [BEN, "c1"] == [each["value"] for each in listed()]
    assert ["added", "added", "added", "removed"] == [
        json.loads(line)["event"]
        for line in say("suppress", "list", "--history", "--json").out.splitlines()
    ]
    assert "reason: asked" in history.out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["add"], "name at least one"),
        (["add", ANN, "555 0102"], "does not begin with + or 00"),
        (["add", ANN, "n/a"], "not a phone number"),
        (["add", ANN, "--category", "two\nlines"], "one line"),
        (["add", ANN, "--reason", "x" * 201], "one line"),
        (["add", " ", "--customer-id"], "not empty"),
        (["remove", ANN], "--reason"),
        (["remove", ANN, "--reason", "x"], "there is no ledger"),
        (["list"], "there is no ledger"),
        (["export", "out.csv"], "there is no ledger"),
        (["import", "none.csv"], "can't be read"),
    ],
)
def test_what_can_not_be_done(arguments: list[str], complaint: str) -> None:
    """
    One clear line, and no ledger is made.
    """
    said = say("suppress", *arguments)

    assert 2 == said.code
    assert complaint in said.complaint
    assert not LEDGER.exists()


def test_import_and_export() -> None:
    """
    A list goes into a file and comes back; nothing is changed by one with an entry that
    can't be understood.
    """
    Path("optouts.csv").write_text(f"name,msisdn\nAnn,{ANN}\nBen,8005550102\nCy,n/a\n")
    refused = say("suppress", "import", "optouts.csv", "--country", "US")
    assert not LEDGER.exists()
    taken = say(
        *("suppress", "import", "optouts.csv", "--country", "US", "--allow-unusable"),
        *("--category", "no ads"),
    )
    say("suppress", "add", "=c1", "--customer-id")
    written = say("suppress", "export", "out.csv")
    ids = say("suppress", "export", "ids.csv", "--customer-id")
    over = say("suppress", "export", str(LEDGER))
    options = ["--ledger", "other.db"]
    back = say("suppress", "import", "out.csv", *options)
    ids_back = say("suppress", "import", "ids.csv", *options)
    found = say("suppress", "list", "--json", "--show-numbers", *options)

    assert (2, 0, 0, 0, 2) == (
        *(refused.code, taken.code, written.code, ids.code),
        over.code,
    )
    assert "optouts.csv, row 4: not a phone number" in refused.complaint
    assert "2 added to the list" in taken.out
    assert "there are 1 customer ids" in written.err
    assert "of the ledger" in over.complaint
    assert 0o600 == stat.S_IMODE(Path("out.csv").stat().st_mode)
    assert ["msisdn,since,category,reason", f"{ANN},", f"{BEN},"] == [
        line[: len(ANN) + 1] if line[0] == "+" else line
        for line in Path("out.csv").read_text().splitlines()
    ]
    assert (0, 0) == (back.code, ids_back.code)
    assert [ANN, BEN, "=c1"] == [
        json.loads(line)["value"] for line in found.out.splitlines()
    ]


def test_an_empty_file_is_no_list() -> None:
    """
    It was probably meant to be another.
    """
    Path("none.csv").write_text("msisdn\n")

    assert "nobody" in say("suppress", "import", "none.csv").complaint


def test_lookup_tells_of_the_list(serve: Serve) -> None:
    """
    Whether or not a campaign has them; and planning counts them.
    """
    simulator, people = serve(), june(4)
    say("--ledger", str(LEDGER), "suppress", "add", people[0], "--category", "no ads")
    rehearsed = say(*sending(simulator), "--dry-run", "--json")
    sent = say(*sending(simulator), "--json")
    found = say("lookup", people[0])

    for said in (rehearsed, sent):
        told = json.loads(said.out)
        assert (3, 1) == (told["planned"], told["suppressed"])
    assert set(people[1:]) == set(simulator.calls)
    assert "on the suppression list of the ledger: no ads, since" in found.err


@pytest.mark.slow
def test_an_opt_out_holds_while_another_process_sends(serve: Serve) -> None:
    """
    Nobody is called who was pending when it was answered.
    """
    simulator, people = serve(), june()
    wanted = people[1::2]
    command = [*sending(simulator), *SLOWLY, "--rate", "200", "--json"]

    async def opt_out() -> set[str]:
        async with open_ledger(LEDGER) as ledger:
            await ledger.suppress([(Kind.MSISDN, wanted)], category="no ads")
            campaign = await Campaign.open(ledger, "june")
            pending = campaign.results(Outcome.PENDING)
            return {each.recipient async for each in pending} & set(wanted)

    with process(*command) as running:
        wait_until(lambda: len(simulator.calls) > 50)
        protected = asyncio.run(opt_out())
        said = ended(running)
    told = json.loads(said.out)

    async def check() -> None:
        async with open_ledger(LEDGER) as ledger:
            status = await ledger.status("june")
            assert status is not None
            check_sums(status)
            (found,) = await ledger.lookup(min(protected))
            assert "no ads" in (found.result.description or "")

    asyncio.run(check())
    assert 0 == said.code
    assert len(protected) > 50
    assert protected.isdisjoint(simulator.calls)
    # Some were left out already when it was looked who is pending.
    assert len(set(wanted) - set(simulator.calls)) == told["suppressed"]
    assert set(people) - protected == set(simulator.calls)
    assert {1} == set(simulator.calls.values())
    assert set(numbers(400)) == set(people)
