"""
What a browser that watches is sent.
"""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web
from conftest import Connect, Simulate, numbers
from dashboards import events, expected, fields, pick_up, sent, shown, until, words

from voicepush import Campaign, Ledger, LedgerError, VoiceMessage, clock
from voicepush.dashboard import events as sending
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.model.status import CampaignStatus

WATCH = "events?name=june"


async def test_all_of_it_comes_at_once_and_then_what_changes(
    ledger: Ledger,
    message: VoiceMessage,
    simulate: Simulate,
    connect: Connect,
    session: ClientSession,
) -> None:
    """
    Within a second; each event has a number, and each look its time.
    """
    await sent(ledger, await connect(await simulate()), message)
    async with shown(ledger) as address, session.get(f"{address}/{WATCH}") as answer:
        assert "text/event-stream" == answer.content_type
        assert "no-store" == answer.headers["Cache-Control"]
        first = await until(answer, "seen")
        began = clock.monotonic()
        await pick_up(ledger, numbers(40)[-1])
        then, seen = {}, []
        async for event in events(answer):
            seen.append(event.number)
            then[event.name] = event.text
            if event.name == "seen":
                break
        took = clock.monotonic() - began
        status = await ledger.status("june")

    assert status is not None
    names = {"trouble", "news", "figures", "sums", "calls", "history", "seen"}
    pictures = {f"{a}-{b}" for a in ("speed", "calls") for b in ("picture", "numbers")}
    assert names | pictures == first.keys()
    assert {"figures", "calls", "seen"} == then.keys()
    assert sorted(seen) == seen
    assert expected(status).items() >= fields(then["calls"]).items()
    assert took < 5.0  # on a busy machine; a look is due after one second


async def test_the_list_is_watched_as_well(
    message: VoiceMessage, session: ClientSession
) -> None:
    """
    A campaign that is planned meanwhile comes into it.
    """
    ledger = MemoryLedger()
    async with shown(ledger) as address, session.get(f"{address}/events") as answer:
        await until(answer, "waiting")
        await Campaign.plan(ledger, "june", message, numbers(3))
        found = await until(answer, "waiting")

    assert "june" in words(found["waiting"])


@pytest.mark.slow
async def test_trouble_is_told_as_it_comes_and_goes(session: ClientSession) -> None:
    """
    Also that a campaign is not there.
    """

    class Sick(MemoryLedger):
        is_sick = False

        async def status(self, campaign: str) -> CampaignStatus | None:
            if self.is_sick:
                raise LedgerError("the disk is gone")
            return await super().status(campaign)

    ledger = Sick()
    async with shown(ledger) as address, session.get(f"{address}/{WATCH}") as answer:
        none = await until(answer, "trouble")
        ledger.is_sick = True
        sick = await until(answer, "trouble")
        message = VoiceMessage(media="x")
        await Campaign.plan(ledger, "june", message, numbers(3))
        ledger.is_sick = False
        well = await until(answer, "trouble", "sums")

    assert "there is no campaign" in words(none["trouble"])
    assert "the disk is gone; what you see is older." in words(sick["trouble"])
    assert "" == well["trouble"]
    assert 3 == fields(well["sums"])["planned"]


async def test_a_beat_comes_while_nothing_changes(
    message: VoiceMessage, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    With the time of the last look; a comment where there was none.
    """
    monkeypatch.setattr(sending, "_BEAT", 0.01)

    class Slow(MemoryLedger):
        gate = asyncio.Event()

        async def status(self, campaign: str) -> CampaignStatus | None:
            await self.gate.wait()
            return await super().status(campaign)

    ledger = Slow()
    await Campaign.plan(ledger, "june", message, numbers(3))
    async with shown(ledger) as address, session.get(f"{address}/{WATCH}") as answer:
        lines = [await answer.content.readline() for _ in range(4)]
        ledger.gate.set()
        await until(answer, "sums", "seen")
        beats = [(await anext(events(answer))).name for _ in range(3)]

    assert [b"retry: 1000\n", b"\n", b": nothing was seen yet\n", b"\n"] == lines
    assert ["seen"] * 3 == beats


async def test_too_many_are_asked_to_come_again(session: ClientSession) -> None:
    """
    With 503.
    """
    async with (
        shown(MemoryLedger(), most_viewers=1) as address,
        session.get(f"{address}/events") as answer,
    ):
        await until(answer, "running")
        async with session.get(f"{address}/events") as other:
            assert 503 == other.status
            assert "30" == other.headers["Retry-After"]


async def test_streams_end_with_the_server(session: ClientSession) -> None:
    """
    At once.
    """
    async with asyncio.timeout(5):
        async with shown(MemoryLedger()) as address:
            answer = await session.get(f"{address}/events")
            await until(answer, "seen")
        rest = [each async for each in events(answer)]

    assert {"seen"} >= {each.name for each in rest}


async def test_who_takes_nothing_is_let_go(
    session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Others wait for the place.
    """

    async def hang(_: web.StreamResponse, data: bytes) -> None:
        if b"event" in data:
            await asyncio.Event().wait()

    monkeypatch.setattr(sending, "_PATIENCE", 0.01)
    monkeypatch.setattr(web.StreamResponse, "write", hang)
    async with (
        asyncio.timeout(5),
        shown(MemoryLedger()) as address,
        session.get(f"{address}/events") as answer,
    ):
        assert b"" == await answer.content.read()
