"""
What an answer of the status API says of each call, whatever it looks like.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush.sending.codes import Meaning
from voicepush.sending.status_api import (
    CallStatus,
    Refusal,
    Statuses,
    path_of,
    read_statuses,
)

ELEMENT = {
    "transactionid": "t-1",
    "to": "+9991",
    "channel": "voice",
    "status": "no answer",
    "date_created": "2020-02-05T07:34:23.596Z",
    "last_updated": "2020-02-05T07:35:00.000Z",
    "error_code": "7401",
    "error_message": "No answer",
}


def read(thing: Any, status: int = 200, **how: Any) -> Statuses | Refusal:
    """
    What *thing* says of the transaction t-1.
    """
    body = thing if isinstance(thing, bytes) else msgspec.json.encode(thing)
    return read_statuses(status, body, "t-1", **how)


def calls_in(thing: Any, **how: Any) -> list[CallStatus]:
    """
    The calls that it tells of.
    """
    found = read(thing, **how)
    assert isinstance(found, Statuses)
    return list(found.calls)


def refused(thing: Any, status: int = 200, **how: Any) -> Refusal:
    """
    Why it tells of none.
    """
    found = read(thing, status, **how)
    assert isinstance(found, Refusal)
    return found


@pytest.mark.parametrize(
    "wrap",
    [
        lambda element: [element],
        lambda element: {"response": [element]},
        lambda element: {"code": "0", "warnings": ["x"], "statuses": [1, element]},
        lambda element: element,
        lambda element: {"statuses": [{"Transaction-ID": "t-1", **element}]},
    ],
)
def test_an_element_is_found_wherever_it_stands(wrap: Any) -> None:
    """
    In a list, in an object with one, or alone.
    """
    (call,) = calls_in(wrap(ELEMENT))

    assert ("no answer", "+9991", "t-1", "7401", "No answer") == (
        *(call.status, call.recipient, call.transaction_id),
        *(call.error_code, call.error_message),
    )
    assert "2020-02-05T07:35:00.000Z" == call.updated
    assert ELEMENT.items() <= msgspec.json.decode(call.body).items()


def test_the_body_is_the_element_as_it_came() -> None:
    """
    With its spaces, and with what nobody knows.
    """
    element = b'{ "status":"sent",\n "to" : 9991, "new": [ 1 ] }'
    (call,) = calls_in(b"\xef\xbb\xbf[ " + element + b" , 7 ]")

    assert (element, "9991") == (call.body, call.recipient)


def test_names_and_types_may_differ() -> None:
    """
    Whatever case and signs names have, and numbers instead of texts.
    """
    element = {"TransID": "t-1", "Destination": ["+9991"], "STATUS": " Answered "}
    (call,) = calls_in([{**element, "errorCode": 7, "dateCreated": "x"}])

    assert ("Answered", "+9991", "7", "x") == (
        *(call.status, call.recipient),
        *(call.error_code, call.updated),
    )


def test_nothing_is_known_of_a_transaction() -> None:
    """
    An empty list says so.
    """
    assert [] == calls_in([]) == calls_in({"response": []})


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\xff", b"<html>", b"7", b"{}", b"[1, 2]", b'[{"a": 1}]', b"[" * 9999],
)
def test_what_is_no_list_is_tried_again(body: bytes) -> None:
    """
    It may be a proxy's.
    """
    found = refused(body)

    assert (Meaning.IN_DOUBT, "no list") == (found.meaning, found.way)
    assert not found.is_answer


@pytest.mark.parametrize(
    ("status", "thing", "meaning", "way"),
    [
        (200, {"response": [{"code": "7001"}]}, Meaning.STOP, "7001"),
        (200, {"code": 7002, "transid": "t-1"}, Meaning.STOP, "7002"),
        (500, [{"code": "7004", "status": "failed"}], Meaning.REJECTED, "7004"),
        (200, {"code": "7006", "status": "error"}, Meaning.INTERNAL, "7006"),
        (429, {"code": "7020", "message": "(rate)"}, Meaning.THROTTLED, "7020"),
        (200, {"code": "7020", "description": "quota"}, Meaning.STOP, "7020"),
    ],
)
def test_a_code_wins_over_the_status(
    status: int, thing: Any, meaning: Meaning, way: str
) -> None:
    """
    As in an answer to a request that calls people.
    """
    found = refused(thing, status)

    assert (meaning, way) == (found.meaning, found.way)
    assert found.words.startswith(way)


@pytest.mark.parametrize(
    ("status", "meaning", "is_answer"),
    [
        (401, Meaning.STOP, False),
        (403, Meaning.STOP, False),
        (302, Meaning.STOP, False),
        (404, Meaning.REJECTED, True),
        (405, Meaning.REJECTED, True),
        (400, Meaning.REJECTED, True),
        (429, Meaning.THROTTLED, False),
        (500, Meaning.IN_DOUBT, False),
        (504, Meaning.IN_DOUBT, False),
    ],
)
def test_without_a_code_the_status_decides(
    status: int, meaning: Meaning, *, is_answer: bool
) -> None:
    """
    Also where the body has a status of its own, as errors have.
    """
    for thing in (b"<html>", {"status": status, "error": "so", "path": "/"}, [ELEMENT]):
        found = refused(thing, status)

        assert (meaning, is_answer) == (found.meaning, found.is_answer)
        assert f"HTTP {status}" in found.way


def test_asked_to_wait_by_503() -> None:
    """
    Only with a Retry-After.
    """
    assert Meaning.THROTTLED is refused(b"", 503, asks_to_wait=True).meaning
    assert Meaning.IN_DOUBT is refused(b"", 503).meaning


@pytest.mark.parametrize("fresh", [False, True])
def test_an_answer_on_another_transaction_is_not_believed(*, fresh: bool) -> None:
    """
    A server may send one answer too many, which the next request reads.
    """
    another = {**ELEMENT, "transactionid": "t-10"}

    assert "another's" == refused([another], fresh=fresh).way
    assert ["t-1"] == [
        each.transaction_id for each in calls_in([another, ELEMENT], fresh=fresh)
    ]


def test_without_a_transaction_id_a_connection_must_be_fresh() -> None:
    """
    Then it can't be another's; a number behind the id is one call of a request.
    """
    unnamed = {"to": "+9992", "status": "busy"}
    numbered = {**ELEMENT, "transactionid": "t-1_12"}
    found = read([numbered, unnamed], fresh=False)

    assert "another's" == refused([unnamed], fresh=False).way
    assert "another's" == refused([], fresh=False).way
    assert isinstance(found, Statuses)
    assert (2, True) == (len(found.calls), found.is_proven)
    assert read([unnamed]) == Statuses(calls_in([unnamed]), is_proven=False)


def test_the_key_is_not_repeated() -> None:
    """
    Neither in words nor in a body, also where it is written with escapes.
    """
    key = "key/8d1f"
    (call,) = calls_in([{**ELEMENT, "error_message": f"{key} is wrong"}], secret=key)
    found = refused(b'{"code": "7001", "description": "key\\/8d1f"}', secret=key)

    assert b"8d1f" not in call.body
    assert "8d1f" not in f"{call.error_message}{found.words}"
    assert "service key" in call.error_message


def test_a_name_becomes_one_step_of_a_path() -> None:
    """
    Whatever signs the platform puts into it.
    """
    assert "/status/a%2Fb%3Fc%20%E2%98%83_1" == path_of("a/b?c \N{SNOWMAN}_1")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["t-1", "t-2", "+9991", "answered", "7001", "1001"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*ELEMENT, "code", "response", "transid", "description"])
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.binary() | JSON.map(msgspec.json.encode), st.integers(100, 599))
def test_it_never_fails(body: bytes, status: int) -> None:
    """
    Whatever comes, it is statuses of this transaction or a refusal, fit to be kept.
    """
    found = read_statuses(status, body, "t-1", secret="8d1f")

    if isinstance(found, Refusal):
        assert found.way
        assert found.words.isprintable()
        return
    assert 200 <= status < 300
    for call in found.calls:
        assert call.transaction_id.startswith("t-1") or not call.transaction_id
        assert call.status
        assert call.recipient or call.transaction_id
        for text in (call.status, call.error_code, call.error_message, call.recipient):
            text.encode()
        assert isinstance(msgspec.json.decode(call.body), dict)


@given(st.binary(max_size=40), st.integers(0, 200))
def test_a_broken_answer_is_read_as_far_as_it_is_json(noise: bytes, at: int) -> None:
    """
    A spoilt one says nothing, or what it says of the same call.
    """
    body = msgspec.json.encode([ELEMENT])
    found = read_statuses(200, body[:at] + noise + body[at:], "t-1")

    assert isinstance(found, Refusal) or len(found.calls) <= 1


@pytest.mark.parametrize(
    "body", [b'[{"to": %s, "status": "sent"}]' % (b"9" * 9999), b'{"a": "\\ud800"}']
)
def test_what_no_text_can_hold(body: bytes) -> None:
    """
    Numbers of thousands of digits, and half a character.
    """
    assert isinstance(read(body), Refusal)
