"""
Strangers at the dashboard: those behind a proxy, and those who only take up room.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest
from dashboards import TOKEN, shown

from voicepush import Ledger
from voicepush.dashboard import app


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


@pytest.mark.parametrize("given", ["Accept: */*", "Authorization: Bearer wrong"])
async def test_who_is_refused_keeps_no_connection(ledger: Ledger, given: str) -> None:
    """
    Some hundreds of them would keep everyone else out for an hour.
    """
    async with shown(ledger, token=TOKEN) as url:
        found = await answer(url, "GET / HTTP/1.1", "Host: a.example", given)

    assert found.startswith(b"HTTP/1.1 401 ")


def test_who_says_nothing_is_let_go() -> None:
    """
    The server's own default is an hour.
    """
    assert app._SERVER["keepalive_timeout"] == 75
