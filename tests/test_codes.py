"""The API's codes: what a sender makes of each of them."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush.sending.codes import Meaning, meaning_of_code, meaning_of_status

#: The table of PROTOCOL.md, row by row.
TABLE = {
    "1001": Meaning.ACCEPTED,
    "7000": Meaning.REJECTED,
    "7001": Meaning.STOP,
    "7002": Meaning.STOP,
    "7003": Meaning.REJECTED,
    "7004": Meaning.REJECTED,
    "7005": Meaning.EXPIRED,
    "7006": Meaning.INTERNAL,
    "7007": Meaning.STOP,
    "7009": Meaning.TOO_LARGE,
    "7010": Meaning.IN_DOUBT,
    "7011": Meaning.IN_DOUBT,
    "7016": Meaning.IN_DOUBT,
    "7022": Meaning.TOO_LARGE,
    "7101": Meaning.REJECTED,
    "7102": Meaning.REJECTED,
    "7104": Meaning.REJECTED,
    "7126": Meaning.REJECTED,
    "7127": Meaning.STOP,
}


@pytest.mark.parametrize(("code", "meaning"), TABLE.items())
def test_table(code: str, meaning: Meaning) -> None:
    """
    Each code of the protocol means what the protocol says, whatever its words.
    """
    assert meaning is meaning_of_code(code)
    assert meaning is meaning_of_code(code, "Throttled: quota exceeded (rate)")


@pytest.mark.parametrize(
    ("description", "meaning"),
    [
        ("Throttled (rate)", Meaning.THROTTLED),
        ("Throttled (quota)", Meaning.STOP),
        ("THROTTLED (QUOTA)", Meaning.STOP),
        ("", Meaning.THROTTLED),
    ],
)
def test_throttled(description: str, meaning: Meaning) -> None:
    """
    7020 stops everything where the quota is used up, and else asks to slow down.
    """
    assert meaning is meaning_of_code("7020", description)


@given(st.text().filter(lambda code: code not in {*TABLE, "7020"}), st.text())
def test_other_codes(code: str, description: str) -> None:
    """
    Every other code is a refusal for good, and never an acceptance.
    """
    assert Meaning.REJECTED is meaning_of_code(code, description)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, Meaning.IN_DOUBT),
        (202, Meaning.IN_DOUBT),
        (204, Meaning.IN_DOUBT),
        (301, Meaning.STOP),
        (302, Meaning.STOP),
        (307, Meaning.STOP),
        (399, Meaning.STOP),
        (400, Meaning.REJECTED),
        (401, Meaning.STOP),
        (403, Meaning.STOP),
        (404, Meaning.STOP),
        (405, Meaning.STOP),
        (407, Meaning.STOP),
        (408, Meaning.IN_DOUBT),
        (413, Meaning.TOO_LARGE),
        (415, Meaning.REJECTED),
        (422, Meaning.REJECTED),
        (429, Meaning.THROTTLED),
        (499, Meaning.REJECTED),
        (500, Meaning.IN_DOUBT),
        (502, Meaning.IN_DOUBT),
        (503, Meaning.IN_DOUBT),
        (504, Meaning.IN_DOUBT),
        (599, Meaning.IN_DOUBT),
    ],
)
def test_statuses(status: int, meaning: Meaning) -> None:
    """
    A status without a code tells whether the calls may have been placed.
    """
    assert meaning is meaning_of_status(status)


@given(st.integers())
def test_no_status_accepts(status: int) -> None:
    """
    No status, of HTTP's or made up, means that the calls were queued.
    """
    assert Meaning.ACCEPTED is not meaning_of_status(status)


@pytest.mark.parametrize("status", [each for each in HTTPStatus if each >= 500])
def test_a_server_error_proves_nothing(status: HTTPStatus) -> None:
    """
    Of the server's errors, only 503 with a time to wait says that nothing was taken;
    proxies also say 503 after they have passed the request on.
    """
    asks = status is HTTPStatus.SERVICE_UNAVAILABLE

    assert Meaning.IN_DOUBT is meaning_of_status(status)
    assert asks is (meaning_of_status(status, asks_to_wait=True) is Meaning.THROTTLED)
