"""
What an opt-out says: read strictly, since who is misread would be called again.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush import InputError, Kind
from voicepush.receipts.opt_out import CATEGORY, OptOut, read_opt_out
from voicepush.receipts.signatures import Token

NUMBER = "+999000000001"
ONE = [(Kind.MSISDN, NUMBER)]


def read(said: Any, content_type: str = "") -> OptOut:
    """
    What a body says that is JSON of *said*, or that is *said*.
    """
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return read_opt_out(body, content_type)


@pytest.mark.parametrize(
    "said",
    [
        {"number": NUMBER},
        {"number": "999000000001"},
        {"number": 999000000001},
        {"number": "00999000000001"},
        {"number": " +999 000-000-001\r\n"},
        {"number": "\N{FULLWIDTH PLUS SIGN}٩٩٩٠٠٠٠٠٠٠٠١"},
        {"number": NUMBER, "customer_id": "", "category": None},
        b"number=%2B999000000001",
        b"number=+999000000001",
        b"number=999000000001&category=",
        b"\n number=999000000001&customer_id= \n",
        b'\xef\xbb\xbf{"number": "+999000000001"}',
    ],
)
def test_a_number_is_read_as_receipts_give_it(said: Any) -> None:
    """
    With its calling code, with a plus or without; fields that are empty are not there.
    """
    assert OptOut(ONE, CATEGORY) == read(said)


def test_a_customer_id_is_kept_as_it_is() -> None:
    """
    It may stand alone or beside a number.
    """
    found = read({"customer_id": "c 1", "number": NUMBER, "category": " no ads "})

    assert OptOut([*ONE, (Kind.CUSTOMER_ID, "c 1")], "no ads") == found
    assert [(Kind.CUSTOMER_ID, "00042")] == read(b"customer_id=00042").people
    assert "999" not in repr(found)
    assert "c 1" not in repr(found)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "the body is empty"),
        (b" \r\n", "the body is empty"),
        (b"\xff\xfe{", "no UTF-8"),
        (b"{", "no JSON"),
        (b'{"number": 999000000001,}', "no JSON"),
        (b'{"a":' * 50_000, "no JSON"),
        (b"[" * 15_000, "no JSON"),
        (b'{"number": ' + b"9" * 5000 + b"}", "no JSON"),
        ([], "no JSON object"),
        ([{"number": NUMBER}], "no JSON object"),
        (b"+999000000001", "neither a JSON object nor a form"),
        (b"number=%ff", "neither a JSON object nor a form"),
        (b"&".join(b"number=1" for _ in range(99)), "neither"),
        (b"number=1&number=2", "number is there twice"),
        (b"number=&number=999000000001", "number is there twice"),
        (
            b'{"number": "+9990000001", "number": "+9990000002"}',
            "number is there twice",
        ),
        ({}, "there is no number and no customer_id"),
        ({"number": "  "}, "there is no number and no customer_id"),
        ({"category": "no ads"}, "there is no number and no customer_id"),
        ({"Number": NUMBER}, "the field 'Number' is none of number, customer_id"),
        ({"+999000000001": 1}, "'+99******0001' is none of"),
        ({"a\r\nb" * 99: 1}, "'a ba b"),
        ({"number": [NUMBER]}, "number must be a text or a whole number"),
        ({"number": {"number": NUMBER}}, "number must be a text or a whole number"),
        ({"number": True}, "number must be a text or a whole number"),
        ({"number": 9.99e11}, "number must be a text or a whole number"),
        (b'{"number": NaN}', "number must be a text or a whole number"),
        ({"number": "09000000001"}, "calling code begins with 0"),
        ({"number": -999000000001}, "number must be a text or a whole number"),
        ({"number": "999"}, "number: too short"),
        ({"number": "9" * 16}, "number: too long"),
        ({"number": "+999000000001 +999000000002"}, "number: more than one"),
        ({"number": "9.99E+11"}, "number: looks like a number that a spreadsheet"),
        ({"number": "+99900\x00000001"}, "number: not a phone number"),
        ({"number": "\ud800"}, "number: not a phone number"),
        ({"number": "$(n2.msisdn)"}, "number is a variable that was not filled in"),
        ({"customer_id": "$(n2.id)"}, "customer_id is a variable"),
        ({"customer_id": "c" * 1001}, "customer_id has more than 1,000 bytes"),
        ({"customer_id": "a\0b"}, "customer_id: a customer id is a text"),
        ({"customer_id": "\ud800"}, "customer_id: "),
        ({"number": NUMBER, "category": "$(digit)"}, "category is a variable"),
        ({"number": NUMBER, "category": "a\nb"}, "category must be one line"),
        ({"number": NUMBER, "category": "\x1b[2J"}, "category must be one line"),
        ({"number": NUMBER, "category": "a\u202eb"}, "category must be one line"),
        ({"number": NUMBER, "category": "x" * 201}, "category must be one line"),
        ({"number": NUMBER, "category": "\udfff"}, "category must be text"),
    ],
)
def test_what_is_not_understood_is_said_without_the_number(
    said: Any, words: str
) -> None:
    """
    In one line, and nobody is meant by it.
    """
    with pytest.raises(InputError) as raised:
        read(said)

    text = str(raised.value)
    assert words in text
    assert "\n" not in text
    assert "9990000" not in text


def test_what_was_announced_decides_where_the_body_does_not() -> None:
    """
    A body that begins as a JSON object is one; any other is a form, unless it was
    announced as JSON.
    """
    assert ONE == read({"number": NUMBER}, "application/x-www-form-urlencoded").people
    assert ONE == read(b"number=999000000001", "text/plain").people
    with pytest.raises(InputError, match="no JSON"):
        read(b"number=999000000001", "application/json")


@given(st.binary(max_size=300), st.sampled_from(["", "application/json", "x"]))
def test_any_body_is_understood_or_refused(body: bytes, content_type: str) -> None:
    """
    Nothing else ever happens.
    """
    try:
        found = read_opt_out(body, content_type)
    except InputError:
        return

    assert found.people


_TEXTS = st.text(max_size=20)


@given(
    st.dictionaries(
        st.sampled_from(["number", "customer_id", "category"]) | _TEXTS,
        _TEXTS | st.integers() | st.floats() | st.none() | st.lists(_TEXTS),
        max_size=4,
    )
)
def test_any_fields_are_understood_or_refused(said: dict[str, Any]) -> None:
    """
    As JSON, and texts likewise as a form.
    """
    try:
        found = read(said)
    except InputError:
        return

    assert all(kind in Kind and value for kind, value in found.people)
    assert found.category == found.category.strip() != ""
    if all(isinstance(value, str) for value in said.values()):
        assert found == read(urlencode(said).encode())


# The token


def test_a_token_is_a_bearers() -> None:
    """
    Any other scheme, or none, is not.
    """
    token = Token("0123456789abcdef")
    right = [
        "Bearer 0123456789abcdef",
        "bearer  0123456789abcdef ",
        " BEARER 0123456789abcdef",
    ]
    wrong = [
        *(None, "", "Bearer", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef"),
        *("Bearer 0123456789abcdeF", "Bearer 0123456789abcde", "Bearer \ud800\udcff"),
        "Bearer 0123456789abcdef,Bearer x",
    ]

    assert all(map(token.fits, right))
    assert not any(map(token.fits, wrong))


@pytest.mark.parametrize(
    "token", ["", "0123456789abcde", b"short", "with space in it 123", "ümläut" * 4]
)
def test_what_can_be_guessed_is_no_token(token: str | bytes) -> None:
    """
    Nor what no header can hold.
    """
    with pytest.raises(InputError, match="the token of opt-outs"):
        Token(token)
