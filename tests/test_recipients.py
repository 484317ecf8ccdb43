"""
Files, streams and iterables: what is read, at which row, and what errors say.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voicepush import recipients
from voicepush.errors import InputError, SourceError
from voicepush.model import Destination, Recipient
from voicepush.recipients import (
    BAD_CORRELATION_ID,
    BAD_VALUES,
    NOT_A_RECORD,
    Block,
    Entry,
    Malformed,
    from_async,
    from_iterable,
    read_file,
    read_stream,
)

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
    monkeypatch.setattr(recipients, "_CHUNK_BYTES", 7)


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
        patch.setattr(recipients, "_CHUNK_BYTES", chunk)
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

    assert [(row, line.split(",")[0]) for row, line in enumerate(lines, 1) if line][
        1:
    ] == found


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


def test_one_column_needs_no_known_header() -> None:
    """
    In a file with one column, a first row that is no number is a header.
    """
    assert [(2, ANN)] == read(f"Rufnummer\n{ANN}\n")
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
    assert [(2, ANN)] == read(f"a,b\n{BEN},{ANN}\n", column="2")
    assert [(1, ANN)] == read(f"{BEN},{ANN}\n", column="2")
    assert [(2, ANN)] == read(f"2,b\n{ANN},{BEN}\n", column="2")


@pytest.mark.parametrize(
    ("content", "column", "words"),
    [
        ("a,b\n1,2\n", None, "can't tell which column holds the numbers"),
        (f"{ANN},{BEN}\n", None, "447*****0101, 447*****0102; choose one with --col"),
        ("+44 7700 900101,1\n", "3", "columns are +44********0101, 1; choose"),
        ("a,b\n1,2\n", "c", "there is no column 'c'; the columns are a, b; choose"),
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

    assert str(caught.value).startswith("june.csv, row 1: ")
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
    ("line", "reason"),
    [
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


@pytest.mark.parametrize("encoding", ["nonsense", "base64"])
def test_unknown_encoding(encoding: str) -> None:
    """
    An encoding that is none is refused.
    """
    with pytest.raises(InputError, match=f"the encoding '{encoding}' is not known"):
        read(ANN, encoding=encoding)


def test_missing_file(tmp_path: Path) -> None:
    """
    A file that is not there is refused by name.
    """
    with pytest.raises(SourceError, match=r"june.csv: can't be read: No such file"):
        flat(read_file(tmp_path / "june.csv"))


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"447700900101\n")[:-4]])
def test_broken_gzip(content: bytes) -> None:
    """
    A compressed file that is damaged is refused by name.
    """
    with pytest.raises(SourceError, match=r"june.csv.gz: can't be read: "):
        read(content, name="june.csv.gz")


def test_file_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A path is opened and closed; ``-`` is standard input.
    """
    path = tmp_path / "june.csv"
    path.write_text(f"{ANN}\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BEN.encode())))

    assert [(1, ANN)] == flat(read_file(path))
    assert [(1, BEN)] == flat(read_file("-"))


def test_bounded_memory() -> None:
    """
    A file is read no further than its blocks are taken.
    """
    stream = io.BytesIO(f"{ANN}\n".encode() * 100_000)

    block = next(read_stream(stream))

    assert len(block.recipients) < 10_000
    assert stream.tell() < 200_000


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
