"""
Views of Django.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from functools import cache

from beside_threads import Caller
from django.http import HttpRequest, JsonResponse

import voicepush

MESSAGE = voicepush.VoiceMessage(media="welcome", expiry=timedelta(seconds=20))


def call_alone(request: HttpRequest) -> JsonResponse:
    """
    With an event loop and a client of its own.
    """

    async def call() -> voicepush.Result:
        async with voicepush.Client() as client:
            return await client.submit(MESSAGE, _number(request))

    return _told(asyncio.run(call()))


_made = cache(Caller)
_making = threading.Lock()


def caller() -> Caller:
    """
    The one of this process, made when it is first needed.
    """
    with _making:
        return _made()


def call(request: HttpRequest) -> JsonResponse:
    """
    With the client that all threads of the process share.
    """
    return _told(caller().call(MESSAGE, _number(request)))


def _number(request: HttpRequest) -> str:
    return str(request.POST["number"])


def _told(result: voicepush.Result) -> JsonResponse:
    return JsonResponse({"number": result.recipient, "outcome": result.outcome})
