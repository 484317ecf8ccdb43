"""
Bytes in, bytes out: the only aiohttp client, which sorts its failures by their danger.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Self

import aiohttp
import attrs

from voicepush.errors import ClientClosedError, InDoubtError, NotSentError
from voicepush.settings import Settings

#: The path of the messaging API, version 1.
PATH = "/resources/v1/messaging"

#: An answer of 1,000 elements has about 150 KB.
_MOST_ANSWER_BYTES = 4 << 20

#: Kept shorter than servers usually keep an idle connection, because a request that
#: meets the server's goodbye is in doubt although it was never read.
_KEEP_ALIVE = 4.0

#: No wait that a server asks for is believed to be longer.
_LONGEST_RETRY_AFTER = 3600.0


@attrs.frozen
class Reply:
    """
    What came back, still in bytes.
    """

    status: int
    body: bytes = attrs.field(repr=False)
    #: Seconds to wait before the next attempt, where the service asked for it.
    retry_after: float | None = None


class Transport:
    """
    One session to one address; used with ``async with``.

    Stays on POST: aiohttp sends idempotent requests again by itself when a connection
    breaks, which would ring people twice.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = settings.base_url + PATH
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=settings.concurrency,
                keepalive_timeout=_KEEP_ALIVE,
                ssl=True if settings.tls is None else settings.tls,
            ),
            headers={
                "key": settings.service_key,
                "content-type": "application/json",
                "user-agent": "voicepush",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=settings.trust_env,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """
        Close every connection.
        """
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(self, body: bytes, *, timeout: float) -> Reply:  # noqa: ASYNC109
        """
        Send *body* once.

        Args:
            timeout: The most seconds until the whole answer must be there.

        Raises:
            NotSentError: The connection was never made; nothing left this machine.
            InDoubtError: It broke, or nothing came, after the request had begun.
        """
        if self._session is None:
            raise ClientClosedError("the client is closed; open it with async with")
        try:
            async with self._session.post(
                self._url,
                data=body,
                allow_redirects=False,
                proxy=self._settings.proxy,
                timeout=_limits(timeout, self._settings.connect_timeout),
            ) as response:
                answer = await _read(response)
                return Reply(response.status, answer, _retry_after(response))
        except (
            # Connecting comes first and has a time-out of its own, so each of these
            # means that no byte of the request was written.
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ServerFingerprintMismatch,
            aiohttp.ClientHttpProxyError,
            aiohttp.InvalidURL,
        ) as error:
            raise NotSentError(_words(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise InDoubtError(_words(error)) from error
        except asyncio.CancelledError as error:
            # aiohttp's own, where the session is closed under a request.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise InDoubtError("the client was closed meanwhile") from error


@lru_cache(maxsize=8)  # most requests have the same
def _limits(longest: float, connecting: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=longest,
        # Kept below the total, so that a slow connection is known to be one.
        connect=min(connecting, longest * 0.9),
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    answer = bytearray()
    async for chunk in response.content.iter_any():
        answer += chunk
        if len(answer) > _MOST_ANSWER_BYTES:
            raise InDoubtError("the answer is larger than any should be")
    return bytes(answer)


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    """
    ``Retry-After`` in seconds, from either of its forms.
    """
    text = response.headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text) if text.isdecimal() else _seconds_until(text)
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _seconds_until(http_date: str) -> float:
    moment = parsedate_to_datetime(http_date)
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - time.time()


def _words(error: Exception) -> str:  # noqa: PLR0911 -- a table, read from the top
    """
    What happened, without what aiohttp would add of headers or bodies.
    """
    match error:
        case aiohttp.ConnectionTimeoutError():
            return "connecting took too long"
        case aiohttp.ClientConnectorDNSError():
            return "the host's name can't be resolved"
        case aiohttp.ClientSSLError():
            return f"no TLS connection: {error}"
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.strerror or error.os_error}"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refused the connection with HTTP {error.status}"
        case asyncio.TimeoutError():
            return "no answer in time"
        case aiohttp.ServerDisconnectedError():
            return "the service closed the connection without an answer"
        case _:
            return f"the connection broke: {type(error).__name__}"
