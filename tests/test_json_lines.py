"""
One JSON text per line: what is read, whatever the lines look like.
"""

from __future__ import annotations

import io
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import ANN, BEN, SMALL, Entry, blocks_of, flat, read

from voicepush.errors import SourceError
from voicepush.model.recipients import Destination, Kind
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


# Lines of one shape are taken by columns.


def test_kinds_are_kept_apart() -> None:
    """
    Numbers and customer ids of one piece come in two blocks, with their rows.
    """
    lines = [{"msisdn": ANN}, {"customerid": "c"}, {"msisdn": BEN}, {"customerid": "d"}]
    content = "".join(f"{json.dumps(line)}\n" for line in [*lines, "x", {}])

    blocks = blocks_of(content)

    assert [(Kind.MSISDN, [1, 3, 5]), (Kind.CUSTOMER_ID, [2, 4])] == [
        (block.recipients.kind, list(block.recipients.rows or ())) for block in blocks
    ]
    assert [(6, NOT_A_RECORD)] == [
        (each.row, each.reason) for each in blocks[0].malformed
    ]


def test_malformed_rows_are_told_once() -> None:
    """
    Where there are only customer ids, malformed rows stand beside them.
    """
    content = f'{{"customerid": "c"}}\n{{}}\n{{"customerid": []}}\n"{ANN}\n'

    (block,) = blocks_of(content)

    assert ["c"] == list(block.recipients.values)
    assert [(2, NOT_A_RECORD), (3, BAD_VALUES), (4, NOT_A_RECORD)] == [
        (each.row, each.reason) for each in block.malformed
    ]


ODD_LINES = [
    '{"msisdn": ["1", "2"], "correlationid": "a"}',
    '{"msisdn": null, "customerid": "c", "correlationid": "b"}',
    '{"msisdn": "1", "correlationid": [1]}',
    '{"msisdn": "1", "MSISDN": "2"}',
    '{"msisdn": "1"}{"msisdn": "2"}',
    '{"msisdn": "1", "x": 1e999}',
    '{"msisdn": "1", "x": "\\x"}',
    '{"msisdn": "1", "msisdn": "2"}',
    '{"msisdn": null}',
    '{"Correlation ID": "b", "msisdn": "1", "correlationid": "c"}',
    '{"msisdn": 17.5}',
    '{"Phone": "1", "n\\"": 1}',
    '{"x": {"msisdn": "1"}}',
    "   ",
    '{"msisdn":',
    '"1"}',
    '"17"',
    "null",
    "[]",
]


@given(
    st.lists(
        st.one_of(
            st.just(f'{{"msisdn": "{ANN}", "correlationid": "a"}}'),
            st.just(f'{{"x": [1], "msisdn": {BEN}, "correlationid": ""}}'),
            st.just('{"customerid": "c1", "correlationid": 7}'),
            st.sampled_from(ODD_LINES),
        ),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([None, "msisdn", "customerid"]),
    st.sampled_from([64, 256, 1 << 16]),
)
def test_each_line_is_what_it_would_be_alone(
    lines: list[str], column: str | None, chunk_bytes: int
) -> None:
    """
    What a line says does not depend on those before and after it.
    """
    alone = [
        (row, attrs.evolve(entry, row=row) if isinstance(entry, Malformed) else entry)
        for row, line in enumerate(lines, 1)
        for _, entry in read(line, name="x.jsonl", column=column)
    ]

    assert alone == read(
        "\n".join(lines), name="x.jsonl", column=column, chunk_bytes=chunk_bytes
    )


@pytest.mark.parametrize("field", ['a"b', "a\\b", "a\nb", "", "\u00e9", "class", "0"])
def test_odd_names_of_fields(field: str) -> None:
    """
    Whatever the other fields are called, every line is read.
    """
    lines = [json.dumps({field: 1, "msisdn": ANN}) for _ in range(50)]

    found = read("\n".join(lines), chunk_bytes=300)

    assert [(row, ANN) for row in range(1, 51)] == found


def test_fields_without_end() -> None:
    """
    Lines that each have a field of their own are read like all others.
    """
    lines = [json.dumps({"msisdn": ANN, f"field{row}": row}) for row in range(500)]

    assert [(row, ANN) for row in range(1, 501)] == read(
        "\n".join(lines), chunk_bytes=2000
    )
