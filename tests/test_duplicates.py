"""
Each once, however many came before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush.screening.duplicates import Seen
from voicepush.screening.runs import Integers, column, load

#: Until it is done, all are kept as texts, however many.
load()

blocks_of_numbers = st.lists(st.lists(st.integers(0, 60), max_size=8), max_size=20)
limits = st.fixed_dictionaries(
    {
        "most_texts": st.integers(0, 10),
        "buffered": st.integers(1, 9),
        "slice_size": st.integers(1, 6),
    }
)


@pytest.mark.slow
@pytest.mark.parametrize("make", [Seen.of_numbers, Seen.of_ids])
@given(blocks=blocks_of_numbers, limits=limits)
def test_each_once_however_many(
    make: Callable[..., Seen], blocks: list[list[int]], limits: Any
) -> None:
    """
    A text passes once, whether those that came before are few or many.
    """
    seen = make(**limits)
    passed: list[str] = []
    repeated = 0
    for block in blocks:
        texts = [f"+999555{number:04d}" for number in block]
        places = seen.repeated(texts)
        repeated += len(places)
        passed += [text for at, text in enumerate(texts) if at not in places]

    flat = [f"+999555{number:04d}" for block in blocks for number in block]
    assert list(dict.fromkeys(flat)) == passed
    assert len(flat) - len(passed) == repeated
    assert len(seen) == len(passed)


@pytest.mark.parametrize("make", [Seen.of_numbers, Seen.of_ids])
@given(blocks=blocks_of_numbers, limits=limits)
def test_known_are_those_that_were_added(
    make: Callable[..., Seen], blocks: list[list[int]], limits: Any
) -> None:
    """
    What was asked for and not added is still unknown.
    """
    seen = make(**limits)
    added: set[str] = set()
    for block in blocks:
        texts = [f"+999555{number:04d}" for number in block]

        assert seen.known(texts) == added.intersection(texts)

        new = list(set(texts[::2]) - added)
        seen.add(new)
        added.update(new)


@pytest.mark.slow
@given(
    keys=st.lists(
        st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300), max_size=40),
        max_size=40,
    ),
    filtered=st.booleans(),
    buffered=st.integers(1, 50),
    slice_size=st.integers(1, 20),
)
def test_integers_are_a_set(
    keys: list[list[int]], *, filtered: bool, buffered: int, slice_size: int
) -> None:
    """
    Runs that are merged little by little hold what a set holds, at every moment.
    """
    integers = Integers(filtered=filtered, buffered=buffered, slice_size=slice_size)
    plain: set[int] = set()
    for block in keys:
        found = integers.found(column(block, len(block)))

        assert found == [at for at, key in enumerate(block) if key in plain]

        new = list(set(block) - plain)
        integers.add(column(new, len(new)))
        plain.update(new)
        assert len(integers) == len(plain)
    every = sorted(plain)
    assert integers.found(column(every, len(every))) == list(range(len(every)))


def test_many_are_kept_while_they_are_merged() -> None:
    """
    At the sizes of real lists none is lost, and none that is new is found.
    """
    integers = Integers()
    many = 300_000
    for start in range(0, many, 1000):
        some = [number * 7919 % 1_000_003 for number in range(start, start + 1000)]
        assert integers.found(column(some, 1000)) == []
        integers.add(column(some, 1000))

    assert len(integers) == many
    for start in range(0, many, 10_000):
        some = [number * 7919 % 1_000_003 for number in range(start, start + 10_000)]
        assert integers.found(column(some, 10_000)) == list(range(10_000))


def test_ids_with_one_hash_are_told_apart() -> None:
    """
    Where two texts have the same key, the second key decides.
    """

    def same(texts: Any) -> Any:
        return column([7] * len(texts), len(texts))

    def other(texts: Any) -> Any:
        return column(map(len, texts), len(texts), halved=True)

    seen = Seen(same, other, most_texts=0)
    seen.add(["a"])
    seen.add(["bb"])

    assert {"a", "bb"} == seen.known(["a", "bb", "ccc"])
    assert [1] == seen.repeated(["dddd", "a"])
