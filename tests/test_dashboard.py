"""
The dashboard's pages: what they show, and that they change nothing.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import attrs
import pytest
from aiohttp import ClientSession, web
from conftest import Connect, Simulate, numbers
from dashboards import (
    ODD_NAMES,
    TOKEN,
    dump,
    expected,
    fields,
    page,
    sent,
    shown,
    until,
    words,
)

import voicepush
from voicepush import Campaign, Ledger, LedgerError, VoiceMessage, clock
from voicepush.dashboard.app import dashboard_app
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.model.status import CampaignState, CampaignStatus, HistoryEntry
from voicepush.receipts.serving import serving

STATIC = Path(voicepush.__file__).parent / "dashboard" / "static"
NAMED = "campaign?name=june"


# What is shown


async def test_the_numbers_are_those_of_the_status(
    ledger: Ledger,
    message: VoiceMessage,
    simulate: Simulate,
    connect: Connect,
    session: ClientSession,
) -> None:
    """
    In the list, in the page of a campaign, and in the events of both.
    """
    client = await connect(await simulate("mix:7102=30%@1/2", "drop@1/4"))
    status = await sent(ledger, client, message)
    wanted = expected(status)
    async with shown(ledger, title="test.db") as address:
        listed = await page(session, f"{address}/")
        found = await page(session, f"{address}/{NAMED}")
        async with session.get(f"{address}/events?name=june") as answer:
            live = await until(answer, "sums", "calls", "figures")

    assert status.rejected
    assert wanted.items() >= fields(listed).items() - {("receipts.received", 7)}
    assert wanted == fields(found)
    assert wanted == fields("".join(live.values()))
    assert "test.db" in listed


async def test_an_empty_ledger_has_its_page(session: ClientSession) -> None:
    """
    Which says that there is nothing.
    """
    async with shown(MemoryLedger()) as address:
        found = words(await page(session, f"{address}/"))

    assert "No campaign is running." in found


async def test_campaigns_are_listed_by_what_goes_on_with_them(
    message: VoiceMessage, session: ClientSession
) -> None:
    """
    The newest first; of very many that are over only some.
    """
    ledger = MemoryLedger()
    for number in range(54):
        campaign = await Campaign.plan(ledger, f"old-{number}", message, numbers(2))
        await campaign.cancel()
    for name in ("may", "june"):
        await Campaign.plan(ledger, name, message, numbers(2))
    async with shown(ledger) as address:
        found = await page(session, f"{address}/")

    names = re.findall(r'data-campaign="([^"]+)"', found)
    assert ["june", "may", "old-53"] == names[:3]
    assert 52 == len(names)
    assert "4 older ones are not listed" in words(found)


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_any_text_may_be_a_name(
    message: VoiceMessage, session: ClientSession, name: str
) -> None:
    """
    Its link leads to its page, where it is nothing but a text.
    """
    ledger = MemoryLedger()
    await Campaign.plan(ledger, name, message, numbers(2))
    async with shown(ledger) as address:
        listed = await page(session, f"{address}/")
        [link] = re.findall(r'href="(campaign\?name=[^"]+)"', listed)
        found = await page(session, f"{address}/{link}")
        async with session.get(f"{address}/{link.replace('campaign', 'events')}") as it:
            live = await until(it, "sums")

    assert 2 == fields(found)["planned"] == fields(live["sums"])["planned"]
    for text in (listed, found):
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "49" not in re.findall("<h1>(.*)</h1>", text)[0]
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)


async def test_texts_from_outside_are_texts(
    message: VoiceMessage, session: ClientSession
) -> None:
    """
    Reasons and history hold no markup, no whole number and no control character.
    """

    class Hostile(MemoryLedger):
        async def history(self, campaign: str) -> list[HistoryEntry]:
            [planned] = await super().history(campaign)
            detail = "<script>+999000000001\x1b[31m</script>"
            return [HistoryEntry(planned.at, "<b>who</b>", "told", detail)]

    ledger = Hostile()
    await Campaign.plan(ledger, "june", message, numbers(2))
    async with shown(ledger) as address:
        found = await page(session, f"{address}/{NAMED}")

    assert "&lt;script&gt;+99******0001 [31m&lt;/script&gt;" in found
    assert "<b>who</b>" not in found


async def test_why_nothing_moves_is_said(
    message: VoiceMessage, session: ClientSession
) -> None:
    """
    With since when, in the list and in the page.
    """

    class Waits(MemoryLedger):
        async def status(self, campaign: str) -> CampaignStatus | None:
            found = await super().status(campaign)
            assert found is not None
            return _waiting(found)

        async def campaigns(self) -> list[CampaignStatus]:
            return list(map(_waiting, await super().campaigns()))

    ledger = Waits()
    await Campaign.plan(ledger, "june", message, numbers(2))
    async with shown(ledger) as address:
        for each in ("", NAMED):
            found = words(await page(session, f"{address}/{each}"))

            assert "nothing goes on since" in found
            assert "the service refuses for speed" in found
            assert "not known" in found
            assert "2 of 2 pending will expire unsent" in found


def _waiting(status: CampaignStatus) -> CampaignStatus:
    return attrs.evolve(
        status,
        state=CampaignState.RUNNING,
        waiting="the service refuses for speed",
        waiting_since=clock.utc_now(),
        expiry=clock.utc_now(),
        throughput=1.0,
        rate=5.0,
    )


async def test_the_time_left_is_told(
    message: VoiceMessage, session: ClientSession
) -> None:
    """
    As the rate that was measured lately has it.
    """

    class Runs(MemoryLedger):
        async def status(self, campaign: str) -> CampaignStatus | None:
            found = await super().status(campaign)
            assert found is not None
            return attrs.evolve(
                found, state=CampaignState.RUNNING, throughput=2.0, rate=5.0
            )

    ledger = Runs()
    await Campaign.plan(ledger, "june", message, numbers(60))
    async with shown(ledger) as address:
        found = words(await page(session, f"{address}/{NAMED}"))

    assert "rate 2/s limit 5/s time left 30 s" in found


# Reasons


async def test_reasons_are_asked_for_on_demand(
    ledger: Ledger,
    message: VoiceMessage,
    simulate: Simulate,
    connect: Connect,
    session: ClientSession,
) -> None:
    """
    As a part of the page, or as a page where no script runs; with what to do.
    """
    await sent(ledger, await connect(await simulate("mix:7102=30%@1/2")), message)
    async with shown(ledger) as address:
        whole = await page(session, f"{address}/why?name=june")
        headers = {"HX-Request": "true"}
        part = await page(session, f"{address}/why?name=june", headers=headers)

    assert "<html" in whole
    assert "<html" not in part
    for each in (whole, part):
        assert "7102" in each
        assert "welcome" in each


# Nothing is there


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("campaign?name=none", 404),
        ("campaign", 404),
        ("why?name=none", 404),
        ("nothing", 404),
        ("static/../app.py", 404),
        ("static/", 403),
        ("static/none", 404),
    ],
)
async def test_what_is_not_there_is_said_so(
    session: ClientSession, path: str, status: int
) -> None:
    """
    With the headers that every answer has.
    """
    async with (
        shown(MemoryLedger()) as address,
        session.get(f"{address}/{path}") as answer,
    ):
        assert status == answer.status
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["", NAMED, "why?name=june"])
async def test_a_ledger_that_cannot_be_read_is_one_line(
    session: ClientSession, path: str
) -> None:
    """
    Under 503.
    """

    class Broken(MemoryLedger):
        async def campaigns(self) -> list[CampaignStatus]:
            raise LedgerError("the disk is gone")

        async def status(self, campaign: str) -> CampaignStatus | None:
            raise LedgerError(f"the disk of {campaign} is gone")

        async def plan(self, campaign: str) -> None:
            raise LedgerError(f"the disk of {campaign} is gone")

    async with (
        shown(Broken()) as address,
        session.get(f"{address}/{path}") as answer,
    ):
        assert 503 == answer.status
        assert "gone" in words(await answer.text())


# Nothing is changed


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["", NAMED, "why?name=june", "events", "report.css"])
async def test_only_reading_is_allowed(
    session: ClientSession, method: str, path: str
) -> None:
    """
    Everything else is answered 405.
    """
    async with (
        shown(MemoryLedger()) as address,
        session.request(method, f"{address}/{path}") as answer,
    ):
        assert 405 == answer.status
        assert "no-store" == answer.headers["Cache-Control"]


async def test_nothing_is_written_into_the_ledger(
    tmp_path: Path,
    ledger: Ledger,
    message: VoiceMessage,
    simulate: Simulate,
    connect: Connect,
    session: ClientSession,
) -> None:
    """
    It is the same after everything was asked for.
    """
    await sent(ledger, await connect(await simulate()), message)
    before = dump(tmp_path / "test.db")
    async with shown(ledger) as address:
        for path in ("", NAMED, "why?name=june", "lookup", "campaign?name=none"):
            async with session.get(f"{address}/{path}") as answer:
                await answer.text()
            async with session.head(f"{address}/{path}") as answer:
                assert answer.status in (200, 404)
        for path in ("events", "events?name=june", "events?name=none"):
            async with session.get(f"{address}/{path}") as answer:
                await until(answer, "trouble")
        async with session.post(f"{address}/lookup", data={"value": "june"}) as answer:
            await answer.text()

    assert before == dump(tmp_path / "test.db")


# The application


async def test_every_answer_is_guarded_by_headers(session: ClientSession) -> None:
    """
    Pages are kept nowhere; files are asked for again, and are not sent again.
    """
    async with shown(MemoryLedger()) as address:
        async with session.get(f"{address}/") as answer:
            headers = answer.headers
        async with session.get(f"{address}/static/live.js") as answer:
            file = answer.headers
        again = {"If-None-Match": file["ETag"]}
        async with session.get(f"{address}/static/live.js", headers=again) as answer:
            assert 304 == answer.status
        style = await page(session, f"{address}/report.css")

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; " in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for each in (headers, file):
        assert "nosniff" == each["X-Content-Type-Options"]
        assert "no-referrer" == each["Referrer-Policy"]
        assert "same-origin" == each["Cross-Origin-Resource-Policy"]
        assert "same-origin" == each["Cross-Origin-Opener-Policy"]
    assert ("no-store", "no-cache") == (headers["Cache-Control"], file["Cache-Control"])
    assert "--accepted" in style


async def test_addresses_in_pages_fit_wherever_it_is_mounted(
    message: VoiceMessage, session: ClientSession
) -> None:
    """
    They are relative to its folder, to which its bare name leads.
    """
    ledger = MemoryLedger()
    await Campaign.plan(ledger, "june", message, numbers(2))
    app = web.Application()
    app.add_subapp("/a/b", dashboard_app(ledger, token=TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with serving(app, "127.0.0.1", 0) as address:
        async with session.get(f"{address}/a/b") as answer:
            assert 401 == answer.status
        async with session.get(f"{address}/a/b", headers=headers) as answer:
            assert f"{address}/a/b/" == str(answer.url)
            listed = await answer.text()
        found = await page(session, f"{address}/a/b/{NAMED}", headers=headers)
        for link in set(re.findall(r'(?:href|src)="([^"]+)"', listed + found)):
            if link != "data:,":
                await page(session, f"{address}/a/b/{link}", headers=headers)
        async with session.get(f"{address}/a/b/none", headers=headers) as answer:
            assert 404 == answer.status
            assert "Content-Security-Policy" in answer.headers

    for address in re.findall(
        r'(?:href|src|action|sse-connect|hx-get)="([^"]+)"', found
    ):
        assert not address.startswith("/")


def test_it_is_public() -> None:
    """
    As what serves receipts is, it is loaded when it is asked for.
    """
    assert voicepush.dashboard_app is dashboard_app


def test_scripts_of_others_are_unchanged() -> None:
    """
    Their digests are those that are written down, with version and licence.
    """
    folder = STATIC / "packages"
    rows = re.findall(
        r"^\| `([\w.-]+)` \| [\w.-]+ [\d.]+ \| \w+ \| `(\w{64})` \|$",
        (folder / "README.md").read_text(),
        re.MULTILINE,
    )
    files = {each for each in folder.iterdir() if each.suffix in (".js", ".css")}

    assert {name for name, _ in rows} == {each.name for each in files}
    for name, digest in rows:
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    for each in files:
        licence = each.name.partition(".")[0].partition("-")[0]
        assert (folder / f"{licence}.LICENSE").stat().st_size > 500
