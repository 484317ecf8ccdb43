"""
Strangers at the dashboard: those behind a proxy, and those who only take up room.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from dashboards import shown

from voicepush import Ledger


async def answer(url: str, *lines: str) -> bytes:
    """
    What comes for a request, until the server closes the connection.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    "header",
    [
        *("X-Real-IP: 192.0.2.1", "X-Forwarded-Proto: https", "x-forwarded-port: 443"),
        *("X-Forwarded-Server: a.example", "CF-Connecting-IP: 192.0.2.1"),
    ],
)
async def test_a_proxy_tells_of_itself_in_many_ways(
    ledger: Ledger, header: str
) -> None:
    """
    Each of them may have others behind it.
    """
    async with shown(ledger) as url:
        found = await answer(
            url, "GET / HTTP/1.1", "Host: 127.0.0.1:8070", header, "Connection: close"
        )

    assert found.startswith(b"HTTP/1.1 403 ")


async def test_a_proxy_that_speaks_an_old_http_is_one(ledger: Ledger) -> None:
    """
    As nginx does, which asks for 127.0.0.1 and says nothing else.
    """
    async with shown(ledger) as url:
        found = await answer(url, "GET / HTTP/1.0", "Host: 127.0.0.1:8070")

    assert found.startswith(b"HTTP/1.0 403 ")
