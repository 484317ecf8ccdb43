"""
What a log says of a call in one word, and what it proves.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voicepush.model.call import Call, CallState
from voicepush.receipts.call_state import EVENTS, call_of
from voicepush.receipts.evidence.logged import logged_call


def state_of(status: str, code: str = "") -> CallState | None:
    """
    What became of a call, or None if the platform did not take it.
    """
    call = logged_call(status, code)
    return None if call is None else call.state


_REACHED, _NOT_REACHED = CallState.REACHED, CallState.NOT_REACHED
_ON_ITS_WAY, _DROPPED = CallState.ON_ITS_WAY, CallState.DROPPED


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (_REACHED, ["Answered", "ANSWERED", "call answered", "reached"]),
        (
            _NOT_REACHED,
            ["no answer", "NO_ANSWER", "Not Answered", "Unanswered", "busy"],
        ),
        (_NOT_REACHED, ["Rejected", "others", "failed", "undelivered", "disconnected"]),
        (_NOT_REACHED, ["Call Failed", "unsuccessful", "error", "not reachable"]),
        (CallState.EXPIRED, ["expired", "Message Expired", "EXPIRED (rejected)"]),
        (
            _ON_ITS_WAY,
            [
                "queued",
                "sent",
                "Submitted",
                "offered",
                "accepted",
                "???",
                "",
                "delivered",
                "Success",
            ],
        ),
        (_DROPPED, ["dropped", "released", "completed"]),
        (CallState.AGENT, ["TROMBONE_CONNECTED", "trombone released"]),
        (None, ["invalid parameters", "Throttled", "not sent", "quota exceeded"]),
        (None, ["Unauthorized", "Not Accepted", "submission failed"]),
    ],
)
def test_words(state: CallState | None, words: list[str]) -> None:
    """
    As the console, scripts and people write them; a word that nobody knows says
    nothing of the call, and proves that there was one.
    """
    assert dict.fromkeys(words, state) == {word: state_of(word) for word in words}


@pytest.mark.parametrize("code", EVENTS)
def test_codes_of_events_decide(code: str) -> None:
    """
    Also in place of the status.
    """
    expected = EVENTS[code]

    for call in (logged_call("whatever", code), logged_call(code)):
        assert call is not None
        assert (expected.state, expected.rank) == (call.state, call.rank)


@pytest.mark.parametrize("code", ["7000", "7004", "7006", "7020", "7126", "8009"])
@pytest.mark.parametrize(
    "status", ["Rejected", "Failed", "Error", "Sent", "", "whatever"]
)
def test_a_refused_request_proves_no_call(status: str, code: str) -> None:
    """
    "Failed" and "Rejected" are what the platform did with it, if the API's code is
    there.
    """
    assert logged_call(status, code) is None


def test_a_call_that_rang_was_taken_whatever_the_code() -> None:
    """
    A server may dial, and say 7006.
    """
    assert _REACHED is state_of("Answered", "7006")
    assert _NOT_REACHED is state_of("busy", "7006")
    assert CallState.EXPIRED is state_of("expired", "7005")


@given(st.text(max_size=40), st.sampled_from(["", "0", "200", *EVENTS]))
@example("Answered", "")
def test_any_word(status: str, code: str) -> None:
    """
    It says the same however it is spelled, and a receipt of equal weight decides.
    """
    call = logged_call(status, code)

    assert logged_call(f" {status.upper()}. ", code) is not None or call is None
    if call is not None:
        assert status == call.words
        assert call.at is call.answered_at is call.ended_at is None


@pytest.mark.parametrize("code", EVENTS)
def test_receipts_say_more(code: str) -> None:
    """
    Of a log and a receipt that weigh the same, the receipt stays with its time.
    """
    told = call_of(code, EVENTS[code].status, "", 5.0)
    logged = logged_call("", code)
    assert logged is not None

    for merged in (told.merged(logged), logged.merged(told)):
        assert told == merged


def test_vague_words_stand_between_what_is_sure_and_what_says_nothing() -> None:
    """
    A receipt that says busy is believed, one that says that the call ended is not.
    """
    found = logged_call("connected")
    assert found is not None

    def state_with(code: str) -> CallState:
        other: Call = call_of(code, "", "", 1.0)
        return found.merged(other).state

    assert [_NOT_REACHED, _REACHED, _REACHED] == [
        *(state_with("7402"), state_with("7409")),
        state_with("7407"),
    ]
