"""
`voicepush forget`: nothing names them any more, they are counted, and not called again.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import attrs
import postgres
import psycopg
import pytest
from conftest import Serve
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import (
    ANSWERS,
    MESSAGE,
    TAG,
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
from mishaps import june, say, sending, stand

from voicepush import Campaign, Kind, VoiceMessage
from voicepush.errors import CampaignHeldError, InputError, LedgerError
from voicepush.ledger.bodies import unpack_bodies
from voicepush.ledger.forgetting import Forgotten, Person, hash_of, without
from voicepush.ledger.index import entry_of
from voicepush.ledger.plan import Plan
from voicepush.ledger.protocol import Finished
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.ledger.sqlite import wiping
from voicepush.model.batch import Batch
from voicepush.model.call import Receipt, Report
from voicepush.model.forgetting import Forgetting
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination, Recipients
from voicepush.model.status import CampaignState
from voicepush.receipts.call_state import call_of

ACCEPTED, AGAIN, REJECTED, NOT_SENT, IN_DOUBT = ANSWERS[:5]

#: Who is forgotten, and others whose numbers look like theirs.
ANN, BEN, LONGER = "+99912345678", "+99987654321", "+999123456789"
DIGITS = ANN[1:]


def ledger_of(store: SQLStore) -> SQLLedger:
    """
    Its ledger.
    """
    assert isinstance(store.ledger, SQLLedger)
    return store.ledger


def batch_with(number: int, *recipients: Any, **columns: Any) -> Batch:
    """
    A batch of june.
    """
    batch = batch_of(MESSAGE, f"{TAG}-{number}", recipients)
    batch.recipients = attrs.evolve(batch.recipients, **columns)
    return batch


def receipt(own_id: str, recipient: str, code: str = "7519") -> Receipt:
    """
    What the platform says of someone.
    """
    call = attrs.evolve(call_of(code, "", "", 9.0), words=f"reached {recipient}")
    report = Report(call=call, correlation_id=own_id, recipient=recipient)
    body = f'{{"destination":"{recipient}","id":"{own_id}"}}'.encode()
    return Receipt(body=body, received_at=9.0, reports=[report])


async def called(store: SQLStore) -> None:
    """
    Ann stands in the middle of everything: called, pending, unknown, listed, in ids,
    in texts and in receipts.
    """
    ledger = store.ledger
    own = [
        Destination(msisdn=ANN, correlation_id=f"order-{DIGITS}"),
        Destination(msisdn=[BEN, ANN[:-1] + "9"], correlation_id=f"about-{DIGITS}"),
        Destination(msisdn=[ANN, "+99911111111"], correlation_id="both"),
    ]
    kept = {"name": ["Ann", "Ben", "two"], "spouse": ["", f"ask {ANN}", "x"]}
    batches = [
        batch_with(0, *own, kept=kept, rows=[2, 3, 4], as_came={0: f"00{DIGITS}"}),
        batch_with(1, "+99911111112", ANN, LONGER, as_came={1: "999 1234 5678"}),
        batch_with(2, ANN, "+99911111113"),
        batch_with(3, ANN, "+99911111114"),
        batch_with(
            4, Destination(customer_id=f"c-{DIGITS}"), Destination(customer_id="c")
        ),
        batch_with(5, ANN, "+99911111115"),
    ]
    await publish(ledger, planned_as(), *batches)
    worker = await ledger.join("june", load)
    words = Verdict(Outcome.REJECTED, "7100", f"No such number {ANN}")
    results = [
        BatchResult(batches[0], ACCEPTED, {1: words}, (f"t-{DIGITS}",), 1),
        BatchResult(batches[1], words, {1: ACCEPTED}, ("a", "b", "c"), 1),
        BatchResult(batches[2], IN_DOUBT, {}, (), 1),
    ]
    for result in results:
        places = range(len(result.batch))
        claimed = is_claimed(await worker.claim(result.batch, places))
        await worker.record(claimed, result, due_at=5.0)
    for place, recipient in (("1-1", ANN), ("1-2", LONGER), ("1-1", DIGITS)):
        await ledger.receive([receipt(f"{TAG}-{place}", recipient)])
    # Of these nobody knows whose they are.
    await ledger.receive([receipt("?", ANN), receipt("?", BEN), receipt("?", DIGITS)])
    unreadable = Receipt(body=f"?{ANN}?".encode(), received_at=9.0)
    await ledger.receive([unreadable])
    await ledger.note("june", "was asked", f"by {ANN}")
    await ledger.suppress([(Kind.MSISDN, [BEN, LONGER])], reason=f"as {ANN} said")
    is_claimed(await worker.claim(batches[5], [0, 1]))
    store.make_old("june")  # it dies
    await ledger.suppress([(Kind.MSISDN, [ANN])])


def traces(store: SQLStore, kind: str = "", value: str = DIGITS) -> list[str]:
    """
    Where a number stands in any way in which a ledger writes it.
    """
    found = [f"{kind} {place}" for place in _in_rows(store, value)]
    if isinstance(store, SQLiteStore):
        number = int(value)
        forms = {value.encode(), number.to_bytes(6, "big"), number.to_bytes(8, "big")}
        forms |= {number.to_bytes(8, "little"), value.encode("utf-16-le")}
        for text in (f"+{value}", f"order-{value}", f"about-{value}", f"c-{value}"):
            forms |= {entry_of(text, at).to_bytes(8, "little") for at in range(6)}
        for path in sorted(store.path.parent.iterdir()):
            # Others' numbers begin alike.
            raw = path.read_bytes().replace(LONGER[1:].encode(), b"")
            found += [f"{path.name} {form!r}" for form in forms if form in raw]
    return found


def _in_rows(store: SQLStore, value: str) -> Iterator[str]:
    person = Person(Kind.MSISDN, f"+{value}")
    for table, rows in _rows(store).items():
        for row in rows:
            for name, each in row.items():
                raw = bytes(each) if isinstance(each, memoryview) else each
                is_text = isinstance(raw, (str, bytes))
                if (is_text and person.is_in(raw)) or raw == int(value):
                    yield f"{table}.{name}"
            if table == "body_block":
                for body in unpack_bodies(bytes(row["packed"])):
                    if value.encode() in body and LONGER[1:].encode() not in body:
                        yield "a body"


def _rows(store: SQLStore) -> dict[str, list[dict[str, Any]]]:
    if isinstance(store, SQLiteStore):
        uri = f"{store.path.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            names = connection.execute(
                "SELECT name FROM sqlite_master WHERE type='table'"
            )
            return {
                name: list(map(dict, connection.execute(f"SELECT * FROM {name}")))  # noqa: S608
                for (name,) in names.fetchall()
            }
    assert isinstance(store, PostgresStore)
    with psycopg.connect(store.address) as served:
        tables = served.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s", (store.schema,)
        ).fetchall()
        found = {}
        for (name,) in tables:
            select = f'SELECT * FROM "{store.schema}"."{name}"'  # noqa: S608 -- ours
            cursor = served.execute(select.encode())
            columns = [each.name for each in cursor.description or ()]
            found[name] = [dict(zip(columns, row, strict=True)) for row in cursor]
        return found


async def test_no_trace_is_left(tables: SQLStore) -> None:
    """
    Neither in rows, nor in what is packed in them, nor between them, nor in the log;
    and everyone is counted as before, but for who was pending.
    """
    await called(tables)
    before = traces(tables)
    was = await status_of(tables.ledger)
    ledger = ledger_of(tables)
    found = await ledger.forget(Kind.MSISDN, ANN)
    status = await status_of(tables.ledger)
    counts = await ledger.receipt_counts()
    audit = await ledger.audit(deep=True)

    assert len({each.partition(".")[0] for each in before}) > 5
    assert [] == traces(tables)
    assert audit.findings == []
    assert (
        Forgetting(
            campaigns=["june"],
            people=7,
            suppressed=2,
            given_up=2,
            bodies=5,
            texts=found.texts,
            was_listed=True,
        )
        == found
    )
    assert (was.planned - 2, was.suppressed + 2) == (status.planned, status.suppressed)
    assert (was.accepted, was.rejected) == (status.accepted, status.rejected)
    # Who was in flight with a worker that is gone is unknown, and one is given up.
    assert (was.unknown + 2, 2) == (status.unknown, status.given_up)
    assert 0 == status.in_flight
    assert (1, 1) == (counts.unplaced, counts.unreadable)
    assert [] == await ledger.lookup(ANN)
    assert [BEN] == [
        each.value for each in (await ledger.suppressed(Kind.MSISDN, [BEN])).values()
    ]
    assert "7 in it" == (await ledger.history("june"))[-1].detail


async def test_everyone_else_stays_as_they_were(tables: SQLStore) -> None:
    """
    Numbers that begin alike, who shares an id, and what is kept of others.
    """
    await called(tables)
    ledger = ledger_of(tables)
    before = {value: await ledger.lookup(value) for value in (LONGER, BEN, "c", "both")}
    await ledger.forget(Kind.MSISDN, ANN)
    after = {value: await ledger.lookup(value) for value in before}
    results = await all_of(ledger.results("june", [*Outcome]))
    (first, *_) = [list(each.rows()) for each in results]
    kept = results[0].batch.recipients.kept

    assert before[LONGER] == after[LONGER]
    for value in (BEN, "c"):
        assert [each.result.outcome for each in before[value]] == [
            each.result.outcome for each in after[value]
        ]
    assert "No such number (forgotten)" == after[BEN][0].result.description
    assert ["", "+99911111111"] == [each.result.recipient for each in after["both"]]
    assert {"name": ["", "Ben", "two"], "spouse": ["", "ask (forgotten)", "x"]} == kept
    assert ["", BEN, ANN[:-1] + "9", "", "+99911111111"] == [
        each.result.recipient for each in first
    ]
    assert ["", BEN, ANN[:-1] + "9", "", "+99911111111"] == [
        each.as_came for each in first
    ]


async def test_they_are_not_called_again(
    tables: SQLStore, message: VoiceMessage
) -> None:
    """
    Neither when a list is planned nor, if one was planned by other means, by a claim;
    lookup says why.
    """
    await called(tables)
    ledger = ledger_of(tables)
    await ledger.forget(Kind.MSISDN, ANN)
    campaign = await Campaign.plan(ledger, "july", message, [ANN, LONGER + "1"])
    status = await campaign.status()
    plan = Plan(campaign="may", message="{}", source="s", tag="abcdef0123")
    batch = batch_of(MESSAGE, "abcdef0123-0", [ANN, "+99911111116"])
    await publish(ledger, plan, batch)
    worker = await ledger.join("may", load)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    entry = (await ledger.suppressed(Kind.MSISDN, [ANN]))[ANN]
    forgotten = await ledger.forgotten()

    assert (2, 1, 1) == (status.read, status.planned, status.suppressed)
    assert [1] == list(claimed.places)
    words = "on the suppression list of the ledger: forgotten"
    assert words == claimed.left_out[0].description == entry.words
    assert (1, {ANN}) == (len(forgotten), forgotten.known(Kind.MSISDN, [ANN, BEN]))
    assert set() == forgotten.known(Kind.CUSTOMER_ID, [ANN])


async def test_the_list_takes_them_as_one_of_its_own(tables: SQLStore) -> None:
    """
    They can't be added to it once more, and can be taken off it.
    """
    ledger = ledger_of(tables)
    found = await ledger.forget(Kind.MSISDN, ANN)
    added = await ledger.suppress([(Kind.MSISDN, [ANN, BEN])])
    removed = await ledger.unsuppress([(Kind.MSISDN, [ANN, LONGER])], reason="asked")

    assert (0, (), False) == (found.people, tuple(found.campaigns), found.was_listed)
    assert (1, 1) == (added, removed)
    assert 0 == len(await ledger.forgotten())
    assert [] == traces(tables)


async def test_even_the_hash_can_be_dropped(tables: SQLStore) -> None:
    """
    At once, or later.
    """
    await called(tables)
    ledger = ledger_of(tables)
    await ledger.forget(Kind.MSISDN, ANN)
    kept = await ledger.suppressed(Kind.MSISDN, [ANN])
    found = await ledger.forget(Kind.MSISDN, ANN, keep=False)
    dropped = await ledger.suppressed(Kind.MSISDN, [ANN])

    assert (1, 0) == (len(kept), len(dropped))
    assert not found.is_kept
    assert [] == traces(tables)


async def test_nobody_is_sent_to_in_their_place(tables: SQLStore) -> None:
    """
    Whatever a late record makes of them: whoever is erased is left out by the claim.
    """
    await called(tables)
    ledger = ledger_of(tables)
    await ledger.forget(Kind.MSISDN, ANN)
    tables.execute(
        "UPDATE batch SET state = 0, outcome = 'pending', exceptions = NULL, "
        "accepted = 0, rejected = 0, expired = 0, not_sent = 0, unknown = 0, "
        "suppressed = 0, given_up = 0, given_up_places = NULL"
    )
    tables.execute("DELETE FROM proof")
    worker = await ledger.join("june", load)
    due = await worker.due(10)
    assert not isinstance(due, Finished)
    claims = [
        is_claimed(await worker.claim(each.known.batch, range(len(each.known.batch))))
        for each in due  # type: ignore[union-attr]
    ]

    sent = [
        value
        for each, claim in zip(due, claims, strict=True)  # type: ignore[arg-type]
        for value in each.known.batch.recipients.values_at(list(claim.places))
    ]
    assert "" not in sent
    assert "+99911111112" in sent
    assert {"was forgotten"} == {
        verdict.description
        for claim in claims
        for verdict in claim.left_out.values()
        if "forgotten" in verdict.description
    }


async def test_receipts_that_come_later_bring_nothing_back(tables: SQLStore) -> None:
    """
    They are applied to the call, and name nobody.
    """
    await called(tables)
    ledger = ledger_of(tables)
    await ledger.forget(Kind.MSISDN, ANN)
    before = await status_of(ledger)
    received = await ledger.receive(
        [
            receipt(f"{TAG}-2-0", ANN),
            receipt(f"{TAG}-3-1", "+99911111114"),
            receipt("?", DIGITS),
            receipt(f"order-{DIGITS}", "+99911111119"),
            Receipt(body=f"?00{DIGITS}?".encode(), received_at=9.0),
        ]
    )
    after = await status_of(ledger)
    audit = await ledger.audit(deep=True)

    assert (2, 2, 1) == (received.applied, received.unplaced, received.unreadable)
    assert before.accepted + 2 == after.accepted
    assert (before.given_up - 1, before.unknown - 1) == (after.given_up, after.unknown)
    assert [] == traces(tables)
    assert audit.is_sound


async def test_nobody_may_work_on_a_campaign(tables: SQLStore) -> None:
    """
    It is refused, and who works there is named.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", [ANN, BEN])
    ledger = ledger_of(tables)
    await publish(ledger, planned_as(), batch)
    worker = await ledger.join("june", load)
    with pytest.raises(CampaignHeldError, match="is being dispatched by process"):
        await ledger.forget(Kind.MSISDN, ANN)
    assert 1 == len(await ledger.lookup(ANN))
    await worker.leave(CampaignState.PAUSED)
    found = await ledger.forget(Kind.MSISDN, ANN)

    assert (1, 1) == (found.people, found.suppressed)
    assert [] == traces(tables)


async def test_what_was_being_planned_is_dropped(tables: SQLStore) -> None:
    """
    Whoever planned it is gone.
    """
    ledger = ledger_of(tables)
    draft = await ledger.draft(planned_as())
    await draft.add([batch_of(MESSAGE, f"{TAG}-0", [ANN, BEN])])
    tables.make_old("june")
    await ledger.forget(Kind.MSISDN, ANN)

    assert [] == traces(tables)


async def test_what_is_of_a_whole_campaign_is_left_and_told(tables: SQLStore) -> None:
    """
    Its name, its list, its message; and where it has gone.
    """
    ledger = ledger_of(tables)
    plan = Plan(
        campaign=f"for {ANN}",
        message=f'{{"cli":"{DIGITS}"}}',
        source=f"{DIGITS}.csv",
        tag=TAG,
        given={"column": DIGITS},
    )
    await publish(ledger, plan, batch_of(MESSAGE, f"{TAG}-0", [ANN]))
    tables.execute("UPDATE campaign SET state = 'moved', reason = 'there'")
    found = await ledger.forget(Kind.MSISDN, ANN)

    assert [
        "its name (for (forgotten))",
        "the name of its list (for (forgotten))",
        "what was typed when it was planned (for (forgotten))",
        "its message (for (forgotten))",
    ] == list(found.left)
    assert ["there"] == list(found.moved_to)


async def test_a_customer_id_is_forgotten(tables: SQLStore) -> None:
    """
    Also a short one, which is not looked for in texts.
    """
    own = [Destination(customer_id=each) for each in ("c-1", "c-10", "customer-77")]
    ledger = ledger_of(tables)
    await publish(
        ledger, planned_as(), batch_with(0, *own, kept={"n": ["c-1", "a", "b"]})
    )
    await ledger.note(
        "june", "was asked", "by c-1 and by customer-77, not customer-778"
    )
    await ledger.suppress([(Kind.CUSTOMER_ID, ["c-1"])])
    short = await ledger.forget(Kind.CUSTOMER_ID, "c-1")
    long = await ledger.forget(Kind.CUSTOMER_ID, "customer-77")
    (batch,) = await all_of(ledger.results("june", [*Outcome]))
    detail = (await ledger.history("june"))[1].detail

    assert ["", "c-10", ""] == list(batch.batch.recipients.values)
    assert {"n": ["", "a", ""]} == batch.batch.recipients.kept
    assert "by c-1 and by (forgotten), not customer-778" == detail
    assert (True, 1, 1) == (short.was_listed, short.people, long.people)
    assert (await ledger.audit(deep=True)).is_sound
    with pytest.raises(InputError, match="no number in normal form"):
        await ledger.forget(Kind.MSISDN, "c-1")


async def test_who_was_cancelled_stays_not_sent(tables: SQLStore) -> None:
    """
    Nothing resumes it, so nothing needs to be decided.
    """
    ledger = ledger_of(tables)
    await publish(ledger, planned_as(), batch_of(MESSAGE, f"{TAG}-0", [ANN, BEN]))
    worker = await ledger.join("june", load)
    await worker.leave(CampaignState.CANCELLED)
    await ledger.forget(Kind.MSISDN, ANN)

    assert 2 == (await status_of(ledger)).not_sent


# The file


async def test_another_that_reads_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The log can't be emptied while one looks at an older state; the same again does it.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    await called(store)
    monkeypatch.setattr("voicepush.ledger.sqlite.connection.LOCK_PATIENCE", 0.05)
    monkeypatch.setattr(wiping, "LOCK_PATIENCE", 0.05)
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM campaign").fetchall()
        with pytest.raises(
            LedgerError, match=r"it is done, but .*: another process has it"
        ):
            await ledger_of(store).forget(Kind.MSISDN, ANN)
    there = traces(store)
    await ledger_of(store).forget(Kind.MSISDN, ANN)
    gone = traces(store)
    await store.close()

    assert there
    assert [] == gone == traces(store)


async def test_what_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A disk that is full, say.
    """
    store = SQLiteStore(tmp_path)
    await store.open()

    def fails(_: object) -> None:
        raise sqlite3.DatabaseError("database or disk is full")

    monkeypatch.setattr(wiping, "_empty_log", fails)
    with pytest.raises(LedgerError, match="may still hold what was deleted: database"):
        await ledger_of(store).forget(Kind.MSISDN, ANN)
    await store.close()


# The server


@pytest.mark.slow
async def test_a_server_that_writes_its_tables_anew_holds_no_trace(
    tmp_path: Path,
) -> None:
    """
    Neither in a table nor in its statistics; its log is another matter.
    """
    store = PostgresStore(tmp_path)
    await store.open()
    # No other test has this one.
    someone = f"+9991{int.from_bytes(os.urandom(4), 'big'):010}"
    batch = batch_of(MESSAGE, f"{TAG}-0", [someone, BEN])
    await publish(store.ledger, planned_as(), batch)
    await store.ledger.note("june", "was asked", f"by {someone}")
    raw = someone[1:].encode()
    store.execute("CHECKPOINT")
    before = _files_with(raw)
    await ledger_of(store).forget(Kind.MSISDN, someone)
    with psycopg.connect(store.address, autocommit=True) as served:
        served.execute(f'SET search_path TO "{store.schema}"'.encode())
        for name in _rows(store):
            served.execute(f'VACUUM (FULL, ANALYZE) "{name}"'.encode())
        served.execute("VACUUM FULL pg_statistic")
        served.execute("CHECKPOINT")
    after = _files_with(raw)
    await store.close()

    assert len(before) > 1
    assert [] == after


def _files_with(raw: bytes) -> list[str]:
    found = []
    for path in (postgres.server().data / "base").rglob("*"):
        with suppress(OSError):  # a folder, or gone meanwhile
            found += [path.name] if raw in path.read_bytes() else []
    return found


# Who is meant


@st.composite
def _batches(draw: st.DrawFn) -> Recipients:
    values = draw(
        st.lists(
            st.lists(
                st.sampled_from([ANN, BEN, LONGER, "+9991"]), min_size=1, max_size=3
            ),
            min_size=1,
            max_size=5,
        )
    )
    texts = st.sampled_from(["", "a", DIGITS, f"x {ANN}.", LONGER, f"00{DIGITS}"])
    many = len(values)
    column = st.lists(texts, min_size=many, max_size=many)
    made = Recipients.of_values(Kind.MSISDN, values, draw(column))
    return attrs.evolve(
        made,
        rows=list(range(2, 2 + len(values))),
        kept={"k": draw(column)},
        as_came=draw(st.dictionaries(st.integers(0, len(values) - 1), texts)),
    )


@given(_batches())
def test_nothing_in_a_batch_names_them(recipients: Recipients) -> None:
    """
    Nobody else is changed, and everyone is counted.
    """
    person = Person(Kind.MSISDN, ANN)
    found = without(recipients, person)
    left = found.recipients if found else recipients

    assert recipients.size == left.size
    assert len(recipients) == len(left)
    assert recipients.widths == left.widths
    assert recipients.rows == left.rows
    assert [
        each if each != ANN else "" for each in recipients.values
    ] == left.values or (found is None and ANN not in recipients.values)
    for text in (
        *left.values,
        *(left.correlation_ids or ()),
        *left.as_came.values(),
        *left.kept["k"],
    ):
        assert not person.is_in(text)
        assert DIGITS not in text.replace(LONGER, "")


def test_a_hash_is_of_one_ledger() -> None:
    """
    Another key makes another, and so does another kind.
    """
    one, other = "00" * 32, "01" * 32
    hashes = {hash_of(key, kind, "x") for key in (one, other) for kind in Kind}

    assert 4 == len(hashes)
    assert set() == Forgotten().known(Kind.MSISDN, [ANN])
    assert "123" not in repr(Person(Kind.MSISDN, ANN))


# The command


@pytest.mark.usefixtures("in_a_folder")
def test_the_command(serve: Serve) -> None:
    """
    It asks, says what it did, and leaves all counts as they were.
    """
    june(30)
    assert 0 == say(*sending(serve())).code
    number = "+999000000007"
    asked = say("forget", number)
    done = say("forget", number, "--yes")
    again = say("forget", number, "--yes", "--json")
    looked = say("lookup", number)
    listed = say("suppress", "list")
    exported = say("suppress", "export", "list.csv")
    added = say("suppress", "add", number)
    rung = say(*sending(serve(), "--campaign", "july"))
    dropped = say("forget", number, "--yes", "--even-suppression")

    assert (2, True) == (
        asked.code,
        "nobody is there to be asked; add --yes" in asked.err,
    )
    assert "forget +99******0007, who stands 1 time in this ledger" in asked.complaint
    assert 0 == done.code
    assert "they stood 1 time in the ledger in june" in done.out
    assert "a hash stays" in done.out
    assert "backups, exports, rejects and lists of your own are not touched" in done.err
    assert '"people":0' in again.out
    assert "is on the suppression list of the ledger: forgotten" in looked.err
    assert "1 more were forgotten" in listed.err
    assert "1 more were forgotten" in exported.err
    assert "0 added to the list; 1 were on it already" in added.out
    assert 0 == rung.code
    assert (29, 1) == (stand("july")["planned"], stand("july")["suppressed"])
    assert "nothing stays" in dropped.out
    assert 30 == stand()["accepted"]
    for path in Path().glob("voicepush.db*"):
        assert number[1:].encode() not in path.read_bytes()
    assert 0 == say("check-ledger", "--deep").code


@pytest.mark.usefixtures("in_a_folder")
def test_the_command_tells_all_that_it_did(serve: Serve) -> None:
    """
    Who was pending, what was unknown, and what is left.
    """
    june(3)
    simulator = serve("drop@1/1")
    say(*sending(simulator, "--campaign", "000000001-calls", "--patience", "1s"))
    say("suppress", "add", "+999000000002")
    said = say("forget", "+999000000001", "--yes")
    other = say("forget", "+999000000002", "--yes")
    ids = say("forget", "c-1", "--customer-id", "--yes")

    assert "1  were unknown, and are given up" in said.out
    assert "they stood on the suppression list" in other.out
    assert "they stood 0 times in the ledger\n" in ids.out


@pytest.mark.usefixtures("in_a_folder")
def test_the_command_tells_what_is_left(tmp_path: Path) -> None:
    """
    What belongs to a whole campaign, where that has gone, and what a server keeps.
    """
    asyncio.run(_moved(SQLiteStore(tmp_path)))
    store = PostgresStore(tmp_path)
    asyncio.run(_moved(store))
    where = f"{store.address}&schema={store.schema}"
    file = say("forget", ANN, "--yes", "--ledger", str(tmp_path / "ledger.db"))
    served = say("forget", ANN, "--yes", "--ledger", where)

    for said in (file, served):
        assert 0 == said.code
        assert "it stands in its message (june) yet, which is of all of its" in said.err
        assert "a campaign was moved to there: forget them there, too" in said.err
    assert "say VACUUM (FULL, ANALYZE) there" in served.err
    assert "VACUUM" not in file.err


async def _moved(store: SQLStore) -> None:
    await store.open()
    plan = attrs.evolve(planned_as(), message=f'{{"cli":"{DIGITS}"}}')
    await publish(store.ledger, plan, batch_of(MESSAGE, f"{TAG}-0", [ANN]))
    await store.close()
    store.execute("UPDATE campaign SET state = 'moved', reason = 'there'")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["forget", "55", "--yes"], "nothing was forgotten. A customer id is named wi"),
        (["forget", ANN, "--yes", "--ledger", "none.db"], "there is no ledger at"),
        (["forget", ANN, "--yes", "--ledger", "copy.db"], "it can only be looked at"),
        (["forget", "", "--customer-id"], "a customer id is a text that is not empty"),
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
