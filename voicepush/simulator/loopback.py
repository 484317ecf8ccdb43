"""The client that posts receipts, which reaches nothing but this machine."""

import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

#: Shorter than servers keep an idle connection, so that none breaks under a receipt.
_IDLE_SECONDS = 2.0


class _Loopback(AbstractResolver):
    """
    Knows no name but localhost, whatever the name servers say.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != "localhost":  # pragma: no cover -- a second lock on the same door
            message = f"{host} is not this machine"
            raise OSError(message)
        addresses = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, address in addresses
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """
        Nothing to close.
        """


def open_session(*, most: int, answer_seconds: float) -> aiohttp.ClientSession:
    """
    A session for at most so many posts at once, each answered in so many seconds.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=most, resolver=_Loopback(), keepalive_timeout=_IDLE_SECONDS
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=answer_seconds),
        skip_auto_headers={"Accept", "Accept-Encoding", "User-Agent"},
        auto_decompress=False,
    )
