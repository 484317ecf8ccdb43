"""
The notify URL, as the platform and strangers meet it.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta, timezone
from typing import Any

import pytest
from aiohttp import ClientSession, web
from receiving import FULL, Gated, HandClock, Line, head, receipt, served, settle

import voicepush
from voicepush import InputError, Ledger, LedgerError, ReceiptsApplied
from voicepush.receipts.app import receipts_app

SECRET = "hub-secret"

#: The statuses after which the platform does not send a receipt again.
FINAL = {
    *range(200, 209),
    *range(300, 400),
    *(226, 400, 402, *range(404, 412), 414, 415, 416, 418, 505),
}


@pytest.fixture
def gated() -> Gated:
    """
    A ledger that can be held up.
    """
    return Gated()


def signature(body: bytes) -> dict[str, str]:
    """
    The header with which the platform signs *body*.
    """
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature": digest}


def password(text: str = "user:pass-word") -> dict[str, str]:
    """
    The header by which the platform authorizes itself.
    """
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


async def status_of(
    session: ClientSession, url: str, body: bytes = b"x", **options: Any
) -> int:
    """
    The status of one post.
    """
    async with session.post(url, data=body, **options) as answer:
        assert b"" == await answer.read()
        return answer.status


async def refused(ledger: Ledger) -> int:
    """
    How many were refused, once that is written.
    """
    return (await ledger.receipt_counts()).refused


# Storing


async def test_a_receipt_is_stored_before_200(
    gated: Gated, session: ClientSession
) -> None:
    """
    No answer comes while it is not durable.
    """
    gated.gate.clear()
    async with served(gated) as address:
        asked = asyncio.create_task(
            status_of(session, f"{address}/receipts", receipt())
        )
        await gated.has_begun.wait()
        await settle()

        assert not asked.done()
        gated.gate.set()
        assert 200 == await asked
    assert [receipt()] == gated.bodies


async def test_what_cannot_be_stored_is_asked_for_again(
    gated: Gated, session: ClientSession
) -> None:
    """
    With 503 until the ledger is well again; health says so as well.
    """
    async with served(gated) as address:
        url = f"{address}/receipts"
        gated.failure = FULL
        failed = [await status_of(session, url, receipt()) for _ in range(2)]
        async with session.get(f"{address}/healthz") as answer:
            ill = answer.status, (await answer.json())["ok"]
        gated.failure = None
        stored = await status_of(session, url, receipt())
        async with session.get(f"{address}/healthz") as answer:
            well = answer.status, (await answer.json())["ok"]

    assert ([503, 503], 200) == (failed, stored)
    assert ((503, False), (200, True)) == (ill, well)
    assert not {503} & FINAL


async def test_many_share_few_commits(gated: Gated, session: ClientSession) -> None:
    """
    A hundred at once, on as many connections.
    """
    gated.gate.clear()
    async with served(gated) as address:
        bodies = [receipt(number) for number in range(100)]
        asked = [
            asyncio.create_task(status_of(session, f"{address}/receipts", body))
            for body in bodies
        ]
        await gated.has_begun.wait()
        gated.gate.set()
        statuses = await asyncio.gather(*asked)

    assert {200} == set(statuses)
    assert sorted(bodies) == sorted(gated.bodies)
    assert gated.begun < 30


async def test_several_come_over_one_connection(gated: Gated) -> None:
    """
    Also those that do not wait for the answers.
    """
    async with served(gated) as address, Line(address) as line:
        for number in range(5):
            line.post(receipt(number))
        statuses = [(await line.hear()).status for _ in range(5)]

    assert [200] * 5 == statuses
    assert [receipt(number) for number in range(5)] == gated.bodies


async def test_who_hangs_up_has_sent_it_all_the_same(gated: Gated) -> None:
    """
    What came whole is stored.
    """
    async with served(gated) as address:
        async with Line(address) as line:
            line.post(receipt())
        await gated.has_begun.wait()

    assert [receipt()] == gated.bodies


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b"test", b"\x00\xff\x00", b"a=b&c=d"),
        *(b"[" * 100_000, b'{"a":' * 50_000),
    ],
)
async def test_what_is_no_receipt_is_kept_and_answered_200(
    gated: Gated, session: ClientSession, body: bytes
) -> None:
    """
    The console posts such a thing to try the address, and payloads change.
    """
    async with served(gated) as address:
        assert 200 == await status_of(session, f"{address}/receipts", body)

    assert [body] == gated.bodies


async def test_the_console_finds_it(gated: Gated, session: ClientSession) -> None:
    """
    By HEAD and GET, with a slash at the end or without, and without a password.
    """
    async with served(gated, secret=SECRET, basic=("a", "b")) as address:
        for path in ("/receipts", "/receipts/"):
            async with session.get(address + path) as answer:
                assert 200 == answer.status
            async with session.head(address + path) as answer:
                assert 200 == answer.status
        async with session.get(address + "/elsewhere") as answer:
            assert 404 == answer.status

    assert [] == gated.bodies


@pytest.mark.parametrize(
    "options",
    [{}, {"secret": SECRET}, {"basic": ("a", "b")}],
    ids=["open", "secret", "password"],
)
@pytest.mark.parametrize("body", [b"", b"{}", b'{"test": true}', b"a=b"])
async def test_the_console_may_try_it_by_a_post(
    gated: Gated, session: ClientSession, options: dict[str, Any], body: bytes
) -> None:
    """
    Before it signs anything, or has a password; what strangers could say of a call is
    refused, and so is what is long, signed wrongly, or has a wrong password.
    """
    async with served(gated, **options) as address:
        url = f"{address}/receipts"
        tried = await status_of(session, url, body)
        others = [
            await status_of(session, url, b'{"code": "7519"}'),
            await status_of(session, url, body + b" " * 300),
            await status_of(session, url, body, headers={"x-hub-signature": "ab"}),
            await status_of(session, url, body, headers=password("a:other")),
        ]

    assert 200 == tried
    expected = {
        "secret": [401, 401, 401, 200],
        "basic": [401, 401, 401, 401],
    }
    assert expected.get(next(iter(options), ""), [200] * 4) == others
    assert len(gated.bodies) == (0 if options else 5)


async def test_times_without_an_offset_are_the_tenants(
    gated: Gated, session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As it was said, or in UTC.
    """
    found: list[float | None] = []
    receive = gated.receive

    async def look(receipts: Any, **options: Any) -> Any:
        found.extend(each.reports[0].call.at for each in receipts)
        return await receive(receipts, **options)

    monkeypatch.setattr(gated, "receive", look)
    body = b'{"code": "7519", "timeStamp": "2020-02-05T13:04:23"}'
    zone = timezone(timedelta(hours=5, minutes=30))
    for options in ({}, {"tenant_zone": zone}):
        async with served(gated, **options) as address:
            await status_of(session, f"{address}/receipts", body)

    assert [1580907863, 1580888063] == found


# Strangers


async def test_a_wrong_signature_is_refused_and_counted(
    gated: Gated, session: ClientSession
) -> None:
    """
    Nothing of it is stored.
    """
    wrong = [{}, {"X-Hub-Signature": "0" * 64}, {"X-Hub-Signature": "\N{SNOWMAN}"}]
    async with served(gated, secret=SECRET) as address:
        url = f"{address}/receipts"
        statuses = [
            await status_of(session, url, receipt(), headers=each) for each in wrong
        ]
        body = receipt()
        right = await status_of(session, url, body, headers=signature(body))

    assert ([401] * 3, 200) == (statuses, right)
    assert ([receipt()], 3) == (gated.bodies, await refused(gated))
    assert 401 not in FINAL


async def test_a_header_that_is_no_text_is_a_wrong_signature(gated: Gated) -> None:
    """
    Whatever bytes are in it.
    """
    async with served(gated, secret=SECRET, basic=("a", "b")) as address:
        for name in ("x-hub-signature", "authorization"):
            async with Line(address) as line:
                line.post(receipt(), f"{name}: Basic \xff\xfe\xe9")

                assert 401 == (await line.hear()).status


async def test_a_signature_is_of_the_body_as_it_was_sent(
    gated: Gated, session: ClientSession
) -> None:
    """
    It is not inflated; so one that would be very large is not, either.
    """
    body = gzip.compress(b" " * 50_000_000)
    headers = {**signature(body), "Content-Encoding": "gzip"}
    async with served(gated, secret=SECRET) as address:
        url = f"{address}/receipts"

        assert 200 == await status_of(session, url, body, headers=headers)
    assert [body] == gated.bodies


async def test_a_password_is_asked_for(gated: Gated, session: ClientSession) -> None:
    """
    And with a secret as well, both.
    """
    body = receipt()
    async with served(gated, basic=("user", "pass-word")) as address:
        url = f"{address}/receipts"
        without = await status_of(session, url, body)
        wrong = await status_of(session, url, body, headers=password("user:other"))
        right = await status_of(session, url, body, headers=password())
    async with served(gated, secret=SECRET, basic=("user", "pass-word")) as address:
        url = f"{address}/receipts"
        half = await status_of(session, url, body, headers=password())
        whole = {**signature(body), **password()}
        both = await status_of(session, url, body, headers=whole)

    assert (401, 401, 200) == (without, wrong, right)
    assert (401, 200) == (half, both)
    assert 3 == await refused(gated)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"secret": ""}, "secret of receipts is empty"),
        ({"secret": b""}, "secret of receipts is empty"),
        ({"basic": ("a", "")}, "password of receipts is empty"),
        ({"basic": ("a:b", "c")}, "colon"),
        ({"path": "receipts"}, "like /receipts"),
        ({"path": ""}, "like /receipts"),
        ({"path": "/{any}"}, "like /receipts"),
        ({"path": "/healthz"}, "like /receipts"),
        ({"keep": timedelta()}, "kept for some time"),
    ],
)
def test_what_cannot_be_used_is_told_at_once(
    options: dict[str, Any], words: str
) -> None:
    """
    Before a request comes.
    """
    with pytest.raises(InputError, match=words):
        receipts_app(Gated(), **options)


# Large and slow


@pytest.mark.slow
async def test_a_body_that_is_too_large_is_not_lost_silently(gated: Gated) -> None:
    """
    Whether its size was told or not; the platform tries again and lists it as failed.
    """
    async with served(gated, most_bytes=1000) as address:
        async with Line(address) as line:
            line.say(head("Content-Length: 1001"))
            told = await line.hear()
            assert await line.is_closed()
        async with Line(address) as line:
            line.post(b"x" * 1001)
            sent = await line.hear()
        async with Line(address) as line:
            whole = b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
            line.say(head("Transfer-Encoding: chunked") + whole)
            one_chunk = await line.hear()
        async with Line(address) as line:
            line.say(head("Transfer-Encoding: chunked"))
            for _ in range(11):
                line.say(b"64\r\n" + b"x" * 100 + b"\r\n")
                await asyncio.sleep(0.001)
            chunked = await line.hear()
            assert await line.is_closed()
        async with Line(address) as line:
            line.post(b"x" * 1000)
            fits = await line.hear()

    statuses = [told.status, sent.status, one_chunk.status, chunked.status]
    assert [413] * 4 == statuses
    assert ([b"x" * 1000], 200) == (gated.bodies, fits.status)
    assert 413 not in FINAL


async def test_a_body_in_pieces_is_put_together(gated: Gated) -> None:
    """
    With its size told, or in chunks.
    """
    body = receipt() + b" " * 100_000
    async with served(gated) as address:
        async with Line(address) as line:
            line.say(head(f"Content-Length: {len(body)}"))
            for start in range(0, len(body), 30_000):
                line.say(body[start : start + 30_000])
                await asyncio.sleep(0.001)
            whole = await line.hear()
        async with Line(address) as line:
            line.say(head("Transfer-Encoding: chunked") + b"2\r\nab\r\n")
            await asyncio.sleep(0.001)
            line.say(b"1\r\nc\r\n0\r\n\r\n")
            chunked = await line.hear()

    assert (200, 200) == (whole.status, chunked.status)
    assert [body, b"abc"] == gated.bodies


async def test_a_slow_body_is_asked_for_again(gated: Gated) -> None:
    """
    A byte now and then helps nothing, and the connection is closed.
    """
    async with served(gated, most_seconds=0.1) as address:
        async with Line(address) as line:
            line.say(head("Content-Length: 1000"))
            answer = asyncio.create_task(line.hear())
            while not answer.done():
                line.say(b"x")
                await asyncio.sleep(0.01)
            assert 503 == answer.result().status
            assert await line.is_closed()
        async with Line(address) as line:
            line.post(receipt())
            assert 200 == (await line.hear()).status

    assert [receipt()] == gated.bodies


@pytest.mark.parametrize(
    "limits", [{"_MOST_READ": 1}, {"_MOST_BYTES_READ": 100}], ids=["number", "bytes"]
)
async def test_what_is_under_way_is_bounded(
    gated: Gated, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
) -> None:
    """
    Slow ones do not fill the memory, and those that come in one piece have room.
    """
    for name, value in limits.items():
        monkeypatch.setattr(f"voicepush.receipts.app.{name}", value)
    async with served(gated) as address, Line(address) as slow, Line(address) as late:
        slow.say(head("Content-Length: 1000") + b"x" * 90)
        await asyncio.sleep(0.05)
        late.say(head("Content-Length: 1000") + b"x" * 90)
        refused = await late.hear()
        async with Line(address) as line:
            line.post(receipt())
            quick = await line.hear()
        slow.say(b"x" * 910 if "_MOST_READ" in limits else b"")
        if "_MOST_READ" in limits:
            assert 200 == (await slow.hear()).status

    assert (503, 200) == (refused.status, quick.status)


async def test_a_body_that_breaks_off_is_not_stored(
    gated: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Nor is it an error of ours.
    """
    async with served(gated) as address:
        async with Line(address) as line:
            line.say(head("Content-Length: 10") + b"123")
            await asyncio.sleep(0.02)
        async with Line(address) as line:
            line.say(head("Transfer-Encoding: chunked") + b"3\r\nabc\r\n")
            await asyncio.sleep(0.02)
            line.say(b"+999000000001\r\n")
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)

    assert [] == gated.bodies
    assert [] == [each for each in caplog.records if each.exc_info]
    assert "999000000001" not in caplog.text


async def test_so_many_connections_are_let_in(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Who comes after them has to come again, and is let in when others have left.
    """
    monkeypatch.setattr("voicepush.receipts.serving._MOST_CONNECTIONS", 2)
    async with served(gated) as address:
        async with Line(address) as one, Line(address):
            one.post(receipt())
            await one.hear()
            async with Line(address) as more:
                full = await more.hear()
                assert await more.is_closed()
        await asyncio.sleep(0.02)
        async with Line(address) as line:
            line.post(receipt())
            again = await line.hear()

    assert (503, 200) == (full.status, again.status)


# Health and the log


async def test_health_has_counts_and_nothing_else(
    gated: Gated, session: ClientSession
) -> None:
    """
    Everyone may ask, also where a password is wanted.
    """
    async with served(gated, basic=("user", "pass-word")) as address:
        url = f"{address}/receipts"
        async with session.get(f"{address}/healthz") as answer:
            before = await answer.json()
        for body in (receipt(7), b"no receipt"):
            await status_of(session, url, body, headers=password())
        async with session.get(f"{address}/healthz") as answer:
            assert ("no-store", 200) == (
                answer.headers["Cache-Control"],
                answer.status,
            )
            text = await answer.text()

    after = json.loads(text)
    nothing = {"ok": True, "stored": 0, "kept_aside": 0, "refused": 0, "waiting": 0}
    assert {**nothing, "last_at": None} == before
    assert after.pop("last_at").endswith("Z")
    assert {**nothing, "stored": 2, "kept_aside": 2} == after
    assert "999" not in text


async def test_health_tells_how_many_wait(gated: Gated, session: ClientSession) -> None:
    """
    That is where a slow ledger is seen.
    """
    gated.gate.clear()
    async with served(gated) as address:
        asked = [
            asyncio.create_task(status_of(session, f"{address}/receipts", receipt(n)))
            for n in range(3)
        ]
        while True:
            async with session.get(f"{address}/healthz") as answer:
                if (await answer.json())["waiting"] == 3:
                    break
        gated.gate.set()
        await asyncio.gather(*asked)


async def test_the_log_has_a_line_per_request_and_nobody_in_it(
    gated: Gated, session: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Neither what was posted, nor the query, nor a password.
    """
    caplog.set_level(logging.DEBUG)
    async with served(gated, basic=("user", "pass-word")) as address:
        url = f"{address}/receipts?number=%2B999000000001"
        await status_of(session, url, receipt(1), headers=password())
        for _ in range(3):
            await status_of(session, url, receipt(1))
        async with Line(address) as line:
            line.say(b"+999000000001 is not HTTP\r\n\r\n")
            await line.hear()
        async with Line(address) as line:
            line.say(b"POST /receipts HTTP/1.1\r\n+999000000001\r\n\r\n")
            await line.hear()

    ours = [each for each in caplog.records if each.name == "voicepush.receipts"]
    lines = [each.message for each in ours if each.levelname == "INFO"]
    warnings = [each.message for each in ours if each.levelname == "WARNING"]
    assert f"POST 200, {len(receipt(1))} bytes, " in lines[0]
    assert ["POST 401, 136 bytes"] * 3 == [each[:19] for each in lines[1:]]
    assert 1 == len(warnings)
    assert "wrong password" in warnings[0]
    for secret in ("999000000001", "pass-word", password()["Authorization"]):
        assert secret not in caplog.text


async def test_a_warning_is_repeated_after_a_minute(
    gated: Gated,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Strangers can't fill the log.
    """
    clock = HandClock()
    clock.patch(monkeypatch.setattr)
    async with served(gated, secret=SECRET) as address, Line(address) as line:
        for seconds in (0, 59, 2):
            clock.seconds += seconds
            line.post(receipt())
            await line.hear()

    assert 2 == sum("wrong signature" in each.message for each in caplog.records)


# Within other applications


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[str]:
    """
    The address of *app*, served by aiohttp's own means.
    """
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_it_can_be_part_of_another_application(session: ClientSession) -> None:
    """
    Under a prefix, started and ended with it.
    """
    gated = Gated()
    heard: list[ReceiptsApplied] = []
    whole = web.Application(handler_args={"auto_decompress": False})
    whole.add_subapp("/hooks", receipts_app(gated, secret=SECRET, told=heard.append))
    whole.add_subapp("/bare", receipts_app(gated, path="/"))
    body = receipt()
    async with running(whole) as address:
        url = f"{address}/hooks/receipts"
        signed = await status_of(session, url, body, headers=signature(body))
        unsigned = await status_of(session, url, body)
        tried = await status_of(session, url, b'{"test": true}')
        bare = [
            await status_of(session, address + path) for path in ("/bare", "/bare/")
        ]
        async with session.get(f"{address}/hooks/healthz") as answer:
            assert 1 == (await answer.json())["stored"]

    # What the console posts before it saves the address is not signed, and not stored.
    assert (200, 401, 200, [200, 200]) == (signed, unsigned, tried, bare)
    assert [(1, 0), (0, 1)] == [(each.stored, each.refused) for each in heard]


async def test_a_server_that_inflates_can_be_made_to_fill_nothing(
    gated: Gated, session: ClientSession
) -> None:
    """
    Small bytes that would be a very large body are too large.
    """
    whole = web.Application()
    whole.add_subapp("/hooks", receipts_app(gated))
    headers = {"Content-Encoding": "gzip"}
    async with running(whole) as address:
        url = f"{address}/hooks/receipts"
        large = gzip.compress(b" " * 50_000_000)

        assert 413 == await status_of(session, url, large, headers=headers)
        small = gzip.compress(receipt())
        assert 200 == await status_of(session, url, small, headers=headers)
    assert [receipt()] == gated.bodies


async def test_it_can_be_started_again(gated: Gated, session: ClientSession) -> None:
    """
    Each start has a receiver of its own.
    """
    app = receipts_app(gated)
    for _ in range(2):
        async with running(app) as address:
            assert 200 == await status_of(session, f"{address}/receipts", receipt())
    assert 2 == len(gated.bodies)


async def test_requests_under_way_are_answered_at_the_end(gated: Gated) -> None:
    """
    They are stored before it is closed.
    """
    gated.gate.clear()
    async with served(gated) as address:
        line = await Line(address).__aenter__()
        line.post(receipt())
        await gated.has_begun.wait()
        asyncio.get_running_loop().call_later(0.05, gated.gate.set)
    answer = await line.hear()
    assert await line.is_closed()
    await line.__aexit__()

    assert ([receipt()], 200) == (gated.bodies, answer.status)


async def test_the_end_does_not_wait_for_ever(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Who stops in the middle of a body gets no answer, and has to come again.
    """
    monkeypatch.setattr("voicepush.receipts.serving._PATIENCE", 0.05)
    async with served(gated) as address:
        line = await Line(address).__aenter__()
        line.say(head("Content-Length: 10") + b"123")
        await asyncio.sleep(0.05)
    assert await line.is_closed()
    await line.__aexit__()

    assert [] == gated.bodies


async def test_a_ledger_that_cannot_be_read_lets_nothing_begin(gated: Gated) -> None:
    """
    The reason is raised as it is.
    """
    gated.failure = FULL
    with pytest.raises(LedgerError, match="full"):
        async with served(gated):
            pass


def test_it_is_loaded_when_it_is_asked_for() -> None:
    """
    A server takes a while to load.
    """
    assert receipts_app is voicepush.receipts_app
    with pytest.raises(AttributeError, match="no attribute 'receipts_apps'"):
        voicepush.receipts_apps  # type: ignore[attr-defined]  # noqa: B018
