"""
A dashboard that is served, and what a browser would make of it.
"""

from __future__ import annotations

import asyncio
import html
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, NamedTuple

import attrs
from aiohttp import ClientResponse, ClientSession
from conftest import numbers

from voicepush import Campaign, Client, Ledger, LedgerReader, VoiceMessage
from voicepush.dashboard.app import dashboard_app
from voicepush.model.call import Call, CallState, Receipt, Report
from voicepush.model.status import CampaignStatus
from voicepush.receipts.serving import serving

TOKEN = "a-token-of-the-dashboard"

#: Names that some program between a browser and the ledger could take for others.
ODD_NAMES = [
    *("a/b", "..", ".", "/", "?", "a?b=c&d#e", "100%", "%2e%2e", "+1 & 2", " "),
    *("<script>alert(1)</script>", "\"'><img src=x>", "{{ 7 * 7 }}", "é 电话 ☎"),
    *("a\nb\r\n\tc", "\x00\x1b[31mred", "\u202eevil", "n" * 2000),
]


@asynccontextmanager
async def shown(ledger: LedgerReader, **options: Any) -> AsyncIterator[str]:
    """
    The address of a dashboard.
    """
    async with serving(dashboard_app(ledger, **options), "127.0.0.1", 0) as address:
        yield address


async def page(session: ClientSession, url: str, **options: Any) -> str:
    """
    A page that is there.
    """
    async with session.get(url, **options) as answer:
        assert 200 == answer.status, await answer.text()
        return await answer.text()


def fields(text: str) -> dict[str, int]:
    """
    The numbers in *text*, by what they are called in ``status --json``.
    """
    found = re.findall(r'<data data-field="([\w.]+)" value="(\d+)">([\d,]+)<', text)
    for _, value, words in found:
        assert f"{int(value):,}" == words
    return {name: int(value) for name, value, _ in found}


def expected(status: CampaignStatus) -> dict[str, int]:
    """
    What the page of one campaign must say.
    """
    names = ("read", "invalid", "duplicate", "suppressed", "planned", "pending")
    outcomes = ("accepted", "rejected", "expired", "not_sent", "unknown", "in_flight")
    found = {name: getattr(status, name) for name in (*names, *outcomes, "done")}
    calls = {} if status.calls is None else attrs.asdict(status.calls)
    return {**found, **{f"calls.{name}": number for name, number in calls.items()}}


def words(text: str) -> str:
    """
    What is read in *text*.
    """
    return " ".join(html.unescape(re.sub("<[^>]*>", " ", text)).split())


class Event(NamedTuple):
    """
    One event that a server has sent.
    """

    number: int
    name: str
    text: str


async def events(answer: ClientResponse) -> AsyncIterator[Event]:
    """
    The events in *answer*, as they come.
    """
    lines: list[str] = []
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if line:
            lines.append(line)
            continue
        pairs = [each.partition(": ")[::2] for each in lines]
        text = "\n".join(value for name, value in pairs if name == "data")
        named = dict(pairs)
        lines = []
        if "event" in named:
            yield Event(int(named["id"]), named["event"], text)


async def until(answer: ClientResponse, *names: str) -> dict[str, str]:
    """
    What has come by the events of those *names*, once all have.
    """
    found: dict[str, str] = {}
    async with asyncio.timeout(10):
        async for event in events(answer):
            found[event.name] = event.text
            if found.keys() >= set(names):
                break
    return found


async def sent(
    ledger: Ledger, client: Client, message: VoiceMessage, count: int = 40
) -> CampaignStatus:
    """
    Where june stands, which was sent to so many, of whom some have picked up.
    """
    campaign = await Campaign.plan(
        ledger, "june", message, numbers(count), batch_size=10
    )
    await campaign.dispatch(client)
    await pick_up(ledger, *numbers(count)[:7])
    status = await ledger.status("june")
    assert status is not None
    return status


async def pick_up(ledger: Ledger, *people: str) -> None:
    """
    Let receipts say that those of *people* who were accepted have picked up.
    """
    call = Call(state=CallState.REACHED, rank=50, code="7600", at=1.0, answered_at=1.0)
    for person in people:
        [found] = await ledger.lookup(person)
        report = Report(call=call, correlation_id=found.result.correlation_id or "")
        await ledger.receive([Receipt(body=b"{}", received_at=2.0, reports=[report])])


def dump(path: Path) -> list[str]:
    """
    Everything that stands in a ledger.
    """
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())
