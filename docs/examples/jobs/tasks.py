"""
A task of Celery: an event loop and a client for each.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

from celery import Celery

import voicepush

app = Celery("tasks", broker=os.environ.get("BROKER", "memory://"))

MESSAGE = voicepush.VoiceMessage(media="welcome", expiry=timedelta(minutes=10))


# Only what was provably not sent is tried again. Tasks are acknowledged before they run
# (`acks_late` stays off): one that died half-way must not be run by another worker.
@app.task(autoretry_for=(voicepush.NotSentError,), retry_backoff=True, max_retries=5)
def ring(number: str) -> str:
    """
    Ring someone; gives the correlation id.
    """
    return asyncio.run(_ring(number))


async def _ring(number: str) -> str:
    # The rate is that of the tenant, which all workers share.
    rate = os.environ.get("VOICEPUSH_RATE_AT")
    async with voicepush.Client(rate=rate) as client:
        result = await client.submit(MESSAGE, number)
    result.raise_for_outcome()
    return result.correlation_id
