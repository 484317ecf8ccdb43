"""
Events become spans and metrics of a real OpenTelemetry SDK.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from callers import MovedLoop
from conftest import KEY, Connect, Simulate, numbers
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from traced import Sdk, attribute

import voicepush
from voicepush import Campaign, Client, Ledger, Observers, VoiceMessage, telemetry
from voicepush.telemetry.names import METRICS, SCHEMA_URL

BATCH = "send voice"
CAMPAIGN = "dispatch campaign"


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """
    An SDK of its own.
    """
    sdk = Sdk()
    yield sdk
    sdk.close()


def parent_of(span: ReadableSpan) -> int | None:
    """
    The id of the span that *span* is a child of.
    """
    return None if span.parent is None else span.parent.span_id


def id_of(span: ReadableSpan | trace.Span) -> int:
    """
    Its id.
    """
    return span.get_span_context().span_id  # type: ignore[union-attr]


async def test_a_batch_of_send_is_a_child_of_its_caller(
    simulate: Simulate, connect: Connect, message: VoiceMessage, sdk: Sdk
) -> None:
    """
    So is each batch of a stream; and each attempt is a child of its batch.
    """
    client = await connect(await simulate())
    undo = telemetry.instrument(client, **sdk.providers)
    with sdk.tracer.start_as_current_span("request") as caller:
        await client.send(message, numbers(1500))
        async with client.stream(message, numbers(10)) as results:
            async for _ in results:
                pass
    undo()

    batches, attempts = sdk.spans(BATCH), sdk.spans("POST")
    assert 3 == len(batches) == len(attempts)
    assert {id_of(caller)} == set(map(parent_of, batches))
    assert set(map(id_of, batches)) == set(map(parent_of, attempts))
    assert {1000, 500, 10} == {
        attribute(each, "messaging.batch.message_count") for each in batches
    }


async def test_a_batch_of_a_campaign_is_linked_to_it(
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    sdk: Sdk,
    ledger: Ledger,
) -> None:
    """
    Each is a trace of its own; the campaign is a child of its caller, and tells how
    many were accepted.
    """
    client = await connect(await simulate())
    telemetry.instrument(client, **sdk.providers)
    campaign = await Campaign.plan(ledger, "june", message, numbers(2500))
    with sdk.tracer.start_as_current_span("job") as caller:
        await campaign.dispatch(client)

    (span,) = sdk.spans(CAMPAIGN)
    batches = sdk.spans(BATCH)
    assert id_of(caller) == parent_of(span)
    assert ("june", "finished", 2500) == tuple(
        attribute(span, f"voicepush.{name}")
        for name in ("campaign", "state", "recipients.accepted")
    )
    assert 3 == len(batches)
    assert {None} == set(map(parent_of, batches))
    linked = {link.context.span_id for each in batches for link in each.links}
    assert {id_of(span)} == linked


async def test_a_joined_batch_is_linked_to_every_caller(
    simulate: Simulate, connect: Connect, message: VoiceMessage, sdk: Sdk
) -> None:
    """
    Once to each of their spans, whoever filled the batch; who has none is not linked.
    """
    client = await connect(await simulate())
    undo = telemetry.instrument(client, **sdk.providers)
    spans: list[trace.Span] = []

    async def call(first: int, many: int) -> None:
        with sdk.tracer.start_as_current_span("request") as span:
            spans.append(span)
            await asyncio.gather(
                *(client.submit(message, each) for each in numbers(many, first))
            )

    await asyncio.gather(
        *(call(10 * each, each) for each in range(1, 6)),
        client.submit(message, *numbers(1, 100)),
    )
    undo()

    (batch,) = sdk.spans(BATCH)
    assert 16 == attribute(batch, "messaging.batch.message_count")
    assert parent_of(batch) is None
    assert set(map(id_of, spans)) == {link.context.span_id for link in batch.links}
    assert 5 == len(batch.links)


async def test_attempts_tell_what_was_said(
    simulate: Simulate, connect: Connect, message: VoiceMessage, sdk: Sdk
) -> None:
    """
    By the conventions for HTTP, and with the code and what that means.
    """
    simulator = await simulate()
    client = await connect(simulator)
    undo = telemetry.instrument(client, **sdk.providers)
    simulator.next_replies("7006", "429:0", "504")
    await client.send(message, numbers(3))
    undo()

    told = [
        tuple(
            attribute(each, name)
            for name in (
                "voicepush.code",
                "voicepush.meaning",
                "http.response.status_code",
                "voicepush.attempt",
                "error.type",
            )
        )
        for each in sdk.spans("POST")
    ]
    (batch,) = sdk.spans(BATCH)
    assert [
        ("7006", "internal", 200, 1, None),
        ("none", "throttled", 429, 2, "429"),
        ("none", "in_doubt", 504, 3, "504"),
    ] == told
    assert ("unknown", 3) == (
        attribute(batch, "error.type"),
        attribute(batch, "voicepush.recipients.unknown"),
    )
    assert trace.StatusCode.ERROR is batch.status.status_code
    assert {SCHEMA_URL} == {
        each.instrumentation_scope and each.instrumentation_scope.schema_url
        for each in sdk.exporter.get_finished_spans()
    }


async def test_what_is_measured(
    simulate: Simulate, connect: Connect, message: VoiceMessage, sdk: Sdk
) -> None:
    """
    Attempts by code and meaning, recipients by outcome, latency, pace, and what is on
    its way.
    """
    simulator = await simulate()
    client = await connect(simulator, rate=5000.0)
    undo = telemetry.instrument(client, **sdk.providers)
    simulator.next_replies("7102", "504")
    await client.send(message, numbers(4))
    await client.send(message, numbers(3, 10))
    await client.send(message, numbers(20, 20))

    found = list(sdk.points())
    attempts = {
        (at["voicepush.code"], at["voicepush.meaning"]): value
        for name, at, value in found
        if name == "voicepush.attempts"
    }
    expected = {
        ("7102", "rejected"): 1,
        ("none", "in_doubt"): 1,
        ("1001", "accepted"): 1,
    }
    assert expected == attempts
    outcomes = {"rejected": 4, "unknown": 3, "accepted": 20}
    assert outcomes == sdk.sums("voicepush.recipients", "voicepush.outcome")
    sent = {"7102": 4, "in_doubt": 3, None: 20}
    assert sent == sdk.sums("messaging.client.sent.messages", "error.type")
    undo()
    took = sdk.sums("http.client.request.duration", "http.response.status_code")
    assert {200: 2, 504: 1} == took
    levels = {
        name: value
        for name, _, value in found
        if name
        in (
            "http.client.active_requests",
            "voicepush.batches.waiting",
            "voicepush.pace",
        )
    }
    assert {
        "http.client.active_requests": 0,
        "voicepush.batches.waiting": 0,
        "voicepush.pace": 5000.0,
    } == levels
    assert {name for name, _, _ in found} <= {each.name for each in METRICS}


async def test_what_is_on_its_way(
    simulate: Simulate, connect: Connect, message: VoiceMessage, sdk: Sdk
) -> None:
    """
    One request at a time is under way, and the other batches wait.
    """
    simulator = await simulate(latency=0.3)
    client = await connect(simulator, concurrency=1, batch_size=10)
    telemetry.instrument(client, **sdk.providers)
    sending = asyncio.create_task(client.send(message, numbers(60)))
    while not client.sender.load.requests:  # noqa: ASYNC110 -- there is no such event
        await asyncio.sleep(0.001)
    found = {name: value for name, _, value in sdk.points()}
    await sending

    assert 1 == found["http.client.active_requests"]
    assert found["voicepush.batches.waiting"] >= 1
    assert 0 == client.sender.load.requests == client.sender.load.batches


async def test_several_clients_are_measured_together(
    simulate: Simulate, connect: Connect, message: VoiceMessage, sdk: Sdk
) -> None:
    """
    Those of one service add up, and those of another stand beside it.
    """
    simulator, other = await simulate(), await simulate()
    for each in (simulator, simulator, other):
        client = await connect(each)
        telemetry.instrument(client, **sdk.providers)
        await client.send(message, numbers(5))

    by_port = sdk.sums("voicepush.recipients", "server.port")
    assert {10, 5} == set(by_port.values())


async def test_undone(
    simulate: Simulate, connect: Connect, message: VoiceMessage, sdk: Sdk
) -> None:
    """
    What undoes it may be called twice; counts stay where they were.
    """
    client = await connect(await simulate())
    undo = telemetry.instrument(client, **sdk.providers)
    await client.send(message, numbers(2))
    undo()
    undo()
    await client.send(message, numbers(2, 10))

    assert 1 == len(sdk.spans(BATCH))
    assert {"accepted": 2} == sdk.sums("voicepush.recipients", "voicepush.outcome")
    names = {name for name, _, _ in sdk.points()}
    assert "http.client.active_requests" not in names


async def test_receipts_by_state(sdk: Sdk) -> None:
    """
    Whatever tells them to observers.
    """
    observers = Observers()
    telemetry.instrument(observers, **sdk.providers)
    observers.tell(
        voicepush.ReceiptsApplied(
            stored=3,
            refused=2,
            received=voicepush.Received(applied=2, unplaced=1),
            seconds=0.1,
            states={voicepush.CallState.REACHED: 2, voicepush.CallState.DROPPED: 1},
        )
    )

    states = sdk.sums("voicepush.receipts", "voicepush.call.state")
    posts = sdk.sums("voicepush.receipts.posts", "voicepush.post")
    assert {"reached": 2, "dropped": 1} == states
    assert {"stored": 3, "refused": 2, "unplaced": 1, "unreadable": 0} == posts


def test_what_waits_is_written_soon(sdk: Sdk) -> None:
    """
    By the loop's clock, in the span in which it happened; outside of a loop at once.
    """
    observers = Observers()
    telemetry.instrument(observers, **sdk.providers)

    async def happen() -> int:
        with sdk.tracer.start_as_current_span("request") as span:
            observers.tell(_batch())
        before = len(sdk.spans(BATCH))
        await asyncio.sleep(1)
        (written,) = sdk.spans(BATCH)
        assert id_of(span) == parent_of(written)
        return before

    loop = MovedLoop()
    assert 0 == loop.run_until_complete(happen())
    loop.close()
    observers.tell(_batch())
    assert 2 == len(sdk.spans(BATCH))


def test_a_campaign_whose_end_was_not_told(sdk: Sdk) -> None:
    """
    Its span ends when it begins anew, or when nothing is written any more.
    """
    observers = Observers()
    undo = telemetry.instrument(observers, **sdk.providers)
    begun = voicepush.CampaignBegun(campaign="june", tag="tag")
    observers.tell(begun)
    observers.tell(begun)
    after_two = len(sdk.spans(CAMPAIGN))
    undo()

    assert (1, 2) == (after_two, len(sdk.spans(CAMPAIGN)))


def test_not_many_wait(sdk: Sdk) -> None:
    """
    However fast they come.
    """
    observers = Observers()
    telemetry.instrument(observers, **sdk.providers)

    async def happen() -> None:
        for _ in range(100):
            observers.tell(_batch())
        assert len(sdk.spans(BATCH)) >= 68

    asyncio.run(happen())


def _batch() -> voicepush.BatchRecorded:
    return voicepush.BatchRecorded(
        batch=voicepush.BatchId("tag", 0),
        recipients=1,
        outcomes={voicepush.Outcome.ACCEPTED: 1},
        attempts=[],
        began=1_700_000_000.0,
        seconds=0.1,
    )


def everything(sdk: Sdk) -> str:
    """
    All that was exported, as one text.
    """
    texts: list[Any] = [each.to_json() for each in sdk.exporter.get_finished_spans()]
    data = sdk.reader.get_metrics_data()
    return "\n".join([*texts, "" if data is None else data.to_json()])


async def test_nobody_is_named(
    simulate: Simulate,
    connect: Connect,
    sdk: Sdk,
    ledger: Ledger,
) -> None:
    """
    No number, customer id, correlation id or key is exported: not where the service
    says them in codes and words, nor where a campaign is called so.
    """
    simulator = await simulate("mix:7102=50%,7006=20%", seed=3)
    client = await connect(simulator)
    undo = telemetry.instrument(client, **sdk.providers)
    message = VoiceMessage(media="welcome", correlation_id="request-of-ann")
    people = [
        voicepush.Destination(msisdn=number, correlation_id=f"order-{place}-of-ann")
        for place, number in enumerate(numbers(30))
    ]
    await client.send(message, people)
    await client.send(message, [voicepush.Destination(customer_id="ann-jones")])
    await asyncio.gather(*(client.submit(message, each) for each in numbers(5, 50)))
    [secret] = numbers(1, 77)
    campaign = await Campaign.plan(ledger, f"only {secret}", message, people)
    simulator.next_replies("7001")
    await campaign.dispatch(client)
    undo()
    said = everything(sdk)

    assert BATCH in said
    assert CAMPAIGN in said
    for each in (*numbers(100), "ann", KEY, "request-of", "order-"):
        assert each not in said, each
        assert each.removeprefix("+") not in said, each


async def test_a_service_that_says_anything(
    connect: Connect, sdk: Sdk, simulate: Simulate
) -> None:
    """
    Codes that are none, or too many, are told as one.
    """
    client = await connect(await simulate())
    telemetry.instrument(client, **sdk.providers)
    for place, number in enumerate(numbers(3000)):
        code = number if place % 2 else f"{place:04d}"
        client.observers.tell(_attempt(code, client))

    codes = {at["voicepush.code"] for at in _attributes(sdk, "voicepush.attempts")}
    assert "other" in codes
    assert len(codes) <= 65
    assert not any(number in codes for number in numbers(3000))


def _attributes(sdk: Sdk, name: str) -> list[Any]:
    return [attributes for each, attributes, _ in sdk.points() if each == name]


def _attempt(code: str, client: Client) -> voicepush.AttemptMade:
    return voicepush.AttemptMade(
        batch=voicepush.BatchId(client._lists._tag, 0),
        attempt=1,
        destinations=1,
        bytes=100,
        status=200,
        began=0.0,
        seconds=0.1,
        code=code,
        meaning="rejected",
        verdicts={},
    )


_WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
import voicepush
assert not voicepush.telemetry.is_installed()
undo = voicepush.telemetry.instrument(voicepush.Observers())
undo()
assert not [name for name in sys.modules if name.startswith("opentelemetry.")]
"""

_UNASKED = """
import sys
import voicepush
unasked = ("opentelemetry", "prometheus_client")
found = [name for name in sys.modules if name.startswith(unasked)]
assert not found, found
"""

_UNCONFIGURED = """
import voicepush
assert voicepush.telemetry.is_installed()
assert not voicepush.telemetry.is_configured()
observers = voicepush.Observers()
undo = voicepush.telemetry.instrument(observers)
observers.tell(voicepush.CampaignBegun(campaign="june", tag="t"))
undo()
"""


@pytest.mark.parametrize("program", [_WITHOUT, _UNASKED, _UNCONFIGURED])
def test_nothing_is_needed(program: str) -> None:
    """
    Without the library, or without an SDK, nothing is written; and neither is loaded
    unasked.
    """
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
