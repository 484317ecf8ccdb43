"""
What happened when in a campaign, and why.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import (
    ANSWERS,
    MESSAGE,
    PROVEN,
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

from voicepush.errors import InputError
from voicepush.ledger import Ledger
from voicepush.ledger.lasting import lasting
from voicepush.model.batch import Batch
from voicepush.model.call import CallState, Receipt, Report
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.overview import CallsAt, OutcomesAt
from voicepush.model.recipients import Destination
from voicepush.receipts.call_state import call_of

ACCEPTED, AGAIN, REJECTED, _, IN_DOUBT = ANSWERS[:5]


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that the ledger lives by, and that the test moves.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    return clock


async def tell(ledger: Ledger, code: str, place: int, at: float | None) -> None:
    """
    Let the platform say something of someone in the first batch.
    """
    report = Report(call=call_of(code, "", "", at), correlation_id=f"{TAG}-0-{place}")
    await ledger.receive([Receipt(body=b"{}", received_at=5.0, reports=[report])])


async def called(ledger: Ledger) -> tuple[Batch, float]:
    """
    The batch of a campaign of two who were accepted, and when they were claimed.
    """
    batch, worker = await two_planned(ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claimed, BatchResult(batch, ACCEPTED, {}, (), 1))
    found = (await ledger.lookup("+9991"))[0].claimed
    assert found is not None
    return batch, found.timestamp()


async def test_nothing_has_happened_yet(store: Store) -> None:
    """
    A campaign that is only planned has an empty timeline, and none that is not there.
    """
    await two_planned(store.ledger)
    timeline = await store.ledger.timeline("june")

    assert ([], [], {}) == (timeline.outcomes, timeline.calls, timeline.picked_up_after)
    assert [] == timeline.minutes
    assert not await store.ledger.reasons("june")
    with pytest.raises(InputError, match="there is no campaign 'july'"):
        await store.ledger.timeline("july")
    with pytest.raises(InputError, match="there is no campaign 'july'"):
        await store.ledger.reasons("july")


async def test_outcomes_stand_where_their_batch_was_recorded(
    store: Store, ticking: Ticking
) -> None:
    """
    In the second of the last record; who waits for another attempt is not told.
    """
    batches = [
        batch_of(MESSAGE, f"{TAG}-{n}", [f"+999{n}0", f"+999{n}1"]) for n in (0, 1)
    ]
    await publish(store.ledger, planned_as(), *batches)
    worker = await store.ledger.join("june", load)
    for batch, verdict in zip(batches, (ACCEPTED, REJECTED), strict=True):
        claimed = is_claimed(await worker.claim(batch, [0, 1]))
        ticking.move(2)
        result = BatchResult(batch, verdict, {1: AGAIN}, (), 1)
        await worker.record(claimed, result, due_at=0.0)
    timeline = await store.ledger.timeline("june")
    reasons = await store.ledger.reasons("june")

    assert [
        OutcomesAt(2_000_000_002.0, {Outcome.ACCEPTED: 1}),
        OutcomesAt(2_000_000_004.0, {Outcome.REJECTED: 1}),
    ] == timeline.outcomes
    assert {ACCEPTED: 1, REJECTED: 1} == reasons


async def test_an_answer_that_was_lost_stands_where_it_was_claimed(
    store: Store, ticking: Ticking
) -> None:
    """
    Whom a receipt proves to be accepted stand where that came.
    """
    batch, worker = await two_planned(store.ledger)
    await worker.claim(batch, [0, 1])
    ticking.move(10)
    await tell(store.ledger, "7408", 0, None)
    timeline = await store.ledger.timeline("june")
    reasons = await store.ledger.reasons("june")

    assert [OutcomesAt(2_000_000_010.0, {Outcome.ACCEPTED: 1})] == timeline.outcomes
    assert {PROVEN: 1} == reasons


async def test_who_was_recorded_stays_where_they_were(
    store: Store, ticking: Ticking
) -> None:
    """
    Also when the rest of their batch is tried again, gets lost, or expires much later.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", [f"+999{at}0" for at in range(4)])
    await publish(store.ledger, planned_as(), batch)
    worker = await store.ledger.join("june", load)
    verdicts = dict.fromkeys(range(4), AGAIN) | {0: ACCEPTED}
    for place, verdict in ((1, ACCEPTED), (2, IN_DOUBT)):
        claimed = is_claimed(
            await worker.claim(
                batch, [at for at, each in verdicts.items() if each == AGAIN]
            )
        )
        ticking.move(5)
        verdicts[place] = verdict
        result = BatchResult.of_places(batch, list(verdicts.values()), ())
        await worker.record(claimed, result, due_at=0.0)
    expired = Verdict(Outcome.EXPIRED, None, "too late")
    ticking.move(100)
    verdicts[3] = expired
    result = BatchResult.of_places(batch, list(verdicts.values()), ())
    await worker.record(None, result)
    await tell(store.ledger, "7408", 2, None)
    timeline = await store.ledger.timeline("june")

    assert [
        OutcomesAt(2_000_000_005.0, {Outcome.ACCEPTED: 2}),
        OutcomesAt(2_000_000_110.0, {Outcome.EXPIRED: 1, Outcome.ACCEPTED: 1}),
    ] == timeline.outcomes


@given(
    st.lists(
        st.dictionaries(st.sampled_from([*Outcome]), st.integers(-5, 5)), max_size=8
    )
)
def test_outcomes_that_last_come_to_the_sum_of_their_changes(
    changes: list[dict[Outcome, int]],
) -> None:
    """
    Nothing of it is negative, wherever the sum is not.
    """
    sums: Counter[Outcome] = Counter()
    for each in changes:
        sums.update(each)
    found: Counter[Outcome] = Counter()
    for moment in lasting(dict(enumerate(changes))):
        found.update(moment.outcomes)
        assert all(number > 0 for number in moment.outcomes.values())

    assert {each: max(0, n) for each, n in sums.items() if n > 0} == found


async def test_calls_stand_where_the_platform_says(store: Store) -> None:
    """
    In tens of seconds, by what decides in the end; those on their way are not told.
    """
    _, at = await called(store.ledger)
    begun = at - at % 10
    await tell(store.ledger, "7408", 0, begun + 11)
    await tell(store.ledger, "7402", 0, begun + 22)
    await tell(store.ledger, "7409", 1, begun + 71)
    first = await store.ledger.timeline("june")
    await tell(store.ledger, "7519", 1, begun + 48)
    await tell(store.ledger, "7519", 1, begun + 48)
    second = await store.ledger.timeline("june")

    assert [
        CallsAt(begun + 20, CallState.NOT_REACHED, "7402", 1),
        CallsAt(begun + 70, CallState.DROPPED, "7409", 1),
    ] == first.calls
    assert [
        CallsAt(begun + 20, CallState.NOT_REACHED, "7402", 1),
        CallsAt(begun + 40, CallState.REACHED, "7519", 1),
    ] == second.calls


async def test_a_call_without_a_stamp_stands_where_it_came(
    store: Store, ticking: Ticking
) -> None:
    """
    By our own clock.
    """
    await called(store.ledger)
    ticking.move(35)
    await tell(store.ledger, "7404", 0, None)
    timeline = await store.ledger.timeline("june")

    assert [2_000_000_030.0] == [each.at for each in timeline.calls]


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (7.9, {7: 1}),
        (119.5, {119: 1}),
        (150.0, {120: 1}),
        (86_399.0, {86_340: 1}),
        (1e9, {86_400: 1}),
        (-3.0, {0: 1}),
        (-61.0, {}),
    ],
)
async def test_how_long_a_call_waited(
    store: Store, after: float, told: dict[int, int]
) -> None:
    """
    From its claim to the moment in which it was picked up, in seconds, minutes, a day;
    a clock that is a little ahead counts as no time.
    """
    _, at = await called(store.ledger)
    await tell(store.ledger, "7408", 0, at + 1)
    await tell(store.ledger, "7519", 0, at + after)
    await tell(store.ledger, "7411", 0, at + after + 5)
    timeline = await store.ledger.timeline("june")

    assert told == timeline.picked_up_after


async def test_reasons_count_recipients(store: Store) -> None:
    """
    Several of one destination count each, numbers in words are masked, and who was
    left out is not told.
    """
    recipients = [
        Destination(msisdn=["+9991", "+9992", "+9993"]),
        Destination(msisdn="+9994"),
        Destination(msisdn="+9995"),
    ]
    wide = batch_of(MESSAGE, f"{TAG}-0", recipients)
    plain = batch_of(MESSAGE, f"{TAG}-1", [f"+9996{n}" for n in range(5)])
    await publish(store.ledger, planned_as(), wide, plain)
    worker = await store.ledger.join("june", load)
    out = Verdict(Outcome.SUPPRESSED, None, "does not want to be called")
    for batch in (wide, plain):
        claimed = is_claimed(await worker.claim(batch, range(len(batch))))
        verdicts = {0: Verdict(Outcome.REJECTED, "7104", "+999123456789?"), 1: out}
        await worker.record(claimed, BatchResult(batch, ACCEPTED, verdicts, (), 1))
    reasons = await store.ledger.reasons("june")

    masked = Verdict(Outcome.REJECTED, "7104", "+99******6789?")
    assert {ACCEPTED: 1 + 3, masked: 3 + 1} == reasons


async def test_a_service_that_names_each_number_has_few_reasons(store: Store) -> None:
    """
    A hundred are told apart, and the others are one.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", [f"+9996{n}" for n in range(300)])
    await publish(store.ledger, planned_as(), batch)
    worker = await store.ledger.join("june", load)
    claimed = is_claimed(await worker.claim(batch, range(300)))
    words = {n: Verdict(Outcome.REJECTED, "7104", f"no {n}") for n in range(300)}
    await worker.record(claimed, BatchResult.of_places(batch, list(words.values()), ()))
    reasons = await store.ledger.reasons("june")

    assert 101 == len(reasons)
    assert 200 == reasons[Verdict(Outcome.REJECTED, None, "for other reasons")]


@pytest.mark.parametrize(
    "few", [{"people": 6, "batches": 100}, {"people": 100, "batches": 6}]
)
async def test_some_of_the_batches_are_spread_over_all(
    store: Store, few: dict[str, int]
) -> None:
    """
    About as many as wanted; all of them where they are fewer.
    """
    batches = [batch_of(MESSAGE, f"{TAG}-{n}", [f"+9996{n:02}"]) for n in range(20)]
    await publish(store.ledger, planned_as(), *batches)
    worker = await store.ledger.join("june", load)
    for batch in batches[:18]:
        claimed = is_claimed(await worker.claim(batch, [0]))
        verdict = REJECTED if batch.id.number == 4 else IN_DOUBT
        await worker.record(claimed, BatchResult(batch, verdict, {}, (), 1))
    many = {"people": 100, "batches": 100}
    some = [each async for each in store.ledger.some_called("june", **few)]
    every = [each async for each in store.ledger.some_called("june", **many)]

    assert ["+999600", "+999603", "+999606"] == [each.values[0] for each in some[:3]]
    assert 6 == len(some)
    assert 17 == len(every)
