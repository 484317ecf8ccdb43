"""
Whose request expired when their windows closed is due again at the next opening; the
one exception to the rule that who was accepted is never called again.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from closing_windows import (
    ACCEPTED,
    BEFORE,
    CLOSES,
    DAY,
    KOLKATA,
    OPENS,
    accepted,
    called,
    receipt,
    set_to,
    state_of,
)
from conftest import Connect, Simulate
from hypothesis import given as having
from hypothesis import settings
from hypothesis import strategies as st
from ledger_model import (
    TAG,
    MemoryStore,
    SQLiteStore,
    SQLStore,
    Store,
    Ticking,
    given,
    is_claimed,
    load,
    planned_as,
    status_of,
)
from nights import Hours, People, Wall, check_hours
from receiving import served

from voicepush import VoiceMessage, Windows
from voicepush.ledger.plan import Follows
from voicepush.ledger.protocol import Finished
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.ledger.sqlite.ledger import SQLiteLedger
from voicepush.model.call import CallState, Receipt, Report
from voicepush.model.claim import NotBefore
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination
from voicepush.model.status import CampaignState
from voicepush.receipts.call_state import EVENTS, call_of, call_of_status
from voicepush.report.json import as_object, dump
from voicepush.report.text import as_text


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that the ledger lives by, at eight in the evening.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    set_to(clock, BEFORE)
    return clock


async def test_who_expired_at_closing_is_due_at_the_opening(
    store: Store, ticking: Ticking
) -> None:
    """
    Not before, and only they; the sums hold, and of the call that is over nothing is
    counted, but its receipts are kept.
    """
    _, worker = await called(store)
    set_to(ticking, CLOSES + 60)
    await store.ledger.receive([receipt("X-0"), receipt("X-1", "7519", place=1)])
    before = await status_of(store.ledger)
    at_night = await worker.due(5)
    (someone,) = await store.ledger.lookup("+9991")
    status = await status_of(store.ledger)
    set_to(ticking, OPENS)
    (due,) = await given(worker)
    events = {each.event: each.detail for each in await store.ledger.history("june")}

    assert (2, 0, 1) == (before.accepted, before.pending, before.due_again)
    assert isinstance(at_night, NotBefore)
    assert OPENS == at_night.moment
    assert (1, 1, 0) == (status.accepted, status.pending, status.due_again)
    assert status.calls is not None
    assert (1, 0, 0) == (
        *(status.calls.reached, status.calls.expired),
        status.calls.on_its_way,
    )
    assert Outcome.PENDING is someone.result.outcome
    assert "due again" in someone.result.description
    assert (b"{}",) == someone.receipts
    assert [0] == due.known.places(Outcome.PENDING)
    assert "1 not rung before their windows closed" == events["due again"]


async def test_they_are_due_once_for_each_attempt(
    store: Store, ticking: Ticking
) -> None:
    """
    A receipt of the first call that comes again says nothing of the second one; that
    one's own does.
    """
    batch, worker = await called(store)
    await store.ledger.receive([receipt("X-0"), receipt("X-0")])
    set_to(ticking, OPENS)
    await given(worker)
    await accepted(worker, batch, ["Y-0", "X-1"], [0])
    await store.ledger.receive([receipt("X-0")])
    again = await worker.due(5)
    told = await state_of(store, "+9991")
    status = await status_of(store.ledger)
    await store.ledger.receive([receipt("Y-0")])
    set_to(ticking, OPENS + 86_400)
    (due,) = await given(worker)
    (someone,) = await store.ledger.lookup("+9991")

    assert isinstance(again, Finished)
    assert (Outcome.ACCEPTED, CallState.ON_ITS_WAY) == told
    assert (2, 0) == (status.accepted, status.due_again)
    assert [0] == due.known.places(Outcome.PENDING)
    assert 4 == len(someone.receipts)


@pytest.mark.parametrize("code", sorted(set(EVENTS) - {"7005"}))
@pytest.mark.parametrize("first", [True, False])
async def test_who_may_have_been_rung_is_not_due(
    store: Store, ticking: Ticking, code: str, *, first: bool
) -> None:
    """
    Whatever else is said of the call, before the platform says that it expired or after
    that: as long as they are not claimed again, they are not called again.
    """
    _, worker = await called(store)
    receipts = [receipt("X-0"), receipt("X-0", code)]
    if first:
        await store.ledger.receive([receipts[1], receipts[0]])
    else:
        await store.ledger.receive(receipts[:1])
        assert isinstance(await worker.due(5), NotBefore)  # it is pending now
        await store.ledger.receive(receipts[1:])
    set_to(ticking, OPENS)
    found = await worker.due(5)
    status = await status_of(store.ledger)

    assert isinstance(found, Finished)
    assert (2, 0, 0) == (status.accepted, status.pending, status.due_again)


async def test_only_the_request_that_was_answered_counts(
    store: Store, ticking: Ticking
) -> None:
    """
    A receipt without the platform's name for the call, or with another one, shows
    nothing of the latest attempt; nor does an answer without names.
    """
    _, worker = await called(store, names=["X-0", ""])
    await store.ledger.receive(
        [receipt("W-0"), receipt("W-1", place=1), receipt("", place=1)]
    )
    set_to(ticking, OPENS)
    found = await worker.due(5)
    status = await status_of(store.ledger)

    assert isinstance(found, Finished)
    assert (2, 0, 0) == (status.accepted, status.pending, status.due_again)
    assert (Outcome.ACCEPTED, CallState.EXPIRED) == await state_of(store, "+9991")


async def test_a_name_for_the_whole_request(store: Store, ticking: Ticking) -> None:
    """
    Its calls are called so, with a number behind.
    """
    _, worker = await called(store, names=["X"])
    await store.ledger.receive([receipt("X_2", place=1)])
    set_to(ticking, OPENS)
    (due,) = await given(worker)

    assert [1] == due.known.places(Outcome.PENDING)


async def test_who_shares_an_id_is_due_together(store: Store, ticking: Ticking) -> None:
    """
    Nobody is rung twice because someone else with the same id was not rung.
    """
    people: list[str | Destination] = [
        Destination(msisdn=["+9991", "+9992"]),
        "+9993",
    ]
    _, worker = await called(store, people=people)
    await store.ledger.receive([receipt("X-0", recipient="+9991")])
    first = await worker.due(5)
    await store.ledger.receive(
        [receipt("X-0", recipient="+9992"), receipt("X-0", recipient="+9991")]
    )
    set_to(ticking, OPENS)
    (due,) = await given(worker)

    assert isinstance(first, Finished)
    assert [0] == due.known.places(Outcome.PENDING)
    assert 2 == (await status_of(store.ledger)).pending


@pytest.mark.parametrize(
    ("windows", "expires_at"),
    [
        (None, None),
        (DAY, CLOSES),
        (DAY, CLOSES + 3600),
    ],
)
async def test_who_has_expired_for_good(
    store: Store, ticking: Ticking, windows: Windows | None, expires_at: float | None
) -> None:
    """
    Where no window closed, or the message has expired since, they stay as they are.
    """
    _, worker = await called(store, windows=windows, expires_at=expires_at)
    set_to(ticking, OPENS)
    await store.ledger.receive([receipt("X-0")])
    found = await worker.due(5)
    status = await status_of(store.ledger)

    assert isinstance(found, Finished)
    assert (2, 0) == (status.accepted, status.due_again)
    assert status.calls is not None
    assert 1 == status.calls.expired


async def test_whoever_goes_on_calls_them(store: Store, ticking: Ticking) -> None:
    """
    A campaign that is over has someone again: they are told of, and whoever joins it
    finds them pending.
    """
    _, worker = await called(store)
    await worker.leave(CampaignState.FINISHED)
    await store.ledger.receive([receipt("X-0")])
    over = await status_of(store.ledger)
    worker = await store.ledger.join("june", load)
    joined = await status_of(store.ledger)
    set_to(ticking, OPENS)

    assert (CampaignState.FINISHED, 1) == (over.state, over.due_again)
    assert (
        "  due again when their windows open: 1, not rung before they closed\n"
        "  voicepush resume june calls them"
    ) in as_text(over)
    assert '"due_again":1' in dump(as_object(over))
    assert (1, 0) == (joined.pending, joined.due_again)
    assert 1 == len(await given(worker))


async def test_a_receipt_that_comes_before_the_record(
    store: Store, ticking: Ticking
) -> None:
    """
    Is thought of once the answer has named the call.
    """
    batch, worker = await called(store)
    await store.ledger.receive([receipt("X-0"), receipt("X-1", place=1)])
    set_to(ticking, OPENS)
    await given(worker)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    await store.ledger.receive([receipt("Y-0")])
    early = await status_of(store.ledger)
    await worker.record(claim, BatchResult(batch, ACCEPTED, {}, ["Y-0", "Y-1"], 2))
    set_to(ticking, OPENS + 86_400)
    (due,) = await given(worker)

    assert (1, 1) == (early.accepted, early.in_flight)
    assert [0] == due.known.places(Outcome.PENDING)


@pytest.mark.parametrize(
    ("states", "is_due"),
    [((CallState.NOT_REACHED,), True), ((CallState.EXPIRED,), False)],
)
async def test_a_second_round_has_taken_them_over(
    store: Store,
    ticking: Ticking,
    states: tuple[CallState, ...],
    *,
    is_due: bool,
) -> None:
    """
    Whom another campaign calls because their calls expired, this one does not; and who
    is due again here is left out there.
    """
    _, worker = await called(store)
    await store.ledger.receive([receipt("X-0")])
    follows = Follows(campaign="june", states=states)
    plan = attrs.evolve(planned_as("july", tag="9876543210"), follows=follows)
    draft = await store.ledger.draft(plan)
    await draft.add([], [])
    set_to(ticking, OPENS)
    found = await worker.due(5)

    assert is_due is isinstance(found, list)


async def test_who_was_returned_is_no_call_of_before(
    store: Store, ticking: Ticking
) -> None:
    """
    No cap counts it, and no lost answer of theirs has a receipt.
    """
    batch, worker = await called(store)
    await store.ledger.receive([receipt("X-0")])
    set_to(ticking, OPENS)
    await given(worker)
    claim = is_claimed(await worker.claim(batch, [0]))
    in_doubt = Verdict(Outcome.UNKNOWN, None, "the answer was lost")
    result = BatchResult(batch, ACCEPTED, {0: in_doubt}, ["", "X-1"], 2)
    await worker.record(claim, result)
    (unknown,) = await store.ledger.unknown("june")

    assert 0 == unknown.receipts
    assert unknown.last_receipt is None


async def test_what_is_counted_is_what_is_there(
    tables: SQLStore, ticking: Ticking
) -> None:
    """
    All sums of the ledger hold after someone was due again, and after their second
    call.
    """
    assert isinstance(tables.ledger, SQLLedger)
    batch, worker = await called(tables)
    await tables.ledger.receive([receipt("X-0"), receipt("X-1", "7401", place=1)])
    set_to(ticking, OPENS)
    await given(worker)
    first = await tables.ledger.audit(deep=True)
    await accepted(worker, batch, ["Y-0", "X-1"], [0])
    await tables.ledger.receive([receipt("Y-0", "7519"), receipt("X-0")])
    second = await tables.ledger.audit(deep=True)
    timeline = await tables.ledger.timeline("june")

    assert [] == first.findings
    assert [] == second.findings
    assert 2 == sum(each.calls for each in timeline.calls)
    assert 2 == sum(
        each.outcomes.get(Outcome.ACCEPTED, 0) for each in timeline.outcomes
    )


async def test_a_ledger_from_a_backup_calls_nobody_again(
    tmp_path: Path, ticking: Ticking
) -> None:
    """
    The one that it is a copy of may have done so since.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    _, worker = await called(store)
    await worker.leave(CampaignState.FINISHED)
    await store.ledger.receive([receipt("X-0")])
    assert isinstance(store.ledger, SQLiteLedger)
    await store.ledger.back_up(tmp_path / "backup.db")
    await store.close()
    async with await SQLiteLedger.open(tmp_path / "backup.db") as copy:
        await copy.restore()
        await copy.receive([receipt("X-1", place=1)])
        set_to(ticking, OPENS)
        worker = await copy.join("june", load)
        found = await worker.due(5)

    assert isinstance(found, Finished)


@pytest.mark.parametrize("word", ["expired", "queued", "Failed"])
async def test_an_answer_to_a_question_calls_nobody_again(
    store: Store, ticking: Ticking, word: str
) -> None:
    """
    Only what the platform reports by itself does, with the code for it.
    """
    _, worker = await called(store)
    asked = Report(
        call=call_of_status(word, "7005", "", None),
        correlation_id=f"{TAG}-0-0",
        transaction_id="X-0",
    )
    await store.ledger.receive(
        [Receipt(body=b"{}", received_at=CLOSES, reports=[asked], is_asked=True)]
    )
    failed = Report(
        call=call_of("9999", "Failed", "", None),
        correlation_id=f"{TAG}-0-1",
        transaction_id="X-1",
    )
    await store.ledger.receive(
        [Receipt(body=b"{}", received_at=CLOSES, reports=[failed])]
    )
    set_to(ticking, OPENS)

    assert isinstance(await worker.due(5), Finished)


#: What the platform may say, and by which name: of the first attempt, the second one,
#: another one, or none.
_SAID = st.tuples(
    st.sampled_from(["X-0", "Y-0", "W-0", ""]),
    st.sampled_from([*sorted(EVENTS), "1234"]),
)


@settings(max_examples=60)
@having(before=st.lists(_SAID, max_size=4), after=st.lists(_SAID, max_size=4))
async def test_whatever_is_said_in_whatever_order(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    """
    Nobody is due again of whom anything says that they may have been rung; and what was
    true of the first attempt is never held against the second one.
    """
    clock = Ticking()
    with pytest.MonkeyPatch.context() as patch:
        clock.patch(patch.setattr)
        set_to(clock, BEFORE)
        store = MemoryStore(Path())
        await store.open()
        batch, worker = await called(store)
        for name, code in before:
            await store.ledger.receive([receipt(name, code)])
        set_to(clock, OPENS)
        found = await worker.due(5)
        is_due = [code for _, code in before if code != "7005"] == [] and (
            "X-0" in [name for name, _ in before]
        )
        assert is_due is isinstance(found, list)
        if not is_due:
            return
        await accepted(worker, batch, ["Y-0", "X-1"], [0])
        for name, code in after:
            await store.ledger.receive([receipt(name, code)])
        set_to(clock, OPENS + 86_400)
        again = await worker.due(5)
        # What expired before that attempt began was no name of it.
        over = {(name, code) for name, code in before if name}
        theirs = [each for each in after if each not in over]
        is_due = [code for _, code in theirs if code != "7005"] == [] and (
            "Y-0" in [name for name, _ in theirs]
        )
        assert is_due is isinstance(again, list)
        await status_of(store.ledger)


@pytest.mark.slow
async def test_nobody_is_left_after_two_evenings(
    store: Store,
    tmp_path: Path,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The platform takes more than it can ring until closing, and says so of each whom it
    has not rung: the next day everyone else is called, and nobody twice.
    """
    wall = Wall()
    wall.patch(monkeypatch.setattr)
    wall.set(CLOSES - 1.5)
    hours = Hours("09:00", "21:00")
    people = People(tmp_path, 100, [KOLKATA])
    async with served(store.ledger) as address:
        simulator = await simulate(rings=["heard"], dial_rate=20, ring_seconds=0.01)
        client = await connect(simulator)
        notified = attrs.evolve(message, notify_url=f"{address}/receipts")
        campaign = await people.planned(store.ledger, hours, notified, batch_size=20)
        await campaign.dispatch(client)
        await simulator.receipts_done()
        evening = await campaign.status()
        wall.set(OPENS + 60)
        await campaign.dispatch(client)
        await simulator.receipts_done()
        morning = await campaign.status()
    check_hours(simulator, hours, people.zones)

    assert CampaignState.FINISHED is evening.state
    assert evening.calls is not None
    assert 0 < evening.due_again == evening.calls.expired < 100
    assert (100, 0) == (morning.accepted, morning.due_again)
    assert morning.calls is not None
    assert 100 == morning.calls.reached
    rung = [each.recipient for each in simulator.truth() if each.state == "reached"]
    assert sorted(people.zones) == sorted(rung)
