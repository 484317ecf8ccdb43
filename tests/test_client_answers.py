"""
What a client makes of answers: sends again, splits, slows down, or stops.
"""

from __future__ import annotations

from collections import Counter

import pytest
from conftest import Connect, Simulate, numbers
from sums import counts

from voicepush import Destination, Outcome, Result, VoiceMessage


async def test_internal_errors_are_sent_again(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    With a fifth of all requests refused by 7006, everyone is accepted in the end.
    """
    simulator = await simulate("7006@20%", seed=1)
    client = await connect(simulator, batch_size=50)

    summary = await client.send(message, numbers(2_000))

    assert {"accepted": 2_000} == counts(summary)
    assert simulator.replies["7006"] > 0
    assert {1} == set(simulator.calls.values())


async def test_only_the_refused_part_is_sent_again(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Of a mixed answer only the destinations with 7006 go again, with the same ids.
    """
    simulator = await simulate(seed=3)
    simulator.next_replies("mix:7006=30%,7102=10%")
    client = await connect(simulator)

    summary = await client.send(message, numbers(1_000))

    first, second = simulator.requests
    assert 1_000 == summary.accepted + summary.rejected
    assert 200 < second.size < 400
    assert set(second.correlation_ids) < set(first.correlation_ids)
    assert {"7102"} == {row.code for row in summary.failures}
    assert summary.accepted == len(simulator.calls)
    assert {1} == set(simulator.calls.values())


async def test_internal_errors_can_be_left_alone(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Whoever fears that 7006 comes after dialling gets unknown instead of a second call.
    """
    simulator = await simulate("7006")
    client = await connect(simulator, retry_internal_error=False)

    summary = await client.send(message, numbers(10))

    assert {"unknown": 10} == counts(summary)
    assert 1 == len(simulator.requests)


@pytest.mark.parametrize(
    "fault",
    ["drop", "hang", "504", "502", "500", "garbage", "empty", "truncated", "7010"],
)
async def test_what_is_in_doubt_is_never_sent_again(
    fault: str, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Exactly the recipients whose answer was lost are unknown, and none is rung twice.
    """
    simulator = await simulate(f"{fault}@1/5")
    client = await connect(simulator, batch_size=10, concurrency=1, answer_timeout=1.0)

    summary = await client.send(message, numbers(100))

    assert {"accepted": 80, "unknown": 20} == counts(summary)
    assert numbers(10, 40) + numbers(10, 90) == [
        row.recipient for row in summary.failures
    ]
    assert 10 == len(simulator.requests)
    assert {1} == set(simulator.calls.values())


@pytest.mark.parametrize("fault", ["429", "503:1", "7020"])
async def test_a_refusal_for_speed_slows_down(
    fault: str, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    After a refusal for speed everyone is accepted, at a lower pace.
    """
    simulator = await simulate()
    client = await connect(simulator, batch_size=10, rate=10_000)
    simulator.next_replies(fault)

    summary = await client.send(message, numbers(100))

    assert {"accepted": 100} == counts(summary)
    assert client.sender.pacer.rate is not None
    assert client.sender.pacer.rate < 10_000


@pytest.mark.slow
async def test_a_limit_of_the_tenant_is_found(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Without a rate of its own, a client finds one at which everyone is accepted.
    """
    simulator = await simulate(tps=400)
    client = await connect(simulator, concurrency=4)

    summary = await client.send(message, numbers(1_000))

    assert {"accepted": 1_000} == counts(summary)
    assert simulator.largest_request == 1_000
    assert simulator.replies["7020"] > 0


@pytest.mark.parametrize("code", ["7009", "7022", "413"])
async def test_what_is_too_large_is_split(
    code: str, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A request that is too large goes again in halves, with the same ids; the rest is
    not made as large again.
    """
    simulator = await simulate()
    client = await connect(simulator)
    simulator.next_replies(code, code, code)

    summary = await client.send(message, numbers(100))

    assert {"accepted": 100} == counts(summary)
    sizes = [r.size for r in simulator.requests]
    assert [100, 50, 25, 12, 13] == sizes[:5]
    assert max(sizes[5:]) < 25
    assert Counter(numbers(100)) == simulator.calls


async def test_one_destination_that_is_too_large_is_refused(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Halving ends with a single destination, which is then refused for good.
    """
    simulator = await simulate("7022")
    client = await connect(simulator)

    summary = await client.send(message, numbers(3))

    assert {"rejected": 3} == counts(summary)


async def test_bodies_stay_under_their_limit(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A body over the limit of our own is split before it is sent.
    """
    simulator = await simulate()
    client = await connect(simulator, body_limit=2_000)

    summary = await client.send(message, numbers(100))

    assert {"accepted": 100} == counts(summary)
    assert simulator.largest_request < 35
    assert 0 == simulator.replies["7022"]


@pytest.mark.parametrize("fault", ["7001", "7002", "7007", "7127", "7020-quota", "401"])
async def test_a_refusal_of_everything_stops(
    fault: str, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    After a refusal that meets every request, nothing else is sent, nobody is lost.
    """
    simulator = await simulate(fault, latency=0.02)
    client = await connect(simulator, batch_size=10, concurrency=4)

    summary = await client.send(message, numbers(500))

    assert {"not_sent": 500} == counts(summary)
    assert summary.stopped
    assert len(simulator.requests) <= 4
    assert not simulator.calls


async def test_redirects_are_not_followed(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A redirect would carry the key away, so it stops everything instead.
    """
    simulator = await simulate("302")
    client = await connect(simulator)

    summary = await client.send(message, numbers(5))

    assert {"not_sent": 5} == counts(summary)
    assert 1 == len(simulator.requests)


async def test_an_entry_answered_once_per_value(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Several values under one id have one outcome.
    """
    simulator = await simulate(answer="each")
    client = await connect(simulator)

    results: list[Result] = []
    async with client.stream(message, [Destination(numbers(3))]) as stream:
        async for batch in stream:
            results += batch

    assert numbers(3) == [result.recipient for result in results]
    assert {Outcome.ACCEPTED} == {result.outcome for result in results}
