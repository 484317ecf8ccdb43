"""
Columns that are kept with their recipients.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from reading import (
    ANN,
    BEN,
    CAT,
    SMALL,
    blocks_of,
    flat,
    kept_in,
    parquet,
)

from voicepush.errors import InputError, SourceError
from voicepush.sources.files import read_file

TABLE = f"name,Lang ,msisdn,Owed (EUR)\nAnn,en,{ANN},1.50\nBen,,{BEN},\nCat\n"


@pytest.mark.parametrize("chunk_bytes", [SMALL, None])
@pytest.mark.parametrize("keep", [["Lang"], ["LANG"], ["lang", "Lang "], ["2"]])
def test_kept_under_its_own_spelling(keep: list[str], chunk_bytes: int | None) -> None:
    """
    A kept column is found as the column of numbers is, and called as the list calls it.
    """
    blocks = blocks_of(TABLE, keep=keep, chunk_bytes=chunk_bytes)

    assert [(2, ANN), (3, BEN), (4, "")] == flat(blocks)
    assert [(2, {"Lang": "en"}), (3, {"Lang": ""}), (4, {"Lang": ""})] == kept_in(
        blocks
    )


def test_nothing_is_kept_unasked() -> None:
    """
    Without a word about it no column is kept.
    """
    assert [(2, {}), (3, {}), (4, {})] == kept_in(blocks_of(TABLE))


def test_several_are_kept() -> None:
    """
    Any columns may be kept, also those that are taken anyway; but for signs is enough.
    """
    blocks = blocks_of(TABLE, keep=("owed eur", "msisdn", "name"))

    assert [
        (2, {"Owed (EUR)": "1.50", "msisdn": ANN, "name": "Ann"}),
        (3, {"Owed (EUR)": "", "msisdn": BEN, "name": "Ben"}),
        (4, {"Owed (EUR)": "", "msisdn": "", "name": "Cat"}),
    ] == kept_in(blocks)


def test_kept_beside_correlation_ids() -> None:
    """
    What is kept leaves with its row, where that is malformed.
    """
    content = f"msisdn,correlationid,a\n{ANN},x,1\n{BEN},{'y' * 51},2\n{CAT},,3\n"

    assert [(2, {"a": "1"}), (4, {"a": "3"})] == kept_in(blocks_of(content, keep=["a"]))


def test_kept_without_a_header() -> None:
    """
    In a list without a header a column is kept by its place.
    """
    blocks = blocks_of(f"{ANN};en\n{BEN};de\n", keep=["2"])

    assert [(1, {"2": "en"}), (2, {"2": "de"})] == kept_in(blocks)


def test_header_is_known_by_what_is_kept() -> None:
    """
    Where no header of numbers is known, that of a kept column shows where they stand.
    """
    blocks = blocks_of(f"whom,lang\n{ANN},en\n", column="1", keep=["lang"])

    assert [(2, {"lang": "en"})] == kept_in(blocks)


@pytest.mark.parametrize(
    ("content", "keep", "words"),
    [
        (TABLE, "langs", "row 1: there is no column 'langs'; the columns are name, L"),
        (TABLE, "5", "there is no column '5'; the columns are"),
        (TABLE, "", "there is no column ''"),
        (f"{ANN},en\n", "lang", "there is no column 'lang'; the columns are 447*"),
        (f"a,a,msisdn\n1,2,{ANN}\n", "a", "several columns are called 'a'"),
        (f'{{"msisdn":"{ANN}","a":1}}', "b", "there is no field 'b'; the fields are m"),
        (f'"{ANN}"', "b", "there is no field 'b'; there are no fields; choose"),
    ],
)
def test_column_that_is_not_there(content: str, keep: str, words: str) -> None:
    """
    A column that can't be kept is refused with those that could.
    """
    name = "june.jsonl" if "{" in content or '"' in content else "june.csv"
    with pytest.raises(SourceError) as caught:
        blocks_of(content, keep=[keep], name=name)

    assert str(caught.value).startswith(f"{name}, row 1: ")
    assert words in str(caught.value)
    assert "choose one with --keep, by name" in str(caught.value)


def test_two_columns_that_are_called_the_same() -> None:
    """
    Two columns of one name can't both be kept, by place neither.
    """
    with pytest.raises(SourceError, match=r"several columns are called 'a'; .*--keep"):
        blocks_of(f"a,a,msisdn\n1,2,{ANN}\n", keep=["1", "2"])


def test_one_text_is_no_list_of_columns() -> None:
    """
    A single text is refused; it would be taken for a list of its letters.
    """
    with pytest.raises(InputError, match=r"write \[column\]"):
        read_file("june.csv", keep="lang")


# JSON lines.


LINES = [
    {"msisdn": ANN, "Lang": "en", "n": 1},
    {"msisdn": [BEN, CAT], "Lang": None, "n": 1.5},
    {"msisdn": None, "customerid": "c", "n": [1, {"a": None}]},
    {"name": "nobody", "n": 7},
    {"msisdn": ANN, "n": True, "Lang": "d\u00e9"},
    "bare",
    {"Lang": "fr", "customerid": "d"},
]
KEPT = [
    (1, {"Lang": "en", "n": "1"}),
    (2, {"Lang": "", "n": "1.5"}),
    (3, {"Lang": "", "n": '[1,{"a":null}]'}),
    (5, {"Lang": "d\u00e9", "n": "true"}),
    (6, {"Lang": "", "n": ""}),
    (7, {"Lang": "fr", "n": ""}),
]


def written(lines: Iterable[Any]) -> str:
    """
    The JSON of *lines*.
    """
    return "".join(f"{json.dumps(line)}\n" for line in lines)


@pytest.mark.parametrize("times", [1, 50])
@pytest.mark.parametrize("chunk_bytes", [200, None])
def test_kept_fields(times: int, chunk_bytes: int | None) -> None:
    """
    Fields are kept as texts, whatever the lines look like, and whatever is in them.
    """
    content = written(LINES * times)

    blocks = blocks_of(
        content, keep=["lang", "n"], name="x.jsonl", chunk_bytes=chunk_bytes
    )

    assert [
        (row + time * len(LINES), kept) for time in range(times) for row, kept in KEPT
    ] == kept_in(blocks)


def test_all_blocks_keep_the_same_columns() -> None:
    """
    Every block has each column, so that blocks can be joined.
    """
    content = written([*LINES, *["bare"] * 60, *LINES])

    blocks = blocks_of(content, keep=["lang"], name="x.jsonl", chunk_bytes=90)

    assert len(blocks) > 5
    assert [["Lang"]] * len(blocks) == [list(each.recipients.kept) for each in blocks]


# Parquet.


def test_kept_of_parquet(tmp_path: Path) -> None:
    """
    Columns of Parquet are kept as texts.
    """
    path = parquet(
        tmp_path / "a.parquet",
        msisdn=[ANN, None],
        Lang=["en", None],
        owed=[1, 2],
        same=[True, None],
    )

    blocks = list(read_file(path, keep=["lang", "OWED", "4", "msisdn"]))

    assert [
        (1, {"Lang": "en", "owed": "1", "same": "true", "msisdn": ANN}),
        (2, {"Lang": "", "owed": "2", "same": "", "msisdn": ""}),
    ] == kept_in(blocks)
    with pytest.raises(SourceError, match="no column 'x'; the columns are msisdn, La"):
        list(read_file(path, keep=["x"]))
