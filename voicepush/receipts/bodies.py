"""
Bodies of requests are read in bounded time and memory.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Content(Protocol):
    """
    What a body is read from; an `aiohttp.StreamReader` is one.
    """

    def is_eof(self) -> bool:
        """
        Whether all of it has come.
        """
        ...

    def read_nowait(self) -> bytes:
        """
        What has come and was not read.
        """
        ...

    async def readany(self) -> bytes:
        """
        The same, once there is any; nothing at its end.
        """
        ...


class TooLargeError(Exception):
    """
    A body has more bytes than any receipt.
    """


class NotReadError(Exception):
    """
    A body did not come in time, or there are too many at once.
    """


class Bodies:
    """
    Reads bodies, and knows how much is being read at present.

    Args:
        most_bytes: Of one body.
        seconds: In which one has to come.
        most_held: So many bytes of bodies that have not come to their end.
        most_at_once: So many such bodies.
    """

    def __init__(
        self, *, most_bytes: int, seconds: float, most_held: int, most_at_once: int
    ) -> None:
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._most_held = most_held
        self._most_at_once = most_at_once
        self._held = self._at_once = 0
        self._none_is_read = asyncio.Event()
        self._none_is_read.set()

    async def finished(self) -> None:
        """
        Return once no body is in the middle of its way.
        """
        await self._none_is_read.wait()

    async def read(self, content: Content, length: int | None) -> bytes:
        """
        The whole of *content*.

        Args:
            length: How many bytes were announced.

        Raises:
            TooLargeError: It is too large, or is said to be.
            NotReadError: It took too long, or others take all the room.
        """
        if length is not None and length > self._most_bytes:
            raise TooLargeError
        if not content.is_eof():
            return await self._read_slowly(content)
        # Nearly every receipt comes in one piece with the head of its request.
        body = content.read_nowait()
        if len(body) > self._most_bytes:
            raise TooLargeError
        return body

    async def _read_slowly(self, content: Content) -> bytes:
        if self._at_once >= self._most_at_once:
            raise NotReadError
        # Not a list of its parts, which may be single bytes.
        body = bytearray()
        self._at_once += 1
        self._none_is_read.clear()
        try:
            async with asyncio.timeout(self._seconds):
                while part := await content.readany():
                    self._held += len(part)
                    body += part
                    if len(body) > self._most_bytes:
                        raise TooLargeError
                    if self._held > self._most_held:
                        raise NotReadError
        except TimeoutError:
            raise NotReadError from None
        finally:
            self._at_once -= 1
            self._held -= len(body)
            if not self._at_once:
                self._none_is_read.set()
        return bytes(body)
