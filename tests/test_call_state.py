"""
What follows from the receipts of one call, in whatever order they come.
"""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush.model.call import Call, CallState
from voicepush.receipts.call_state import (
    EVENTS,
    STATUSES,
    UNKNOWN_EVENT,
    call_of,
    call_of_status,
)

#: The vendor's own sequences: the codes, when each happened, and what became of it.
SEQUENCES = {
    "heard to the end": (
        [("7407", 0), ("7408", 1), ("7519", 9), ("7409", 30), ("7405", 30)],
        (CallState.REACHED, 21),
    ),
    "hung up while listening": (
        [
            ("7407", 0),
            ("7408", 1),
            ("7519", 9),
            ("7405", 15),
            ("7410", 15),
            ("7409", 15),
        ],
        (CallState.REACHED, 6),
    ),
    "busy on another call": (
        [("7407", 0), ("7408", 1), ("7409", 3), ("7401", 3)],
        (CallState.NOT_REACHED, None),
    ),
    "rang out": (
        [("7407", 0), ("7408", 1), ("7409", 40), ("7401", 40)],
        (CallState.NOT_REACHED, None),
    ),
    "hung up while ringing": (
        [("7407", 0), ("7408", 1), ("7410", 8), ("7409", 8), ("7402", 8)],
        (CallState.NOT_REACHED, None),
    ),
    "connected to an agent": (
        [
            ("7407", 0),
            ("7408", 1),
            ("7519", 9),
            ("7411", 20),
            ("7412", 60),
            ("7409", 60),
        ],
        (CallState.AGENT, 51),
    ),
    "expired": ([("7005", 0)], (CallState.EXPIRED, None)),
}

calls = st.builds(
    call_of,
    st.sampled_from([*EVENTS, "7999", ""]),
    st.sampled_from(["", "ANSWERED", "dropped", "?"]),
    st.sampled_from(["", "words", "other words"]),
    st.none() | st.integers(0, 5).map(float),
)


def merged(parts: list[Call]) -> Call:
    """
    What all *parts* say together.
    """
    return reduce(Call.merged, parts)


@pytest.mark.parametrize("name", SEQUENCES)
@given(data=st.data())
def test_a_sequence_of_the_vendor_gives_its_state_in_any_order(
    name: str, data: st.DataObject
) -> None:
    """
    Whatever comes twice, late or before others.
    """
    events, (state, heard) = SEQUENCES[name]
    parts = [call_of(code, "", "", float(at)) for code, at in events]
    shuffled = data.draw(st.permutations(parts))
    again = data.draw(st.lists(st.sampled_from(parts), max_size=4))
    call = merged([*shuffled, *again])

    assert (state, heard) == (call.state, call.heard)
    assert call.has_ended


@given(calls, calls, calls)
def test_merging_knows_no_order(one: Call, other: Call, third: Call) -> None:
    """
    It is commutative, associative and idempotent.
    """
    assert one.merged(other) == other.merged(one)
    assert one.merged(other).merged(third) == one.merged(other.merged(third))
    assert one.merged(one) == one


@given(st.lists(calls, min_size=1))
def test_the_highest_rank_decides(parts: list[Call]) -> None:
    """
    Nothing that came later can take it back, and an end stays an end.
    """
    call = merged(parts)

    assert max(part.rank for part in parts) == call.rank
    assert any(part.has_ended for part in parts) == call.has_ended


def test_of_equal_ranks_the_latest_by_its_own_stamp_decides() -> None:
    """
    An expiry and a rejection can't both be right.
    """
    rejected, expired = call_of("7401", "", "", 5.0), call_of("7005", "", "", 6.0)
    assert CallState.EXPIRED is rejected.merged(expired).state
    assert CallState.EXPIRED is expired.merged(rejected).state
    unstamped = call_of("7402", "", "", None)
    assert "7401" == unstamped.merged(rejected).code == rejected.merged(unstamped).code


def test_a_code_that_nobody_knows_is_kept() -> None:
    """
    The platform's word decides where there is one, and nothing is lost.
    """
    told, unknown = call_of("7999", "Answered", "", 3.0), call_of("7998", "x", "y", 4.0)
    assert (CallState.REACHED, "7999", 3.0) == (told.state, told.code, told.answered_at)
    assert (UNKNOWN_EVENT.state, "7998", "y") == (
        *(unknown.state, unknown.code),
        unknown.words,
    )
    assert not unknown.has_ended


def test_hanging_up_without_answering_is_no_reach() -> None:
    """
    With an answer it is; alone, an end says nothing of how.
    """
    hung_up = call_of("7410", "", "", 5.0)
    assert CallState.NOT_REACHED is hung_up.state
    assert CallState.REACHED is hung_up.merged(call_of("7519", "", "", 3.0)).state
    assert CallState.DROPPED is call_of("7409", "", "", 5.0).state
    assert CallState.DROPPED is call_of("7405", "", "", 5.0).state


@pytest.mark.parametrize(("answered", "ended"), [(None, 5.0), (5.0, None), (5.0, 4.0)])
def test_how_long_someone_listened_is_told_only_where_it_is_known(
    answered: float | None, ended: float | None
) -> None:
    """
    Clocks may disagree, and stamps may be missing.
    """
    call = call_of("7519", "", "", answered).merged(call_of("7409", "", "", ended))

    assert call.heard is None
    assert CallState.REACHED is call.state


# The words of the status API

#: The receipt that says the same as a word.
SAME = {
    "answered": "7519",
    "no answer": "7401",
    "busy": "7402",
    "rejected": "7406",
    "others": "7404",
    "expired": "7005",
    "sent": "7407",
}


@pytest.mark.parametrize("word", SAME)
def test_a_word_ranks_below_the_receipt_that_says_the_same(word: str) -> None:
    """
    And above all receipts that rank below that one and say something else.
    """
    status, event = STATUSES[word], EVENTS[SAME[word]]
    less = [each for each in EVENTS.values() if each.rank < event.rank]

    assert status.state is event.state
    assert event.rank > status.rank
    assert all(status.rank > each.rank for each in less)


@pytest.mark.parametrize("word", STATUSES)
def test_answered_by_a_receipt_stays_so(word: str) -> None:
    """
    Whatever is asked, and whether an agent was connected.
    """
    polled = call_of_status(word, "", "", 99.0)
    for code in ("7519", "7411", "7412"):
        call = call_of(code, "", "", 1.0).merged(polled)

        assert EVENTS[code].state is call.state
        assert code == call.code
        assert STATUSES[word].ends is call.has_ended


def test_answered_by_a_word_is_reached_although_receipts_say_less() -> None:
    """
    The receipt that it was picked up was lost; when that was is not known.
    """
    for code in ("7407", "7408", "7405", "7409", "7410"):
        call = call_of(code, "", "", 1.0).merged(
            call_of_status("answered", "", "", 2.0)
        )

        assert (CallState.REACHED, None) == (call.state, call.heard)
        assert call.has_ended


@pytest.mark.parametrize("word", ["No Answer", "NO_ANSWER", "no-answer ", "NoAnswer"])
def test_words_may_be_written_otherwise(word: str) -> None:
    """
    In whatever case, and with any signs between.
    """
    call = call_of_status(word, "0", "", None)

    assert (CallState.NOT_REACHED, "", word) == (call.state, call.code, call.words)


def test_a_failure_may_have_a_code_that_says_more() -> None:
    """
    That of a receipt which ends a call; a word that is known says enough.
    """
    expired = call_of_status("failed", "7005", "Request expired", 1.0)
    unknown = call_of_status("undelivered", "7402", "", 1.0)
    other = call_of_status("failed", "5", "no credit", 1.0)
    known = call_of_status("answered", "7401", "", 1.0)

    assert (CallState.EXPIRED, 65, "failed: Request expired") == (
        *(expired.state, expired.rank),
        expired.words,
    )
    assert (CallState.NOT_REACHED, "7402") == (unknown.state, unknown.code)
    assert (CallState.NOT_REACHED, 55, "5") == (other.state, other.rank, other.code)
    assert (CallState.REACHED, True) == (known.state, known.has_ended)


def test_a_word_that_nobody_knows_is_kept_and_ends_nothing() -> None:
    """
    Nor does a code that is no end.
    """
    for code in ("", "7407", "1"):
        call = call_of_status("teleported", code, "", 1.0)

        assert (CallState.ON_ITS_WAY, 0, False) == (
            *(call.state, call.rank),
            call.has_ended,
        )
        assert "teleported" == call.words
