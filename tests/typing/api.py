"""
For type checkers only: what they must accept, and what they must refuse.

Each line that must be refused says which error is expected; an expectation that is not
met is an error itself (mypy's ``warn_unused_ignores``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import assert_type

from aiohttp import web

import voicepush
from voicepush import (
    BatchResult,
    Campaign,
    CampaignStatus,
    Client,
    Destination,
    Ledger,
    Outcome,
    Result,
    Summary,
    VoiceMessage,
)

MESSAGE = VoiceMessage(media="welcome", expiry=timedelta(hours=2), extra={"a": 1})


def numbers() -> Iterator[str]:
    """
    A generator of numbers.
    """
    yield "+9995550100"


async def later() -> AsyncIterator[str | Destination]:
    """
    The same, asynchronous.
    """
    yield Destination("+9995550100", correlation_id="a")


async def sends(client: Client) -> None:
    """
    Everything that yields recipients can be sent to.
    """
    assert_type(await client.send(MESSAGE, ["+9995550100"]), Summary)
    await client.send(MESSAGE, numbers())
    await client.send(MESSAGE, later())
    await client.send(MESSAGE, voicepush.read_file("june.csv"))
    await client.send(MESSAGE, [1, 2])  # type: ignore[arg-type]
    result = await client.submit(MESSAGE, "+9995550100")
    assert_type(result, Result)
    assert_type(result.outcome, Outcome)
    result.raise_for_outcome()
    async with client.stream(MESSAGE, numbers()) as stream:
        async for batch in stream:
            assert_type(batch, BatchResult)


async def lives(client: Client) -> None:
    """
    A client tells how it goes, and what it left when it was closed.
    """
    counted = Summary()
    assert_type(await client.send(MESSAGE, numbers(), summary=counted), Summary)
    assert_type(client.in_flight, int)
    assert_type(client.pace.rate, float | None)
    assert_type(await client.close(), voicepush.Drained)
    assert_type((await client.close(drain=timedelta(seconds=5))).left, int)
    await client.close(drain="5s")  # type: ignore[arg-type]


async def campaigns(client: Client) -> None:
    """
    A ledger is opened by ``async with``.
    """
    async with voicepush.open_ledger(Path("june.db")) as ledger:
        campaign = await Campaign.plan(ledger, "june", MESSAGE, numbers(), rate=80)
        assert_type(await campaign.dispatch(client), Summary)
        assert_type(await campaign.status(), CampaignStatus)
        await campaign.resolve(resend=False)
        await campaign.resolve()  # type: ignore[call-arg]


def keywords() -> None:
    """
    The settings' fields are keywords of a client; another is an error.
    """
    Client(service_key="k", base_url="https://api.example", linger=0.01)
    Client(voicepush.Settings(service_key="k", base_url="https://api.example"))
    token = voicepush.Token(service_id="id", secret="AAAA")
    Client(token=token, prompt_field="promptid", most_waiting=5, when_full="refuse")
    Client(token="AAAA")  # type: ignore[arg-type]
    voicepush.Token("id", "AAAA")  # type: ignore[call-arg]
    Client(service_kee="k")  # type: ignore[call-arg]
    Client(concurrency="many")  # type: ignore[arg-type]


def receipts(ledger: Ledger) -> None:
    """
    The notify URL is an application of aiohttp's, although it is loaded late.
    """
    assert_type(voicepush.receipts_app(ledger, secret="s"), web.Application)
    voicepush.receipts_app(ledger, secrets="s")  # type: ignore[call-arg]
    voicepush.receipts_apps  # type: ignore[attr-defined]  # noqa: B018


def telemetry(client: Client) -> None:
    """
    A client, or observers, can be instrumented, and that can be undone.
    """
    assert_type(voicepush.telemetry.instrument(client), Callable[[], None])
    voicepush.telemetry.instrument(voicepush.Observers())
    voicepush.telemetry.instrument(client.settings)  # type: ignore[arg-type]


def hear(event: voicepush.Event) -> None:
    """
    Observers are told of every kind of event.
    """
    if isinstance(event, voicepush.BatchRecorded):
        assert_type(event.failure, Outcome | None)
