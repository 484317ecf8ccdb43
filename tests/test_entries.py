"""
Columns as they were read become blocks: the exceptions among them, and their reasons.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import ANN, BEN, CAT, flat, kept_in

from voicepush.model.recipients import Destination, Kind
from voicepush.sources.blocks import Malformed
from voicepush.sources.entries import (
    BAD_CORRELATION_ID,
    BAD_VALUES,
    Columns,
    block_of,
)

values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([ANN, BEN, "", None, int(CAT), 1.5, True, b"x", {}, [], [[1]]]),
    st.sampled_from(["'=x", '="y"', '=""', '\'="a"', " z ", "\u00e9", '"=', "'a"]),
    st.lists(
        st.sampled_from([ANN, 7, 1.5, "", None, "'=x", '="y"', '=""']), max_size=3
    ),
)
own_ids: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        ["a", "b 2", "", None, 7, 7.5, True, [1], " c ", "\t", "'=x", "'d"]
    ),
    st.sampled_from(['="y"', '=""', "x" * 50, "x" * 51, "\u00e9" * 25, "\u00e9" * 26]),
)


@given(
    st.sampled_from(Kind),
    st.lists(st.tuples(values, own_ids, own_ids), min_size=1, max_size=12),
    st.booleans(),
)
def test_each_row_is_what_it_would_be_alone(
    kind: Kind, table: list[tuple[Any, Any, Any]], has_ids: bool
) -> None:
    """
    What a row becomes does not depend on the others of its block.
    """

    def made(rows: range) -> Columns:
        some = [table[row] for row in rows]
        return Columns(
            rows,
            [value for value, _, _ in some],
            [own_id for _, own_id, _ in some] if has_ids else None,
            {"k": [kept for _, _, kept in some]},
        )

    together = [block_of(kind, made(range(len(table))))]
    alone = [block_of(kind, made(range(row, row + 1))) for row in range(len(table))]

    assert flat(alone) == flat(together)
    assert kept_in(alone) == kept_in(together)


@pytest.mark.parametrize("value", [[], [""] * 2, [ANN, None], [[ANN]], {}, True, b"1"])
@pytest.mark.parametrize("kind", Kind)
def test_what_is_no_value(kind: Kind, value: Any) -> None:
    """
    What can't be a value is malformed, and shown as it came.
    """
    block = block_of(kind, Columns([5, 6], [value, "x"], ["a", ""]))

    assert [Malformed(5, str(value), BAD_VALUES)] == block.malformed
    assert ["x"] == list(block.recipients.values)
    assert block.recipients.correlation_ids is None


def test_more_values_than_a_request_takes() -> None:
    """
    A destination of more than 1,000 values is malformed; one of 1,000 is not.
    """
    block = block_of(Kind.MSISDN, Columns([1, 2], [[ANN] * 1000, [ANN] * 1001]))

    assert [1000] == list(block.recipients.widths or ())
    assert [(2, BAD_VALUES)] == [(each.row, each.reason) for each in block.malformed]
    assert len(block.malformed[0].text) == 200


@pytest.mark.parametrize("own_id", ["x" * 51, "\u00e9" * 26, [1], True, {}])
@pytest.mark.parametrize("value", [ANN, "", [ANN, BEN], []])
def test_bad_correlation_id(value: Any, own_id: Any) -> None:
    """
    A bad correlation id is the reason, whatever the value is.
    """
    block = block_of(Kind.MSISDN, Columns([1, 2], [value, CAT], [own_id, "ok"]))

    assert [(1, BAD_CORRELATION_ID)] == [
        (each.row, each.reason) for each in block.malformed
    ]
    assert [(2, Destination(CAT, correlation_id="ok"))] == flat([block])[1:]


def test_correlation_ids_as_the_api_takes_them() -> None:
    """
    Ids may have 50 bytes, and spaces within them but not around them.
    """
    ids = ["x" * 50, "\u00e9" * 25, " a b ", "\u2003c\u2003", 7]

    block = block_of(Kind.MSISDN, Columns(range(5), [ANN] * 5, ids))

    assert [
        "x" * 50,
        "\u00e9" * 25,
        "a b",
        "c",
        "7",
    ] == block.recipients.correlation_ids
    assert not block.malformed


@pytest.mark.parametrize("ids", [["", ""], [None, ""], [" ", "\t"], ["", "a"]])
def test_ids_of_nobody(ids: list[Any]) -> None:
    """
    A column in which no one has an id is none.
    """
    block = block_of(Kind.MSISDN, Columns([1, 2], [ANN, ""], ids))

    assert block.recipients.correlation_ids is None
    assert [ANN, ""] == list(block.recipients.values)


def test_usual_columns_are_not_copied() -> None:
    """
    Where all is usual the columns go into the block as they were read.
    """
    texts, ids, kept = [ANN, BEN], ["a", "b"], ["en", "de"]

    for kind in Kind:
        recipients = block_of(kind, Columns([1, 2], texts, ids, {"k": kept})).recipients

        assert recipients.values is texts
        assert recipients.correlation_ids is ids
        assert recipients.kept["k"] is kept
        assert recipients.widths is None
        assert kind is recipients.kind
