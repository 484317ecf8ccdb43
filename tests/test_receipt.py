"""
Whatever the platform posts is read, or is no receipt, and never an error.
"""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush.model.call import CallState, Report
from voicepush.receipts.receipt import read_receipt

INFO = {
    "timeStamp": "2020-02-05T07:34:23.596Z",
    "Description": "Call offered",
    "code": "7407",
    "deliveryChannel": "voice",
    "additionalInfo": "",
    "destination": "+999000000001",
    "destinationType": "msisdn",
    "deliveryStatus": "OFFERED",
}


def body_of(info: Any = None, **outer: Any) -> bytes:
    """
    A receipt as the platform posts it, with some of it changed.
    """
    notification = {
        "deliveryInfo": INFO if info is None else info,
        "subtid": "",
        "transid": "62cfd7cf",
        "callbackData": "abc",
        "correlationid": "c-1",
        **outer,
    }
    return json.dumps(
        {"deliveryTransInfo": "<x/>", "deliveryInfoNotification": notification}
    ).encode()


def only(body: bytes) -> Report:
    """
    The one thing that *body* says.
    """
    (report,) = read_receipt(body, 1.0).reports
    return report


def test_a_receipt_says_what_happened_to_whom() -> None:
    """
    With all the names by which it can be found.
    """
    report = only(body_of())

    assert ("c-1", "abc", "62cfd7cf", "+999000000001") == (
        *(report.correlation_id, report.callback_data),
        *(report.transaction_id, report.recipient),
    )
    assert CallState.ON_ITS_WAY is report.call.state
    assert ("7407", "Call offered") == (report.call.code, report.call.words)
    assert pytest.approx(1580888063.596) == report.call.at


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({**INFO, "transid": "62cfd7cf"}).encode(),
        json.dumps([json.loads(body_of())]).encode(),
        body_of().replace(b"transid", b"TransID").replace(b'"code"', b'"CODE"'),
        body_of().replace(b'"7407"', b"7407"),
        body_of([INFO]),
        b" \n" + body_of() + b"\n",
    ],
    ids=["bare", "in a list", "other case", "a number", "inner list", "white space"],
)
def test_other_shapes_are_read_as_well(body: bytes) -> None:
    """
    Names and payloads change without notice.
    """
    report = only(body)

    assert ("7407", "62cfd7cf") == (report.call.code, report.transaction_id)
    assert "+999000000001" == report.recipient


def test_several_in_one_body_are_all_read() -> None:
    """
    Nobody is lost, should the platform ever do so.
    """
    body = json.dumps([json.loads(body_of(transid=f"t-{n}")) for n in range(3)])
    reports = read_receipt(body.encode(), 1.0).reports

    assert ["t-0", "t-1", "t-2"] == [each.transaction_id for each in reports]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-02-05T07:34:23.596Z", 1580888063.596),
        ("2020-02-05T13:04:23.596+5:30", 1580888063.596),
        ("2020-02-05T13:04:23.596+05:30", 1580888063.596),
        ("2020-02-05T13:04:23", 1580888063),
        ("2020-02-05 13:04:23", 1580888063),
        ("yesterday", None),
        ("0001-01-01T00:00:00", None),
        ("", None),
        (17, None),
    ],
)
def test_a_time_without_an_offset_is_in_the_tenants_zone(
    text: object, expected: float | None
) -> None:
    """
    What is no time is left out, and the rest is read.
    """
    zone = timezone(timedelta(hours=5, minutes=30))
    (report,) = read_receipt(body_of({**INFO, "timeStamp": text}), 1.0, zone).reports
    if expected is None:
        assert report.call.at is None or report.call.at < 0
    else:
        assert pytest.approx(expected) == report.call.at


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"17",
        b"test",
        b"\x00\xff",
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b'{"deliveryInfoNotification":' * 5_000,
        b'{"deliveryInfoNotification": {"deliveryInfo": {"code": null}}}',
        b'{"deliveryInfoNotification": {"deliveryInfo": 5}}',
        b"a=b&c=d",
    ],
)
def test_what_is_no_receipt_says_nothing(body: bytes) -> None:
    """
    The console posts such a body to try the address.
    """
    receipt = read_receipt(body, 5.0)

    assert () == receipt.reports
    assert (body, 5.0) == (receipt.body, receipt.received_at)


_texts = st.text() | st.integers() | st.none() | st.lists(st.text(), max_size=2)
_json = st.recursive(
    _texts | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*INFO, "deliveryInfoNotification", "deliveryInfo", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.binary() | _json.map(lambda thing: json.dumps(thing).encode()))
def test_no_body_is_an_error(body: bytes) -> None:
    """
    Whatever is posted.
    """
    for report in read_receipt(body, 1.0).reports:
        assert report.call.code or report.call.words
        assert max(map(len, (report.recipient, report.correlation_id))) <= 300


@given(
    st.dictionaries(st.sampled_from([*INFO]), st.text() | st.integers()),
    st.dictionaries(
        st.sampled_from(["transid", "callbackData", "correlationid"]),
        st.text() | st.none(),
    ),
)
def test_the_short_way_reads_the_same(
    info: dict[str, object], outer: dict[str, object]
) -> None:
    """
    With every field in its place by types, and spelt otherwise leniently.
    """
    body = body_of({**INFO, **info}, **outer)
    other = body.replace(b'"deliveryInfo"', b'"DeliveryInfo"')

    assert read_receipt(body, 1.0).reports == read_receipt(other, 1.0).reports
