"""
The fixtures for tests of who uses voicepush, as type checkers see them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_type

from voicepush import Client, Result, VoiceMessage
from voicepush.testing import (
    PostedReceipt,
    RungCall,
    TakenRequest,
    VoiceApi,
    VoiceClock,
    VoiceSettings,
)

SETTINGS = VoiceSettings(faults=["7006@20%", 504], client={"rate": 10})
VoiceSettings(tpz=10)  # type: ignore[call-arg]


async def looks(api: VoiceApi, client: Client, clock: VoiceClock) -> None:
    """
    What a test looks at has types, and what it says, too.
    """
    api.next_replies(7006, "429:2")
    api.next_replies(None)  # type: ignore[arg-type]
    submitted = client.submit(VoiceMessage(media="welcome"), "+999000000001")
    assert_type(await clock.hurry(submitted, step=timedelta(seconds=1)), Result)
    await clock.advance(60)  # type: ignore[arg-type]
    assert_type(api.calls, tuple[RungCall, ...])
    assert_type(api.requests, tuple[TakenRequest, ...])
    assert_type(api.receipts, tuple[PostedReceipt, ...])
    assert_type(api.times_rung["+999000000001"], int)
    assert_type(api.calls[0].request.at, datetime)
    api.calls[0].recipient = ""  # type: ignore[misc]
