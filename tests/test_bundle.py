"""
What a bundle of evidence holds, and how it is made.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import shutil
import stat
import subprocess
import zipfile
from collections import Counter
from contextlib import chdir
from datetime import time
from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest
from bundles import (
    busy,
    checked,
    files_in,
    lines_of,
    made,
    manifest_of,
    rows_of,
    written,
)
from campaigns_made import going_on, hostile
from conftest import Serve
from harmless import HOSTILE
from ledger_model import (
    ANSWERS,
    MESSAGE,
    TAG,
    Store,
    Ticking,
    is_claimed,
    load,
    planned_as,
    publish,
    two_planned,
)
from making import batch_of
from mishaps import (
    LEDGER,
    SLOWLY,
    Said,
    change,
    check_finished,
    june,
    process,
    say,
    sending,
    wait_until,
)

from voicepush import (
    CallState,
    InputError,
    Kind,
    LedgerError,
    Receipt,
    Recipient,
    Report,
    open_ledger,
)
from voicepush.campaign.proof import Made
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination
from voicepush.model.status import CampaignState
from voicepush.receipts.call_state import call_of
from voicepush.report.bundle.contents import (
    ALWAYS,
    CALL_COLUMNS,
    SUPPRESSION_COLUMNS,
    list_name,
)
from voicepush.report.bundle.manifest import plan_as_object
from voicepush.report.bundle.verifying import check
from voicepush.report.wording import detail

pytestmark = pytest.mark.usefixtures("in_a_folder")


async def test_batches_in_full(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Every ledger tells of each batch what is recorded, in flight and given up, when, and
    what the receipts say, whose bodies may be deleted.
    """
    ticking = Ticking()
    ticking.patch(monkeypatch.setattr)
    ledger = store.ledger
    people: list[list[Recipient]] = [
        ["+99910", Destination(("+99911", "+99912"))],
        ["+99920", "+99921"],
        ["+99930"],
    ]
    batches = [
        batch_of(MESSAGE, f"{TAG}-{number}", each) for number, each in enumerate(people)
    ]
    await publish(ledger, planned_as(), *batches)
    worker = await ledger.join("june", load)
    unknown = Verdict(Outcome.UNKNOWN, None, "lost")
    claimed = is_claimed(await worker.claim(batches[0], range(2)))
    result = BatchResult.of_places(batches[0], [ANSWERS[0], unknown], attempts=1)
    await worker.record(claimed, result)
    await worker.resolve(resend=False)
    await worker.claim(batches[1], [1])
    for body, at in ((b"{1}", 5.0), (b"\xff", 6.0)):
        said = Report(
            call=call_of("7519", "", "picked up", at),
            correlation_id=batches[0].id.id_at(0),
            transaction_id="t-1",
        )
        await ledger.receive([Receipt(body=body, received_at=at, reports=[said])])

    first, second, third = [each async for each in ledger.in_full("june")]
    await ledger.forget_bodies(5.5)
    found = [each async for each in ledger.in_full("june")]
    forgotten = found[0].receipts[0]

    assert 3 == len(first.result)
    assert ({1}, set()) == (set(first.given_up), set(first.in_flight))
    assert first.recorded is not None
    assert first.claimed is not None
    assert first.claimed < first.recorded
    assert [0] == list(first.calls)
    assert CallState.REACHED is first.calls[0].state
    assert "t-1" == first.calls[0].transaction_id
    assert [(5.0, b"{1}"), (6.0, b"\xff")] == first.receipts[0]
    assert ({1}, None) == (set(second.in_flight), second.recorded)
    assert [Outcome.PENDING, Outcome.UNKNOWN] == [
        each.outcome for each in second.result
    ]
    assert (None, None, {}) == (third.claimed, third.recorded, third.calls)
    assert b"\xff" == forgotten[-1].body
    assert not any(each.body == b"{1}" for each in forgotten)
    assert [] == [each async for each in ledger.in_full("may")]


async def test_every_kind_of_ledger(store: Store, tmp_path: Path) -> None:
    """
    A bundle of whatever ledger is without a fault, and its last digest stands in the
    history of its campaign.
    """
    ledger = store.ledger
    batch, worker = await two_planned(ledger)
    claimed = is_claimed(await worker.claim(batch, range(2)))
    await worker.record(claimed, BatchResult(batch, Verdict(Outcome.ACCEPTED, "1001")))
    await worker.leave(CampaignState.FINISHED)

    bundle = await made(ledger, tmp_path / "june.zip")

    files = files_in(bundle.path)
    found = check(bundle.path)
    last = (await ledger.history("june"))[-1]
    assert [] == found.faults
    assert bundle.digest == found.digest
    assert ("evidence made", bundle.digest) == (last.event, last.detail)
    assert (2, False) == (bundle.people, bundle.went_on)
    assert ["+9991", "+9992"] == [row["recipient"] for row in rows_of(files)]
    assert ledger.kept_in == manifest_of(files)["made"]["ledger"]
    assert "1.2.3" == manifest_of(files)["made"]["voicepush"]


@pytest.mark.slow
def test_the_rows_of_the_calls() -> None:
    """
    Everyone is in one row, with what an export says and more, and the counts add up.
    """
    files = busy()
    rows, manifest = rows_of(files), manifest_of(files)
    outcomes = Counter(row["outcome"] for row in rows)
    calls = Counter(row["call"] for row in rows if row["call"])
    counts = manifest["counts"]
    reached = [row for row in rows if row["call"] == "reached"]

    assert (*CALL_COLUMNS,) == tuple(rows[0])[: len(CALL_COLUMNS)]
    assert outcomes == Counter({name: counts[name] for name in outcomes})
    assert {**calls} == {each: n for each, n in manifest["calls"].items() if n}
    assert len(rows) == len({row["recipient"] for row in rows}) == counts["rows"]
    assert counts["invalid"] > 0
    for row in reached:
        assert row["claimed_at"] <= row["recorded_at"]
        assert row["claimed_at"] < row["answered_at"] <= row["receipt_at"]
        assert int(row["receipts"]) > 0
    assert sum(int(row["receipts"] or 0) for row in rows) == len(
        lines_of(files, "receipts.jsonl")
    )


def test_receipts_and_deeds() -> None:
    """
    Each receipt stands word for word behind whose it is, and each deed with who did it.
    """
    files = busy()
    receipts, rows = lines_of(files, "receipts.jsonl"), rows_of(files)
    by_id = {row["sent_as"]: row["recipient"] for row in rows}
    history = lines_of(files, "history.jsonl")

    assert all(each["recipient"] == by_id[each["sent_as"]] for each in receipts)
    assert all(each["body"] and each["stored_at"] for each in receipts)
    assert "planned" == history[0]["event"]
    assert {"at", "who", "event", "detail"} == set(history[0])
    assert manifest_of(files)["history"] == len(history)


def test_the_suppression_list() -> None:
    """
    Those of this campaign who are on the list are named, and what was done to it.
    """
    files = busy()
    rows = rows_of(files, "suppression.csv")
    (event,) = lines_of(files, "suppression-history.jsonl")

    assert [row["recipient"] for row in rows_of(files)[:3]] == [
        row["recipient"] for row in rows
    ]
    assert {"no calls"} == {row["category"] for row in rows}
    assert ("added", 4, "no calls") == tuple(
        event[name] for name in ("event", "number", "category")
    )
    assert {"people": 4, "of_this_campaign": 3, "events": 1} == manifest_of(files)[
        "suppression"
    ]


def test_the_readme_explains_everything() -> None:
    """
    Each file and each column is told of in plain words, and nothing is judged.
    """
    files = busy()
    text = files["README.txt"].decode()
    words = text.replace("\n", " ").split()

    assert [] == [name for name in files if name not in text]
    assert [] == [name for name in CALL_COLUMNS if f"\n  {name} " not in text]
    assert [] == [name for name in SUPPRESSION_COLUMNS if name not in words]
    assert [] == [
        outcome
        for outcome in Outcome
        if f"\n                    {outcome} " not in text
    ]
    assert [] == [state for state in CallState if f"  {state} " not in text]
    for content in (
        text,
        Path(__file__).parents[1].joinpath("docs/proof.md").read_text(),
    ):
        assert "complian" not in content.lower()
        assert "legal" not in content.lower()
    assert [] == [line for line in text.splitlines() if len(line) > 88]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
@pytest.mark.parametrize("where", ["README.txt", "docs/proof.md"])
def test_checking_without_voicepush(tmp_path: Path, where: str) -> None:
    """
    The commands that are told check the files and give the last digest.
    """
    bundle = written(busy(), tmp_path / "bundle")
    if where == "README.txt":
        text = busy()[where].decode()
        script = text[text.index("  awk ") : text.index("With voicepush")]
    else:
        text = Path(__file__).parents[1].joinpath(where).read_text()
        script = text.partition("```sh\n")[2].partition("```")[0]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 -- what we tell people to run
            ["/bin/sh", "-c", script],
            cwd=bundle,
            capture_output=True,
            text=True,
            check=False,
        )

    whole = run()
    digests = bundle / "digests.txt"
    with (bundle / "calls.csv").open("a") as file:
        file.write("\n")
    changed = run()
    digests.write_text(digests.read_text().replace("list.csv", "lost.csv"))
    renamed = run()

    last = busy()["digests.txt"].decode().split()[-1]
    assert last == whole.stdout.splitlines()[-1]
    assert len(busy()) - 1 == whole.stdout.count(": OK")
    assert "calls.csv: FAILED" in changed.stdout
    assert "the chain is broken at lost.csv" in renamed.stdout


@pytest.mark.slow
def test_from_the_command_line(serve: Serve) -> None:
    """
    One command writes it and prints the last digest, another one checks it.
    """
    listed = june(60)
    with Path("june.csv").open("a") as file:
        file.write(f"{listed[0]}\nnobody\n")
    say(*sending(serve("drop@1/5"), "--rejects", "rejected.csv", "--batch-size", "10"))

    said = say(
        *("evidence", "june", "--output", "june.zip", "--with-list"),
        *("--rejects", "rejected.csv"),
    )
    checked_ = say("evidence", "--verify", "june.zip", "--ledger", "voicepush.db")
    as_json = json.loads(say("evidence", "june", "--output", "folder", "--json").out)
    of_folder = json.loads(say("evidence", "--verify", "folder", "--json").out)

    files = files_in(Path("june.zip"))
    manifest = manifest_of(files)
    exported = list(csv.DictReader(io.StringIO(say("export", "june").out)))
    digest = said.out.strip()
    assert (0, 0) == (said.code, checked_.code)
    assert files["digests.txt"].decode().split()[-1] == digest
    assert f"june: nothing was changed; 60 people; digest {digest}\n" == checked_.out
    assert "wrote june.zip: 60 people, with whole numbers" in said.err
    assert [*ALWAYS, "rejects.csv", "list.csv", "digests.txt"] == list(files)
    assert Path("june.csv").read_bytes() == files["list.csv"]
    assert Path("rejected.csv").read_bytes() == files["rejects.csv"]
    assert manifest["source"]["sha256"] in files["digests.txt"].decode()
    assert "same" == manifest["source"]["now"]
    assert {"batch-size": "10"} == manifest["plan"]["given"]
    assert {"number": 0, "message": {"media": "x"}}.items() <= (
        manifest["messages"][0].items()
    )
    planned = (
        "60 planned = 0 pending + 0 in_flight + "
        f"{manifest['counts']['accepted']} accepted + 0 rejected + 0 expired + "
        f"0 not_sent + {manifest['counts']['unknown']} unknown"
    )
    assert [
        planned,
        "62 read = 60 planned + 1 invalid + 1 duplicate + 0 suppressed",
    ] == manifest["sums"]
    for ours, theirs in zip(rows_of(files), exported, strict=True):
        # An export is silent of calls where no receipt has come at all.
        changed = {"call": ours["call"], "message": ours["message"]}
        assert {**theirs, **changed} == {name: ours[name] for name in theirs}
    assert as_json["digest"] == of_folder["digest"]
    assert ("june", 60, []) == tuple(
        of_folder[name] for name in ("campaign", "people", "faults")
    )


def test_nobody_else_can_read_it(serve: Serve) -> None:
    """
    Files have mode 0600, a folder 0700, and nothing is left beside them.
    """
    june(5)
    say(*sending(serve()))
    before = set(Path().iterdir())
    generous = os.umask(0)

    for out in ("june.zip", "folder"):
        say("evidence", "june", "--output", out)
    os.umask(generous)

    modes = {
        str(path): stat.S_IMODE(path.stat().st_mode)
        for path in (Path("june.zip"), Path("folder"), *Path("folder").iterdir())
    }
    with zipfile.ZipFile("june.zip") as archive:
        stored = {info.external_attr >> 16 for info in archive.infolist()}
    assert 0o700 == modes.pop("folder")
    assert {0o600} == set(modes.values()) == stored
    assert {Path("june.zip"), Path("folder")} == set(Path().iterdir()) - before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("june", "--output", "there"), "--output there is there already"),
        (("june", "--output", "there.zip"), "--output there.zip is there already"),
        (("june", "--output", "link.zip"), "--output link.zip is there already"),
        (("june", "--output", "no/june.zip"), "--output no/june.zip can't be written"),
        (("june", "--output", "voicepush.db"), "of the ledger, which would be lost"),
        (("june",), "such as --output june-evidence.zip"),
        ((), "name a CAMPAIGN, or a bundle to check"),
        (("may", "--output", "x"), "there is no campaign 'may'"),
        (
            ("june", "--output", "x", "--ledger", "none.db"),
            "there is no ledger at none.db",
        ),
        (("june", "--output", "x", "--rejects", "none"), "none can't be read"),
        (("june", "--output", "x", "--digest", "0"), "--digest is of no use without"),
        (("june", "--verify", "x"), "CAMPAIGN is of no use with --verify"),
        (("--output", "y", "--verify", "x"), "--output is of no use with --verify"),
        (("--with-list", "--verify", "x"), "--with-list is of no use with --verify"),
        (("--rejects", "y", "--verify", "x"), "--rejects is of no use with --verify"),
    ],
)
def test_wrong_use(serve: Serve, arguments: tuple[str, ...], words: str) -> None:
    """
    What can't be done is said in one line, and nothing is written, nor noted.
    """
    june(5)
    say(*sending(serve()))
    Path("there").mkdir()
    Path("there.zip").touch()
    Path("link.zip").symlink_to("nowhere")
    before = set(Path().iterdir())

    said = say("evidence", *arguments)

    assert 2 == said.code
    assert words in said.complaint
    assert before == set(Path().iterdir())
    assert [] == list(Path("there").iterdir())
    assert "evidence" not in say("history", "june").out


@pytest.mark.parametrize(
    ("change_list", "words"),
    [
        (lambda path: path.unlink(), "june.csv: gone"),
        (lambda path: path.write_text("msisdn\n"), "june.csv: another list"),
    ],
)
def test_a_list_that_is_another_by_now(
    serve: Serve, change_list: Any, words: str
) -> None:
    """
    The list is added only if it is the one that was planned; its digest always is.
    """
    june(5)
    say(*sending(serve()))
    change_list(Path("june.csv"))

    refused = say("evidence", "june", "--output", "with.zip", "--with-list")
    without = say("evidence", "june", "--output", "without.zip")

    source = manifest_of(files_in(Path("without.zip")))["source"]
    assert 2 == refused.code
    assert words in refused.complaint
    assert not Path("with.zip").exists()
    assert 0 == without.code
    assert 64 == len(source["sha256"])
    assert words.endswith(source["now"])


async def test_kept_columns_and_owners_ids(tmp_path: Path) -> None:
    """
    Columns of the list are in the rows, under a name of their own where it is one of
    ours, and a formula is no formula.
    """
    ledger = MemoryLedger()
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"])
    batch = attrs.evolve(
        batch,
        recipients=attrs.evolve(
            batch.recipients,
            kept={
                "outcome": ["won", "=1+1"],
                "name": ["a,b", 'c"d'],
                "batch": ["", ""],
            },
        ),
    )
    await publish(ledger, planned_as(), batch)

    files = files_in((await made(ledger, tmp_path / "june")).path)

    assert [("won", "a,b", ""), ("'=1+1", 'c"d', "")] == [
        (row["kept_outcome"], row["name"], row["kept_batch"]) for row in rows_of(files)
    ]
    assert ["kept_outcome", "name", "kept_batch"] == manifest_of(files)["kept"]
    assert "kept_outcome, name, kept_batch" in files["README.txt"].decode()
    assert [] == checked(files).faults


async def test_very_long_cells(tmp_path: Path) -> None:
    """
    A cell that is longer than what the module for CSV takes by itself is no fault, and
    nothing changes for others.
    """
    limit = csv.field_size_limit()
    ledger = MemoryLedger()
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991"])
    kept = attrs.evolve(batch.recipients, kept={"life": ["x\n" * limit]})
    await publish(ledger, planned_as(), attrs.evolve(batch, recipients=kept))

    found = check((await made(ledger, tmp_path / "june.zip")).path)

    assert [] == found.faults
    assert limit == csv.field_size_limit()


async def test_while_a_campaign_goes_on(tmp_path: Path) -> None:
    """
    A bundle of a running campaign says so, and is without a fault.
    """
    path = tmp_path / "july.db"
    async with (
        going_on(path, recipients=400, rate=40.0),
        open_ledger(path) as ledger,
    ):
        bundle = await made(ledger, tmp_path / "july.zip", "july")

    files = files_in(bundle.path)
    manifest = manifest_of(files)
    assert [] == check(bundle.path).faults
    assert bundle.went_on
    assert manifest["went_on_meanwhile"] is True
    assert "running" == manifest["state"]
    assert manifest["counts"]["pending"] > 0
    assert manifest["counts"]["accepted"] > 0


async def test_who_is_in_flight_suppressed_or_given_up(
    store: Store, tmp_path: Path
) -> None:
    """
    Each has a word of their own in the rows, and the sums hold.
    """
    ledger = store.ledger
    batches = [
        batch_of(MESSAGE, f"{TAG}-{number}", [f"+999{number}1", f"+999{number}2"])
        for number in range(4)
    ]
    await publish(ledger, planned_as(), *batches)
    worker = await ledger.join("june", load)
    await ledger.suppress([(Kind.MSISDN, ["+99901"])], category="no calls")
    suppressed = Verdict(Outcome.SUPPRESSED, None, "does not want to be called")
    unknown = Verdict(Outcome.UNKNOWN)
    for batch, verdicts in (
        (batches[0], [suppressed, ANSWERS[0]]),
        (batches[1], [unknown, unknown]),
    ):
        await worker.record(None, BatchResult.of_places(batch, verdicts, attempts=1))
    await worker.resolve(resend=False)
    await worker.claim(batches[2], [1])

    files = files_in((await made(ledger, tmp_path / "june")).path)

    rows = rows_of(files)
    counts = manifest_of(files)["counts"]
    assert [
        *("suppressed", "accepted", "unknown", "unknown"),
        *("pending", "in_flight", "pending", "pending"),
    ] == [row["outcome"] for row in rows]
    assert ["", "", "yes", "yes", "", "", "", ""] == [row["given_up"] for row in rows]
    assert (8, 7, 1, 0, 2) == tuple(
        counts[name]
        for name in (
            *("rows", "planned", "suppressed_later", "suppressed_when_planned"),
            "given_up",
        )
    )
    assert [("+99901", "suppressed")] == [
        (row["recipient"], row["outcome"]) for row in rows_of(files, "suppression.csv")
    ]
    assert [] == checked(files).faults


async def test_bodies_that_are_deleted_or_no_text(store: Store, tmp_path: Path) -> None:
    """
    A body that is no text is in base64, and one that is deleted is told of.
    """
    ledger = store.ledger
    batch, worker = await two_planned(ledger)
    claimed = is_claimed(await worker.claim(batch, range(2)))
    await worker.record(claimed, BatchResult(batch, Verdict(Outcome.ACCEPTED)))
    for body, at in ((b"{}", 5.0), (b"\xff\x00", 6.0)):
        said = Report(
            call=call_of("7519", "", "", at), correlation_id=batch.id.id_at(1)
        )
        await ledger.receive([Receipt(body=body, received_at=at, reports=[said])])
    await ledger.forget_bodies(5.5)

    files = files_in((await made(ledger, tmp_path / "june")).path)

    found = lines_of(files, "receipts.jsonl")
    manifest = manifest_of(files)
    kept = [each for each in found if not each.get("deleted")]
    assert [("+9992", "/wA=")] == [(each["recipient"], each["base64"]) for each in kept]
    assert manifest["receipts"] == {"lines": len(found), "deleted": len(found) - 1}
    assert [] == checked(files).faults


@pytest.mark.slow
def test_while_another_process_sends(serve: Serve) -> None:
    """
    Bundles can be made at any moment of a campaign that another process sends; each is
    without a fault and known to the ledger, and the campaign loses nobody.
    """
    simulator = serve(latency=0.05)
    june(400)
    made_: list[tuple[str, Said]] = []
    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 2)
        while running.poll() is None:
            out = f"june-{len(made_)}.zip"
            made_.append((out, say("evidence", "june", "--output", out)))
        code = running.returncode
    last = say("evidence", "june", "--output", "last.zip")

    assert 0 == code
    assert len(made_) > 1
    assert "the campaign went on meanwhile" in made_[0][1].err
    assert "went on" not in last.err
    for out, said in (*made_, ("last.zip", last)):
        assert 0 == said.code, said.err
        found = say("evidence", "--verify", out, "--ledger", "voicepush.db")
        assert (0, "") == (found.code, found.err), found.out
    assert 400 == check_finished(simulator)["accepted"]


def test_hostile_texts(tmp_path: Path) -> None:
    """
    Whatever stands in names, answers and receipts, the bundle is without a fault.
    """

    async def make() -> Made:
        async with hostile(tmp_path / "x.db"), open_ledger(tmp_path / "x.db") as ledger:
            return await made(ledger, tmp_path / "x.zip", HOSTILE)

    bundle = asyncio.run(make())
    ledger_path = str(tmp_path / "x.db")

    said = say("evidence", "--verify", str(bundle.path), "--ledger", ledger_path)
    other = say("evidence", "--verify", str(bundle.path), "--digest", "x")

    assert (0, 1) == (said.code, other.code)
    assert 1 == said.out.count("\n") == other.out.count("\n")
    assert HOSTILE == manifest_of(files_in(bundle.path))["campaign"]


def test_another_ledger(serve: Serve) -> None:
    """
    A ledger that has no such campaign is no witness.
    """
    june(5)
    simulator = serve()
    say(*sending(simulator))
    say(*sending(simulator, "--ledger", "other.db", "--campaign", "may"))
    say("evidence", "june", "--output", "june.zip")

    said = say("evidence", "--verify", "june.zip", "--ledger", "other.db")

    assert (1, "the ledger other.db has no campaign 'june'\n") == (said.code, said.out)


def test_a_damaged_bundle_and_a_ledger(serve: Serve) -> None:
    """
    Where the manifest can't be read no ledger is asked.
    """
    june(5)
    say(*sending(serve()))
    say("evidence", "june", "--output", "folder")
    Path("folder/manifest.json").write_text("?")

    said = say("evidence", "--verify", "folder", "--ledger", "voicepush.db")

    assert 1 == said.code
    assert "manifest.json is no JSON object\n" in said.out


def test_rows_and_sums_that_differ(serve: Serve) -> None:
    """
    A ledger whose sums are not those of its rows proves nothing.
    """
    june(5)
    say(*sending(serve()))
    change("UPDATE tally SET accepted = accepted - 1")

    said = say("evidence", "june", "--output", "june.zip")

    assert 5 == said.code
    assert "5 accepted in the rows, 4 in the sums" in said.complaint
    assert "proves nothing" in said.complaint
    assert not Path("june.zip").exists()


@pytest.mark.parametrize("out", ["june.zip", "june"])
async def test_where_it_fails_nothing_remains(tmp_path: Path, out: str) -> None:
    """
    Nothing is left of a bundle whose digest can't be noted, nor of one whose place was
    taken meanwhile, which stays as it is.
    """

    class Failing(MemoryLedger):
        async def note(self, *_: str) -> None:
            raise LedgerError("the disk is full")

    class Slow(MemoryLedger):
        async def note(self, campaign: str, event: str, detail: str) -> None:
            (tmp_path / out).write_text("someone else's")
            await super().note(campaign, event, detail)

    left = []
    for kind, error in ((Failing, LedgerError), (Slow, InputError)):
        ledger = kind()
        await two_planned(ledger)
        with pytest.raises(error):
            await made(ledger, tmp_path / out)
        left.append(os.listdir(tmp_path))  # noqa: PTH208 -- names

    assert [[], [out]] == left
    assert "someone else's" == (tmp_path / out).read_text()


async def test_a_file_system_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A zip finds its place also where there are no hard links, and takes no other's.
    """
    ledger = MemoryLedger()
    await two_planned(ledger)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    bundle = await made(ledger, tmp_path / "june.zip")

    assert [] == check(bundle.path).faults
    assert ["june.zip"] == os.listdir(tmp_path)  # noqa: PTH208 -- names
    assert 0o600 == stat.S_IMODE(bundle.path.stat().st_mode)


async def test_a_user_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    In a container whoever makes it may have no name, and then their number is told.
    """

    def refuse() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", refuse)
    ledger = MemoryLedger()
    await two_planned(ledger)

    files = files_in((await made(ledger, tmp_path / "june")).path)

    assert manifest_of(files)["made"]["by"].startswith(f"user {os.getuid()} on ")


@pytest.mark.slow
def test_a_report_names_the_digest(serve: Serve) -> None:
    """
    The last digest stands in a report as it is, and is not taken for a number.
    """
    june(5)
    say(*sending(serve()))
    digests = [
        say("evidence", "june", "--output", f"{number}.zip").out.strip()
        for number in range(10)
    ]

    (told,) = json.loads(say("report", "june", "--json").out)["campaigns"]
    account = [each["detail"] for each in told["history"]]

    assert digests == [each for each in account if each in digests]
    assert digests == [detail(each) for each in digests]
    assert "+91*****5678" in detail("told +91123455678")


def test_secrets_of_the_notify_url(serve: Serve) -> None:
    """
    What may be a secret in the notify URL is not in the bundle.
    """
    june(2)
    url = "https://user:hush@example.org/receipts?token=hush"
    say(*sending(serve(), "--notify-url", url))
    say("evidence", "june", "--output", "june")

    manifest = manifest_of(files_in(Path("june")))

    assert (
        "https://example.org/receipts"
        == manifest["messages"][0]["message"]["notifyurl"]
    )
    assert "hush" not in Path("june/manifest.json").read_text()


def test_a_plan_with_fields_to_come() -> None:
    """
    Whatever fields a plan has, they stand in the manifest.
    """

    @attrs.frozen
    class Hours:
        opens: time
        days: frozenset[str]

        def __str__(self) -> str:
            return "mon-tue from 09:00"

    @attrs.frozen
    class Later:
        message: str
        windows: tuple[Hours, ...]
        hours: Hours | None = None

    hours = Hours(time(9), frozenset({"tue", "mon"}))

    found = json.loads(msgspec.json.encode(plan_as_object(Later("{}", (hours,)))))

    (told,) = found["windows"]
    assert ["mon", "tue"] == sorted(told.pop("days"))
    assert {"opens": "09:00:00", "in_words": "mon-tue from 09:00"} == told
    assert found["hours"] is None
    assert "message" not in found


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/a/june.csv", "list.csv"),
        ("june.CSV.gz", "list.csv.gz"),
        ("june", "list"),
        ("june.x y", "list"),
        ("a.b.c.xlsx", "list.c.xlsx"),
    ],
)
def test_what_a_list_is_called(source: str, name: str) -> None:
    """
    By its endings, so that a program knows what it is.
    """
    assert name == list_name(Path(source))


def test_a_list_from_elsewhere(serve: Serve) -> None:
    """
    Where the recipients came from no file, there is none to be looked at.
    """
    june(5)
    simulator = serve()
    say(*sending(simulator))
    asyncio.run(_plan_without_file())

    with chdir("."):
        say("evidence", "may", "--output", "may")

    source = manifest_of(files_in(Path("may")))["source"]
    assert (None, "not looked at", None) == (
        source["sha256"],
        source["now"],
        source["file"],
    )


async def _plan_without_file() -> None:
    async with open_ledger(LEDGER) as ledger:
        await publish(
            ledger, planned_as("may"), batch_of(MESSAGE, f"{TAG}-0", ["+9991"])
        )
