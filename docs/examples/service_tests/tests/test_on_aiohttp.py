"""
The service on aiohttp: the whole of it, on a socket of its own.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from voice_services.on_aiohttp import make_app

from voicepush.testing import VoiceApi, VoiceClock, VoiceSettings

Service = TestClient[web.Request, web.Application]


@pytest.fixture
def voice_settings() -> VoiceSettings:
    """
    The tenant of this service answers slowly, and takes ten a second.
    """
    return VoiceSettings(tps=10, latency=0.01)


@pytest.fixture
async def service(voice_api: VoiceApi) -> AsyncIterator[Service]:
    """
    The service, with a client of its own that waits ten seconds for others to join.
    """
    app = make_app(
        {"service_key": voice_api.service_key, "base_url": voice_api.url, "linger": 10}
    )
    async with TestClient(TestServer(app)) as service:
        yield service


async def test_callers_share_a_request(
    voice_api: VoiceApi, voice_clock: VoiceClock, service: Service
) -> None:
    """
    Two who come within those seconds ring two people by one request.
    """
    callers = asyncio.gather(
        service.post("/welcome/+999000000001"), service.post("/welcome/+999000000002")
    )
    await voice_clock.hurry(callers)

    assert [each.size for each in voice_api.requests] == [2]
    assert sorted(each.recipient for each in voice_api.calls) == [
        "+999000000001",
        "+999000000002",
    ]


@pytest.mark.parametrize(
    ("reply", "outcome", "rung", "may_be_repeated"),
    [
        ("drop", "unknown", 1, False),
        ("drop-early", "unknown", 0, False),
        ("504", "unknown", 1, False),
        ("garbage", "unknown", 1, False),
        ("truncated", "unknown", 1, False),
        ("ring-503", "unknown", 1, False),
        ("7001", "not_sent", 0, True),
        ("7020-quota", "not_sent", 0, True),
        ("7104", "rejected", 0, False),
    ],
)
async def test_says_what_may_be_repeated(
    voice_api: VoiceApi,
    voice_clock: VoiceClock,
    service: Service,
    reply: str,
    outcome: str,
    rung: int,
    may_be_repeated: bool,
) -> None:
    """
    Only what provably rang nobody.
    """
    voice_api.next_replies(reply)

    answer = await voice_clock.hurry(service.post("/welcome/+999000000001"))

    told: dict[str, Any] = await answer.json()
    assert told == {"outcome": outcome, "may_be_repeated": may_be_repeated}
    assert voice_api.times_rung["+999000000001"] == rung
