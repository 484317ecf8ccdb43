"""
Which column holds the numbers, and which row is the header.
"""

from __future__ import annotations

import io

import pytest
from reading import ANN, BEN, CAT, SMALL, flat, read

from voicepush.errors import SourceError
from voicepush.model.recipients import Destination
from voicepush.sources.files import read_stream


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


def test_header_behind_many_chunks() -> None:
    """
    Titles and header may lie in several chunks.
    """
    assert [(5, Destination(ANN, correlation_id="a"))] == read(
        TITLES, chunk_bytes=SMALL
    )


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
