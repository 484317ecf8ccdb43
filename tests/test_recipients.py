"""
Files, streams and iterables: what is read, at which row, and what errors say.
"""

from __future__ import annotations

import csv
import encodings
import encodings.aliases
import gzip
import hashlib
import io
import json
import os
import pkgutil
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voicepush.errors import InputError, SourceError
from voicepush.model.recipients import Destination, Recipient
from voicepush.sources import decoding
from voicepush.sources.blocks import Block, Entry, Malformed, from_async, from_iterable
from voicepush.sources.entries import (
    BAD_CORRELATION_ID,
    BAD_VALUES,
    NOT_A_RECORD,
    UNDECIDED_FIELD,
)
from voicepush.sources.files import read_file, read_stream
from voicepush.sources.opening import digest_of

ANN, BEN, CAT = "447700900101", "447700900102", "447700900103"


def read(content: str | bytes, **options: Any) -> list[tuple[int, Entry]]:
    """
    The rows and entries of a file with *content*.
    """
    data = content if isinstance(content, bytes) else content.encode()
    return flat(read_stream(io.BytesIO(data), **options))


def flat(blocks: Iterator[Block]) -> list[tuple[int, Entry]]:
    """
    The rows and entries of *blocks*, none of which may be empty.
    """
    found: list[tuple[int, Entry]] = []
    for block in blocks:
        assert block.recipients
        found += zip(block.rows, block.recipients, strict=True)
    return found


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Files are read seven bytes at a time, so that everything is cut somewhere.
    """
    monkeypatch.setattr(decoding, "CHUNK_BYTES", 7)


# Formats.


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_dialects(delimiter: str, line_end: str, quote: str) -> None:
    """
    Every usual delimiter, line end and quoting gives the same rows.
    """
    rows = [["name", "msisdn"], ["Ann", ANN], ["Ben", BEN]]
    text = "".join(
        delimiter.join(f"{quote}{cell}{quote}" for cell in row) + line_end
        for row in rows
    )

    assert [(2, ANN), (3, BEN)] == read(text)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]
)
def test_byte_order_marks(encoding: str) -> None:
    """
    A byte order mark tells the encoding and is no part of the header.
    """
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    content = f"{mark}msisdn,name\n{ANN},Zoë\n".encode(encoding)

    assert [(2, ANN)] == read(content)


def test_given_encoding() -> None:
    """
    The encoding that is given is used.
    """
    content = f"name,msisdn\nZoë,{ANN}\n".encode("cp1252")

    assert [(2, ANN)] == read(content, encoding="cp1252")


def test_plain_list() -> None:
    """
    A plain list needs no header, and blank lines in it count as lines only.
    """
    assert [(1, ANN), (4, BEN)] == read(f"{ANN}\n\n\n{BEN}")


def test_plain_list_with_quotes() -> None:
    """
    Blank lines are skipped between quoted cells as well; an empty cell is not blank.
    """
    assert [(2, ANN), (3, ""), (5, BEN)] == read(f'\n"{ANN}"\n""\n\n"{BEN}"\n')


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "msisdn\n", "msisdn,a\n\n"])
def test_nobody(content: str) -> None:
    """
    A file without recipients gives no block.
    """
    assert [] == read(content)


def test_short_rows() -> None:
    """
    A row without the cell gives an empty text, for screening to refuse.
    """
    assert [(2, ANN), (3, ""), (4, BEN)] == read(f"n,msisdn\na,{ANN}\nb\nc,{BEN},x\n")


def test_line_feed_within_quotes() -> None:
    """
    A record is at the row on which it begins.
    """
    content = f'name,msisdn\n"a\nb",{ANN}\n"c",{BEN}\n'

    assert [(2, ANN), (4, BEN)] == read(content)


@pytest.mark.usefixtures("small_chunks")
def test_quotes_across_chunks() -> None:
    """
    A quoted cell may reach over many chunks.
    """
    long = "a,\n" * 40
    content = f'name,msisdn\n"{long}",{ANN}\nb,{BEN}\n'

    assert [(2, ANN), (43, BEN)] == read(content)


cells = st.text(st.sampled_from('ab1 ,;"\n\r\t|\u2028\x0b'), max_size=6)


@given(
    st.lists(st.lists(cells, min_size=1, max_size=4), max_size=12),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(0, 2),
    st.sampled_from([5, 64, 1 << 16]),
)
@example([["1"], [""], ["2"]], csv.QUOTE_ALL, 0, 1 << 16)
def test_reads_what_csv_reads(
    table: list[list[str]], quoting: Any, place: int, chunk: int
) -> None:
    """
    Whatever the file, the column is what the standard library's reader gives.
    """
    written = io.StringIO()
    csv.writer(written, quoting=quoting, lineterminator="\n").writerows(
        [["x", "y", "z"], *table]
    )
    text = written.getvalue().replace("\r", "\n")
    expected = [
        row[place] if place < len(row) else ""
        for row in csv.reader(io.StringIO(text))
        if row
    ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "CHUNK_BYTES", chunk)
        found = read(text, column="xyz"[place])

    assert expected[1:] == [entry for _, entry in found]


@given(st.text(st.sampled_from("a1 ,\n\r"), max_size=60))
def test_rows_are_lines(text: str) -> None:
    """
    Whatever the file, without quotes each entry is at its line.
    """
    text = f"x\n{text}"
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    found = read(text, column="x")

    assert [(row, line) for row, line in enumerate(lines, 1) if line][1:] == found


@given(st.binary(max_size=200), st.sampled_from(["", "x.csv", "x.jsonl", "x.gz"]))
def test_never_fails_otherwise(content: bytes, name: str) -> None:
    """
    Whatever the bytes, they are read or refused with a `SourceError`.
    """
    with suppress(SourceError):
        read(content, name=name)


def test_gzip() -> None:
    """
    Text files may be compressed; their inner ending tells the format.
    """
    assert [(1, ANN)] == read(gzip.compress(f"{ANN}\n".encode()), name="list.csv.gz")
    content = gzip.compress(json.dumps({"msisdn": ANN}).encode())
    assert [(1, ANN)] == read(content, name="list.jsonl.GZ")


# Which column.


@pytest.mark.parametrize(
    "header", ["msisdn", "MSISDN", " Phone Number ", "phone-number", "Mobile", "tel"]
)
def test_known_headers(header: str) -> None:
    """
    Usual headers are known in any case, with spaces and with hyphens.
    """
    assert [(2, ANN)] == read(f"id,{header}\n1,{ANN}\n")


def test_most_telling_header() -> None:
    """
    Of several known headers the most telling one is taken.
    """
    assert [(2, ANN)] == read(f"number,msisdn,customerid\n17,{ANN},c\n")


def test_first_row_that_is_no_header_is_a_row() -> None:
    """
    In a file with one column every row counts that is not below a known header.
    """
    assert [(1, "Whom to ring"), (2, ANN)] == read(f"Whom to ring\n{ANN}\n")
    assert [(1, "12345"), (2, ANN)] == read(f"12345\n{ANN}\n")


def test_no_header() -> None:
    """
    Without a header it is the one column that holds a number.
    """
    assert [(1, ANN), (2, BEN)] == read(f"Ann,1,{ANN}\nBen,2,{BEN}\n")
    assert [(1, ANN)] == read(f"mobile,{ANN}\n")


@pytest.mark.parametrize(
    ("column", "expected"),
    [("Phone", [(2, "a")]), ("phone", [(2, "b")]), ("PHONE", [(2, "b")])],
)
def test_named_column(column: str, expected: list[tuple[int, str]]) -> None:
    """
    A column is found by its exact name first, then in any case.
    """
    assert expected == read("x,phone,Phone\n1,b,a\n", column=column)


def test_numbered_column() -> None:
    """
    A column may be given by its place, with a header or without.
    """
    assert [(1, "b"), (2, ANN)] == read(f"a,b\n{BEN},{ANN}\n", column="2")
    assert [(2, ANN)] == read(f"phone,b\n{BEN},{ANN}\n", column="2")
    assert [(1, ANN)] == read(f"{BEN},{ANN}\n", column="2")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f"2,{ANN}\n3,{BEN}\n", [(1, ANN), (2, BEN)]),
        ("2,c17\n3,c18\n", [(1, "c17"), (2, "c18")]),
        (f"2,b\n{ANN},{BEN}\n", [(2, ANN)]),
        (f"2,msisdn\n17,{BEN}\n", [(2, "17")]),
    ],
)
def test_place_or_header(content: str, expected: list[tuple[int, str]]) -> None:
    """
    A column ``2`` is the second place, unless a header is called so.
    """
    assert expected == read(content, column="2")


TITLES = f"""June's call, for everyone; please
As of 2026-06-01,,

Name,Mobile No.,Correlation ID
Ann,{ANN},a
"""


def test_rows_above_the_header_are_titles() -> None:
    """
    Rows above the header are told and not counted; rows keep their lines.
    """
    source = read_stream(io.BytesIO(TITLES.encode()))

    assert [(5, Destination(ANN, correlation_id="a"))] == flat(source)
    assert 2 == source.titles
    assert 'column 2 ("Mobile No.")' == source.column


def test_titles_with_a_known_word() -> None:
    """
    A title that reads like a header gives way to a row with several cells.
    """
    content = f"Mobile numbers,,\nNo,Name,Mobile\n1,Ann,{ANN}\n"

    assert [(3, ANN)] == read(content)


def test_header_is_looked_for_in_twenty_rows() -> None:
    """
    A header below row 20 is none, and no one above it is passed over.
    """
    assert [(21, ANN)] == read("title\n" * 19 + f"phone\n{ANN}\n")
    assert 22 == len(read("title\n" * 20 + f"phone\n{ANN}\n"))


@pytest.mark.usefixtures("small_chunks")
def test_header_behind_many_chunks() -> None:
    """
    Titles and header may lie in several chunks.
    """
    assert [(5, Destination(ANN, correlation_id="a"))] == read(TITLES)


@pytest.mark.parametrize(
    "content",
    [
        f"Ann,mobile,{ANN}\nBen,phone,{BEN}\n",
        f"Ann,x,{ANN}\nBen,phone,\nCat,x,{CAT}\n",
        f"Ann,x,{ANN}\nphone\nCat,x,{CAT}\n",
    ],
)
def test_nobody_is_taken_for_a_title(content: str) -> None:
    """
    A word such as "phone" among people makes no header of its row.
    """
    assert len(content.splitlines()) == len(read(content))
    assert (1, ANN) == read(content)[0]


def test_header_over_two_lines() -> None:
    """
    A header's cell may hold a line end.
    """
    assert [(3, ANN)] == read(f'name,"Phone\nNumber"\nAnn,{ANN}\n')


# Delimiters.


@pytest.mark.parametrize("header", ["", "msisdn\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_one_column_is_kept_whole(header: str, delimiter: str) -> None:
    """
    Where the header or first row has no delimiter, nothing is cut and nothing lost.
    """
    second = f"{BEN} {delimiter} {CAT}"

    found = read(f"{header}{ANN}\n{second}\n")

    assert [ANN, second] == [entry for _, entry in found]


@pytest.mark.parametrize("quote", ["", '"'])
def test_customer_ids_with_delimiters(quote: str) -> None:
    """
    Customer ids in a file with one column may hold what elsewhere divides cells.
    """
    ids = ["a|1", "a|2", "b;1"]
    content = "customerid\n" + "".join(f"{quote}{each}{quote}\n" for each in ids)

    assert [Destination(customer_id=each) for each in ids] == [
        entry for _, entry in read(content)
    ]


def test_delimiter_is_that_of_the_header() -> None:
    """
    Rows with more of another character are cut as the header is.
    """
    assert [(2, ANN)] == read(f"name;msisdn\na,b,c,d;{ANN}\n")
    assert [(1, ANN)] == read(f"Ann, Dr, MD;{ANN}\n")


# Headers as people write them.


@pytest.mark.parametrize(
    "header",
    [
        *("Mobile No.", "Mobile No", "Contact Number", "Contact No.", "Phone 1"),
        *("Phone Number (with country code)", "Tel.", "WhatsApp", "Cell Phone"),
        *("MSISDN", "phoneNumber", "PHONE_NUMBER", "Customer Mobile", "Number"),
        *("Telefon", "Handynummer", "Telefonnummer", "Handy-Nr.", "Rufnummer"),
        *("T\u00e9l\u00e9phone", "Num\u00e9ro de t\u00e9l\u00e9phone", "M\u00f3vil"),
        *("Telefono", "Tel\u00e9fono", "Celular", "Mobile Phone Number", "Ph. No."),
    ],
)
def test_headers_as_people_write_them(header: str) -> None:
    """
    Headers are known with signs, accents, remarks and numbers in them.
    """
    source = read_stream(io.BytesIO(f"id,{header}\n1,{ANN}\n".encode()))

    assert [(2, ANN)] == flat(source)
    assert f'column 2 ("{header}")' == source.column


@pytest.mark.parametrize(
    "header", ["Order Number", "S.No", "Account No.", "Fax", "Name", "Phone model", ""]
)
def test_headers_of_other_things(header: str) -> None:
    """
    What only resembles a header of numbers is none.
    """
    with pytest.raises(SourceError, match="can't tell which column holds the numbers"):
        read(f"id,{header}\n1,{ANN}\n")


@pytest.mark.parametrize("header", ["customerid", "Customer ID", "CustID", "cust_id"])
def test_headers_of_customer_ids(header: str) -> None:
    """
    Customer ids are found as people write their header.
    """
    assert [(2, Destination(customer_id="c"))] == read(f"x,{header}\n1,c\n")


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ("Phone,MSISDN", 'column 2 ("MSISDN")'),
        ("Phone,Mobile", 'column 2 ("Mobile")'),
        ("WhatsApp,Phone 2", 'column 2 ("Phone 2")'),
        ("CustID,Number", 'column 2 ("Number")'),
    ],
)
def test_better_known_header_wins(headers: str, taken: str) -> None:
    """
    Of two columns that may hold the number, the one that says so best is taken.
    """
    source = read_stream(io.BytesIO(f"{headers}\n{ANN},{BEN}\n".encode()))

    assert [(2, BEN)] == flat(source)
    assert taken == source.column


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ("Phone 1,Phone 2", "row 1: can't tell which column to take, Phone 1 or Ph"),
        ("Home Phone,Work Phone", "take, Home Phone or Work Phone; the columns are"),
        ("msisdn,msisdn", "choose one with --column"),
    ],
)
def test_columns_of_equal_rank(headers: str, words: str) -> None:
    """
    Two columns that may equally hold the number are not guessed between.
    """
    with pytest.raises(SourceError, match=words):
        read(f"{headers}\n{ANN},{BEN}\n")


def test_two_columns_of_one_name() -> None:
    """
    A name that two columns have is no choice.
    """
    with pytest.raises(SourceError, match="several columns are called 'a'"):
        read(f"a,a\n{ANN},{BEN}\n", column="a")


def test_absurd_column() -> None:
    """
    A column of thousands of digits is refused like any other that is not there.
    """
    with pytest.raises(SourceError, match="there is no column '222"):
        read(f"a,b\n1,{ANN}\n", column="2" * 5000)


# Cells as spreadsheets write them.


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("'=1", "=1"),
        ("'@a", "@a"),
        ("'-a", "-a"),
        ("'+a", "+a"),
        ("'\ta", "\ta"),
        ("'a", "'a"),
        ('"=""c-1"""', "c-1"),
        ('\'="a"', '="a"'),
    ],
)
def test_cover_of_a_cell_is_taken_away(cell: str, expected: str) -> None:
    """
    What our own export or a spreadsheet puts around a cell is no part of an id.
    """
    content = f"customerid,correlationid\n{cell},{cell}\n"

    assert [
        (2, Destination(customer_id=expected, correlation_id=expected.strip()))
    ] == read(content, column="customerid")


@pytest.mark.parametrize(
    ("content", "column", "words"),
    [
        ("a,b\n1,2\n", None, "can't tell which column holds the numbers"),
        (f"{ANN},{BEN}\n", None, "447*****0101, 447*****0102; choose one with --col"),
        ("+44 7700 900101,1\n", "3", "columns are +44********0101, 1; choose"),
        ("a,b\n1,2\n", "c", "there is no column 'c'; the columns are a, b; choose"),
        ("title\na,phone\n1,2\n", "c", "there is no column 'c'; the columns are a, ph"),
        ("a,b\n1,2\n", "3", "there is no column '3'"),
        ("a,b\n1,2\n", "0", "there is no column '0'"),
    ],
)
def test_undecided_column(content: str, column: str | None, words: str) -> None:
    """
    Where the column can't be told, the error lists the columns, with numbers masked.
    """
    with pytest.raises(SourceError) as caught:
        read(content, column=column, name="june.csv")

    assert str(caught.value).startswith("june.csv, row ")
    assert words in str(caught.value)


def test_correlation_ids() -> None:
    """
    A column of correlation ids gives destinations, where it is filled.
    """
    content = f"msisdn;CorrelationId\n{ANN}; a \n{BEN};\n;c\n{CAT};{'x' * 51}\n"

    assert [
        (2, Destination(ANN, correlation_id="a")),
        (3, BEN),
        (4, ""),
        (5, Malformed(CAT, BAD_CORRELATION_ID)),
    ] == read(content)


def test_customer_ids() -> None:
    """
    A column of customer ids is taken where there are no msisdns, or on request.
    """
    expected = [(2, Destination(customer_id="c1")), (3, "")]

    assert expected == read("id,customer_id\n1,c1\n2,\n")
    assert expected == read(
        f"msisdn,customerId\n{ANN},c1\n{BEN}\n", column="customerid"
    )


# JSON lines.


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


@pytest.mark.usefixtures("small_chunks")
def test_blank_json_lines() -> None:
    """
    Blank lines give no block, also where they fill a chunk.
    """
    assert [(30, ANN)] == read("\n" * 29 + f'"{ANN}"', name="x.jsonl")


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

    assert [(1, Malformed(line, reason)), (2, ANN)] == found


def test_endless_nesting_is_malformed() -> None:
    """
    A line that only opens brackets is passed on like any other that is no JSON.
    """
    found = read("{" + '"a":[' * 50_000 + f'\n"{ANN}"\n', name="x.jsonl")

    assert [NOT_A_RECORD] == [
        each.reason for _, each in found if isinstance(each, Malformed)
    ]
    assert (2, ANN) == found[-1]


def test_malformed_hides_numbers() -> None:
    """
    What is shown of a malformed row in a log does not hold its number.
    """
    assert ANN not in repr(Malformed(ANN, NOT_A_RECORD))


# Parquet.


def parquet(path: Path, **columns: Any) -> Path:
    """
    A Parquet file of *columns*.
    """
    pyarrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")
    writer.write_table(pyarrow.table(columns), path)
    return path


def test_parquet(tmp_path: Path) -> None:
    """
    Parquet may hold numbers as texts, integers or lists; rows are records.
    """
    texts = parquet(tmp_path / "a.parquet", name=["a", "b"], Phone=[ANN, None])
    integers = parquet(tmp_path / "b.parquet", msisdn=[int(ANN), int(BEN)])
    lists = parquet(tmp_path / "c.parquet", msisdn=[[ANN, BEN], [CAT]])

    assert [(1, ANN), (2, "")] == flat(read_file(texts))
    assert [(1, ANN), (2, BEN)] == flat(read_file(integers))
    assert [(1, Destination([ANN, BEN])), (2, CAT)] == flat(read_file(lists))


def test_parquet_with_correlation_ids(tmp_path: Path) -> None:
    """
    Correlation ids are taken from Parquet as they are from text.
    """
    path = parquet(tmp_path / "a.parquet", correlationid=["x"], msisdn=[ANN])

    assert [(1, Destination(ANN, correlation_id="x"))] == flat(read_file(path))


def test_broken_parquet(tmp_path: Path) -> None:
    """
    A file that is no Parquet is refused by name.
    """
    pytest.importorskip("pyarrow")
    path = tmp_path / "june.parquet"
    path.write_bytes(b"PAR1 and no more")

    with pytest.raises(SourceError, match=r"june.parquet: can't be read: "):
        flat(read_file(path))


def test_parquet_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without pyarrow the error says what to install.
    """
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)

    with pytest.raises(InputError, match=r"pip install 'voicepush\[parquet\]'"):
        flat(read_file(tmp_path / "a.parquet"))


# Files that can't be read.


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"msisdn\r\n1\r\n\xff\r\n",
            "june.csv, row 3: is not utf-8; say which encoding it is with --encoding",
        ),
        (b"msisdn\n1\n\xc3", "june.csv, row 3: is not utf-8"),
        (b"msisdn\n1\n2\0\n", "june.csv, row 3: holds a NUL character"),
        (b'msisdn,a\n1,b\n2,"c\n3,d\n4,e\n', "june.csv, row 3: a quoted cell begins"),
        (b'msisdn,"a\n1,b\n', "june.csv, row 1: a quoted cell begins"),
        (b"\xff\xfem\0s\0\n\0\0\xd8", "june.csv, row 2: is not utf-16-le"),
    ],
)
def test_unreadable_content(content: bytes, words: str) -> None:
    """
    An error names the file and the row and says in one sentence what to do.
    """
    with pytest.raises(SourceError) as caught:
        read(content, name="june.csv")

    assert str(caught.value).startswith(words)


@pytest.mark.usefixtures("small_chunks")
def test_row_of_a_wrong_byte_in_a_later_chunk() -> None:
    """
    The row of a wrong byte is counted through all chunks.
    """
    with pytest.raises(SourceError) as caught:
        read(b"447700900101\n" * 20 + b"\xff\n")

    assert 21 == caught.value.row


def test_quote_that_swallows_the_file() -> None:
    """
    A quote that is never closed is found without reading everything behind it.
    """
    content = f'msisdn,a\n{ANN},b\n{BEN},"c\n' + f"{CAT},d\n" * 50_000

    with pytest.raises(SourceError, match="does a quoted cell not end") as caught:
        read(content)

    assert 3 == caught.value.row


def test_line_without_end() -> None:
    """
    A file that is one endless line is refused instead of filling the memory.
    """
    with pytest.raises(SourceError, match="row 2: the line does not end"):
        read("msisdn\n" + "1" * (1 << 21))


def test_json_array() -> None:
    """
    One JSON array is refused with what to write instead.
    """
    with pytest.raises(SourceError, match="write one recipient per line"):
        read(f'[\n"{ANN}"\n]', name="list.json")


ODD_ENCODINGS = [
    *("nonsense", "base64", "undefined", "punycode", "utf-7", "UTF7", "idna"),
    *("unicode_escape", "raw-unicode-escape", "rot13", "a\0b", "\ud800", "x" * 5000),
]


@pytest.mark.parametrize("encoding", ODD_ENCODINGS)
def test_unknown_encoding(encoding: str) -> None:
    """
    An encoding that is none of a list is refused.
    """
    with pytest.raises(InputError, match=r"the encoding '.*' is not known"):
        read(ANN, encoding=encoding)


CODECS = sorted(
    {module.name for module in pkgutil.iter_modules(encodings.__path__)}
    | set(encodings.aliases.aliases)
)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_of_python(codec: str) -> None:
    """
    Each codec of Python's either reads a list or is refused in one sentence.
    """
    text = "msisdn,name\n+447700900101,Ann\n"
    try:
        content = text.encode(codec)
    except (LookupError, ValueError, TypeError, OSError):
        content = text.encode()
    with suppress(InputError):
        assert [(2, "+447700900101")] == read(content, encoding=codec)
    with suppress(InputError):
        read(bytes(range(1, 256)) * 2, encoding=codec)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PK\x03\x04", "an Excel file or a zip archive; save the sheet as CSV UTF-8"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0",
            "an Excel file of the old kind; save the sheet as CSV UTF-8",
        ),
        (b"PAR1\0", "Parquet; let its name end in .parquet"),
    ],
)
@pytest.mark.parametrize("name", ["june.csv", "june.xlsx", "june", "june.jsonl"])
def test_other_kinds_of_files(start: bytes, words: str, name: str) -> None:
    """
    A file of another kind is recognised, whatever its ending.
    """
    with pytest.raises(SourceError, match=f"^{name}: is {words} and give that$"):
        read(start + b"\xff" * 500, name=name)


def test_gzip_without_its_ending() -> None:
    """
    A compressed list is recognised, also on standard input.
    """
    assert [(1, ANN)] == read(gzip.compress(f"{ANN}\n".encode()))


def test_places_that_hold_no_list(tmp_path: Path) -> None:
    """
    A folder, a loop of links and a name that can't be are refused by name.
    """
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)

    for path, words in (
        (tmp_path, "Is a directory"),
        (loop, "Too many levels of symbolic links"),
        (tmp_path / "a\0b", "embedded null byte"),
        (tmp_path / ("x" * 5000), "File name too long"),
    ):
        with pytest.raises(SourceError, match=f"can't be read: {words}"):
            flat(read_file(path))
        with pytest.raises(SourceError, match=f"can't be read: {words}"):
            digest_of(path)


def test_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without a standard input the error says so.
    """
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(SourceError, match="standard input: is closed"):
        flat(read_file("-"))


# What is known of a file that was read.


def digest(content: bytes) -> str:
    """
    The SHA-256 of *content*.
    """
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", f"x,msisdn\n1,{ANN}\n".encode() * 20_000),
        ("a.csv.gz", gzip.compress(f"{ANN}\n".encode()) * 2),
        ("a.jsonl", f'"{ANN}"\n'.encode()),
        ("a.txt", b""),
        ("a.txt", b"\n" * 100),
    ],
)
def test_digest(tmp_path: Path, name: str, content: bytes) -> None:
    """
    After its end a source knows the digest of the raw bytes, the size and the time.
    """
    path = tmp_path / name
    path.write_bytes(content)

    source = read_file(path)
    flat(source)

    assert digest(content) == source.digest == digest_of(path)
    assert (str(path), len(content)) == (source.name, source.size)
    assert path.stat().st_mtime_ns == source.modified_ns


def test_digest_of_parquet(tmp_path: Path) -> None:
    """
    Parquet has its digest, too.
    """
    path = parquet(tmp_path / "a.parquet", x=["a"], Phone=[ANN])

    source = read_file(path)

    assert [(1, ANN)] == flat(source)
    assert digest(path.read_bytes()) == source.digest == digest_of(path)
    assert path.stat().st_size == source.size
    assert 'column 2 ("Phone")' == source.column


def test_no_digest_before_the_end(tmp_path: Path) -> None:
    """
    A list that was left early, or that can't be read, has no digest.
    """
    path = tmp_path / "june.csv"
    path.write_bytes(b"msisdn\n" + b"+447700900101\n" * 20_000 + b"\xff\n")

    left = read_file(path)
    next(left)
    left.close()
    broken = read_file(path)
    with pytest.raises(SourceError, match="row 20002: is not utf-8"):
        flat(broken)

    assert left.digest is None
    assert broken.digest is None
    assert [] == list(left)


def test_digest_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Standard input has a digest, and neither size nor time.
    """
    content = f"{ANN}\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    source = read_file("-")
    flat(source)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    assert digest(content) == source.digest == digest_of("-")
    assert ("standard input", None, None) == (
        source.name,
        source.size,
        source.modified_ns,
    )


def test_pipe(tmp_path: Path) -> None:
    """
    A named pipe is read as a file is, and has neither size nor time.
    """
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = f"msisdn\n{ANN}\n".encode()
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()

    source = read_file(path)
    found = flat(source)
    writer.join()

    assert [(2, ANN)] == found
    assert digest(content) == source.digest
    assert (None, None) == (source.size, source.modified_ns)


def open_files() -> int:
    """
    How many files this process has open.
    """
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    """
    A list that is left, closed or forgotten keeps no file open.
    """
    path = tmp_path / "june.csv"
    path.write_bytes(f"{ANN}\n".encode() * 20_000)
    before = open_files()

    with read_file(path) as source:
        next(source)
        assert before + 1 == open_files()
    assert before == open_files()

    closed = read_file(path)
    next(closed)
    closed.close()
    assert before == open_files()

    for _ in read_file(path):
        break
    assert before == open_files()


def test_list_file_hides_what_it_holds() -> None:
    """
    A source shows its name only.
    """
    source = read_stream(io.BytesIO(ANN.encode()), name="june.csv")

    assert "<voicepush.ListFile june.csv>" == repr(source)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["", " ", ANN, f"{ANN};{BEN}", "x|y", "phone", "a,b,c"]),
            st.text(st.sampled_from("1 ,;|\ta"), max_size=8),
        ),
        max_size=25,
    )
)
def test_every_row_is_counted(lines: list[str]) -> None:
    """
    Whatever a list holds, each row that is not blank is a title, a header or an entry.
    """
    source = read_stream(io.BytesIO("\n".join(lines).encode()))
    try:
        found = flat(source)
    except SourceError:
        return
    headers = '("' in (source.column or "")

    assert len(list(filter(None, lines))) == source.titles + headers + len(found)


# Iterables.


@given(st.integers(0, 25), st.integers(1, 9), st.sampled_from([list, tuple, iter]))
def test_iterables(number: int, size: int, kind: Any) -> None:
    """
    Blocks laid end to end are the iterable, with rows from 1.
    """
    everyone = [f"+447700900{place:03}" for place in range(number)]

    blocks = list(from_iterable(kind(everyone), size=size))

    assert list(enumerate(everyone, 1)) == flat(iter(blocks))
    assert all(len(block.recipients) == size for block in blocks[:-1])


def test_iterable_is_read_block_by_block() -> None:
    """
    An endless iterable is fine.
    """

    def endless() -> Iterator[Recipient]:
        while True:
            yield ANN

    assert [ANN, ANN] == next(from_iterable(endless(), size=2)).recipients


@pytest.mark.parametrize("mistake", [ANN, ANN.encode(), Destination(ANN)])
def test_one_recipient_is_no_list(mistake: Any) -> None:
    """
    A single number is refused; it would be taken for a list of its digits.
    """
    with pytest.raises(InputError, match=r"write \[number\]"):
        next(from_iterable(mistake))


@given(st.integers(0, 25), st.integers(1, 9))
async def test_async_iterables(number: int, size: int) -> None:
    """
    Blocks of an async iterable are the same as those of a list.
    """
    everyone = [f"+447700900{place:03}" for place in range(number)]

    async def source() -> AsyncIterator[Recipient]:
        for recipient in everyone:
            yield recipient

    blocks = [block async for block in from_async(source(), size=size)]

    assert [
        (list(block.rows), block.recipients)
        for block in from_iterable(everyone, size=size)
    ] == [(list(block.rows), block.recipients) for block in blocks]


async def test_exceptions_of_the_caller() -> None:
    """
    What an iterable raises comes out as it was.
    """

    def fails() -> Iterator[Recipient]:
        yield ANN
        raise KeyError("mine")

    async def fails_later() -> AsyncIterator[Recipient]:
        yield ANN
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(from_iterable(fails()))
    with pytest.raises(KeyError, match="mine"):
        [block async for block in from_async(fails_later())]


def test_repr_hides_numbers() -> None:
    """
    A block shows how many it holds, and none of them.
    """
    assert "Block(rows=range(1, 3), recipients=<2>)" == repr(
        Block(range(1, 3), [ANN, BEN])
    )
