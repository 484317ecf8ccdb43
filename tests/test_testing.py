"""
The fixtures for who uses voicepush: this suite is one of their users.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone

import attrs
import msgspec
import pytest
import pytest_asyncio
import simulating
from aiohttp import ClientSession, web
from conftest import numbers

import voicepush.testing
from voicepush import Campaign, Client, InDoubtError, Ledger, Outcome, VoiceMessage
from voicepush.testing import (
    UnusedRepliesError,
    VoiceApi,
    VoiceClock,
    VoiceSettings,
    voice_api,
)

ONE, OTHER = numbers(2)


@attrs.define
class Receiver:
    """
    A notify URL that answers with the given statuses, and with 200 after them.
    """

    url: str = ""
    statuses: list[int] = attrs.field(factory=list)
    bodies: list[str] = attrs.field(factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """
        Take one receipt.
        """
        self.bodies.append(await request.text())
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """
    A notify URL on this machine.
    """
    receiver, app = Receiver(), web.Application()
    app.router.add_post("/receipts", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/receipts"
    yield receiver
    await runner.cleanup()


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What does not come is not waited for.
    """
    monkeypatch.setattr(voice_api, "_PATIENCE", 0.05)


# Who was rung


async def test_a_call_tells_by_which_request_and_with_what(
    voice_api: VoiceApi, voice_client: Client, message: VoiceMessage
) -> None:
    """
    Each ring knows its request: the second one, since the first was refused.
    """
    voice_api.next_replies(7006)

    result = await voice_client.submit(message, ONE)

    (call,) = voice_api.calls
    assert Outcome.ACCEPTED == result.outcome
    assert (ONE, 2, "welcome") == (call.recipient, call.request.number, call.played)
    assert ("18005550100", "1001") == (call.request.cli, call.request.code)
    assert (result.correlation_id, result.transaction_id) == (
        call.correlation_id,
        call.transaction_id,
    )
    assert ["7006", "1001"] == [each.reply for each in voice_api.requests]
    assert [1, 1] == [each.size for each in voice_api.requests]


async def test_it_counts_who_was_rung_twice(
    voice_api: VoiceApi, voice_client: Client, message: VoiceMessage
) -> None:
    """
    A number that is sent twice is rung twice, and has two calls.
    """
    await voice_client.send(message, [ONE, OTHER])
    await voice_client.send(message, [ONE])

    assert (ONE,) == voice_api.rung_twice
    assert {ONE: 2, OTHER: 1} == dict(voice_api.times_rung)
    assert 0 == voice_api.times_rung["+999111111111"]
    assert [1, 1, 2] == [call.request.number for call in voice_api.calls]


async def test_a_lost_answer_is_no_lost_call(
    voice_api: VoiceApi, voice_client: Client, message: VoiceMessage
) -> None:
    """
    The phone rings, and nobody is told so: unknown, and not tried again.
    """
    voice_api.next_replies("drop")

    result = await voice_client.submit(message, ONE)

    with pytest.raises(InDoubtError):
        result.raise_for_outcome()
    assert 1 == voice_api.times_rung[ONE]
    assert [None] == [each.status for each in voice_api.requests]


async def test_the_values_hide_numbers_and_keys(
    voice_api: VoiceApi, voice_client: Client, message: VoiceMessage
) -> None:
    """
    A failed assert shows no whole number, and no service key.
    """
    await voice_client.submit(message, ONE)

    shown = repr((voice_api, voice_api.calls, voice_api.requests, voice_api.receipts))
    assert ONE not in shown
    assert voice_api.service_key not in shown


# What is replied


async def test_replies_that_are_left_over_are_told(
    voice_api: VoiceApi, voice_client: Client, message: VoiceMessage
) -> None:
    """
    Fewer requests than replies: the test is not about what it says.
    """
    voice_api.next_replies(7006, "drop", 504)
    await voice_client.submit(message, ONE)

    with pytest.raises(UnusedRepliesError, match="reply 504; 2 came in all"):
        voice_api.check_replies()
    assert ("504",) == voice_api.unused_replies
    voice_api.forget_replies()
    voice_api.check_replies()


async def test_left_over_replies_may_be_allowed() -> None:
    """
    A setting says so.
    """
    async with VoiceApi(VoiceSettings(unused_replies=True)) as api:
        api.next_replies(504)

        api.check_replies()


@pytest.mark.voice_api(faults=["7101"], refusal_status=400)
async def test_a_marker_says_how_it_behaves(
    voice_api: VoiceApi, voice_client: Client, message: VoiceMessage
) -> None:
    """
    Standing faults are settings, and a marker gives settings.
    """
    result = await voice_client.submit(message, ONE)

    assert (Outcome.REJECTED, "7101") == (result.outcome, result.code)
    assert [400] == [each.status for each in voice_api.requests]


@pytest.mark.voice_api(client={"batch_size": 1}, tps=1000)
async def test_a_marker_gives_settings_of_the_client(
    voice_api: VoiceApi, voice_client: Client, message: VoiceMessage
) -> None:
    """
    They are the fields of `Settings`.
    """
    await voice_client.send(message, [ONE, OTHER])

    assert [1, 1] == [each.size for each in voice_api.requests]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"tpz": 3}, "'tpz' is no setting of voice_api; possible are service_key, "),
        ({"faults": ["7OO6"]}, "'7OO6' is not a reply"),
        ({"rings": ["bussy"]}, "'bussy' is not a ring"),
        ({"receipt_faults": ["lots"]}, "'lots' is not a receipt fault"),
    ],
)
def test_settings_that_are_none_are_refused(
    changes: dict[str, object], told: str
) -> None:
    """
    Nothing that is given is silently ignored.
    """
    with pytest.raises(ValueError, match=told):
        VoiceSettings().changed(changes)


@pytest.mark.usefixtures("short_patience")
async def test_requests_that_do_not_come_are_not_waited_for_without_end(
    voice_api: VoiceApi,
) -> None:
    """
    It is said how many came.
    """
    with pytest.raises(TimeoutError, match="0 of 1 requests came"):
        await voice_api.taken(1)


# Receipts


async def test_receipts_go_where_the_test_says(
    voice_api: VoiceApi,
    voice_client: Client,
    receiver: Receiver,
    message: VoiceMessage,
) -> None:
    """
    A busy phone is reported event by event, and the call says what became of it.
    """
    voice_api.report_to(receiver.url)
    voice_api.phones("busy")
    await voice_client.submit(message, ONE)
    await voice_api.receipts_done()

    (call,) = voice_api.calls
    assert {"7407", "7408", "7409", "7401"} == set(call.events)
    assert "not_reached" == call.state
    assert 4 == len(receiver.bodies)
    assert [(ONE, True)] * 4 == [
        (each.recipient, each.taken) for each in voice_api.receipts
    ]
    assert call.events == tuple(each.code for each in voice_api.receipts)


async def test_an_hour_of_waiting_for_a_receipt_takes_no_time(
    voice_api: VoiceApi,
    voice_client: Client,
    voice_clock: VoiceClock,
    receiver: Receiver,
    message: VoiceMessage,
) -> None:
    """
    A receipt that is not taken comes again after a minute, by the clock of the test.
    """
    receiver.statuses = [503]
    voice_api.report_to(receiver.url)
    voice_api.phones("expired")
    await voice_client.submit(message, ONE)

    await voice_clock.hurry(voice_api.receipts_done(), step=timedelta(seconds=30))

    assert 2 == len(receiver.bodies)
    assert [True] == [each.taken for each in voice_api.receipts]


@pytest.mark.usefixtures("short_patience")
async def test_receipts_that_are_to_come_are_told(
    voice_api: VoiceApi,
    voice_client: Client,
    receiver: Receiver,
    message: VoiceMessage,
) -> None:
    """
    One that was not taken comes again in a minute, for which nobody waits.
    """
    receiver.statuses = [503]
    voice_api.report_to(receiver.url)
    voice_api.phones("expired")
    await voice_client.submit(message, ONE)

    with pytest.raises(TimeoutError, match="1 receipts are to come"):
        await voice_api.receipts_done()
    assert [False] == [each.taken for each in voice_api.receipts]


async def test_what_is_said_of_a_transaction_is_scripted_apart(
    voice_api: VoiceApi, voice_client: Client, message: VoiceMessage
) -> None:
    """
    Replies to who asks what became of a call are used up by nobody else.
    """
    voice_api.next_status_replies(7020)
    result = await voice_client.submit(message, ONE)
    url = f"{voice_api.url}/resources/v1/messaging/status/{result.transaction_id}"

    async with (
        ClientSession(headers={"key": voice_api.service_key}) as session,
        session.get(url) as first,
        session.get(url) as second,
    ):
        answers = await first.text(), await second.text()

    assert "7020" in answers[0]
    assert "queued" in answers[1]
    assert ["1001"] == [each.code for each in voice_api.requests]


# The clock


async def test_whoever_is_asked_to_wait_waits_by_the_clock_of_the_test(
    voice_api: VoiceApi,
    voice_client: Client,
    voice_clock: VoiceClock,
    message: VoiceMessage,
) -> None:
    """
    ``Retry-After: 600`` is kept to, and costs no ten minutes.
    """
    voice_api.next_replies("429:600")

    result = await voice_clock.hurry(
        voice_client.submit(message, ONE), step=timedelta(minutes=1)
    )

    first, second = voice_api.requests
    assert Outcome.ACCEPTED == result.outcome
    assert second.at - first.at >= timedelta(minutes=10)
    assert voice_clock.passed >= timedelta(minutes=10)


async def test_an_answer_that_never_comes_is_given_up_without_waiting(
    voice_api: VoiceApi,
    voice_client: Client,
    voice_clock: VoiceClock,
    message: VoiceMessage,
) -> None:
    """
    The client's time-out is a timer like any other; the phone rings all the same.
    """
    voice_api.next_replies("hang")
    sending = asyncio.create_task(voice_client.submit(message, ONE))
    await voice_api.taken(1)

    await voice_clock.advance(timedelta(minutes=3))

    assert Outcome.UNKNOWN == (await sending).outcome
    assert 1 == voice_api.times_rung[ONE]


async def test_the_stand_in_lives_by_the_same_clock(
    voice_api: VoiceApi, voice_client: Client, voice_clock: VoiceClock
) -> None:
    """
    An expiry that is far off by the true time has passed for both.
    """
    expiry = datetime.now(UTC) + timedelta(hours=2)
    message = VoiceMessage(media="welcome", expiry=expiry)
    await voice_client.submit(message, ONE)

    await voice_clock.advance(timedelta(hours=2))
    late = await voice_client.submit(message, OTHER)

    assert Outcome.EXPIRED == late.outcome
    assert {ONE: 1} == dict(voice_api.times_rung)
    assert voice_clock.moment >= expiry


@pytest.mark.voice_api(tps=1)
async def test_a_second_of_the_tenant_passes_by_the_clock_of_the_test(
    voice_api: VoiceApi,
    voice_client: Client,
    voice_clock: VoiceClock,
    message: VoiceMessage,
) -> None:
    """
    What was too fast is not, once time has passed.
    """
    for number in numbers(3):
        await voice_client.submit(message, number)
        await voice_clock.advance(timedelta(seconds=2))

    assert {"1001"} == {each.reply for each in voice_api.requests}


async def test_a_campaign_waits_for_its_start(
    voice_api: VoiceApi,
    voice_client: Client,
    voice_clock: VoiceClock,
    memory_ledger: Ledger,
    message: VoiceMessage,
) -> None:
    """
    Ledger, campaign and stand-in agree on what time it is, also in another year.
    """
    voice_clock.set(datetime(2031, 5, 1, 8, tzinfo=UTC))
    start = datetime(2031, 5, 1, 9, tzinfo=UTC)
    campaign = await Campaign.plan(
        memory_ledger,
        "may",
        message,
        [ONE, OTHER],
        terms=voicepush.Terms(starts_at=start),
    )

    summary = await voice_clock.hurry(
        campaign.dispatch(voice_client), step=timedelta(minutes=5)
    )

    assert 2 == summary.accepted
    assert all(each.at >= start for each in voice_api.requests)
    assert () == voice_api.rung_twice


async def test_the_clock_on_the_wall_is_set_forward_and_back(
    voice_clock: VoiceClock,
) -> None:
    """
    No time passes by that, for nobody.
    """
    before = voice_clock.monotonic()
    voice_clock.set(datetime(1999, 12, 31, tzinfo=timezone(timedelta(hours=5))))

    assert "1999-12-30 19:00" == f"{voicepush.clock.utc_now():%Y-%m-%d %H:%M}"
    assert voice_clock.passed < timedelta(hours=1)
    assert voice_clock.monotonic() - before < 3600
    with pytest.raises(ValueError, match="has no time zone"):
        voice_clock.set(datetime(2030, 1, 1))  # noqa: DTZ001 -- that is refused


async def test_time_does_not_pass_backwards(voice_clock: VoiceClock) -> None:
    """
    Timers could not bear it.
    """
    with pytest.raises(ValueError, match="backwards"):
        await voice_clock.advance(timedelta(seconds=-1))


async def test_what_is_never_done_is_not_hurried_for_ever(
    voice_clock: VoiceClock,
) -> None:
    """
    It is cancelled, and that is said.
    """
    waiting = asyncio.ensure_future(asyncio.Event().wait())

    with pytest.raises(TimeoutError, match="not done after 0:00:10"):
        await voice_clock.hurry(waiting, at_most=timedelta(seconds=10))

    assert waiting.cancelled()


async def test_no_time_passes_while_something_goes_on(voice_clock: VoiceClock) -> None:
    """
    A slow machine lets no time-out strike: only who waits for the time is hurried.
    """

    async def works() -> timedelta:
        for _ in range(50):
            await asyncio.sleep(0.001)
        worked = voice_clock.passed
        await asyncio.sleep(3600)
        return worked

    worked = await voice_clock.hurry(works(), step=timedelta(minutes=5))

    assert worked < timedelta(minutes=5)
    assert voice_clock.passed >= timedelta(hours=1)


async def test_the_true_time_is_back_after_a_test() -> None:
    """
    Neither voicepush nor the loop lives by a clock that nobody moves any more.
    """
    loop, moved = asyncio.get_running_loop(), VoiceClock()
    with moved.moving(loop):
        moved.move(timedelta(days=1))
        assert loop.time() - time.monotonic() > 80_000
        assert voicepush.clock.now() - time.time() > 80_000

    assert loop.time() - time.monotonic() < 80_000
    assert voicepush.clock.now() - time.time() < 80_000


def test_timers_that_can_not_be_moved_are_told() -> None:
    """
    It matters only to a test that moves the clock.
    """

    class Fixed(asyncio.AbstractEventLoop):
        pass

    moved = VoiceClock()
    with moved.moving(Fixed()):  # type: ignore[abstract]
        moved.set(datetime(2030, 1, 1, tzinfo=UTC))
        with pytest.raises(RuntimeError, match="timers of test_testing can't be moved"):
            moved.move(timedelta(seconds=1))


# Without a plugin


async def test_it_serves_without_pytest_too(message: VoiceMessage) -> None:
    """
    The stand-in is a context manager, and what it saw stays when it is gone.
    """
    async with (
        VoiceApi() as api,
        Client(service_key=api.service_key, base_url=api.url) as client,
    ):
        await client.submit(message, ONE)

    assert 1 == api.times_rung[ONE]


def test_a_test_that_is_not_async_has_it_too(voice_api: VoiceApi) -> None:
    """
    It listens in a thread then, for what has a loop of its own.
    """
    host, port = voice_api.url.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /simulator HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_time_passes_for_the_thread_too(
    voice_api: VoiceApi, voice_clock: VoiceClock
) -> None:
    """
    An answer that takes an hour is there when an hour has passed.
    """
    voice_api.next_replies("slow:3600")
    host, port = voice_api.url.removeprefix("http://").split(":")
    body = msgspec.json.encode(simulating.message(1))
    head = (
        "POST /resources/v1/messaging HTTP/1.1\r\nHost: x\r\n"
        f"key: {voice_api.service_key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )

    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode() + body)
        while not voice_api.requests:
            time.sleep(0.01)
        voice_clock.move(timedelta(hours=1))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("name", voicepush.testing.__all__)
def test_each_name_has_a_docstring(name: str) -> None:
    """
    Every public name says what it is for.
    """
    assert (getattr(voicepush.testing, name).__doc__ or "").strip()
