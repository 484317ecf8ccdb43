"""
Excel and OpenDocument: the only module that uses python-calamine.
"""

from __future__ import annotations

import importlib
import io
import zipfile
from collections.abc import (
    Iterator,
    Sequence,
)
from itertools import chain, islice
from typing import Any, TypeAlias

from voicepush.errors import InputError, SourceError
from voicepush.sources.blocks import Block, Facts
from voicepush.sources.choosing import Choice, deciding
from voicepush.sources.columns import HEADER_ROWS, layout_of_sheet
from voicepush.sources.opening import Raw, reading

# What is longer is no workbook; another file given by mistake must not fill memory.
_MOST_BYTES = 1 << 29


_READ_AT_ONCE = 1 << 20


_ROWS = 5000


# Excel keeps fifteen digits of a number; the others are lost.
_EXACT = 10**15


_OLD_KIND = b"\xd0\xcf\x11\xe0"


_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"

#: A row and where it stands.
Row: TypeAlias = tuple[int, list[str]]


def open_workbook(raw: Raw, name: str) -> Any:
    """
    The workbook in *raw*; None if there is another thing in it.

    Raises:
        SourceError: It can't be read, or is too large.
        InputError: What reads workbooks is not installed.
    """
    content = _content(raw, name)
    if not _is_workbook(content):
        return None
    try:
        calamine = _calamine()
    except ImportError as error:
        raise InputError(
            f"{name}: reading Excel needs python-calamine; install it with: "
            "pip install 'voicepush[excel]', or save the sheet as CSV UTF-8"
        ) from error
    try:
        return calamine.load_workbook(io.BytesIO(content))
    except calamine.PasswordError as error:
        raise SourceError(
            "is protected by a password; save it without one", source=name
        ) from error
    except calamine.CalamineError:
        return None


def _calamine() -> Any:
    return importlib.import_module("python_calamine")


def read_workbook(
    workbook: Any, name: str, facts: Facts, choice: Choice
) -> Iterator[Block]:
    """
    The blocks of the first visible sheet of *workbook* that has rows.
    """
    found = first_sheet(workbook, name)
    if found is not None:
        sheet_name, head, rows = found
        many = len(workbook.sheet_names) > 1
        where = f' of sheet "{sheet_name[:40]}"' if many else ""
        yield from _blocks(head, rows, name, where, facts, choice)


def first_sheet(
    workbook: Any, name: str
) -> tuple[str, list[Row], Iterator[Row]] | None:
    """
    The first visible sheet of *workbook* that has rows: its name, its first rows, and
    the others.
    """
    for sheet_name in _visible_sheets(workbook):
        rows = _rows(workbook, sheet_name, name)
        head = list(islice(rows, HEADER_ROWS))
        if head:
            return sheet_name, head, rows
    return None


def _blocks(
    head: Sequence[Row],
    rows: Iterator[Row],
    name: str,
    where: str,
    facts: Facts,
    choice: Choice,
) -> Iterator[Block]:
    with deciding(name):
        layout = layout_of_sheet(head, choice)
    facts.titles, facts.column = layout.titles, f"{layout.words}{where}"
    below = (row for row in chain(head, rows) if row[0] > layout.lines)
    while some := list(islice(below, _ROWS)):
        columns = [[cells[place] for _, cells in some] for place in layout.places]
        yield layout.block([row for row, _ in some], columns)


def _content(raw: Raw, name: str) -> bytes:
    content = bytearray()
    with reading(name):
        while chunk := raw.read(_READ_AT_ONCE):
            content += chunk
            if len(content) > _MOST_BYTES:
                raise SourceError(
                    f"has more than {_MOST_BYTES >> 20} MiB, too many for a workbook; "
                    "save the sheet as CSV UTF-8 and give that",
                    source=name,
                )
    return bytes(content)


def _is_workbook(content: bytes) -> bool:
    if content.startswith(_OLD_KIND):
        return True
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return holds_workbook(archive)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return False


def holds_workbook(archive: zipfile.ZipFile) -> bool:
    """
    Whether *archive* is a workbook, and not one of other files.
    """
    names = archive.namelist()
    if "mimetype" in names:
        with archive.open("mimetype") as kind:
            return kind.read(len(_OPEN_DOCUMENT)) == _OPEN_DOCUMENT
    return any(each.startswith("xl/") for each in names)


def _visible_sheets(workbook: Any) -> Iterator[str]:
    calamine = _calamine()
    for sheet in workbook.sheets_metadata:
        # What is hidden is a list to choose from, or was meant to be out of the way.
        is_visible = sheet.visible == calamine.SheetVisibleEnum.Visible
        if is_visible and sheet.typ == calamine.SheetTypeEnum.WorkSheet:
            yield sheet.name


def _rows(workbook: Any, sheet_name: str, name: str) -> Iterator[Row]:
    """
    The rows that are not blank, each with its number, in cells from the first column.
    """
    try:
        sheet = workbook.get_sheet_by_name(sheet_name)
    except Exception as error:
        words = str(error) or type(error).__name__
        raise SourceError(f"can't be read: {words}", source=name) from error
    if sheet.start is None:
        return
    before = [""] * sheet.start[1]
    for row, cells in enumerate(sheet.iter_rows(), 1):
        texts = list(map(_text, cells))
        if any(texts):
            yield row, before + texts


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < _EXACT:
        return str(int(cell))
    return "" if cell is None else str(cell)
