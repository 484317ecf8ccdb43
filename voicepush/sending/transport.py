"""
Bytes in, bytes out: the only aiohttp client, which sorts its failures by their danger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import Self

import aiohttp

from voicepush import clock
from voicepush.errors import (
    ClientClosedError,
    InDoubtError,
    NotSentError,
    UnreachableError,
)
from voicepush.model.batch import Batch
from voicepush.sending.carried import Carried
from voicepush.sending.reply import Reply
from voicepush.sending.resolving import Lookup, Resolver
from voicepush.sending.tokens import Bearer, Tokens
from voicepush.settings import ReuseConnections, Settings

#: The path of the messaging API, version 1.
PATH = "/resources/v1/messaging"

#: An answer of 1,000 elements has about 150 KB.
_MOST_ANSWER_BYTES = 4 << 20

#: A connection that was idle for longer is not used again, because a request that
#: meets the server's goodbye is in doubt although it was never read. No server is
#: known to keep an idle connection for less than a second.
_LONGEST_IDLE = 0.5


class Transport:
    """
    Connections to one address, each carrying one request at a time; used with
    ``async with``.

    Who is called is sent by POST: aiohttp sends idempotent requests again by itself
    when a connection breaks, which would ring people twice.

    Args:
        url: Where requests go; by default to the API.
        headers: What they carry; by default the service key, or a token.

    Raises:
        InputError: The settings ask for tokens, and the library for them is missing.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.url = settings.base_url + PATH if url is None else url
        #: What makes the tokens that requests carry, if they carry any.
        self.tokens: Tokens | None = None
        if headers is None and settings.token is not None:
            headers, self.tokens = {}, Tokens(settings.token)
        self.headers = {"key": settings.service_key} if headers is None else headers
        self._resolver: Resolver | None = None
        #: The latest to become idle comes last.
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._longest_idle = _LONGEST_IDLE

    async def __aenter__(self) -> Self:
        self._resolver = Resolver()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """
        Close every connection.
        """
        resolver, self._resolver = self._resolver, None
        self._idle.clear()
        for connection in list(self._open):
            await connection.close()
        if resolver is not None:
            await resolver.close()

    async def connection(
        self, batch: Batch | None = None, *, fresh: bool = False
    ) -> Connection:
        """
        A connection for one request, to be used with ``async with``.

        Args:
            batch: What is sent over it, if anyone is to be called.
            fresh: It must not have carried any other request.

        Raises:
            ClientClosedError: The transport is closed.
        """
        if self._resolver is None:
            raise ClientClosedError("the client is closed; open it with async with")
        while self._idle and self._idle[0].seconds_idle >= self._longest_idle:
            await self._idle.pop(0).close()
        anyone = self.settings.reuse_connections is ReuseConnections.ALWAYS
        for connection in () if fresh else reversed(self._idle):
            if anyone or batch is None or not connection.carried.could_answer(batch):
                self._idle.remove(connection)
                break
        else:
            connection = Connection(self, self._resolver)
            self._open.add(connection)
        if batch is not None:
            connection.carried.add(batch)
        return connection

    async def keep(self, connection: Connection) -> None:
        """
        Use *connection* for another request, if there is one soon.
        """
        if self._resolver is None:
            await connection.close()
        else:
            self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """
        Know nothing of *connection* any more.
        """
        self._open.discard(connection)

    def broke_after(self, seconds: float) -> None:
        """
        A connection that was idle for so many *seconds* broke without an answer.

        Most likely the server closes idle connections earlier than others do; from now
        on they are used again only after half of that time.
        """
        self._longest_idle = min(self._longest_idle, seconds / 2)


class Connection:
    """
    One connection, made when it is first needed.

    Used with ``async with`` for one request at a time. Afterwards it is used again
    only if the answer proved to be this request's, which the user of it says by
    setting `proven`; see `Settings.reuse_connections`.
    """

    def __init__(self, transport: Transport, resolver: Resolver) -> None:
        settings = transport.settings
        self.proven = False
        self.carried = Carried()
        #: The token of the latest request, if it carried one.
        self.bearer: Bearer | None = None
        self._transport = transport
        self._reuse = settings.reuse_connections
        self._idle_since: float | None = None
        self._was_idle: float | None = None
        self._lookup = Lookup(resolver)
        never = self._reuse is ReuseConnections.NEVER
        # A session of its own: the pool of a shared one would hand the connection on
        # as soon as the answer has ended, before anyone has looked at it.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=1,
                keepalive_timeout=None if never else _LONGEST_IDLE,
                force_close=never,
                resolver=self._lookup,
                ssl=True if settings.tls is None else settings.tls,
            ),
            headers={
                **transport.headers,
                "content-type": "application/json",
                "user-agent": "voicepush",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=settings.trust_env,
            middlewares=() if transport.tokens is None else (self._with_token,),
        )

    async def _with_token(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # As a header of the request it would contradict what .netrc may say.
        assert self._transport.tokens is not None  # noqa: S101 -- see above
        self.bearer = self._transport.tokens.current()
        request.headers.update(self.bearer.headers)
        return await send(request)

    @property
    def seconds_idle(self) -> float:
        """
        How long it has carried nothing; 0 before its first request.
        """
        since = self._idle_since
        return 0.0 if since is None else clock.monotonic() - since

    @property
    def is_fresh(self) -> bool:
        """
        Whether it carried nothing before the present request.
        """
        return self._was_idle is None

    async def __aenter__(self) -> Self:
        self._was_idle = None if self._idle_since is None else self.seconds_idle
        self.proven = False
        return self

    async def __aexit__(self, failed: object, *_: object) -> None:
        again = self.proven or self._reuse is ReuseConnections.ALWAYS
        if failed is None and again and self._reuse is not ReuseConnections.NEVER:
            self._idle_since = clock.monotonic()
            await self._transport.keep(self)
        else:
            await self.close()

    async def close(self) -> None:
        """
        Close it for good.
        """
        self._transport.discard(self)
        await self._session.close()

    async def post(
        self,
        body: bytes,
        *,
        timeout: float,  # noqa: ASYNC109
        connect_timeout: float,
    ) -> Reply:
        """
        Send *body* once.

        Args:
            timeout: The most seconds until the whole answer must be there.
            connect_timeout: The most seconds until the connection must be there.

        Raises:
            NotSentError: The connection was never made; nothing left this machine.
            UnreachableError: Nor will any other be made, until someone mends that.
            InDoubtError: It broke, or nothing came, after the request had begun.
        """
        return await self._ask("POST", "", body, _limits(timeout, connect_timeout))

    async def get(self, path: str) -> Reply:
        """
        Ask for what stands at *path* below the API's, which changes nothing.

        Raises the same as `post`.
        """
        settings = self._transport.settings
        limits = _limits(settings.answer_timeout, settings.connect_timeout)
        return await self._ask("GET", path, None, limits)

    async def _ask(
        self, method: str, path: str, body: bytes | None, limits: aiohttp.ClientTimeout
    ) -> Reply:
        try:
            async with self._session.request(
                method,
                self._transport.url + path,
                data=body,
                allow_redirects=False,
                proxy=self._transport.settings.proxy,
                timeout=limits,
            ) as response:
                answer = await _read(response)
                waits = response.headers.get("retry-after", "")
                date = response.headers.get("date", "")
                return Reply(response.status, answer, waits, date)
        except (
            aiohttp.ClientConnectorDNSError,
            aiohttp.ClientConnectorCertificateError,
            aiohttp.ServerFingerprintMismatch,
        ) as error:
            raise UnreachableError(_words(error)) from error
        except (
            # Connecting comes first and has a time-out of its own, so each of these
            # means that no byte of the request was written.
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientHttpProxyError,
            aiohttp.InvalidURL,
        ) as error:
            raise NotSentError(_words(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if self._was_idle is not None and not isinstance(error, TimeoutError):
                self._transport.broke_after(self._was_idle)
            raise InDoubtError(_words(error)) from error
        except asyncio.CancelledError as error:
            # aiohttp's own, where the session is closed under a request.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            kind = NotSentError if self._lookup.was_cut else InDoubtError
            raise kind("the client was closed meanwhile") from error
        except RuntimeError as error:
            if not self._session.closed:
                raise
            raise ClientClosedError("the client was closed meanwhile") from error


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


def _words(error: Exception) -> str:  # noqa: PLR0911 -- a table, read from the top
    """
    What happened, without what aiohttp would add of headers or bodies.
    """
    match error:
        case aiohttp.ConnectionTimeoutError():
            return "connecting took too long"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} can't be resolved; is the address right?"
        case aiohttp.ClientConnectorCertificateError():
            return f"the certificate of {error.host} is not trusted: {_why(error)}"
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


def _why(error: aiohttp.ClientConnectorCertificateError) -> str:
    reason = error.certificate_error
    return getattr(reason, "verify_message", "") or str(reason)
