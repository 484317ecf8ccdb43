"""
Serves an application on a port of its own, with bounds, and drains it at the end.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
from typing import cast

from aiohttp import web

from voicepush.errors import InputError
from voicepush.receipts.app import BODIES

#: Each connection may hold some 256 KiB that were read and not looked at yet.
_MOST_CONNECTIONS = 800

#: Files that are open besides: the ledger's, and what Python needs.
_OTHER_FILES = 64

#: At the end, bodies that are in the middle of their way have so many seconds, and
#: after that as many for those that are to be stored, and once more as many.
_PATIENCE = 4.0

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Length: 0\r\nRetry-After: 60\r\nConnection: close\r\n\r\n"
)


@asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """
    The address of *app*, a `receipts_app` or another, for an ``async with``.

    At its end nobody is let in any more, requests that are under way are answered, and
    then the application is cleaned up.

    Raises:
        InputError: It can't listen at *host* and *port*.
    """
    runner = web.AppRunner(app, shutdown_timeout=_PATIENCE)
    try:
        await runner.setup()
        server = await _listen(cast("web.Server", runner.server), host, port)
        try:
            yield _address(server)
        finally:
            server.close()
            # From the next step on, aiohttp takes no byte of any body.
            if BODIES in app:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PATIENCE):
                        for each in app[BODIES]:
                            await each.finished()
    finally:
        await runner.cleanup()


async def _listen(requests: web.Server, host: str, port: int) -> asyncio.Server:
    # A site of aiohttp's can't be told how many may come in.
    most, (soft_limit, _) = _MOST_CONNECTIONS, getrlimit(RLIMIT_NOFILE)
    if soft_limit != RLIM_INFINITY:
        most = min(most, soft_limit - _OTHER_FILES)

    def let_in() -> asyncio.Protocol:
        return requests() if len(requests.connections) < most else _Full()

    try:
        return await asyncio.get_running_loop().create_server(
            let_in, host, port, backlog=1024
        )
    except OSError as error:
        # The event loop's own words repeat the address; a name's errors are negative.
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror or str(error)
        if number == errno.EADDRINUSE:
            why += "; port 0 takes any that is free"
        raise InputError(f"can't listen at {host}, port {port}: {why}") from error


class _Full(asyncio.Protocol):
    """
    Says that a client has to come again.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Say so and close.
        """
        transport = cast("asyncio.Transport", transport)
        transport.write(_FULL)
        transport.close()


def _address(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
