"""
Exports of the console are read, however they were named, cut, saved and packed.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from listing import (
    HEADERS,
    blocks_in,
    body_of,
    listed_in,
    names_in,
    payload,
    row,
    table,
    write,
)

from voicepush.errors import InputError, SourceError
from voicepush.model.call import CallState
from voicepush.receipts.evidence.columns import named_columns
from voicepush.receipts.evidence.reading import read_evidence

pytestmark = pytest.mark.usefixtures("in_a_folder")

ROWS = [row(place) for place in range(3)]
NAMES = [tuple(each[:3]) for each in ROWS]


def test_a_row_becomes_a_receipt_with_the_row_as_its_body() -> None:
    """
    With all the names that it bears, what it says of the call, and where it stands.
    """
    path = write(table([[*ROWS[0], "x"]], [*HEADERS, "Cost"]))
    (listed,) = listed_in(path)
    (report,) = listed.receipt.reports

    assert 2 == listed.row
    assert NAMES[0] == (
        *(report.transaction_id, report.correlation_id),
        report.recipient,
    )
    assert CallState.REACHED is report.call.state
    assert dict(zip([*HEADERS, "Cost"], [*ROWS[0], "x"], strict=True)) == body_of(
        listed
    )


@pytest.mark.parametrize(
    "headers",
    [
        ("Txn ID", "Corr ID", "Mobile Number", "Delivery Status"),
        ("trans_id", "correlation_id", "destination", "status"),
        ("TRANSID", "CORRELATIONID", "TO", "CURRENT STATUS"),
        ("Transaction-Id", "Correlation Id", "Phone No.", "Call Status"),
        ("transactionid", "correlationid", "msisdn", "currentstatus"),
        (" Transaction Identifier ", "Corr. Ref", "Recipient", "Final Status (voice)"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_columns_are_known_by_many_names(
    headers: tuple[str, ...], delimiter: str
) -> None:
    """
    In any case, with any signs, in any order, and cut by any usual delimiter.
    """
    shuffled = [3, 1, 0, 2]
    path = write(
        table(
            [[each[at] for at in shuffled] for each in ROWS],
            [headers[at] for at in shuffled],
            delimiter=delimiter,
            above=[["Export of logs"], [], ["Period", "last 30 days"]],
        )
    )

    assert NAMES == names_in(listed_in(path))


def test_of_several_columns_the_best_known_is_taken() -> None:
    """
    The current status before any other, and a number before what may hold anything.
    """
    headers = ["Status", "To", *HEADERS, "Error Code"]
    path = write(table([["x", "y", *ROWS[0], "0"]], headers))
    (listed,) = listed_in(path)
    (report,) = listed.receipt.reports

    assert (ROWS[0][2], "Answered") == (report.recipient, report.call.words)


_WORDS = {
    "transaction": ["transaction", "txn", "trans", "trx"],
    "correlation": ["correlation", "corr"],
    "status": ["current status", "delivery status", "status", "call status"],
    "number": ["msisdn", "mobile number", "mobile", "destination", "phone"],
}


@st.composite
def _headers(draw: st.DrawFn) -> list[str]:
    found = []
    for kind in ("transaction", "correlation", "number", "status"):
        word = draw(st.sampled_from(_WORDS[kind]))
        if kind in ("transaction", "correlation"):
            word += " id"
        joint = draw(st.sampled_from([" ", "_", "", "-", ".", "  "]))
        word = word.replace(" ", joint)
        word = draw(st.sampled_from([word, word.upper(), word.title()]))
        around = draw(st.sampled_from(["{}", " {} ", "{} (x)", "{}:", "'{}"]))
        found.append(around.format(word))
    return found


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    headers=_headers(),
    order=st.permutations(range(6)),
    delimiter=st.sampled_from(",;\t|"),
    titles=st.integers(0, 5),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_any_spelling_in_any_order(
    headers: list[str], order: list[int], delimiter: str, titles: int, encoding: str
) -> None:
    """
    Whatever else stands there.
    """
    names = [*headers, "Service", "Cost"]
    rows = [[*each, 'a "service"', "1,5"] for each in ROWS]
    path = write(
        table(
            [[each[at] for at in order] for each in rows],
            [names[at] for at in order],
            delimiter=delimiter,
            above=[["Logs", "all"]] * titles,
        ).encode(encoding)
    )

    assert NAMES == names_in(listed_in(path))


def test_a_column_can_be_named() -> None:
    """
    By name or by place, and nothing is guessed then.
    """
    path = write(table(ROWS, ["A", "B", "C", "D"]))
    columns = {"transaction": "a", "correlation": "2", "status": "D"}

    assert [(*names[:2], "") for names in NAMES] == names_in(
        listed_in(path, columns=columns)
    )


@pytest.mark.parametrize("first", ["{broken", '{"a": [1,'])
def test_a_broken_first_line(first: str) -> None:
    """
    The lines after it are read.
    """
    path = write("\n".join([first, *map(json.dumps, PAYLOADS)]))
    (block,) = blocks_in(path)

    assert ([1], 3) == (block.unreadable, len(block.listed))


def test_a_table_without_a_header_needs_places() -> None:
    """
    Its first row is a row.
    """
    path = write(table(ROWS[1:], ROWS[0]))
    columns = {"transaction": "1", "correlation": "2", "number": "3", "status": "4"}

    listed = listed_in(path, columns=columns)

    assert NAMES == names_in(listed)
    assert {"column 1", "column 2", "column 3", "column 4"} == body_of(listed[0]).keys()
    with pytest.raises(SourceError, match="the platform's transaction id"):
        listed_in(path)


_NO_TRANSACTION = (
    "row 1: can't tell which column holds the platform's transaction id; looked for "
    "Transaction ID, Txn ID or Trans ID; the columns are Correlation ID, MSISDN, "
    "Status; choose one with --evidence-column transaction=COLUMN"
)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Correlation ID", "MSISDN", "Status"], _NO_TRANSACTION),
        (["Txn", "Correlation ID"], "the status of each call"),
        (["Txn", "Status", "Cost"], "the correlation id or the number"),
        (["A", "B"], "the platform's transaction id"),
    ],
)
def test_a_column_that_is_not_there(headers: list[str], expected: str) -> None:
    """
    One line says what was looked for, what there is, and how to name it.
    """
    path = write(table([["x"] * len(headers)], headers))

    with pytest.raises(SourceError) as caught:
        listed_in(path)

    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_named_column_that_is_not_there() -> None:
    """
    It is said which there are.
    """
    path = write(table(ROWS))

    with pytest.raises(SourceError, match=r"no column 'Txn'.* are Transaction ID"):
        listed_in(path, columns={"transaction": "Txn"})


@pytest.mark.parametrize("columns", [{"transactions": "A"}, {"status": " "}])
def test_what_names_nothing_is_refused(columns: dict[str, str]) -> None:
    """
    Before anything is opened.
    """
    with pytest.raises(InputError, match="transaction, correlation"):
        read_evidence("nowhere.csv", columns=columns)


def test_a_list_of_recipients_is_no_evidence() -> None:
    """
    Nor is an export of ours: without what only the platform gives, everyone in it
    would be taken for called.
    """
    own = write(table([ROWS[0][1:3]], ["correlationid", "msisdn"]))
    headers = ["recipient", "outcome", "code", "transaction_id", "sent_as"]
    ours = write(table([["+999", "unknown", "", "", "c-1"]], headers), "ours.csv")

    for path in (own, ours):
        with pytest.raises(SourceError, match="can't tell which column"):
            listed_in(path)


@pytest.mark.parametrize(
    "changed",
    [
        {0: ""},
        {0: "-"},
        {0: "NULL"},
        {3: "Invalid Parameters"},
        {3: "Throttled"},
        {3: "Not Sent"},
    ],
)
def test_a_call_without_an_id_of_the_platform_proves_nothing(
    changed: dict[int, str],
) -> None:
    """
    Nor does one that it says it refused.
    """
    path = write(table([[changed.get(at, cell) for at, cell in enumerate(ROWS[0])]]))
    (block,) = blocks_in(path)

    assert ((), (2,), ()) == (
        *(tuple(block.listed), tuple(block.unproven)),
        tuple(block.unreadable),
    )


def test_a_code_of_the_api_tells_a_refused_request_from_a_refused_call() -> None:
    """
    "Rejected" alone is what a network did with a call.
    """
    rows = [[*row(0, status="Rejected"), code] for code in ("7004", "7406", "", "0")]
    (block,) = blocks_in(write(table(rows, [*HEADERS, "Error Code"])))

    assert [2] == block.unproven
    assert [3, 4, 5] == [each.row for each in block.listed]


def test_rows_that_say_nothing_are_told_by_number() -> None:
    """
    Blank ones are none.
    """
    rows = [["", "", "", ""], ROWS[0], ["Total", "", "", "1"], ["", "", "", "Answered"]]
    (block,) = blocks_in(write(table(rows)))

    assert [3] == [each.row for each in block.listed]
    assert [4, 5] == block.unreadable


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("'+999000000001", "+999000000001"),
        ('="999000000001"', "999000000001"),
        ("+999 (000) 000-001", "+999000000001"),
        ("tel:+999000000001", "+999000000001"),
        ("999000000001.0", "999000000001"),
        ("c-1.7", "c-1.7"),
    ],
)
def test_numbers_are_read_as_the_platform_writes_them(cell: str, expected: str) -> None:
    """
    Whatever a spreadsheet put around them; customer ids are left as they are.
    """
    (listed,) = listed_in(write(table([["t", "c", cell, "sent"]])))

    assert expected == listed.receipt.reports[0].recipient


# What is in the file.


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(encoding: str) -> None:
    """
    A mark decides, else it is said.
    """
    has_mark = encoding in ("utf-8-sig", "utf-16")
    path = write(table([[*ROWS[0], "é"]], [*HEADERS, "Näme"]).encode(encoding))

    listed = listed_in(path, encoding=None if has_mark else encoding)

    assert "é" == body_of(listed[0])["Näme"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Transaction ID,Status\nx\xff,y\n", "is not utf-8"),
        (table(ROWS).encode("utf-16-le"), "NUL"),
        (table(ROWS).replace("Answered", "a\0b").encode(), "NUL"),
        (table(ROWS).encode() + b'"t,c,n,s\n', "never ends"),
        (b'"' + table(ROWS).encode(), "row 1"),
        (gzip.compress(table(ROWS).encode(), mtime=0)[:40], "can't be read"),
        (b"PK\x03\x04 no archive", "can't be unpacked"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 no workbook", "no Excel file"),
        (b'[{"a": 1}, {"b"', "row 2: this and what follows is not JSON"),
        (b'[{"a": 1}, nonsense, {}]', "row 2: this and what follows is not JSON"),
        (b'{"a": 1}\n{"b": 2}\n', "the fields are a; choose one with"),
    ],
    ids=range(11),
)
def test_what_can_not_be_read_says_so_in_one_line(content: bytes, words: str) -> None:
    """
    With the name of the file.
    """
    path = write(content)

    with pytest.raises(SourceError) as caught:
        blocks_in(path)

    assert words in str(caught.value)
    assert str(caught.value).startswith("export.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n\n", table([]).encode(), b"[]", b"[ ]\n"])
def test_nothing_is_listed(content: bytes) -> None:
    """
    An empty file, and one with a header alone, list nobody.
    """
    assert [] == blocks_in(write(content))


def test_quoted_cells_hold_delimiters_quotes_and_line_ends() -> None:
    """
    As in any CSV.
    """
    said = 'He said "no",\nand hung up'
    path = write(table([[*ROWS[0], said], [*ROWS[1], ""]], [*HEADERS, "Notes"]))
    listed = listed_in(path)

    assert NAMES[:2] == names_in(listed)
    assert said == body_of(listed[0])["Notes"]
    assert [2, 4] == [each.row for each in listed]


def test_columns_without_names_and_with_the_same_one_are_kept_apart() -> None:
    """
    Nothing of a row is lost.
    """
    path = write(table([[*ROWS[0], "a", "b", "c"]], [*HEADERS, "", "Note", "Note"]))
    (listed,) = listed_in(path)
    body = body_of(listed)

    assert ("a", "b", "c") == (body["column 5"], body["Note"], body["Note (7)"])


def test_compressed_files() -> None:
    """
    Whatever they are called.
    """
    path = write(gzip.compress(table(ROWS).encode()), "export")

    assert NAMES == names_in(listed_in(path))


def _zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_archives_as_the_console_gives_them() -> None:
    """
    Each file in one is read, with a header of its own.
    """
    second = table([ROWS[2]], ["Txn", "Corr", "To", "State"], delimiter=";")
    files = {
        "logs/1.csv": table(ROWS[:2]).encode(),
        "__MACOSX/._1.csv": b"\0\0",
        "2.csv.gz": gzip.compress(second.encode()),
        "3.json": json.dumps([payload(4)]).encode(),
    }
    path = write(_zipped(files), "logs.zip")

    assert [*NAMES, (row(4)[0], row(4)[1], f"+{row(4)[2]}")] == names_in(
        listed_in(path)
    )


def test_archives_that_can_not_be_read() -> None:
    """
    One in another, and a broken one.
    """
    inner = write(_zipped({"a.zip": _zipped({"b.csv": b""})}), "outer.zip")
    packed = bytearray(_zipped({"a.csv": table(ROWS * 99).encode()}))
    packed[80] ^= 255
    broken = write(bytes(packed), "broken.zip")

    with pytest.raises(SourceError, match=r"outer.zip/a.zip: is an archive"):
        blocks_in(inner)
    with pytest.raises(SourceError, match=r"broken.zip"):
        blocks_in(broken)


def test_an_archive_that_is_damaged_anywhere() -> None:
    """
    It is read as far as that goes, or refused in one line.
    """
    whole = _zipped({"a.csv": table(ROWS).encode(), "b.csv": table(ROWS).encode()})
    refused = 0
    for place in range(4, len(whole)):
        for other in (0, 255):
            packed = whole[:place] + bytes([other]) + whole[place + 1 :]
            try:
                blocks_in(write(packed, "broken.zip"))
            except SourceError as error:
                refused += 1
                assert str(error).startswith("broken.zip")  # noqa: PT017 -- one of two ends

    assert refused > len(whole) / 4


def test_archives_with_a_password() -> None:
    """
    It is said how to go on.
    """
    packed = bytearray(_zipped({"a.csv": table(ROWS).encode()}))
    packed[6] |= 1  # encrypted, says the file
    packed[packed.index(b"PK\x01\x02") + 8] |= 1  # and so does the directory

    with pytest.raises(SourceError, match="protected by a password; unpack it"):
        blocks_in(write(bytes(packed), "logs.zip"))


def test_workbooks() -> None:
    """
    An export that was opened and saved again.
    """
    openpyxl = pytest.importorskip("openpyxl")
    pytest.importorskip("python_calamine")
    book = openpyxl.Workbook()
    for each in [["Export Logs"], HEADERS, *ROWS, ["t-9", "", 999000000009, None]]:
        book.active.append(list(each))
    book.save("export.xlsx")
    listed = listed_in(Path("export.xlsx"))

    assert [*NAMES, ("t-9", "", "999000000009")] == names_in(listed)
    assert 3 == listed[0].row
    openpyxl.Workbook().save("empty.xlsx")
    assert [] == blocks_in(Path("empty.xlsx"))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is read as a file is, but for archives, which have to be files.
    """
    piped = io.TextIOWrapper(io.BytesIO(table(ROWS).encode()))
    monkeypatch.setattr(sys, "stdin", piped)
    with read_evidence("-") as file:
        blocks = list(file)
        assert "standard input" == file.name
        assert "transaction in 'Transaction ID'" in str(file.columns)

    assert 3 == sum(map(len, blocks))


# Notifications that failed.

PAYLOADS = [payload(place) for place in range(3)]
TOLD = [(*names[:2], f"+{names[2]}") for names in NAMES]


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(map(json.dumps, PAYLOADS)),
        "\n\n".join(json.dumps([each]) for each in PAYLOADS),
        json.dumps(list(map(json.dumps, PAYLOADS))),
        json.dumps(PAYLOADS),
        json.dumps(PAYLOADS, indent=2),
        json.dumps([PAYLOADS]),
        "\n".join(json.dumps(each, indent=1) for each in PAYLOADS),
        "".join(map(json.dumps, PAYLOADS)),
        "\ufeff \n" + json.dumps(PAYLOADS),
        json.dumps([{"id": 1, "payload": each} for each in PAYLOADS]),
        json.dumps([{"id": 1, "Payload": json.dumps(each)} for each in PAYLOADS]),
        table(
            [[f"{at}", json.dumps(each), "500"] for at, each in enumerate(PAYLOADS)],
            ["No.", "Payload", "Status"],
        ),
        table(
            [["x", json.dumps(each)] for each in PAYLOADS],
            ["Error", "Notification Body"],
            delimiter=";",
        ),
    ],
    ids=[
        *("lines", "lists in lines", "texts", "array", "pretty array"),
        *("array in an array", "pretty", "joined", "BOM", "payload in an object"),
        *("payload as a text", "column", "other column"),
    ],
)
def test_payloads_are_receipts(content: str) -> None:
    """
    In whatever shape they were exported.
    """
    listed = listed_in(write(content))

    assert TOLD == names_in(listed)
    assert {CallState.REACHED} == {
        report.call.state for each in listed for report in each.receipt.reports
    }


def test_several_payloads_in_one_text_are_all_read() -> None:
    """
    Each of them names its call.
    """
    path = write(json.dumps(PAYLOADS) + "\n" + json.dumps(PAYLOADS))
    lines = write(json.dumps({"payload": PAYLOADS}), "lines.json")

    assert TOLD * 2 == names_in(listed_in(path))
    (listed,) = listed_in(lines)
    assert TOLD == names_in([listed])


def test_a_broken_payload_does_not_hide_who_was_called() -> None:
    """
    The columns beside it tell, but for what became of the call: the status is that of
    the notification.
    """
    headers = ["Transaction ID", "Correlation ID", "Payload", "Status"]
    rows = [["t-1", "c-1", '{"cut', "Failed"], ["", "", '{"cut', "Failed"]]
    (block,) = blocks_in(write(table(rows, headers)))
    (report,) = block.listed[0].receipt.reports

    assert ("t-1", "c-1", CallState.ON_ITS_WAY) == (
        *(report.transaction_id, report.correlation_id),
        report.call.state,
    )
    assert [3] == block.unreadable


def test_a_broken_payload_in_an_object() -> None:
    """
    The same where it stands in an object; one in one in one is not looked for.
    """
    fields = {"transid": "t-1", "correlationid": "c-1", "payload": "{"}
    deep = {"payload": {"payload": {"payload": payload(0)}}}
    lines = [json.dumps(each) for each in (fields, deep, {"payload": 5})]
    (block,) = blocks_in(write("\n".join(lines)))

    assert [("t-1", "c-1", "")] == names_in(block.listed)
    assert [2, 3] == block.unreadable


def test_a_file_of_texts_that_are_none_of_ours() -> None:
    """
    There is nothing in them to be named, so that they are only counted.
    """
    (block,) = blocks_in(write("[1, 2,\n3]"))

    assert [1, 2, 3] == block.unreadable


def test_a_text_without_an_end() -> None:
    """
    It does not fill memory.
    """
    path = write('[{"a": "' + "x" * 3_000_000)

    with pytest.raises(SourceError, match="row 1: this and what follows"):
        blocks_in(path)


def test_columns_that_are_named_twice() -> None:
    """
    They contradict each other.
    """
    with pytest.raises(InputError, match="names two columns for status"):
        named_columns(["status=a", "status=b"])
    assert {"status": "a=b"} == named_columns([" Status = a=b ", "status=a=b"])


def test_a_file_says_what_it_is() -> None:
    """
    And what was taken from it, once it was read.
    """
    file = read_evidence(write(table(ROWS)))

    assert "<voicepush.EvidenceFile export.csv>" == repr(file)
    assert file.columns is None
    next(file)
    assert "transaction in 'Transaction ID', correlation in" in str(file.columns)
    file.close()


def test_a_log_may_have_a_column_of_texts() -> None:
    """
    What is no JSON in it takes nothing from the log.
    """
    (listed,) = listed_in(write(table([[*ROWS[0], "Hi"]], [*HEADERS, "Body"])))

    assert CallState.REACHED is listed.receipt.reports[0].call.state


def test_logs_as_json_objects() -> None:
    """
    As the API tells the status of a transaction, and as scripts write rows.
    """
    statuses = [
        {"transactionid": "t", "to": "999000000000", "status": "no answer", "x": [1]},
        {"transactionid": "u", "to": ["999000000001"], "status": "busy", "x": None},
    ]
    path = write(json.dumps(statuses))
    listed = listed_in(path)
    named = listed_in(
        write('{"a": "t", "b": 7, "s": ""}'),
        columns={"transaction": "a", "correlation": "b", "status": "s"},
    )

    assert [("t", "", "999000000000"), ("u", "", "999000000001")] == names_in(listed)
    assert statuses[0] == body_of(listed[0])
    assert [("t", "7", "")] == names_in(named)


def test_lines_that_are_no_receipts_are_told_by_number() -> None:
    """
    The others are read.
    """
    odd = ["nonsense", "5", "[]", '{"a": 1}', '{"deliveryInfo": 5}', "[" * 2000]
    path = write("\n".join([json.dumps(PAYLOADS[0]), "", *odd]))
    (block,) = blocks_in(path)

    assert [1] == [each.row for each in block.listed]
    assert [3, 4, 5, 6, 7, 8] == block.unreadable


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(b'"\x01\n"\x01')
@given(
    st.binary(max_size=300)
    | st.text(alphabet='{}[]",:\n\\ a1é', max_size=60).map(str.encode)
    | st.lists(st.lists(st.text(max_size=5), max_size=5), max_size=4).map(
        lambda rows: table(rows).encode()
    )
)
def test_whatever_is_in_a_file(content: bytes) -> None:
    """
    It is read, or one line says why not; no row is lost and none is read twice.
    """
    path = write(content)
    try:
        blocks = blocks_in(path)
    except InputError:
        with pytest.raises(InputError, match=r"\A.+\Z"):
            blocks_in(path)
        return
    rows = [
        row
        for block in blocks
        for row in (
            *(each.row for each in block.listed),
            *(*block.unproven, *block.unreadable),
        )
    ]
    assert len(set(rows)) == len(rows)


def test_a_long_file_comes_in_blocks() -> None:
    """
    None of them is long.
    """
    path = write(table(row(place) for place in range(1200)))

    assert [500, 500, 200] == list(map(len, blocks_in(path)))
