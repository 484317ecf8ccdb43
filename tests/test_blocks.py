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
from voicepush.sources.blocks import (
    NOT_A_TEXT,
    Block,
    Malformed,
    from_async,
    from_iterable,
)
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


class Number(str):
    """
    Someone's own type of texts.
    """

    __slots__ = ()


def test_both_kinds_in_one_list() -> None:
    """
    Numbers and customer ids come in two blocks, with their rows, ids and widths.
    """
    everyone: list[Recipient] = [
        ANN,
        Destination(customer_id="c"),
        Destination([BEN, CAT], correlation_id="a"),
        Destination(customer_id="d", correlation_id="b"),
    ]

    numbers, customers = from_iterable(everyone)

    assert [
        (1, ANN),
        (2, Destination(customer_id="c")),
        (3, Destination([BEN, CAT], correlation_id="a")),
        (4, Destination(customer_id="d", correlation_id="b")),
    ] == flat([numbers, customers])
    assert [1, 2] == numbers.recipients.widths
    assert customers.recipients.widths is None
    assert (Kind.MSISDN, Kind.CUSTOMER_ID) == (
        numbers.recipients.kind,
        customers.recipients.kind,
    )


def test_what_is_no_recipient() -> None:
    """
    What a program gives by mistake is malformed; texts of its own type are texts.
    """
    mistaken: Any = [Number(ANN), 17, None, Destination(BEN)]

    numbers, rest = from_iterable(mistaken)

    assert [(1, ANN), (4, BEN)] == flat([numbers])
    assert type(numbers.recipients.values[0]) is str
    assert [
        Malformed(2, "<int>", NOT_A_TEXT),
        Malformed(3, "<NoneType>", NOT_A_TEXT),
    ] == (rest.malformed)
