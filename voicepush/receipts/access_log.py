"""
What is written of requests: a line for each, and warnings that strangers can't repeat.
"""

from __future__ import annotations

import logging
from http import HTTPStatus

from aiohttp import web

from voicepush import clock

_log = logging.getLogger("voicepush.receipts")

#: The same warning is written once in so many seconds.
_WARNS = 60.0


class Warnings:
    """
    Writes each warning once a minute.
    """

    def __init__(self) -> None:
        #: When each may be written again.
        self._warned: dict[str, float] = {}

    def warn(self, text: str, more: str = "") -> None:
        """
        Write *text*, one of a few, with *more* of this time.
        """
        now = clock.monotonic()
        if now >= self._warned.get(text, now):
            self._warned[text] = now + _WARNS
            _log.warning("%s%s; this is said once a minute", text, more and f": {more}")


def log_access(
    request: web.Request, status: HTTPStatus, size: int, began: float
) -> None:
    """
    Write a line about *request*, of whose body *size* bytes were read.
    """
    # Neither the path nor the query: both are the client's choice, and may name people.
    if _log.isEnabledFor(logging.INFO):
        _log.info(
            "%s %d, %d bytes, %.1f ms",
            *(request.method, status, size, 1000 * (clock.monotonic() - began)),
        )
