"""
The addresses of a name.
"""

from __future__ import annotations

import asyncio
import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from voicepush import clock

#: An address found for a name is taken for so long, in seconds.
_NAME_KEPT = 10.0


class Resolver(AbstractResolver):
    """
    The usual resolver with a short memory, shared by all connections.
    """

    def __init__(self) -> None:
        self._resolver = aiohttp.DefaultResolver()
        self._found: dict[object, tuple[float, list[ResolveResult]]] = {}

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """
        The addresses of *host*, found not longer than some seconds ago.
        """
        name = host, port, family
        until, found = self._found.get(name, (0.0, []))
        if clock.monotonic() >= until:
            found = await self._resolver.resolve(host, port, family)
            self._found[name] = clock.monotonic() + _NAME_KEPT, found
        return found

    async def close(self) -> None:
        """
        Give back what it holds.
        """
        await self._resolver.close()


class Lookup(AbstractResolver):
    """
    Looks names up for one connection, and knows if it was cut off meanwhile.
    """

    def __init__(self, resolver: AbstractResolver) -> None:
        self.was_cut = False
        self._resolver = resolver

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        """
        The addresses of *host*.
        """
        try:
            return await self._resolver.resolve(host, port, family)
        except asyncio.CancelledError:
            self.was_cut = True
            raise

    async def close(self) -> None:
        """
        Leave that to who made the resolver.
        """
