"""
How large a request may be: cutting, and what a refusal as too large teaches.
"""

from __future__ import annotations

from conftest import Connect, Simulate
from hypothesis import given
from hypothesis import strategies as st
from made_up import MESSAGE, number
from making import batch_of

from voicepush import VoiceMessage
from voicepush.model.recipients import Destination
from voicepush.sending.sizes import Sizes


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=40),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_pieces_laid_end_to_end_are_the_whole(
    widths: list[int], most: int, paced: int
) -> None:
    """
    Nobody is lost by cutting, and in the end every piece fits.
    """
    recipients = [
        Destination([number(10 * at + each) for each in range(width)])
        for at, width in enumerate(widths)
    ]
    batch = batch_of(MESSAGE, "t-0", recipients)
    sizes = Sizes(most, 1 << 20, lambda: paced)
    fitting: list[int] = []
    stack: list[object] = [range(len(batch))]
    while stack:
        places = stack.pop()
        assert isinstance(places, (range, list))
        pieces = sizes.cut(batch, places)
        if pieces is None:
            assert batch.weigh(places) <= min(most, paced) or len(places) == 1
            fitting += places
        else:
            stack += reversed(pieces)

    assert list(range(len(batch))) == fitting


def test_too_many_teaches_the_most() -> None:
    """
    After 7009 no request is as large again, but as large as one that was taken.
    """
    batch = batch_of(MESSAGE, "t-0", [number(at) for at in range(1000)])
    sizes = Sizes(1000, 1 << 20, lambda: 1000)

    sizes.found_too_large("7009", 1000, 98_000)

    assert not sizes.fits(batch, range(501))
    assert sizes.fits(batch, range(500))
    sizes.took(400, 40_000)
    sizes.found_too_large("7009", 500, 49_000)
    assert sizes.fits(batch, range(400))
    assert not sizes.fits(batch, range(401))


def test_too_many_bytes_teach_the_most_bytes() -> None:
    """
    After 7022 no body of several is as large again; a single one is sent all the same.
    """
    sizes = Sizes(1000, 100_000, lambda: 1000)

    sizes.found_too_large("7022", 1000, 98_000)

    assert sizes.is_too_large(62_000, 2)
    assert not sizes.is_too_large(50_000, 500)
    assert not sizes.is_too_large(98_000, 1)
    assert sizes.is_too_large(100_001, 1)


def test_one_that_is_too_large_teaches_nothing() -> None:
    """
    A single destination that is too large says nothing of others.
    """
    batch = batch_of(MESSAGE, "t-0", [number(at) for at in range(10)])
    sizes = Sizes(10, 1 << 20, lambda: 10)

    sizes.found_too_large("7009", 1, 98)

    assert sizes.fits(batch, range(10))


async def test_the_lesson_is_remembered(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A service that takes fewer than it should is asked for too many once.
    """
    simulator = await simulate()
    simulator.next_replies("7009")
    client = await connect(simulator, concurrency=1)
    await client.send(message, [number(at) for at in range(3000)])

    asked = [each.size for each in simulator.requests]
    assert 1 == len([size for size in asked if size > 500])
