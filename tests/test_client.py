"""
Clients that are opened, closed, cancelled and dropped, and keep secrets.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

import pytest
from conftest import KEY, Connect, Simulate, numbers

from voicepush import Client, ClientClosedError, RecipientsError, VoiceMessage


async def test_a_client_that_is_closed_under_a_name_lookup(
    simulate: Simulate, message: VoiceMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Who was not even connected to the service is not sent.
    """
    simulator = await simulate()
    asked = asyncio.Event()

    async def look_up(*_: object, **__: object) -> NoReturn:
        asked.set()
        await asyncio.sleep(60)
        raise OSError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    address = simulator.url.replace("127.0.0.1", "localhost")
    client = Client(service_key=KEY, base_url=address, patience=1, first_wait=0.01)
    await client.__aenter__()
    sending = asyncio.create_task(client.send(message, numbers(3)))
    await asyncio.wait_for(asked.wait(), 30)
    await client.close(drain=0)
    summary = await asyncio.wait_for(sending, 30)

    assert 3 == summary.not_sent == summary.total
    assert not simulator.calls


async def test_a_cancelled_send_leaves_nothing_running(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Cancelling ends every task that the call had started.
    """
    simulator = await simulate("hang")
    client = await connect(simulator, batch_size=10)
    sending = asyncio.create_task(client.send(message, numbers(500)))
    while not simulator.requests:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending

    names = [getattr(t.get_coro(), "__qualname__", "") for t in asyncio.all_tasks()]

    assert [] == [name for name in names if name.startswith(("Sender", "Client"))]


async def test_a_send_that_sends_nothing_can_be_cancelled(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    Entries that are all refused do not keep the event loop to themselves.
    """
    client = await connect("http://127.0.0.1:1")

    def endless() -> Iterator[str]:
        while True:
            yield "nobody"

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.send(message, endless())


async def test_closing_in_the_middle_loses_nobody(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A client that is closed during a send leaves everyone with an outcome.
    """
    simulator = await simulate(latency=0.05)
    client = await connect(simulator, batch_size=10, concurrency=2)
    sending = asyncio.create_task(client.send(message, numbers(500)))
    while not simulator.requests:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)
    await client.close()
    summary = await sending

    assert 500 == summary.total
    assert 0 == summary.rejected
    assert summary.accepted + summary.unknown >= simulator.rung


# Opening and closing


async def test_a_closed_client_says_so(message: VoiceMessage) -> None:
    """
    Sending before opening or after closing is refused in words.
    """
    client = Client(service_key=KEY, base_url="http://127.0.0.1:1")
    with pytest.raises(ClientClosedError, match="async with"):
        await client.send(message, numbers(1))
    async with client:
        pass
    with pytest.raises(ClientClosedError, match="async with"):
        await client.submit(message, "+18005550100")


async def test_an_unclosed_client_warns() -> None:
    """
    A client that is dropped while it is open leaves a ResourceWarning.
    """
    client = Client(service_key=KEY, base_url="http://127.0.0.1:1")
    await client.__aenter__()
    transport = client._transport

    with pytest.warns(ResourceWarning, match="unclosed"):  # noqa: PT031 -- both do it
        del client
        gc.collect()
    await transport.close()


def test_settings_or_their_fields() -> None:
    """
    Settings and their fields together would leave open which counts.
    """
    settings = Client(service_key=KEY, base_url="http://127.0.0.1:1").settings

    with pytest.raises(TypeError, match="not both"):
        Client(settings, rate=5)


# Secrets and people


async def test_no_key_or_number_leaks(
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Neither logs nor repr nor exceptions hold the key or a whole number.
    """
    caplog.set_level(logging.DEBUG)
    simulator = await simulate("drop@1/3", "mix:7102=50%", "7006@1/4")
    client = await connect(simulator, batch_size=5, concurrency=1)
    shown = [repr(client), repr(client.settings), str(client.settings)]

    def failing() -> Iterator[str]:
        yield from numbers(30)
        raise ValueError(f"what follows {numbers(30)[-1]} is odd")

    try:
        await client.send(message, failing())
    except RecipientsError as error:
        shown += [str(error), repr(error), repr(error.summary)]
        shown += map(repr, error.summary.failures)
    async with client.stream(message, numbers(30)) as results:
        shown += [repr(batch) async for batch in results]
    shown += [record.getMessage() for record in caplog.records]

    text = "\n".join(shown)
    assert KEY not in text
    assert [] == [number for number in numbers(30) if number[1:] in text]
    assert "999*" not in text or "+99" in text
