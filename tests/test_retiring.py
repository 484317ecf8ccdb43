"""
`voicepush archive` and `delete`: campaigns that are over, in little room or away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from conftest import Serve
from half_done import half_done
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import (
    ANSWERS,
    MESSAGE,
    PostgresStore,
    SQLiteStore,
    SQLStore,
    all_of,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
)
from making import batch_of
from mishaps import SLOWLY, change, june, process, say, sending, stand, wait_until
from test_forget import ANN, ledger_of, receipt, traces

from voicepush import Campaign, Kind, VoiceMessage
from voicepush.errors import CampaignHeldError, InputError
from voicepush.ledger.packing import (
    Lines,
    unzipped,
    unzipped_text,
    zipped,
    zipped_text,
)
from voicepush.ledger.plan import Follows
from voicepush.ledger.sql import retiring
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.model.batch import Batch
from voicepush.model.call import CallState
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.status import CampaignState
from voicepush.sending.request import load_message

ACCEPTED = ANSWERS[0]


async def ended(ledger: SQLLedger) -> None:
    """
    Plan june, do half of it, and end it.
    """
    await half_done(ledger)
    await (await Campaign.open(ledger, "june")).cancel()


async def told(ledger: SQLLedger) -> list[Any]:
    """
    What it answers of june.
    """
    results = await all_of(ledger.results("june", [*Outcome]))
    values = ("+9990000001", "order\n1", "order-2", "+999000042", "0123456789-2-1")
    found: list[Any] = [list(each.rows()) for each in results]
    found += [each.batch.recipients.kept for each in results]
    found += [await ledger.calls(each.batch.id) for each in results]
    found += [
        [attrs.evolve(each, archived=None) for each in await ledger.lookup(value)]
        for value in values
    ]
    found += [[each async for each in ledger.called(0.0)], await ledger.unknown("june")]
    return [*found, await status_of(ledger), await ledger.timeline("june")]


def finished(batch: Batch) -> BatchResult:
    """
    All of it was accepted.
    """
    ids = [f"d82c07cd-0000-4000-8000-{at:012}" for at in range(len(batch))]
    return BatchResult(batch, ACCEPTED, {1: ANSWERS[2]}, ids, 1)


async def called(ledger: SQLLedger, name: str, tag: str, *values: str) -> None:
    """
    Plan a campaign of one batch, and finish it.
    """
    batch = batch_of(MESSAGE, f"{tag}-0", values)
    await publish(ledger, planned_as(name, tag=tag), batch)
    worker = await ledger.join(name, load)
    claimed = is_claimed(await worker.claim(batch, range(len(batch))))
    await worker.record(claimed, finished(batch))
    await worker.leave(CampaignState.FINISHED)


# In little room


async def test_an_archived_campaign_answers_as_before(tables: SQLStore) -> None:
    """
    Lookups say that it is archived; nothing else has changed, and caps count it.
    """
    ledger = ledger_of(tables)
    await ended(ledger)
    before = await told(ledger)
    done = await ledger.archive("june")
    (found,) = await ledger.lookup("+9990000003")
    again = await ledger.archive("june")

    assert before == await told(ledger)
    assert found.archived is not None
    assert done.after <= done.before
    assert again.before == again.after == done.after
    assert ["archived", "archived"] == [
        each.event for each in (await ledger.history("june"))[-2:]
    ]
    assert (await ledger.audit(deep=True)).is_sound


async def test_it_takes_less_room(tables: SQLStore) -> None:
    """
    Numbers, the platform's names and verdicts in less than half.
    """
    ledger = ledger_of(tables)
    numbers = [f"+9991234{at:05}" for at in range(1_000)]
    await called(ledger, "june", "abcdef0123", *numbers)
    before = await all_of(ledger.results("june", [*Outcome]))
    done = await ledger.archive("june")
    after = await all_of(ledger.results("june", [*Outcome]))

    assert 2 * done.after < done.before
    assert [list(each) for each in before] == [list(each) for each in after]


async def test_an_archived_one_can_be_settled_and_heard_of(tables: SQLStore) -> None:
    """
    It is a campaign as before: receipts come, and its owner decides.
    """
    ledger = ledger_of(tables)
    await ended(ledger)
    await ledger.archive("june")
    received = await ledger.receive([receipt("order-2", "+9990000003")])
    resolved = await (await Campaign.open(ledger, "june")).resolve(resend=False)
    listed = await ledger.suppress([(Kind.MSISDN, ["+9990000003"])])

    assert (1, 2, 1) == (received.applied, resolved.recipients, listed)
    assert (await ledger.audit(deep=True)).is_sound


async def test_who_is_archived_can_be_forgotten(tables: SQLStore) -> None:
    """
    Also from what is packed, whose other people stay in little room.
    """
    ledger = ledger_of(tables)
    numbers = [ANN, *(f"+9991234{at:05}" for at in range(500))]
    await called(ledger, "june", "abcdef0123", *numbers)
    tables.execute("UPDATE batch SET transactions = ?", f'["t-{ANN}"]')
    words = f'[["rejected","7100","No such number {ANN}",[1]]]'
    tables.execute("UPDATE batch SET exceptions = ?", words.encode())
    done = await ledger.archive("june")
    found = await ledger.forget(Kind.MSISDN, ANN)
    again = await ledger.archive("june")
    (batch,) = await all_of(ledger.results("june", [*Outcome]))

    assert 1 == found.people
    assert [] == traces(tables)
    assert again.before == again.after < done.before / 2
    assert "" == batch.batch.recipients.values[0]
    assert "No such number (forgotten)" == batch.at(1).description
    assert ANN[1:] not in str(batch.transaction_ids)
    assert (await ledger.audit(deep=True)).is_sound


@pytest.mark.parametrize("deed", [SQLLedger.archive, SQLLedger.delete])
async def test_only_what_is_over(
    tables: SQLStore, deed: Callable[[SQLLedger, str], Any]
) -> None:
    """
    A campaign with a worker, or with someone left, stays as it is.
    """
    ledger = ledger_of(tables)
    await half_done(ledger)
    with pytest.raises(InputError, match="'june' is paused; only one that is finished"):
        await deed(ledger, "june")
    worker = await ledger.join("june", load_message)
    with pytest.raises(CampaignHeldError):
        await deed(ledger, "june")
    await worker.leave(CampaignState.PAUSED)
    with pytest.raises(InputError, match="there is no campaign 'may'"):
        await deed(ledger, "may")

    assert 15 == (await status_of(ledger)).planned


@given(st.text() | st.binary().filter(lambda raw: not raw.startswith(b"zlib")))
def test_what_is_zipped_is_read_as_it_was(packed: str | bytes) -> None:
    """
    Once, or more often; and it takes no more room.
    """
    small = zipped(Lines(packed) if isinstance(packed, str) else packed)
    assert small is not None
    twice = zipped(small) if isinstance(small, bytes) else small

    assert packed == unzipped(small)
    assert twice == small
    assert len(small) <= len(packed if isinstance(packed, bytes) else packed.encode())
    assert zipped(None) is None is zipped_text(None)


@given(st.lists(st.text()))
def test_a_text_that_is_zipped_is_read_as_it_was(texts: list[str]) -> None:
    """
    It is a JSON array before, and any text afterwards.
    """
    text = f"[{texts!r}]"
    small = zipped_text(text)
    assert small is not None

    assert text == unzipped_text(small)
    assert small == zipped_text(small)


# Away


async def test_nothing_remains_but_that_there_was_one(
    tables: SQLStore, message: VoiceMessage
) -> None:
    """
    It is in no table; others stay, also where their receipts came together. Planned
    again by mistake, it would call everyone again.
    """
    ledger = ledger_of(tables)
    await ended(ledger)
    await called(ledger, "may", "abcdef0123", "+9990000077", "+9990000078")
    both = [
        receipt("abcdef0123-0-0", "+9990000077"),
        receipt("order-2", "+9990000003"),
    ]
    await ledger.receive(both)
    gone: list[int] = []
    await ledger.delete("june", gone.append)
    (other,) = await ledger.lookup("+9990000077")
    with pytest.raises(InputError, match="which called 7 and was deleted; planned ag"):
        await Campaign.plan(ledger, "june", message, ["+9990000079"])

    assert [5] == gone
    assert await ledger.status("june") is None
    assert ["may"] == [each.campaign for each in await ledger.campaigns()]
    assert (both[0].body,) == other.receipts
    for value in ("+9990000001", "+9990000003", "order-2", "+999000042"):
        assert [] == await ledger.lookup(value)
    audit = await ledger.audit(deep=True)
    assert ["may"] == [each.campaign for each in audit.campaigns]
    assert audit.is_sound


@pytest.mark.parametrize("cut", [0, 2, 5, 6, 8, 10])
async def test_a_deletion_that_is_cut_off_is_gone_on_with(
    tables: SQLStore, cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Wherever that was: it is whole, or nobody sees it, and the same again ends it.
    """
    monkeypatch.setattr(retiring, "_TOGETHER", 2)
    ledger = ledger_of(tables)
    await ended(ledger)
    real, left = ledger._store.do, cut

    async def dying(*arguments: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyError
        return await real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ledger._store, "do", dying)
        with pytest.raises(KeyError):
            await ledger.delete("june")
    status = await ledger.status("june")
    assert status is None or (15, 6) == (status.planned, status.accepted)
    assert (await ledger.audit(deep=True)).is_sound
    await ledger.delete("june")

    assert await ledger.status("june") is None
    with pytest.raises(InputError, match="there is no campaign 'june'"):
        await ledger.delete("june")


async def test_whose_people_are_called_again_stays(tables: SQLStore) -> None:
    """
    The later round looks at the calls of the earlier.
    """
    ledger = ledger_of(tables)
    await ended(ledger)
    plan = attrs.evolve(
        planned_as("june-2", tag="abcdef0123"),
        follows=Follows(campaign="june", states=(CallState.NOT_REACHED,)),
    )
    await publish(ledger, plan, batch_of(MESSAGE, "abcdef0123-0", ["+999000040"]))
    with pytest.raises(InputError, match="june-2 calls people of june again, and look"):
        await ledger.delete("june")
    await (await ledger.join("june-2", load)).leave(CampaignState.CANCELLED)
    names = await ledger.ended_before(1e12)
    for name in names:
        await ledger.delete(name)

    assert ["june-2", "june"] == names
    assert [] == await ledger.campaigns()


async def test_the_file_is_written_anew(tables: SQLStore) -> None:
    """
    Unless somebody works on a campaign; in a database its server sees to that.
    """
    ledger = ledger_of(tables)
    await called(ledger, "june", "abcdef0123", ANN, "+99911111117")
    await called(ledger, "may", "abcdef0124", "+9990000077", "+9990000078")
    batch = batch_of(MESSAGE, "abcdef0125-0", ["+9990000079"])
    await publish(ledger, planned_as("july", tag="abcdef0125"), batch)
    worker = await ledger.join("july", load)
    await ledger.delete("june")
    while_working = await ledger.wipe()
    await worker.leave(CampaignState.PAUSED)
    done = await ledger.wipe()
    is_file = isinstance(tables, SQLiteStore)

    assert (False, is_file) == (while_working, done)
    assert [] == traces(tables)
    assert (await ledger.audit(deep=True)).is_sound


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_folder")
def test_who_writes_the_file_anew_is_told(tmp_path: Path, serve: Serve) -> None:
    """
    The next one, where a campaign is dispatched; or the server's owner.
    """
    june(200)
    simulator = serve(latency=0.05)
    assert 0 == say(*sending(simulator, "--campaign", "may")).code
    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: sum(simulator.calls.values()) > 210)
        meanwhile = say("archive", "may")
        running.wait(timeout=60)
    store = PostgresStore(tmp_path)
    asyncio.run(_called_in(store))
    where = f"{store.address}&schema={store.schema}"
    served = say("delete", "june", "--yes", "--ledger", where)

    assert "so the file keeps its size" in meanwhile.err
    assert "say VACUUM (FULL, ANALYZE) there" in served.err
    assert 200 == stand()["accepted"]


async def _called_in(store: SQLStore) -> None:
    await store.open()
    await called(ledger_of(store), "june", "abcdef0123", ANN, "+99911111117")
    await store.close()


# The commands


@pytest.mark.usefixtures("in_a_folder")
def test_archive(serve: Serve) -> None:
    """
    By name, or all that ended long ago; lookup says it.
    """
    june(300)
    assert 0 == say(*sending(serve())).code
    none = say("archive", "--retention", "400d")
    said = say("archive", "june")
    looked = say("lookup", "+999000000007")
    change("UPDATE history SET at = at - 401 * 86400")
    old = say("archive", "--retention", "400d")

    assert (0, "") == (none.code, none.out)
    assert "no campaign ended as long ago as that" in none.err
    assert "june: archived, " in said.out
    assert "VACUUM" not in said.err
    assert ", archived 20" in looked.out
    assert "june: archived, " in old.out
    assert 300 == stand()["accepted"]
    assert 0 == say("check-ledger", "--deep").code


@pytest.mark.usefixtures("in_a_folder")
def test_delete(serve: Serve) -> None:
    """
    It asks, says what is lost, and refuses to call everyone again by mistake.
    """
    june(30)
    simulator = serve()
    assert 0 == say(*sending(simulator)).code
    asked = say("delete", "june")
    kept = stand()["planned"]
    done = say("delete", "june", "--yes")
    looked = say("lookup", "+999000000007")
    sent = say(*sending(simulator))
    another = say(*sending(simulator, "--campaign", "again"))

    assert (2, 30) == (asked.code, kept)
    assert "delete june: 30 recipients; nobody can say any more" in asked.complaint
    assert (0, "june: deleted\n") == (done.code, done.out)
    assert 1 == looked.code
    assert (2, True) == (sent.code, "planned again, it would call them" in sent.err)
    assert 0 == another.code
    assert 0 == say("check-ledger", "--deep").code


@pytest.mark.usefixtures("in_a_folder")
def test_delete_what_is_old(serve: Serve) -> None:
    """
    What is new stays, and so does what a later round looks at.
    """
    june(5)
    simulator = serve("drop@1/1")
    say(*sending(simulator, "--campaign", "old"))
    say(*sending(simulator, "--campaign", "older"))
    say(*sending(simulator, "--campaign", "new"))
    change("UPDATE history SET at = 0 WHERE campaign < 3")
    change("UPDATE campaign SET parent = 1 WHERE name = 'new'")
    asked = say("delete", "--retention", "400d")
    said = say("delete", "--retention", "400d", "--yes")
    none = say("delete", "--retention", "9000d", "--yes")

    assert "older, old: 10 recipients, 10 of them unknown and undecided" in asked.err
    assert "older: deleted\n" == said.out
    assert "old stays: new calls people of old again" in said.err
    assert 5 == stand("new")["unknown"]
    assert 0 == none.code


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["archive"], "name either a CAMPAIGN, or --retention"),
        (["delete", "june", "--retention", "1d"], "name either a CAMPAIGN, or --ret"),
        (["delete", "--retention", "long"], "--retention long is no duration"),
        (["delete", "may", "--yes"], "there is no campaign 'may' in this ledger"),
        (
            ["delete", "june", "--yes", "--ledger", "copy.db"],
            "it can only be looked at",
        ),
        (["archive", "june", "--ledger", "copy.db"], "it can only be looked at"),
    ],
)
@pytest.mark.usefixtures("in_a_folder")
def test_wrong_usage(arguments: list[str], complaint: str, serve: Serve) -> None:
    """
    One line says what is wrong.
    """
    june(3)
    assert 0 == say(*sending(serve())).code
    assert 0 == say("backup", "copy.db").code
    said = say(*arguments)

    assert 2 == said.code
    assert complaint in said.complaint
    assert 3 == stand()["planned"]


@pytest.mark.usefixtures("in_a_folder")
def test_what_is_running_is_not_asked_about(serve: Serve) -> None:
    """
    It is refused at once.
    """
    june(3)
    assert 0 == say(*sending(serve())).code
    change("UPDATE campaign SET state = 'running'")
    change(
        "INSERT INTO worker (token, campaign, shares, heartbeat_at) "
        "VALUES ('h:1:1:1', 1, 1, 0)"
    )
    said = say("delete", "june")

    assert "'june' is running; only one that is finished" in said.complaint
    assert Path("voicepush.db").exists()
