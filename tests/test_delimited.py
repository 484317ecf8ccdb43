"""
CSV and plain lists: what is read, and at which row.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reading import ANN, BEN, CAT, SMALL, flat, read

from voicepush.errors import SourceError
from voicepush.model.recipients import Destination
from voicepush.sources.blocks import Malformed
from voicepush.sources.entries import (
    BAD_CORRELATION_ID,
)
from voicepush.sources.files import read_stream


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


def test_quotes_across_chunks() -> None:
    """
    A quoted cell may reach over many chunks.
    """
    long = "a,\n" * 40
    content = f'name,msisdn\n"{long}",{ANN}\nb,{BEN}\n'

    assert [(2, ANN), (43, BEN)] == read(content, chunk_bytes=SMALL)


cells = st.text(st.sampled_from('ab1 ,;"\n\r\t|\u2028\x0b'), max_size=6)


@pytest.mark.slow
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

    found = read(text, column="xyz"[place], chunk_bytes=chunk)

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


def test_correlation_ids() -> None:
    """
    A column of correlation ids gives destinations, where it is filled.
    """
    content = f"msisdn;CorrelationId\n{ANN}; a \n{BEN};\n;c\n{CAT};{'x' * 51}\n"

    assert [
        (2, Destination(ANN, correlation_id="a")),
        (3, BEN),
        (4, ""),
        (5, Malformed(5, CAT, BAD_CORRELATION_ID)),
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


def test_quote_that_swallows_the_file() -> None:
    """
    A quote that is never closed is found without reading everything behind it.
    """
    content = f'msisdn,a\n{ANN},b\n{BEN},"c\n' + f"{CAT},d\n" * 50_000

    with pytest.raises(SourceError, match="a stray quote") as caught:
        read(content)

    assert 3 == caught.value.row


@pytest.mark.parametrize("many", [1, 50_000])
def test_two_quotes_that_swallow_the_rows_between_them(many: int) -> None:
    """
    What looks like one cell over many rows, and goes on after its end, is refused: all
    the numbers in it would be lost without a word.
    """
    content = f'msisdn,a\n{ANN},"b\n' + f"{BEN},c\n" * many + f'{CAT},"d\n'

    with pytest.raises(SourceError, match="a stray quote") as caught:
        read(content)

    assert 2 == caught.value.row


def test_what_follows_a_quoted_cell_in_one_row() -> None:
    """
    Nobody is lost by it, so it is no reason to refuse a list.
    """
    assert [(2, ANN), (3, BEN)] == read(f'msisdn,a\n{ANN},"b" c\n{BEN},"d\ne"\n')


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
