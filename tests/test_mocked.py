"""
aioresponses in place of the stand-in, and beside it, as docs/testing.md shows.
"""

from __future__ import annotations

from aiohttp import ClientOSError, ClientSession
from aioresponses import aioresponses

from voicepush import Client, Outcome, VoiceMessage
from voicepush.testing import VoiceApi

ADDRESS = "https://api.example.org"


async def test_a_connection_that_breaks() -> None:
    """
    A mishap that is raised in the client, before anything leaves it.
    """
    with aioresponses() as mocked:
        mocked.post(
            f"{ADDRESS}/resources/v1/messaging",
            exception=ClientOSError(104, "Connection reset by peer"),
        )
        async with Client(service_key="made-up", base_url=ADDRESS) as client:
            result = await client.submit(VoiceMessage(media="a"), "+999000000001")

    assert result.outcome is Outcome.UNKNOWN


async def test_other_services_are_mocked(
    voice_api: VoiceApi, voice_client: Client
) -> None:
    """
    What goes to the stand-in goes to the stand-in; the rest is mocked.
    """
    with aioresponses(passthrough=[voice_api.url]) as mocked:
        mocked.get("https://people.example.org/anna", exception=TimeoutError())
        async with ClientSession() as session:
            try:
                await session.get("https://people.example.org/anna")
            except TimeoutError:
                await voice_client.submit(VoiceMessage(media="a"), "+999000000001")

    assert voice_api.times_rung["+999000000001"] == 1
