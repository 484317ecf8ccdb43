"""
Lists and iterables of programs: which blocks they make.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import ANN, BEN, CAT, flat

from voicepush.errors import InputError
from voicepush.model.recipients import Destination, Kind, Recipient, Recipients
from voicepush.sources.blocks import Block, Malformed, from_async, from_iterable
from voicepush.sources.entries import (
    NOT_A_RECORD,
)


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

    first = next(from_iterable(endless(), size=2))

    assert [ANN, ANN] == list(first.recipients.values)


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

    assert [flat([block]) for block in from_iterable(everyone, size=size)] == [
        flat([block]) for block in blocks
    ]


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
    recipients = Recipients(Kind.MSISDN, [ANN, BEN], range(1, 3))

    assert (
        "Block(recipients=Recipients(kind=<Kind.MSISDN: 'msisdn'>, values=<2>, "
        "as_came=<0>, kept=<0>), malformed=<1>)"
    ) == repr(Block(recipients, [Malformed(3, CAT, NOT_A_RECORD)]))


def test_malformed_hides_numbers() -> None:
    """
    What is shown of a malformed row in a log does not hold its number.
    """
    assert ANN not in repr(Malformed(1, ANN, NOT_A_RECORD))
