"""
Lists that a client sends: whom it rings, and what it takes for a recipient.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from conftest import Connect, Simulate, numbers
from sums import counts

from voicepush import (
    Destination,
    InputError,
    Outcome,
    Recipient,
    RecipientsError,
    VoiceMessage,
)
from voicepush.simulator import SHAPES


@pytest.mark.parametrize("shape", SHAPES)
async def test_everyone_is_rung_once(
    shape: str, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Each shape of answer is understood, and every number is rung exactly once.
    """
    simulator = await simulate(answer=shape)
    client = await connect(simulator)

    summary = await client.send(message, numbers(2_345))

    assert {"accepted": 2_345} == counts(summary)
    assert Counter(numbers(2_345)) == simulator.calls
    assert [1000, 1000, 345] == sorted(
        (request.size for request in simulator.requests), reverse=True
    )


async def test_any_kind_of_list_will_do(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A list, a generator and an async generator are all sent to.
    """
    simulator = await simulate()
    client = await connect(simulator)

    async def later() -> AsyncIterator[str]:
        for number in numbers(5, first=10):
            await asyncio.sleep(0)
            yield number

    await client.send(message, numbers(5))
    await client.send(message, (number for number in numbers(5, first=5)))
    await client.send(message, later())
    await client.send(message, [])

    assert Counter(numbers(15)) == simulator.calls
    assert 3 == len(simulator.requests)


async def test_entries_of_several_values_and_customers(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Values are counted, own correlation ids are kept, customer ids are sent as such.
    """
    simulator = await simulate(answer="each")
    client = await connect(simulator, batch_size=4)
    recipients: list[Recipient] = [
        Destination(numbers(3), correlation_id="family"),
        "+18005550100",
        Destination(customer_id=["c-1", "c-2"]),
    ]

    summary = await client.send(message, recipients)

    assert {"accepted": 6} == counts(summary)
    assert Counter([*numbers(3), "+18005550100", "c-1", "c-2"]) == simulator.calls
    assert [4, 2] == [request.size for request in simulator.requests]
    assert "family" in simulator.requests[0].correlation_ids


async def test_what_is_no_number_is_rejected_here(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    An entry that is no phone number has its outcome, and is never sent.
    """
    simulator = await simulate()
    client = await connect(simulator)
    recipients: list[Any] = ["+1 (800) 555-0100", "nobody", "", None, "+18005550101"]

    summary = await client.send(message, recipients)

    assert {"accepted": 2, "rejected": 3} == counts(summary)
    assert {"+18005550100", "+18005550101"} == set(simulator.calls)
    assert all(row.code is None and row.description for row in summary.failures)


async def test_more_than_one_request_is_in_flight(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    As many requests are under way as the concurrency allows, and no more.
    """
    simulator = await simulate(latency=0.05)
    client = await connect(simulator, concurrency=3, batch_size=10)

    await client.send(message, numbers(200))

    assert 3 == simulator.most_in_flight


class Words(str):
    """
    A type of texts of someone's own, such as template engines have.
    """

    __slots__ = ()


async def test_texts_of_another_type(simulate: Simulate, connect: Connect) -> None:
    """
    A subclass of ``str`` is a text like any other, wherever one may stand.
    """
    simulator = await simulate()
    client = await connect(simulator)
    message = VoiceMessage(media=Words("welcome"), callback_data=Words("mine"))
    first, second, third, *others = map(Words, numbers(9))
    several = Destination([first, second], correlation_id=Words("mine"))

    alone = await client.submit(message, third)
    mixed: list[str | Destination] = [several, *others]
    summary = await client.send(message, mixed)
    plain = await client.send(message, others)

    assert Outcome.ACCEPTED is alone.outcome
    assert {"accepted": 8} == counts(summary)
    assert {"accepted": 6} == counts(plain)
    assert str is type(alone.recipient)


async def test_few_destinations_of_many_values_are_sent_side_by_side(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    What does not fit into one request is not sent one after the other.
    """
    simulator = await simulate(latency=0.05)
    client = await connect(simulator)
    listed = numbers(4_000)
    several = [Destination(listed[at : at + 500]) for at in range(0, 4_000, 500)]

    summary = await client.send(message, several)

    assert {"accepted": 4_000} == counts(summary)
    assert simulator.most_in_flight > 1


async def test_a_list_that_fails_loses_nothing(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    When iterating fails, the error tells what was sent before.
    """
    simulator = await simulate()
    client = await connect(simulator, batch_size=10)

    def failing() -> Iterator[str]:
        yield from numbers(20)
        raise OSError("the disk is gone")

    with pytest.raises(RecipientsError, match="the disk is gone") as caught:
        await client.send(message, failing())

    assert {"accepted": 20} == counts(caught.value.summary)
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_cancelled_task_of_the_list_is_no_success(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A CancelledError out of the list itself is told, and does not end in silence.
    """
    client = await connect(await simulate())

    async def cancelled() -> AsyncIterator[str]:
        for number in numbers(1_500):
            yield number
        task = asyncio.ensure_future(asyncio.sleep(9))
        task.cancel()
        await task

    with pytest.raises(RecipientsError, match="CancelledError") as caught:
        await client.send(message, cancelled())

    assert {"accepted": 1_000} == counts(caught.value.summary)


async def test_a_bare_text_is_no_list(connect: Connect, message: VoiceMessage) -> None:
    """
    A number that was meant to be a list is refused in words.
    """
    client = await connect("http://127.0.0.1:1")

    with pytest.raises(InputError, match=r"write \[number\]"):
        await client.send(message, "+18005550100")


async def test_many_bad_values_are_many_results(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    More refusals than a request holds still have an outcome each.
    """
    client = await connect(await simulate())
    bad = [Destination([text] * 600) for text in ("x", "y")]
    mixed: list[str | Destination] = [*bad, "+18005550100"]

    summary = await client.send(message, mixed)

    assert {"accepted": 1, "rejected": 1_200} == counts(summary)


async def test_equal_correlation_ids_never_share_a_request(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    What an answer could not tell apart is sent apart.
    """
    simulator = await simulate("mix:7006=50%@1/2", seed=3)
    client = await connect(simulator)
    entries = [Destination(number, correlation_id="order") for number in numbers(10)]

    summary = await client.send(message, entries)

    assert {"accepted": 10} == counts(summary)
    assert Counter(numbers(10)) == simulator.calls
    assert 1 == simulator.largest_request
