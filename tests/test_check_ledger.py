"""
`voicepush check-ledger`: what is sound passes, and whatever is not is named.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from conftest import Serve
from half_done import half_done
from ledger_model import SQLiteStore, SQLStore
from mishaps import (
    LEDGER,
    SLOWLY,
    change,
    check_finished,
    june,
    process,
    say,
    sending,
    wait_until,
)

from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.model.audit import MOST_FINDINGS, Audit, Findings


async def audit(store: SQLStore, *, deep: bool = True) -> Audit:
    """
    What is found in it.
    """
    assert isinstance(store.ledger, SQLLedger)
    return await store.ledger.audit(deep=deep)


@pytest.mark.parametrize("deep", [False, True])
async def test_what_is_sound_passes(tables: SQLStore, *, deep: bool) -> None:
    """
    In the middle of everything both sums hold, and everyone is found.
    """
    await half_done(tables.ledger)
    found = await audit(tables, deep=deep)
    (campaign,) = found.campaigns

    assert found.is_sound
    assert [] == found.findings
    assert (5, 15, 4) == (campaign.batches, campaign.read, campaign.calls)
    assert {"planned": 15, "pending": 6, "accepted": 6, "unknown": 2}.items() <= (
        campaign.counts.items()
    )
    assert (17 if deep else 11) == campaign.looked_up


BATCH = "UPDATE batch SET {} WHERE number = "


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        # What is told of a batch, and of the campaign, by way of the triggers.
        (BATCH.format("accepted = 0") + "0", "june, batch 0", "accepted is 0"),
        (BATCH.format("unknown = 2") + "2", "june, batch 2", "unknown is 2"),
        (BATCH.format("size = 4") + "3", "june, batch 3", "size is 4"),
        (BATCH.format("in_flight = 1") + "3", "june, batch 3", "in_flight is 1"),
        (BATCH.format("given_up = 1") + "2", "june, batch 2", "given_up is 1"),
        (BATCH.format("state = 2") + "4", "june, batch 4", "3 are pending, and nobody"),
        (BATCH.format("state = 1") + "4", "june, batch 4", "claimed by nobody"),
        (BATCH.format("message_group = 9") + "4", "june", "name a message 9"),
        (BATCH.format("outcome = 'lost'") + "4", "june, batch 4", "can't be read"),
        (BATCH.format('transactions = \'["a","b"]\'') + "4", "", "2 transaction ids"),
        (BATCH.format("given_up_places = '[7]'") + "4", "", "a place is named that"),
        ("UPDATE proof SET unknown = unknown + 1", "june, batch 2", "proven unknown"),
        ("DELETE FROM proof", "june, batch 2", "has a receipt and is not accepted"),
        ("DELETE FROM recipients WHERE number = 4", "june", "1 batches have no recip"),
        ("UPDATE campaign SET read = 14", "june", "read is 14, and its rows come to"),
        ("UPDATE outcome_time SET accepted = 0", "june", "accepted over time is 0"),
        # Receipts.
        ("UPDATE call SET number = 77 WHERE number = 0", "", "1 rows of call have no"),
        ("UPDATE call SET recipient = 9 WHERE number = 0", "", "of recipient 9, whom"),
        ("UPDATE call_tally SET number = 7", "june", "calls by state is"),
        ("UPDATE call_time SET code = '1'", "june", "calls by time are not divided"),
        ("UPDATE poll SET ended = 7 WHERE number = 1", "june", "calls that have ended"),
        ("UPDATE receipt_count SET unplaced = 3", "receipts", "unplaced is 3"),
        ("UPDATE body_block SET number = 3", "receipts, block 1", "number of bodies"),
        # The index.
        ("DELETE FROM index_page", "june, batch 0", "the index does not lead to"),
        ("UPDATE index_page SET first = first - 1", "june", "is not in order"),
    ],
)
async def test_whatever_is_wrong_is_named(
    tables: SQLStore, change: str, where: str, what: str
) -> None:
    """
    Someone has changed the tables behind the ledger's back; where and what is told.
    """
    await half_done(tables.ledger)
    tables.execute(change)
    found = await audit(tables)

    assert not found.is_sound
    assert found.found == len(found.findings)
    assert any(
        each.where.startswith(where) and what in each.what for each in found.findings
    ), found.findings


async def test_whoever_is_lost_from_the_whole_index_is_noticed(
    tables: SQLStore,
) -> None:
    """
    A sample of it need not meet them, but the whole does.
    """
    await half_done(tables.ledger)
    # The same number of entries, and in order: one of them is another's.
    page = "substr(entries, 1, 8) || substr(entries, 1, 8) || substr(entries, 17)"
    if isinstance(tables, SQLiteStore):
        page = f"CAST({page} AS BLOB)"
    tables.execute(f"UPDATE index_page SET entries = {page}")  # noqa: S608 -- ours
    found = await audit(tables)

    assert any("or to others" in each.what for each in found.findings)


async def test_columns_that_do_not_fit_are_named(tables: SQLStore) -> None:
    """
    A column of a batch is shorter than the others.
    """
    await half_done(tables.ledger)
    tables.execute("UPDATE recipients SET widths = ? WHERE number = 0", b"[2,2]")
    tables.execute("UPDATE recipients SET rows = ? WHERE number = 1", b"[1,9]")
    tables.execute("UPDATE body_block SET packed = ? WHERE id = 1", b"?")
    tables.execute(
        "DELETE FROM tally" if _is_file(tables) else "DELETE FROM tally_part"
    )
    findings = (await audit(tables)).findings
    found = [f"{each.where}: {each.what}" for each in findings]

    for what in (
        "june, batch 0: widths do not come to its 3 recipients",
        "june, batch 1: it has 9 rows for 3 destinations",
        "receipts, block 1: can't be read: DecodeError",
        "june: it has no tally",
    ):
        assert what in found


def _is_file(store: SQLStore) -> bool:
    return isinstance(store, SQLiteStore)


async def test_the_list_of_the_suppressed_is_looked_at(tables: SQLStore) -> None:
    """
    Who is on it was put there by something.
    """
    tables.execute("INSERT INTO suppressed_number VALUES (9991, 7)")
    (found,) = (await audit(tables)).findings

    assert "1 on the list have no reason there" == found.what


async def test_two_with_one_tag_are_found(tmp_path: Path) -> None:
    """
    Their receipts could not be told apart.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    await half_done(store.ledger)
    store.execute(
        "INSERT INTO campaign (name, source, given, tag, retry_internal_error, "
        "resend_unknown, state, planned_at) "
        "SELECT 'may', source, given, tag, 1, 0, state, 0 FROM campaign"
    )
    found = (await audit(store)).findings
    await store.close()

    assert "two of them make the same correlation ids" in [e.what for e in found]


def test_only_so_many_are_told() -> None:
    """
    All are counted.
    """
    findings = Findings()
    for _ in range(MOST_FINDINGS + 5):
        findings.add("here", "something")

    assert (MOST_FINDINGS + 5, MOST_FINDINGS) == (findings.number, len(findings.listed))


# The command


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_folder")
def test_the_command_while_a_campaign_is_dispatched(serve: Serve) -> None:
    """
    It is sound at every moment, and nobody has to wait for it.
    """
    simulator = serve(latency=0.02)
    june()
    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: simulator.calls)
        looks = [say("check-ledger", "--deep") for _ in range(5)]
        assert running.poll() is None or len(simulator.calls) == 400
        running.wait(timeout=60)
    check_finished(simulator)
    after = say("check-ledger", "--json")

    for look in looks:
        assert (0, True) == (look.code, "voicepush.db: sound; 1 campaign" in look.out)
        assert "400 planned = " in look.out
    assert {"sound": True, "found": 0}.items() <= json.loads(after.out).items()
    assert not LEDGER.with_name("voicepush.db-wal").exists()


@pytest.mark.usefixtures("in_a_folder")
def test_the_command_tells_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It ends with the exit status of a ledger that failed.
    """
    asyncio.run(_made(LEDGER.absolute()))
    change("UPDATE batch SET accepted = 0 WHERE number = 0")
    change("DELETE FROM index_page")
    monkeypatch.setattr("voicepush.model.audit.MOST_FINDINGS", 3)
    said, objects = say("check-ledger"), say("check-ledger", "--json")

    assert 5 == said.code == objects.code
    assert "wrong: june, batch 0: accepted is 0, and its rows come to" in said.out
    assert "more\n" in said.out
    assert "things wrong" in said.out
    assert "+9990000001" not in said.out + objects.out
    assert not json.loads(objects.out)["sound"]


@pytest.mark.usefixtures("in_a_folder")
def test_damaged_pages_are_told_and_not_read() -> None:
    """
    What stands in them would say nothing.
    """
    asyncio.run(_made(LEDGER.absolute()))
    with LEDGER.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 2)
    said = say("check-ledger")

    assert 5 == said.code
    assert "Traceback" not in said.err
    assert "wrong: the file: " in said.out or "it is damaged" in said.err


@pytest.mark.usefixtures("in_a_folder")
def test_rows_that_name_nothing_are_told() -> None:
    """
    A row of a campaign that is not there.
    """
    asyncio.run(_made(LEDGER.absolute()))
    change("INSERT INTO minute VALUES (99, 1, 1, 0, NULL)")
    said = say("check-ledger")

    assert "wrong: table minute: a row names what is not in campaign" in said.out


async def _made(path: Path) -> None:
    store = SQLiteStore(path.parent)
    store.path = path
    await store.open()
    await half_done(store.ledger)
    await store.close()
