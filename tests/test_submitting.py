"""
Recipients that are submitted one by one, and share requests.
"""

from __future__ import annotations

import asyncio

from conftest import KEY, Connect, Simulate, numbers

from voicepush import Client, Destination, Outcome, VoiceMessage


async def test_submissions_share_requests(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    500 callers at once cost few requests, and each gets its own answer.
    """
    simulator = await simulate("mix:7102=10%", seed=2)
    client = await connect(simulator)

    results = await asyncio.gather(
        *(client.submit(message, number) for number in numbers(500))
    )

    assert numbers(500) == [result.recipient for result in results]
    accepted = {r.recipient for r in results if r.outcome is Outcome.ACCEPTED}
    assert set(simulator.calls) == accepted
    assert len(simulator.requests) <= 3


async def test_a_cancelled_caller_disturbs_nobody(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Its number is not rung if it has not left, and the others are.
    """
    simulator = await simulate()
    client = await connect(simulator)
    callers = [
        asyncio.create_task(client.submit(message, number)) for number in numbers(10)
    ]
    await asyncio.sleep(0)
    callers[3].cancel()
    results = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(results[3], asyncio.CancelledError)
    assert numbers(10)[3] not in simulator.calls
    assert 9 == len(simulator.calls)


async def test_a_bad_submission_is_rejected_at_once(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    What is no number has its outcome without a request.
    """
    simulator = await simulate()
    client = await connect(simulator)

    result = await client.submit(message, "nobody")

    partly = await client.submit(message, Destination([numbers(1)[0], "nobody"]))

    assert Outcome.REJECTED is result.outcome is partly.outcome
    assert not simulator.requests


async def test_closing_sends_what_was_submitted(
    simulate: Simulate, message: VoiceMessage
) -> None:
    """
    A submission that waits for company goes out when the client is closed.
    """
    simulator = await simulate()
    async with Client(service_key=KEY, base_url=simulator.url, linger=60) as client:
        submission = asyncio.create_task(client.submit(message, "+18005550100"))
        await asyncio.sleep(0)

    assert Outcome.ACCEPTED is (await submission).outcome
