"""
Workbooks: which sheet is read, at which row, and what numbers become.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from reading import ANN, BEN, CAT, blocks_of, flat, kept_in, read

from voicepush.errors import InputError, SourceError
from voicepush.model.recipients import Destination
from voicepush.sources import excel
from voicepush.sources.files import read_file, read_stream
from voicepush.sources.opening import digest_of


def workbook(*sheets: list[list[Any]], hidden: int = -1) -> bytes:
    """
    An .xlsx file of *sheets*, of which one may be *hidden*.
    """
    book = pytest.importorskip("openpyxl").Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"S{number}")
        for row in rows:
            sheet.append(row)
        if number == hidden:
            sheet.sheet_state = "hidden"
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


ROWS: list[list[Any]] = [
    ["June's call"],
    [],
    [None, "Name", "Mobile No.", "Correlation ID", "Lang"],
    [None, "Ann", int(ANN), "a", "en"],
    [],
    [None, "Ben", BEN, None, None],
    [None, "Cat", None, None, "de"],
    [None, "Dan", 4.477009001e20, 7, "fr"],
    [None, "Eve", 1.5, "x" * 51, None],
    [None, "Fay", True, None, None],
]


@pytest.mark.parametrize("name", ["june.xlsx", "june", "june.csv", "june.XLSX"])
def test_workbook(name: str) -> None:
    """
    A sheet is read as a CSV file is, with its own row numbers, whatever it is called.
    """
    source = read_stream(io.BytesIO(workbook(ROWS)), name=name)

    found = flat(source)

    assert [
        (4, Destination(ANN, correlation_id="a")),
        (6, BEN),
        (7, ""),
        (8, Destination("4.477009001e+20", correlation_id="7")),
    ] == found[:4]
    assert [(9, "1.5"), (10, "true")] == [
        (row, getattr(entry, "text", entry)) for row, entry in found[4:]
    ]
    assert 1 == source.titles
    assert 'column 3 ("Mobile No.")' == source.column


def test_place_counts_from_the_first_column() -> None:
    """
    Empty columns at the left count, as they do in the sheet.
    """
    blocks = blocks_of(workbook(ROWS[:7]), column="2", keep=["5"])

    assert [
        (4, Destination("Ann", correlation_id="a")),
        (6, "Ben"),
        (7, "Cat"),
    ] == flat(blocks)
    assert [{"Lang": "en"}, {"Lang": ""}, {"Lang": "de"}] == [
        kept for _, kept in kept_in(blocks)
    ]


def test_kept_columns_of_a_sheet() -> None:
    """
    Cells are kept as texts.
    """
    day = dt.datetime(2030, 1, 31, 9, 30)  # noqa: DTZ001 -- a sheet has no time zones
    rows: list[list[Any]] = [
        ["msisdn", "a", "b"],
        [ANN, 12, day],
        [BEN, 1.25, None],
        [CAT, False, "x "],
    ]

    assert [
        (2, {"a": "12", "b": "2030-01-31 09:30:00"}),
        (3, {"a": "1.25", "b": ""}),
        (4, {"a": "false", "b": "x "}),
    ] == kept_in(blocks_of(workbook(rows), keep=["A", "b"]))


def test_sheet_without_a_header() -> None:
    """
    Without a header it is the one column that holds a number.
    """
    assert [(1, ANN), (2, BEN)] == read(workbook([["Ann", int(ANN)], ["Ben", BEN]]))
    assert [(1, ANN)] == read(workbook([[ANN]]))


def test_customer_ids_of_a_sheet() -> None:
    """
    Customer ids are taken from a sheet as from text.
    """
    rows: list[list[Any]] = [["customerid"], [17], ["'=c"]]

    assert [
        (2, Destination(customer_id="17")),
        (3, Destination(customer_id="=c")),
    ] == read(workbook(rows))


def test_first_visible_sheet_with_rows() -> None:
    """
    Empty and hidden sheets are passed over; of several it is told which one was read.
    """
    hidden, shown, later = ([["msisdn"], [each]] for each in (ANN, BEN, CAT))
    content = workbook([], hidden, shown, later, hidden=1)
    source = read_stream(io.BytesIO(content))

    assert [(2, BEN)] == flat(source)
    assert 'column 1 ("msisdn") of sheet "S2"' == source.column


def test_workbook_without_rows() -> None:
    """
    An empty workbook has nobody in it.
    """
    assert [] == read(workbook([], []))
    assert [] == read(workbook([["msisdn"]]))


def test_many_rows() -> None:
    """
    A long sheet comes in several blocks.
    """
    numbers = [f"+4477009{place:05}" for place in range(12_000)]
    content = workbook([["msisdn"], *([number] for number in numbers)])

    blocks = blocks_of(content)

    assert len(blocks) > 1
    assert list(enumerate(numbers, 2)) == flat(blocks)


def test_undecided_column_of_a_sheet() -> None:
    """
    The question which column it is names the row of the sheet.
    """
    with pytest.raises(SourceError, match=r"june.xlsx, row 2: can't tell which col"):
        read(workbook([[], ["a", "b"], [1, 2]]), name="june.xlsx")
    with pytest.raises(SourceError, match=r"row 1: there is no column 'x'; .*--keep"):
        read(workbook([["msisdn"], [ANN]]), keep=["x"])


def open_document(cells: list[str]) -> bytes:
    """
    An .ods file whose rows have one of *cells* each.
    """
    rows = "".join(
        '<table:table-row><table:table-cell office:value-type="string">'
        f"<text:p>{cell}</text:p></table:table-cell></table:table-row>"
        for cell in cells
    )
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<office:document-content xmlns:office="{urn}:office:1.0" '
        f'xmlns:table="{urn}:table:1.0" xmlns:text="{urn}:text:1.0"><office:body>'
        f'<office:spreadsheet><table:table table:name="A">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr("content.xml", content)
    return stream.getvalue()


def test_open_document() -> None:
    """
    OpenDocument is read as well.
    """
    assert [(2, ANN), (3, BEN)] == read(open_document(["msisdn", ANN, BEN]))


# What is known of a workbook, and what is none.


def test_digest_of_a_workbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The digest is that of the raw bytes, from a file and from standard input.
    """
    content = workbook(ROWS)
    path = tmp_path / "june.xlsx"
    path.write_bytes(content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    from_file, from_stdin = read_file(path), read_file("-")

    assert flat(from_file) == flat(from_stdin)
    digest = hashlib.sha256(content).hexdigest()
    assert digest == from_file.digest == from_stdin.digest == digest_of(path)
    assert len(content) == from_file.size
    assert from_stdin.size is None


def zipped(*names: str) -> bytes:
    """
    A zip archive of files that are called so.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "application/other")
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        zipped("june.csv"),
        zipped("word/document.xml"),
        zipped("mimetype", "content.xml"),
        zipped("xl/workbook.xml"),
        b"PK\x03\x04" * 1000,
    ],
    # What an archive says of its time may differ between two processes.
    ids=["a list", "a text", "a drawing", "half a workbook", "only marks"],
)
def test_zip_that_is_no_workbook(content: bytes) -> None:
    """
    Another zip archive is refused with what to do.
    """
    with pytest.raises(SourceError, match=r"june.xlsx: is an Excel file or a zip arch"):
        read(content, name="june.xlsx")


def test_workbook_with_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A protected workbook is refused with what to do.
    """
    calamine = pytest.importorskip("python_calamine")

    def refuse(_: object) -> None:
        raise calamine.PasswordError("password protected")

    monkeypatch.setattr(calamine, "load_workbook", refuse)

    with pytest.raises(SourceError, match=r"june.xlsx: is protected by a password"):
        read(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", name="june.xlsx")


def test_damaged_workbook() -> None:
    """
    A workbook with a damaged sheet is refused by name.
    """
    damaged = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([["msisdn"], [ANN]]))) as good,
        zipfile.ZipFile(damaged, "w") as archive,
    ):
        for name in good.namelist():
            content = good.read(name)
            archive.writestr(name, content[:-40] if "sheet1" in name else content)

    with pytest.raises(SourceError, match=r"june.xlsx: can't be read: "):
        read(damaged.getvalue(), name="june.xlsx")


def test_workbook_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What is larger than any workbook is not taken into memory.
    """
    monkeypatch.setattr(excel, "_MOST_BYTES", 1 << 20)

    with pytest.raises(SourceError, match="has more than 1 MiB, too many for a workb"):
        read(b"PK\x03\x04" + bytes(1 << 20))


@pytest.mark.parametrize(
    "content",
    [workbook(ROWS), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"],
    ids=["xlsx", "xls"],
)
def test_excel_needs_calamine(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without the extra the error says what to install, or to save the sheet as CSV.
    """
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(InputError) as caught:
        read(content, name="june.xlsx")

    assert (
        "june.xlsx: reading Excel needs python-calamine; install it with: "
        "pip install 'voicepush[excel]', or save the sheet as CSV UTF-8"
    ) == str(caught.value)
