"""
What every ledger keeps to, one fact at a time.
"""

from __future__ import annotations

import pytest
from ledger_model import (
    ANSWERS,
    COUNTS,
    LOST,
    MESSAGE,
    PENDING,
    TAG,
    Store,
    Ticking,
    all_of,
    given,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
    three_joined,
    two_planned,
)
from making import batch_of

from voicepush.errors import (
    CampaignHeldError,
    CampaignLostError,
    InputError,
    LedgerError,
)
from voicepush.ledger import Command, Fingerprint
from voicepush.ledger.plan import PlannedGroup
from voicepush.ledger.protocol import Finished
from voicepush.model.batch import Group
from voicepush.model.claim import NotBefore
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.recipients import Destination, Kind, Recipient
from voicepush.model.status import CampaignState, Resolved

ACCEPTED, REJECTED, NOT_SENT = ANSWERS[0], ANSWERS[2], ANSWERS[3]


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that the ledger lives by, and that the test moves.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    return clock


# One worker


async def test_a_campaign_has_one_worker(store: Store) -> None:
    """
    Nobody else can join while it gives signs.
    """
    await two_planned(store.ledger)

    with pytest.raises(CampaignHeldError):
        await store.ledger.join("june", load)


async def test_a_silent_worker_is_taken_for_dead(
    store: Store, ticking: Ticking
) -> None:
    """
    After fifteen seconds without a sign another can join, and the first is told.
    """
    _, silent = await two_planned(store.ledger)
    store.let_pass(14, ticking)
    await silent.heartbeat(None)
    store.let_pass(14, ticking)
    with pytest.raises(CampaignHeldError):
        await store.ledger.join("june", load)
    store.let_pass(2, ticking)
    await store.ledger.join("june", load)

    with pytest.raises(CampaignLostError):
        await silent.heartbeat(None)


async def test_a_claim_is_refused_to_a_second_worker(store: Store) -> None:
    """
    Who was taken for dead can't claim, whether the batch is claimed by now or not.
    """
    batch, stale = await two_planned(store.ledger)
    store.make_old("june")
    worker = await store.ledger.join("june", load)
    with pytest.raises(CampaignLostError):
        await stale.claim(batch, [0])
    claim = is_claimed(await worker.claim(batch, [0]))
    with pytest.raises(CampaignLostError):
        await stale.claim(batch, [0, 1])

    assert worker.token == claim.token != stale.token
    assert 1 == (await status_of(store.ledger)).in_flight


async def test_what_is_under_way_is_not_claimed_again(store: Store) -> None:
    """
    A batch is claimed once until it is recorded, also by its worker.
    """
    batch, worker = await two_planned(store.ledger)
    await worker.claim(batch, [0])

    with pytest.raises(LedgerError):
        await worker.claim(batch, [1])
    assert 1 == (await status_of(store.ledger)).in_flight


async def test_a_cancelled_campaign_is_joined_only_to_decide(store: Store) -> None:
    """
    It stays cancelled meanwhile and afterwards, and nobody in it becomes pending.
    """
    _, worker = await two_planned(store.ledger)
    await worker.leave(CampaignState.CANCELLED, "cancelled by its owner")
    with pytest.raises(InputError, match="was cancelled"):
        await store.ledger.join("june", load)
    decides = await store.ledger.join("june", load, cancelled=True)
    meanwhile = await status_of(store.ledger)
    await decides.leave(CampaignState.CANCELLED, "cancelled by its owner")
    status = await status_of(store.ledger)

    assert CampaignState.CANCELLED is meanwhile.state is status.state
    assert (0, 2) == (status.pending, status.not_sent)


async def test_a_cancellation_that_comes_too_late_is_told(store: Store) -> None:
    """
    Who does not have the campaign any more can't cancel it, and hears so.
    """
    _, stale = await two_planned(store.ledger)
    store.make_old("june")
    await store.ledger.join("june", load)

    with pytest.raises(CampaignLostError):
        await stale.leave(CampaignState.CANCELLED)
    assert CampaignState.RUNNING is (await status_of(store.ledger)).state


async def test_what_is_left_is_not_finished(store: Store) -> None:
    """
    A worker that says so leaves a paused campaign.
    """
    _, worker = await two_planned(store.ledger)
    await worker.leave(CampaignState.FINISHED)

    assert CampaignState.PAUSED is (await status_of(store.ledger)).state


# What is due


async def test_each_batch_is_given_once(store: Store) -> None:
    """
    Small portions give all batches, and then none.
    """
    worker = await three_joined(store.ledger)
    portions = [await given(worker, 2), await given(worker, 2)]

    assert [[0, 1], [2]] == [
        [due.known.batch.id.number for due in portion] for portion in portions
    ]
    assert Finished() == await worker.due(2)


async def test_a_deferred_batch_is_given_after_its_moment(
    store: Store, ticking: Ticking
) -> None:
    """
    Until then its worker hears when that is; nothing else is given twice.
    """
    worker = await three_joined(store.ledger)
    batch = (await given(worker))[1].known.batch.id
    until = ticking.now() + 10
    await worker.defer(batch, until)
    before = await worker.due(10)
    ticking.move(11)
    after = await given(worker)

    assert isinstance(before, NotBefore)
    assert until == before.moment
    assert [(batch, until)] == [(due.known.batch.id, due.due_at) for due in after]
    assert Finished() == await worker.due(10)


async def test_a_moment_holds_for_the_next_worker(
    store: Store, ticking: Ticking
) -> None:
    """
    Who may be sent again later has to wait whoever has the campaign by then, also
    where others of the batch were not sent, or were unknown and are sent again.
    """
    batch, worker = await two_planned(store.ledger)
    until = ticking.now() + 60
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    result = BatchResult.of_places(batch, [PENDING, NOT_SENT])
    await worker.record(claim, result, until)
    await worker.leave(CampaignState.PAUSED)
    second = await store.ledger.join("june", load)
    before = await second.due(1)
    await second.record(None, BatchResult.of_places(batch, [PENDING, LOST]), until)
    await second.resolve(resend=True)

    assert isinstance(before, NotBefore)
    assert before == await second.due(1)
    assert until == before.moment


async def test_who_is_sent_again_is_given_again(store: Store) -> None:
    """
    Its worker is not finished when its owner wants the unknown sent again.
    """
    batch, worker = await two_planned(store.ledger)
    await given(worker)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claim, BatchResult(batch, LOST))
    finished = await worker.due(1)
    await worker.resolve(resend=True)

    assert Finished() == finished
    assert [[0, 1]] == [
        due.known.places(Outcome.PENDING) for due in await given(worker)
    ]


async def test_one_batch_is_opened_if_someone_is_pending(store: Store) -> None:
    """
    Not one that is under way, recorded, or of another campaign.
    """
    batch, worker = await two_planned(store.ledger)
    ready = await worker.open(batch.id)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    under_way = await worker.open(batch.id)
    await worker.record(claim, BatchResult(batch, ACCEPTED))
    recorded = await worker.open(batch.id)

    assert ready is not None
    assert batch.id == ready.known.batch.id
    assert (None, None) == (under_way, recorded)
    assert await worker.open(batch.id._replace(tag="9876543210")) is None


# What became of them


async def test_results_come_by_outcome(store: Store) -> None:
    """
    A batch is among those of each outcome that someone in it has.
    """
    batch, worker = await two_planned(store.ledger)
    claim = is_claimed(await worker.claim(batch, [0]))
    in_flight = await all_of(store.ledger.results("june", [Outcome.UNKNOWN]))
    await worker.record(claim, BatchResult.of_places(batch, [ACCEPTED, PENDING]))
    found = {
        outcome: len(await all_of(store.ledger.results("june", [outcome])))
        for outcome in Outcome
    }

    assert 1 == len(in_flight)
    assert {Outcome.ACCEPTED, Outcome.PENDING} == {
        outcome for outcome, number in found.items() if number
    }


@pytest.mark.parametrize(
    ("recipient", "value"),
    [
        ("+9991", "+9991"),
        ("+9991", f"{TAG}-0-0"),
        (Destination(customer_id="no. 1"), "no. 1"),
        (Destination("+9991", correlation_id="own-1"), "own-1"),
    ],
    ids=["number", "generated id", "customer id", "own id"],
)
async def test_someone_is_looked_up(
    store: Store, recipient: Recipient, value: str
) -> None:
    """
    By number, by customer id, by its own id, or by one that was made for it.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", [recipient])
    await publish(store.ledger, planned_as(), batch)
    (found,) = await store.ledger.lookup(value)

    assert ("june", str(batch.id), False) == (
        found.campaign,
        found.batch,
        found.in_flight,
    )
    assert [] == await store.ledger.lookup("someone else")


async def test_the_unknown_come_with_what_speaks_for_either_side(store: Store) -> None:
    """
    How many others of the batch were accepted, and what was said.
    """
    batch, worker = await two_planned(store.ledger)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claim, BatchResult.of_places(batch, [ACCEPTED, ANSWERS[4]]))
    (found,) = await store.ledger.unknown("june")

    assert (str(batch.id), 1, 1) == (found.batch, found.unknown, found.accepted)
    assert ("7010 Provider exception",) == found.reasons
    assert found.claimed is not None


async def test_counts_add_up(store: Store) -> None:
    """
    Planned is pending, in flight and the outcomes, at each step.
    """
    batch, worker = await two_planned(store.ledger)
    steps = [await status_of(store.ledger)]
    claim = is_claimed(await worker.claim(batch, [0]))
    steps.append(await status_of(store.ledger))
    await worker.record(claim, BatchResult.of_places(batch, [REJECTED, PENDING]))
    steps.append(await status_of(store.ledger))

    assert [(2, 0, 0), (1, 1, 0), (1, 0, 1)] == [
        (each.pending, each.in_flight, each.rejected) for each in steps
    ]


# The owner's wishes


async def test_settings_are_not_changed_while_someone_works(store: Store) -> None:
    """
    Afterwards they are, and what is not given stays.
    """
    _, worker = await two_planned(store.ledger)
    with pytest.raises(CampaignHeldError):
        await store.ledger.change("june", rate=5.0)
    await worker.leave(CampaignState.PAUSED)
    await store.ledger.change("june", rate=5.0)
    await store.ledger.change("june", resend_unknown=True)
    plan = await store.ledger.plan("june")

    assert plan is not None
    assert (5.0, True, True) == (
        plan.rate,
        plan.retry_internal_error,
        plan.resend_unknown,
    )
    with pytest.raises(InputError):
        await store.ledger.change("may", rate=5.0)


async def test_a_worker_hears_what_is_wanted_of_it(store: Store) -> None:
    """
    With its next sign; the next worker starts afresh, at the same rate.
    """
    _, worker = await two_planned(store.ledger)
    await store.ledger.steer("june", command=Command.PAUSE, rate=7.0)
    heard = await worker.heartbeat(None)
    await worker.leave(CampaignState.PAUSED)
    second = await store.ledger.join("june", load)
    later = await second.heartbeat(None)

    assert (Command.PAUSE, 7.0) == (heard.command, heard.rate)
    assert (None, 7.0, 7.0) == (later.command, later.rate, second.plan.rate)
    with pytest.raises(InputError):
        await store.ledger.steer("may", rate=5.0)


async def test_a_source_is_told_by_its_fingerprint(store: Store) -> None:
    """
    It is kept as it was given, or not at all.
    """
    known = Fingerprint(digest="d", size=1, modified_ns=2)
    await publish(store.ledger, planned_as(), fingerprint=known)
    await publish(store.ledger, planned_as("july", tag="9876543210"))

    assert known == await store.ledger.fingerprint("june")
    assert await store.ledger.fingerprint("july") is None
    with pytest.raises(InputError):
        await store.ledger.fingerprint("may")


# Drafts


async def test_a_draft_does_not_exist_for_anyone_else(store: Store) -> None:
    """
    And a second one of the same name is refused while its planner gives signs.
    """
    draft = await store.ledger.draft(planned_as())
    await draft.add([batch_of(MESSAGE, f"{TAG}-0", ["+9991"])])

    assert await store.ledger.status("june") is None
    assert await store.ledger.plan("june") is None
    assert [] == await store.ledger.lookup("+9991")
    with pytest.raises(InputError):
        await store.ledger.join("june", load)
    with pytest.raises(CampaignHeldError):
        await store.ledger.draft(planned_as())


async def test_a_dead_planner_s_draft_is_dropped(store: Store) -> None:
    """
    What it had added is nothing, and it can't add to what came in its place.
    """
    slow = await store.ledger.draft(planned_as())
    await slow.add([batch_of(MESSAGE, f"{TAG}-0", ["+9991"])])
    store.make_old("june")
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9992"])
    await publish(store.ledger, planned_as(), batch)
    for late in (slow.add([batch]), slow.heartbeat(), slow.publish(COUNTS)):
        with pytest.raises(CampaignLostError):
            await late

    assert [] == await store.ledger.lookup("+9991")
    assert 1 == (await status_of(store.ledger)).planned


async def test_a_discarded_draft_frees_its_name(store: Store) -> None:
    """
    Nothing of it remains.
    """
    draft = await store.ledger.draft(planned_as())
    await draft.add([batch_of(MESSAGE, f"{TAG}-0", ["+9991"])])
    await draft.discard()
    await publish(store.ledger, planned_as())

    assert 0 == (await status_of(store.ledger)).planned
    with pytest.raises(InputError, match="planned already"):
        await store.ledger.draft(planned_as())


async def test_nothing_is_added_to_what_is_published(store: Store) -> None:
    """
    A planner is done with it then.
    """
    draft = await store.ledger.draft(planned_as())
    await draft.publish({"read": 0, **COUNTS})

    with pytest.raises(CampaignLostError):
        await draft.add([batch_of(MESSAGE, f"{TAG}-0", ["+9991"])])
    assert 0 == (await status_of(store.ledger)).planned


# What the machine found, told plainly


async def test_who_was_given_up_is_not_sent_again(store: Store) -> None:
    """
    Resending the unknown leaves out those who were given up before, and their count.
    """
    batch, worker = await two_planned(store.ledger)
    claim = is_claimed(await worker.claim(batch, [0]))
    await worker.record(claim, BatchResult.of_places(batch, [LOST, PENDING]))
    await worker.resolve(resend=False)
    claim = is_claimed(await worker.claim(batch, [1]))
    (kept,) = await all_of(store.ledger.results("june", [*Outcome]))
    await worker.record(claim, BatchResult.of_places(batch, [kept.at(0), LOST]))
    resent = await worker.resolve(resend=True)
    (due,) = await given(worker)

    assert Resolved(1) == resent
    assert [1] == due.known.places(Outcome.PENDING)


async def test_deciding_leaves_alone_what_is_under_way(store: Store) -> None:
    """
    Whoever is in flight stays so while others of the batch are made pending.
    """
    batch, worker = await two_planned(store.ledger)
    claim = is_claimed(await worker.claim(batch, [0]))
    await worker.record(claim, BatchResult.of_places(batch, [LOST, PENDING]))
    await worker.claim(batch, [1])
    await worker.resolve(resend=True)
    status = await store.ledger.status("june")

    assert status is not None
    assert 1 == status.in_flight
    assert Finished() == await worker.due(10)


async def test_in_flight_at_a_cancellation_is_unknown(store: Store) -> None:
    """
    They may have been rung, also where the unknown would have been sent again.
    """
    batch, worker = await two_planned(store.ledger, resend=True)
    await worker.claim(batch, [0])
    await worker.leave(CampaignState.CANCELLED, "cancelled by its owner")
    status = await store.ledger.status("june")

    assert status is not None
    assert (1, 1) == (status.unknown, status.not_sent)


async def test_a_crash_does_not_undo_a_cancellation(store: Store) -> None:
    """
    Who dies while deciding about a cancelled campaign leaves it cancelled.
    """
    _, worker = await two_planned(store.ledger)
    await worker.leave(CampaignState.CANCELLED, "cancelled by its owner")
    await store.ledger.join("june", load, cancelled=True)
    await store.crash(old=True)
    with pytest.raises(InputError, match="was cancelled"):
        await store.ledger.join("june", load)

    assert CampaignState.CANCELLED is (await status_of(store.ledger)).state


async def test_a_batch_keeps_its_group(store: Store) -> None:
    """
    Which message a batch belongs to is known when it is sent, and afterwards.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991"])
    batch.group = Group(MESSAGE, 3)
    draft = await store.ledger.draft(planned_as())
    await draft.add([batch], [PlannedGroup(number=3, message="{}")])
    await draft.publish({"read": 1, **COUNTS})
    worker = await store.ledger.join("june", load)
    (due,) = await given(worker)
    (shown,) = await all_of(store.ledger.results("june", [*Outcome]))

    assert Group(MESSAGE, 3) == due.known.batch.group
    assert 3 == shown.batch.group.number


# Keeping


async def test_a_ledger_is_no_backup_and_has_forgotten_nobody(store: Store) -> None:
    """
    As long as nothing else was said.
    """
    forgotten = await store.ledger.forgotten()

    assert store.ledger.backup is None
    assert 0 == len(forgotten)
    assert set() == forgotten.known(Kind.MSISDN, ["+9991"])
