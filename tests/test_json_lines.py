"""
One JSON text per line: what is read, whatever the lines look like.
"""

from __future__ import annotations

import io
import json

import pytest
from reading import ANN, BEN, SMALL, Entry, flat, read

from voicepush.errors import SourceError
from voicepush.model.recipients import Destination
from voicepush.sources.blocks import Malformed
from voicepush.sources.entries import (
    BAD_CORRELATION_ID,
    BAD_VALUES,
    NOT_A_RECORD,
    UNDECIDED_FIELD,
)
from voicepush.sources.files import read_stream


def test_json_lines() -> None:
    """
    A line is a text, a number, a list or an object; blank lines are skipped.
    """
    lines = [
        f'"{ANN}"',
        "",
        ANN,
        json.dumps([ANN, BEN]),
        json.dumps({"msisdn": ANN, "name": "Ann"}),
        json.dumps({"msisdn": int(ANN), "correlationid": 0}),
        json.dumps({"msisdn": None, "customerid": ["c1", "c2"]}),
        json.dumps({"msisdn": float(ANN)}),
    ]

    assert [
        (1, ANN),
        (3, ANN),
        (4, Destination([ANN, BEN])),
        (5, ANN),
        (6, Destination(ANN, correlation_id="0")),
        (7, Destination(customer_id=["c1", "c2"])),
        (8, f"{ANN}.0"),
    ] == read("\n".join(lines), name="list.ndjson")


def test_blank_json_lines() -> None:
    """
    Blank lines give no block, also where they fill a chunk.
    """
    assert [(30, ANN)] == read(
        "\n" * 29 + f'"{ANN}"', name="x.jsonl", chunk_bytes=SMALL
    )


def test_json_lines_are_recognised() -> None:
    """
    A file of another ending whose first line is an object holds JSON lines.
    """
    assert [(1, ANN)] == read(f'{{"msisdn": "{ANN}"}}\n', name="list.txt")


def test_json_column() -> None:
    """
    The column names the field of the objects.
    """
    line = json.dumps({"msisdn": BEN, "home": ANN})

    assert [(1, ANN)] == read(line, column="home")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"phoneNumber": ANN}, ANN),
        ({"Mobile No.": ANN, "Phone": BEN}, ANN),
        ({"CustID": "'=c"}, Destination(customer_id="=c")),
        (
            {"Tel.": ANN, "Correlation ID": "'@x"},
            Destination(ANN, correlation_id="@x"),
        ),
    ],
)
def test_json_fields_as_people_write_them(record: object, expected: Entry) -> None:
    """
    The fields of JSON lines are known by the same names as headers.
    """
    assert [(1, expected)] == read(json.dumps(record))


def test_json_field_that_was_taken_is_told() -> None:
    """
    Which field was taken is known after the first block.
    """
    source = read_stream(io.BytesIO(json.dumps({"Tel.": ANN}).encode()))

    assert source.column is None
    assert [(1, ANN)] == flat(source)
    assert 'field "Tel."' == source.column


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"phone1": "1", "phone2": "2"}', UNDECIDED_FIELD),
        ('{"msisdn": ', NOT_A_RECORD),
        ('{"name": "Ann"}', NOT_A_RECORD),
        ("true", BAD_VALUES),
        ('{"msisdn": []}', BAD_VALUES),
        ('{"msisdn": ["1", ""]}', BAD_VALUES),
        ('{"msisdn": "1", "correlationid": [1]}', BAD_CORRELATION_ID),
    ],
)
def test_malformed_json_line(line: str, reason: str) -> None:
    """
    A line that is no recipient is passed on with its reason and does not stop the rest.
    """
    found = read(f'{line}\n"{ANN}"\n', name="x.jsonl")

    assert [(1, Malformed(1, line, reason)), (2, ANN)] == found


def test_endless_nesting_is_malformed() -> None:
    """
    A line that only opens brackets is passed on like any other that is no JSON.
    """
    found = read("{" + '"a":[' * 50_000 + f'\n"{ANN}"\n', name="x.jsonl")

    assert [NOT_A_RECORD] == [
        each.reason for _, each in found if isinstance(each, Malformed)
    ]
    assert (2, ANN) == found[-1]


def test_json_array() -> None:
    """
    One JSON array is refused with what to write instead.
    """
    with pytest.raises(SourceError, match="write one recipient per line"):
        read(f'[\n"{ANN}"\n]', name="list.json")
