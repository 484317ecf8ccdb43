"""
One client beside threads: for Django under WSGI, Flask, and workers that use threads.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import voicepush


class Caller:
    """
    A client in an event loop of its own; any thread may call it.

    Make it after the process was forked: in ``post_fork`` of gunicorn, or at Celery's
    ``worker_process_init``.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(self._opened(), self._loop)
        self._client = opening.result()

    def call(self, message: voicepush.VoiceMessage, number: str) -> voicepush.Result:
        """
        Ring someone, joined with what other threads submit meanwhile.
        """
        handed = asyncio.run_coroutine_threadsafe(
            self._client.submit(message, number), self._loop
        )
        return handed.result()

    def close(self, drain: timedelta = timedelta(seconds=30)) -> voicepush.Drained:
        """
        Wait for what is under way, and end the thread.
        """
        drained = asyncio.run_coroutine_threadsafe(
            self._client.close(drain), self._loop
        ).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        return drained

    async def _opened(self) -> voicepush.Client:
        return await voicepush.Client().__aenter__()
