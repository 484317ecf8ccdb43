"""
The service on FastAPI, in the event loop of the test.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from httpx2 import ASGITransport, AsyncClient
from voice_services.on_fastapi import app, client_of

from voicepush import Client
from voicepush.testing import VoiceApi, VoiceClock

ANNA = {"number": "+999000000001"}


@pytest.fixture
async def service(voice_client: Client) -> AsyncIterator[AsyncClient]:
    """
    The service, with the client of the test in place of its own.
    """
    app.dependency_overrides[client_of] = lambda: voice_client
    transport = ASGITransport(app)
    async with AsyncClient(transport=transport, base_url="http://service") as service:
        yield service
    app.dependency_overrides.clear()


async def test_rings_once(voice_api: VoiceApi, service: AsyncClient) -> None:
    """
    Who is to be reminded is rung, with the right message.
    """
    answer = await service.post("/reminders", json=ANNA)

    (call,) = voice_api.calls
    assert answer.status_code == 202
    assert call.recipient == ANNA["number"]
    assert call.played == "reminder"
    assert call.correlation_id == answer.text


async def test_tries_again_after_an_internal_error(
    voice_api: VoiceApi, service: AsyncClient
) -> None:
    """
    7006 took nobody, so the service hides it from its callers.
    """
    voice_api.next_replies(7006, 7006)

    answer = await service.post("/reminders", json=ANNA)

    assert answer.status_code == 202
    assert [each.code for each in voice_api.requests] == ["7006", "7006", "1001"]
    assert not voice_api.rung_twice


async def test_a_lost_answer_is_not_sent_again(
    voice_api: VoiceApi, service: AsyncClient
) -> None:
    """
    The phone rings, and the answer is lost: whoever asked must know that.
    """
    voice_api.next_replies("drop")

    answer = await service.post("/reminders", json=ANNA)

    assert answer.status_code == 504
    assert voice_api.times_rung[ANNA["number"]] == 1


async def test_waits_as_long_as_the_api_wants(
    voice_api: VoiceApi, voice_clock: VoiceClock, service: AsyncClient
) -> None:
    """
    Ten minutes of Retry-After, in no time.
    """
    voice_api.next_replies("429:600")

    answer = await voice_clock.hurry(service.post("/reminders", json=ANNA))

    refused, taken = voice_api.requests
    assert answer.status_code == 202
    assert taken.at - refused.at >= timedelta(minutes=10)


async def test_rings_nobody_too_late(
    voice_api: VoiceApi, voice_clock: VoiceClock, service: AsyncClient
) -> None:
    """
    A reminder is worth nothing after two hours, and it was asked to wait for two.
    """
    voice_api.next_replies("429:3600", "429:3600")

    answer = await voice_clock.hurry(
        service.post("/reminders", json=ANNA), step=timedelta(minutes=1)
    )

    assert answer.status_code == 410
    assert not voice_api.calls


@pytest.mark.voice_api(faults=["7101"])
async def test_a_refusal_is_final(voice_api: VoiceApi, service: AsyncClient) -> None:
    """
    7101 means never, so nobody tries again.
    """
    answer = await service.post("/reminders", json=ANNA)

    assert answer.status_code == 422
    assert len(voice_api.requests) == 1
