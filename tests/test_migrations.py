"""
A ledger of an earlier version goes on with this one.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_model import TAG, SQLiteStore, is_claimed, load, status_of, two_planned

from voicepush.errors import CampaignHeldError
from voicepush.ledger.sqlite.schema import SCHEMA_VERSION
from voicepush.model.call import Receipt, Report
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Kind
from voicepush.model.status import CampaignState
from voicepush.receipts.call_state import call_of

#: Turns a ledger into one of version 11, and so on.
TO_11 = """
    DROP INDEX call_expired;
    DROP TRIGGER call_is_open_again; DROP TRIGGER call_is_undecided_again;
    ALTER TABLE call DROP COLUMN was_offered;
    ALTER TABLE call DROP COLUMN expired_as;
    ALTER TABLE call DROP COLUMN looked_at;
    ALTER TABLE batch DROP COLUMN closes_at;
    PRAGMA user_version = 11;
"""
TO_10 = f"""
    {TO_11}
    ALTER TABLE campaign DROP COLUMN windows;
    ALTER TABLE campaign DROP COLUMN any_hour;
    ALTER TABLE campaign DROP COLUMN starts_at;
    ALTER TABLE campaign DROP COLUMN stops_at;
    ALTER TABLE campaign DROP COLUMN trial;
    ALTER TABLE campaign DROP COLUMN stage;
    ALTER TABLE campaign DROP COLUMN tried_at;
    DROP TABLE backup; DROP TABLE forgotten; DROP TABLE forgetting;
    DROP TABLE deleted; ALTER TABLE campaign DROP COLUMN archived_at;
    PRAGMA user_version = 10;
"""
TO_9 = f"""
    {TO_10}
    DROP TABLE suppression; DROP TABLE suppressed_number; DROP TABLE suppressed_id;
    PRAGMA user_version = 9;
"""
TO_8 = f"""
    {TO_9}
    ALTER TABLE campaign ADD COLUMN holder TEXT;
    ALTER TABLE campaign ADD COLUMN heartbeat_at REAL;
    ALTER TABLE campaign ADD COLUMN throughput REAL;
    ALTER TABLE campaign ADD COLUMN waiting TEXT;
    ALTER TABLE campaign ADD COLUMN waiting_since REAL;
    UPDATE campaign SET (holder, heartbeat_at) =
        (SELECT token, heartbeat_at FROM worker WHERE worker.campaign = campaign.id);
    DROP TABLE worker;
    PRAGMA user_version = 8;
"""  # noqa: S608 -- ours
TO_7 = f"""
    {TO_8}
    DROP TRIGGER call_is_decided; DROP TRIGGER call_is_decided_later;
    DROP TRIGGER call_is_picked_up; DROP TRIGGER call_is_picked_up_later;
    DROP TRIGGER outcomes_have_times; DROP TRIGGER unknown_have_times;
    DROP TRIGGER proofs_have_times; DROP TRIGGER proofs_lose_times;
    DROP TABLE call_time; DROP TABLE picked_up; DROP TABLE outcome_time;
    ALTER TABLE campaign DROP COLUMN moved;
    PRAGMA user_version = 7;
"""
TO_6 = """
    DROP TABLE call; DROP TABLE call_tally; DROP TABLE proof; DROP TABLE body_block;
    DROP TABLE aside; DROP TABLE receipt_count; DROP TABLE poll;
    DROP TRIGGER batch_is_counted;
    DROP INDEX batch_claimed;
    ALTER TABLE batch DROP COLUMN suppressed;
    ALTER TABLE tally DROP COLUMN suppressed;
    ALTER TABLE tally DROP COLUMN asked;
    ALTER TABLE campaign DROP COLUMN parent;
    ALTER TABLE campaign DROP COLUMN follows;
    ALTER TABLE campaign DROP COLUMN caps;
    ALTER TABLE recipients DROP COLUMN origins;
    CREATE TRIGGER batch_is_counted AFTER UPDATE ON batch BEGIN SELECT 1; END;
    PRAGMA user_version = 6;
"""


def receipt(code: str, place: int, at: float) -> Receipt:
    """
    What the platform says of someone in the first batch.
    """
    report = Report(call=call_of(code, "", "", at), correlation_id=f"{TAG}-0-{place}")
    return Receipt(body=b"{}", received_at=at, reports=[report])


async def made_older(store: SQLiteStore, script: str) -> None:
    """
    Close *store*, turn its file into an earlier one, and open it with this version.
    """
    await store.close()
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.executescript(script)
    await store.open()


def tables_of(path: Path) -> dict[str, str]:
    """
    The statements that made what is in the file, without layout.
    """
    with closing(sqlite3.connect(path)) as connection:
        assert (SCHEMA_VERSION,) == connection.execute("PRAGMA user_version").fetchone()
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql != ''")
        return {name: " ".join(sql.split()) for name, sql in rows}


@pytest.mark.parametrize("script", [TO_11, TO_10, TO_9, TO_8, TO_7, TO_7 + TO_6])
async def test_a_ledger_of_before_gets_the_tables_of_now(
    tmp_path: Path, script: str
) -> None:
    """
    What is missing is added; receipts are taken, and people suppressed.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    await two_planned(store.ledger)
    made = set(tables_of(store.path))
    await made_older(store, script)
    await store.ledger.receive([receipt("7519", 0, 7.0)])
    status = await status_of(store.ledger)
    timeline = await store.ledger.timeline("june")
    assert 1 == await store.ledger.suppress([(Kind.MSISDN, ["+9992"])])
    await store.close()

    assert made == set(tables_of(store.path))
    assert (1, 1) == (status.accepted, status.pending)
    assert 1 == sum(each.calls for each in timeline.calls)


async def test_what_happened_before_is_in_the_timeline(tmp_path: Path) -> None:
    """
    Calls that a ledger of version 7 knows are counted when it is taken over.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    accepted = Verdict(Outcome.ACCEPTED, "1001", "Queued")
    await worker.record(claimed, BatchResult(batch, accepted, {}, (), 1))
    (known,) = await store.ledger.lookup("+9991")
    assert known.claimed is not None
    at = known.claimed.timestamp()
    await store.ledger.receive(
        [receipt("7519", 0, at + 7.5), receipt("7401", 1, at + 30.0)]
    )
    before = await store.ledger.timeline("june")
    await worker.leave(CampaignState.FINISHED)
    await made_older(store, TO_7)
    after = await store.ledger.timeline("june")
    await store.close()

    assert before == after
    assert {7: 1} == after.picked_up_after
    assert ["7519", "7401"] == [each.code for each in after.calls]


async def test_who_held_a_campaign_before_holds_it_yet(tmp_path: Path) -> None:
    """
    A process of an earlier version that lives is not taken for one that is gone.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    await two_planned(store.ledger)
    await made_older(store, TO_8)
    with pytest.raises(CampaignHeldError):
        await store.ledger.join("june", load)
    status = await status_of(store.ledger)
    await store.close()

    assert status.state is CampaignState.RUNNING
