"""
The rules of recovery, resending, giving up, cancelling and merging, on any batch.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ledger_model import IN_FLIGHT, LATE, LOST, MESSAGE, PENDING
from making import batch_of

from voicepush.ledger.decisions import (
    cancelled,
    lost,
    merged,
    recovered,
    replaced,
    resent,
    shown,
    still_given_up,
    unresolved,
)
from voicepush.model.outcome import BatchResult, Outcome, Verdict

MOST = 5
VERDICTS = st.sampled_from([*LATE, LOST, PENDING])
ACCEPTED = LATE[0]
NOT_SENT = LATE[3]


@st.composite
def results(draw: st.DrawFn, many: int | None = None) -> BatchResult:
    """
    What may be known of a batch, by chance packed around any verdict.
    """
    many = draw(st.integers(1, MOST)) if many is None else many
    batch = batch_of(MESSAGE, "0123456789-0", [f"+999{at}" for at in range(many)])
    verdicts = draw(st.lists(VERDICTS, min_size=many, max_size=many))
    ids = draw(
        st.sampled_from([(), ("all",), tuple(f"t-{place}" for place in range(many))])
    )
    attempts = draw(st.integers(0, 3))
    packed = BatchResult.of_places(batch, verdicts, ids, attempts=attempts)
    if draw(st.booleans()):
        return packed
    rule = draw(VERDICTS)
    others = {at: each for at, each in enumerate(verdicts) if each != rule}
    return BatchResult(batch, rule, others, packed.transaction_ids, attempts)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[BatchResult, BatchResult]:
    """
    What may be known of a batch, and what another says of it.
    """
    many = draw(st.integers(1, MOST))
    return draw(results(many)), draw(results(many))


def some_of(data: st.DataObject, places: list[int]) -> frozenset[int]:
    """
    Some of *places*.
    """
    chosen = st.sets(st.sampled_from(places)) if places else st.just(set[int]())
    return frozenset(data.draw(chosen))


def verdicts_of(result: BatchResult) -> list[Verdict]:
    """
    The verdicts by place.
    """
    return [result.at(place) for place in range(len(result.batch))]


# Late records


@given(pairs())
def test_who_was_accepted_stays_accepted(pair: tuple[BatchResult, BatchResult]) -> None:
    """
    Whatever a late record says, with the same transaction id.
    """
    known, late = pair
    found = merged(known, late)

    for place in known.places(Outcome.ACCEPTED):
        assert known.at(place) == found.at(place)
        assert known.transaction_id(place) == found.transaction_id(place)


@given(pairs())
def test_a_late_acceptance_is_believed(pair: tuple[BatchResult, BatchResult]) -> None:
    """
    Who was called was called, whatever is known.
    """
    known, late = pair
    accepted = {*known.places(Outcome.ACCEPTED), *late.places(Outcome.ACCEPTED)}

    assert accepted == set(merged(known, late).places(Outcome.ACCEPTED))


@given(pairs())
def test_a_late_record_makes_nobody_pending(
    pair: tuple[BatchResult, BatchResult],
) -> None:
    """
    Whoever is pending afterwards was so before.
    """
    known, late = pair
    before = set(known.places(Outcome.PENDING))

    assert set(merged(known, late).places(Outcome.PENDING)) <= before


@given(pairs())
def test_each_place_is_as_one_of_them_says(
    pair: tuple[BatchResult, BatchResult],
) -> None:
    """
    With the transaction id that came with it, and no other.
    """
    known, late = pair
    found = merged(known, late)

    for place, verdict in enumerate(verdicts_of(found)):
        assert (verdict, found.transaction_id(place)) in [
            (each.at(place), each.transaction_id(place)) for each in (known, late)
        ]
    assert max(known.attempts, late.attempts) == found.attempts


@given(pairs())
def test_a_late_record_is_told_once(pair: tuple[BatchResult, BatchResult]) -> None:
    """
    The same once more changes nothing.
    """
    known, late = pair
    once = merged(known, late)

    assert verdicts_of(once) == verdicts_of(merged(once, late))


@given(results(), st.data())
def test_only_the_unknown_stay_given_up(
    result: BatchResult, data: st.DataObject
) -> None:
    """
    Who was given up and has an outcome by now is given up no more.
    """
    given_up = some_of(data, list(range(len(result.batch))))
    left = still_given_up(result, given_up)

    assert set(left) == given_up & set(result.places(Outcome.UNKNOWN))


# Joining


@given(results(), st.data(), st.booleans())
def test_who_was_not_sent_is_pending_again(
    result: BatchResult, data: st.DataObject, resend: bool
) -> None:
    """
    Nobody is left not sent; who was in flight is unknown, or pending if so decided.
    """
    in_flight = some_of(data, result.places(Outcome.PENDING))
    found = recovered(result, in_flight, resend=resend)

    assert [] == found.places(Outcome.NOT_SENT)
    for place, verdict in enumerate(verdicts_of(result)):
        if place in in_flight:
            assert (verdict if resend else LOST) == found.at(place)
        elif verdict.outcome is Outcome.NOT_SENT:
            assert PENDING == found.at(place)
        else:
            assert verdict == found.at(place)


@given(results(), st.data())
def test_who_is_in_flight_is_shown_so(result: BatchResult, data: st.DataObject) -> None:
    """
    They may be ringing; of the others nothing else is said.
    """
    in_flight = some_of(data, result.places(Outcome.PENDING))
    found, dead = shown(result, in_flight), lost(result, in_flight)

    for place, verdict in enumerate(verdicts_of(result)):
        assert (IN_FLIGHT if place in in_flight else verdict) == found.at(place)
        assert (LOST if place in in_flight else verdict) == dead.at(place)


# Deciding


@given(results(), st.data())
def test_who_is_given_up_is_left_alone(
    result: BatchResult, data: st.DataObject
) -> None:
    """
    The other unknown are pending again, and nobody else is touched.
    """
    given_up = some_of(data, result.places(Outcome.UNKNOWN))
    found = resent(result, given_up)

    assert set(unresolved(found, given_up)) == set()
    for place, verdict in enumerate(verdicts_of(result)):
        again = verdict.outcome is Outcome.UNKNOWN and place not in given_up
        assert (PENDING if again else verdict) == found.at(place)


@given(results(), st.data())
def test_a_cancelled_batch_has_nobody_pending(
    result: BatchResult, data: st.DataObject
) -> None:
    """
    Who was in flight is unknown, and the others are not sent, for the reason given.
    """
    in_flight = some_of(data, result.places(Outcome.PENDING))
    found = cancelled(result, in_flight, "because")

    assert [] == found.places(Outcome.PENDING)
    for place, verdict in enumerate(verdicts_of(result)):
        if place in in_flight:
            assert LOST == found.at(place)
        elif verdict.outcome is Outcome.PENDING:
            assert Verdict(Outcome.NOT_SENT, None, "because") == found.at(place)
        else:
            assert verdict == found.at(place)


@given(results(), VERDICTS)
def test_what_is_replaced_is_replaced_everywhere(
    result: BatchResult, new: Verdict
) -> None:
    """
    However the verdicts are packed.
    """
    old = result.verdict.outcome
    found = replaced(result, old, new)

    assert [
        new if verdict.outcome is old else verdict for verdict in verdicts_of(result)
    ] == verdicts_of(found)
    assert result.attempts == found.attempts


@given(results(), st.data())
def test_nothing_of_the_batch_is_lost(result: BatchResult, data: st.DataObject) -> None:
    """
    Each decision keeps the batch, its attempts and its size.
    """
    in_flight = some_of(data, result.places(Outcome.PENDING))
    for found in (
        recovered(result, in_flight, resend=False),
        resent(result, ()),
        cancelled(result, in_flight, "because"),
        merged(result, result),
    ):
        assert result.batch is found.batch
        assert result.attempts == found.attempts
        assert result.batch.size == sum(found.counts().values())


def test_an_acceptance_without_an_id_gets_no_other() -> None:
    """
    The id of an earlier request of the batch is not that of a late answer.
    """
    batch = batch_of(MESSAGE, "0123456789-0", ["+9991", "+9992"])
    known = BatchResult.of_places(batch, [ACCEPTED, LOST], ["first"])
    late = BatchResult.of_places(batch, [NOT_SENT, ACCEPTED])
    found = merged(known, late)

    assert ["first", None] == [found.transaction_id(place) for place in range(2)]
