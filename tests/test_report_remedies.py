"""
What is said of codes: every one that is known has its own words.
"""

from __future__ import annotations

import pytest

from voicepush.model.call import CallState
from voicepush.model.outcome import Outcome, Verdict
from voicepush.receipts.call_state import EVENTS
from voicepush.report.remedies import remedy_of, remedy_of_receipt
from voicepush.sending.codes import _MEANINGS, Meaning, meaning_of_code

REFUSED = remedy_of(Verdict(Outcome.REJECTED, "9999", "never heard of"))


@pytest.mark.parametrize("code", [*_MEANINGS, "7000", "7003", "7004", "7102"])
def test_codes_of_the_api_have_words(code: str) -> None:
    """
    Each code of the API's document, and of the vendor's pages, is told apart.
    """
    found = remedy_of(Verdict(Outcome.REJECTED, code))

    assert REFUSED != found
    if meaning_of_code(code) is Meaning.IN_DOUBT:
        assert "voicepush resolve" in found.do


def test_quota_and_rate_are_told_apart() -> None:
    """
    One code says both.
    """
    quota = remedy_of(Verdict(Outcome.NOT_SENT, "7020", "limit reached (QUOTA)"))
    rate = remedy_of(Verdict(Outcome.NOT_SENT, "7020", "limit reached (rate)"))

    assert "quota" in quota.means
    assert "--rate" in rate.do


@pytest.mark.parametrize(
    ("description", "means"),
    [
        ("HTTP 401 Unauthorized, without a code in the body", "key was not accepted"),
        ("HTTP 302 Found, without a code in the body", "leads elsewhere"),
        ("HTTP 418, without a code in the body", "without a code"),
        ("HTTP 502 Bad Gateway, without a code in the body", "may have called"),
        ("timed out", "the answer was lost"),
    ],
)
def test_statuses_decide_where_there_is_no_code(description: str, means: str) -> None:
    """
    An answer without a code is told by its HTTP status.
    """
    assert means in remedy_of(Verdict(Outcome.UNKNOWN, None, description)).means


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_words(outcome: Outcome) -> None:
    """
    Also where neither code nor status is known.
    """
    assert remedy_of(Verdict(outcome)).do


@pytest.mark.parametrize("code", EVENTS)
def test_receipts_that_decide_have_words(code: str) -> None:
    """
    Each receipt that says what became of a call is told apart.
    """
    decides = EVENTS[code].state is not CallState.ON_ITS_WAY

    assert decides == (remedy_of_receipt(code) != remedy_of_receipt(""))
