"""
The client against the simulator, over a real socket.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import attrs
import pytest
from conftest import KEY, Connect, Simulate, numbers

from voicepush import (
    Client,
    ClientClosedError,
    Destination,
    InputError,
    Outcome,
    Recipient,
    RecipientsError,
    Result,
    Summary,
    VoiceMessage,
)
from voicepush.simulator import SHAPES


def counts(summary: Summary) -> dict[str, int]:
    """
    The outcomes of *summary* that occurred.
    """
    names = ("accepted", "rejected", "expired", "not_sent", "unknown")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}


# Sending


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
    client = await connect(simulator, batch_size=10, concurrency=1, answer_timeout=0.2)

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
    A request that is too large goes again in halves, with the same ids.
    """
    simulator = await simulate()
    client = await connect(simulator)
    simulator.next_replies(code, code, code)

    summary = await client.send(message, numbers(100))

    assert {"accepted": 100} == counts(summary)
    assert [100, 50, 25, 12, 13, 25, 50] == [r.size for r in simulator.requests]
    assert Counter(numbers(100)) == simulator.calls


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


async def test_a_client_that_is_closed_under_a_name_lookup(
    simulate: Simulate, message: VoiceMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Whoever is on the way when the client is closed has an outcome all the same.
    """
    simulator = await simulate()
    asked = asyncio.Event()

    async def look_up(*_: object, **__: object) -> NoReturn:
        asked.set()
        await asyncio.sleep(60)
        raise OSError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    address = simulator.url.replace("127.0.0.1", "localhost")
    client = Client(service_key=KEY, base_url=address, patience=1, first_wait=0.01)
    await client.__aenter__()
    sending = asyncio.create_task(client.send(message, numbers(3)))
    await asyncio.wait_for(asked.wait(), 5)
    await client.close()
    summary = await asyncio.wait_for(sending, 5)

    assert 3 == summary.unknown + summary.not_sent == summary.total
    assert not simulator.calls


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


async def test_no_attempt_starts_after_the_expiry(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A service that always says 7006 is asked until the expiry, and not after it.
    """
    simulator = await simulate("7006")
    client = await connect(simulator, batch_size=10)
    until = datetime.now(UTC) + timedelta(seconds=0.5)

    summary = await client.send(attrs.evolve(message, expiry=until), numbers(50))

    assert {"expired": 50} == counts(summary)
    assert max(request.at for request in simulator.requests) < until.timestamp()
    assert datetime.now(UTC) < until + timedelta(seconds=0.5)


async def test_what_has_expired_is_not_sent_at_all(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A message whose expiry has passed rings nobody.
    """
    simulator = await simulate()
    client = await connect(simulator)
    long_ago = datetime(2015, 4, 12, tzinfo=UTC)

    summary = await client.send(attrs.evolve(message, expiry=long_ago), numbers(5))

    assert {"expired": 5} == counts(summary)
    assert not simulator.requests


async def test_an_answer_after_the_expiry_still_counts(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A request that left in time is waited for as long as any other.
    """
    simulator = await simulate("slow:0.8")
    client = await connect(simulator)
    soon = attrs.evolve(message, expiry=timedelta(seconds=0.3))

    summary = await client.send(soon, numbers(5))

    assert {"accepted": 5} == counts(summary)


async def test_the_time_for_an_answer_bounds_an_attempt(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Whatever the expiry, an answer is waited for no longer than the settings say.
    """
    client = await connect(await simulate("hang"), answer_timeout=0.2)
    soon = attrs.evolve(message, expiry=timedelta(seconds=60))

    async with asyncio.timeout(5):
        summary = await client.send(soon, numbers(5))

    assert {"unknown": 5} == counts(summary)


async def test_without_an_expiry_patience_ends_it(
    connect: Connect, message: VoiceMessage, unused_tcp_port: int
) -> None:
    """
    A service that can't be reached is tried until the patience runs out.
    """
    client = await connect(f"http://127.0.0.1:{unused_tcp_port}", patience=0.2)

    summary = await client.send(message, numbers(5))

    assert {"not_sent": 5} == counts(summary)
    assert "no connection" in summary.failures[0].description


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


async def test_a_cancelled_send_leaves_nothing_running(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Cancelling ends every task that the call had started.
    """
    simulator = await simulate("hang")
    client = await connect(simulator, batch_size=10)
    sending = asyncio.create_task(client.send(message, numbers(500)))
    while not simulator.requests:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending

    names = [getattr(t.get_coro(), "__qualname__", "") for t in asyncio.all_tasks()]

    assert [] == [name for name in names if name.startswith(("Sender", "Client"))]


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


async def test_a_send_that_sends_nothing_can_be_cancelled(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    Entries that are all refused do not keep the event loop to themselves.
    """
    client = await connect("http://127.0.0.1:1")

    def endless() -> Iterator[str]:
        while True:
            yield "nobody"

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.send(message, endless())


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


async def test_a_wait_beyond_all_patience_is_not_begun(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A service that asks to wait for an hour costs nobody an hour.
    """
    simulator = await simulate()
    simulator.next_replies("429:3600")
    client = await connect(simulator, patience=1)

    async with asyncio.timeout(5):
        first = await client.send(message, numbers(5))
        second = await client.send(message, numbers(5))

    assert {"not_sent": 5} == counts(first) == counts(second)
    assert 1 == len(simulator.requests)


async def test_closing_in_the_middle_loses_nobody(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A client that is closed during a send leaves everyone with an outcome.
    """
    simulator = await simulate(latency=0.05)
    client = await connect(simulator, batch_size=10, concurrency=2)
    sending = asyncio.create_task(client.send(message, numbers(500)))
    while not simulator.requests:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)
    await client.close()
    summary = await sending

    assert 500 == summary.total
    assert 0 == summary.rejected
    assert summary.accepted + summary.unknown >= simulator.rung


# Streaming


async def test_a_stream_gives_each_recipient_once(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Every recipient comes with its outcome, its reason and the ids.
    """
    simulator = await simulate("mix:7102=10%", seed=5)
    client = await connect(simulator, batch_size=100)
    seen: Counter[str] = Counter()
    outcomes: Counter[Outcome] = Counter()

    async with client.stream(message, numbers(1_000)) as results:
        async for batch in results:
            for recipient, outcome, code, _, transaction_id, correlation_id in batch:
                seen[recipient] += 1
                outcomes[outcome] += 1
                assert code == ("1001" if outcome is Outcome.ACCEPTED else "7102")
                assert transaction_id
                assert correlation_id

    assert Counter(numbers(1_000)) == seen
    assert outcomes[Outcome.ACCEPTED] == len(simulator.calls)
    assert results.summary.total == 1_000


async def test_a_slow_reader_slows_the_sending(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    No more is read from the list than is under way and in the reader's hand.
    """
    simulator = await simulate()
    client = await connect(simulator, batch_size=1, concurrency=1)
    read = 0

    def counted() -> Iterator[str]:
        nonlocal read
        for number in numbers(1_000):
            read += 1
            yield number

    async with client.stream(message, counted()) as results:
        await anext(results)
        await asyncio.sleep(0.1)
        ahead = read

    assert ahead < 20
    assert results.summary.accepted == len(simulator.calls)


async def test_leaving_a_stream_early_settles_what_is_under_way(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    After a break nothing new is sent, and the summary knows of everyone rung.
    """
    simulator = await simulate(latency=0.05)
    client = await connect(simulator, batch_size=1, concurrency=4)

    async def endless() -> AsyncIterator[str]:
        for number in numbers(6):
            yield number
        await asyncio.Event().wait()

    async with asyncio.timeout(5), client.stream(message, endless()) as results:
        async for _ in results:
            break

    assert results.summary.accepted == simulator.rung
    assert results.summary.accepted > 0


async def test_leaving_a_stream_counts_batches_that_were_partly_rung(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A batch that is cut in pieces is counted with the pieces that were sent.
    """
    simulator = await simulate()
    client = await connect(simulator, body_limit=5_000, rate=2_000)

    async with client.stream(message, numbers(3_000)) as results:
        while len(simulator.requests) < 4:  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.01)

    assert results.summary.accepted == simulator.rung > 0


async def test_a_stream_raises_what_its_list_raised(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    The reader gets the results first, and then the error of the list.
    """
    client = await connect(await simulate(), batch_size=10)

    def failing() -> Iterator[str]:
        yield from numbers(10)
        raise ValueError("row 11 is odd")

    results = []
    with pytest.raises(RecipientsError, match="row 11 is odd") as caught:  # noqa: PT012 -- the block is what raises
        async with client.stream(message, failing()) as stream:
            async for batch in stream:
                results.append(batch)  # noqa: PERF401 -- kept when it raises

    assert 1 == len(results)
    assert 10 == caught.value.summary.accepted


# Submitting


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


# Opening and closing


async def test_a_closed_client_says_so(message: VoiceMessage) -> None:
    """
    Sending before opening or after closing is refused in words.
    """
    client = Client(service_key=KEY, base_url="http://127.0.0.1:1")
    with pytest.raises(ClientClosedError, match="async with"):
        await client.send(message, numbers(1))
    async with client:
        pass
    with pytest.raises(ClientClosedError, match="async with"):
        await client.submit(message, "+18005550100")


async def test_an_unclosed_client_warns() -> None:
    """
    A client that is dropped while it is open leaves a ResourceWarning.
    """
    client = Client(service_key=KEY, base_url="http://127.0.0.1:1")
    await client.__aenter__()
    transport = client._transport

    with pytest.warns(ResourceWarning, match="unclosed"):  # noqa: PT031 -- both do it
        del client
        gc.collect()
    await transport.close()


def test_settings_or_their_fields() -> None:
    """
    Settings and their fields together would leave open which counts.
    """
    settings = Client(service_key=KEY, base_url="http://127.0.0.1:1").settings

    with pytest.raises(TypeError, match="not both"):
        Client(settings, rate=5)


# Secrets and people


async def test_no_key_or_number_leaks(
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Neither logs nor repr nor exceptions hold the key or a whole number.
    """
    caplog.set_level(logging.DEBUG)
    simulator = await simulate("drop@1/3", "mix:7102=50%", "7006@1/4")
    client = await connect(simulator, batch_size=5, concurrency=1)
    shown = [repr(client), repr(client.settings), str(client.settings)]

    def failing() -> Iterator[str]:
        yield from numbers(30)
        raise ValueError(f"what follows {numbers(30)[-1]} is odd")

    try:
        await client.send(message, failing())
    except RecipientsError as error:
        shown += [str(error), repr(error), repr(error.summary)]
        shown += map(repr, error.summary.failures)
    async with client.stream(message, numbers(30)) as results:
        shown += [repr(batch) async for batch in results]
    shown += [record.getMessage() for record in caplog.records]

    text = "\n".join(shown)
    assert KEY not in text
    assert [] == [number for number in numbers(30) if number[1:] in text]
    assert "999*" not in text or "+99" in text
