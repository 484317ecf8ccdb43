"""
Opt-outs by key-press, as the call flow and strangers post them.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from aiohttp import ClientSession, web
from conftest import numbers
from receiving import FULL, Gated, HandClock, Line, head, receipt, served, settle

from voicepush import InputError, Kind, LedgerError, SuppressedEntry
from voicepush.receipts import opting_out
from voicepush.receipts.app import receipts_app
from voicepush.receipts.opt_out import OptOut
from voicepush.receipts.serving import serving

TOKEN = "0123456789abcdef"
BEARER = f"Authorization: Bearer {TOKEN}"
NUMBER = "+999000000001"


class Listed(Gated):
    """
    A ledger whose list can be held up, and made to fail.
    """

    async def suppress(
        self, people: Iterable[tuple[Kind, Sequence[str]]], **how: Any
    ) -> int:
        """
        Put *people* on it once the gate is open.
        """
        self.begun += 1
        self.has_begun.set()
        await self.gate.wait()
        self._fail()
        return await super().suppress(people, **how)

    async def on_it(self) -> dict[str, SuppressedEntry]:
        """
        Everyone on it.
        """
        return {
            each.value: each async for some in self.all_suppressed() for each in some
        }


@pytest.fixture
def listed() -> Listed:
    """
    A ledger with an empty list.
    """
    return Listed()


def body_of(**fields: Any) -> bytes:
    """
    A body in JSON, of someone.
    """
    return json.dumps({"number": NUMBER, **fields}).encode()


async def post(
    address: str, body: bytes, *headers: str, path: str = "/opt-out"
) -> tuple[int, str, Mapping[str, str]]:
    """
    The status of one post with the token, what is said, and the headers.
    """
    async with Line(address) as line:
        line.post(body, *(headers or (BEARER,)), path=path)
        answer = await line.hear()
    said = json.loads(answer.body)
    assert (answer.status == 200) == said["ok"]
    return answer.status, said["status"], answer.headers


async def health(address: str, session: ClientSession) -> dict[str, Any]:
    """
    What ``/healthz`` says of opt-outs.
    """
    async with session.get(f"{address}/healthz") as answer:
        found: dict[str, Any] = await answer.json()
    return found


# Taking


async def test_it_is_on_the_list_before_200(listed: Listed) -> None:
    """
    No answer comes while it is not durable; the list and its history say why.
    """
    listed.gate.clear()
    async with served(listed, opt_out_token=TOKEN) as address:
        asked = asyncio.create_task(post(address, body_of(category="no ads")))
        await listed.has_begun.wait()
        await settle()

        assert not asked.done()
        listed.gate.set()
        status, said, headers = await asked

    entry = (await listed.on_it())[NUMBER]
    (event,) = await listed.suppression_history()
    assert (200, "is on the list now") == (status, said)
    assert "no-store" == headers["cache-control"]
    assert ("no ads", "opt-out by key-press") == (entry.category, entry.reason)
    assert ("added", 1, "opt-out by key-press") == (
        event.event,
        event.number,
        event.reason,
    )


async def test_who_presses_again_is_told_so(
    listed: Listed, session: ClientSession
) -> None:
    """
    With 200, and the list and its history stay as they are.
    """
    async with served(listed, opt_out_token=TOKEN) as address:
        first = await post(address, body_of())
        again = [await post(address, body_of(category="other")) for _ in range(3)]
        form = await post(address, b"number=999000000001", path="/opt-out/")
        found = (await health(address, session))["opt_outs"]

    assert (200, "is on the list now") == first[:2]
    assert {(200, "was on the list already")} == {each[:2] for each in (*again, form)}
    assert (1, 4) == (found["taken"], found["known_before"])
    assert "pressed a key" == (await listed.on_it())[NUMBER].category
    assert 1 == len(await listed.suppression_history())


async def test_a_number_and_a_customer_id_are_put_on_it_together(
    listed: Listed,
) -> None:
    """
    It is new if one of them is.
    """
    async with served(listed, opt_out_token=TOKEN) as address:
        said = [
            (await post(address, body_of(**more)))[1]
            for more in ({}, {"customer_id": "c 1"}, {"customer_id": "c 1"})
        ]

    assert ["is on the list now"] * 2 + ["was on the list already"] == said
    assert {NUMBER: Kind.MSISDN, "c 1": Kind.CUSTOMER_ID} == {
        value: entry.kind for value, entry in (await listed.on_it()).items()
    }


@pytest.mark.slow
async def test_many_at_once_share_commits(listed: Listed) -> None:
    """
    Whoever comes twice among them is new once.
    """
    people = numbers(700)
    listed.gate.clear()
    async with served(listed, opt_out_token=TOKEN) as address:
        asked = [
            asyncio.create_task(post(address, body_of(number=each)))
            for each in (*people, *people[:50])
        ]
        await listed.has_begun.wait()
        listed.gate.set()
        answers = await asyncio.gather(*asked)

    assert {200} == {status for status, _, _ in answers}
    assert 700 == sum(said == "is on the list now" for _, said, _ in answers)
    assert set(people) == set(await listed.on_it())
    assert 700 == sum(each.number for each in await listed.suppression_history())
    assert listed.begun < 100


@pytest.mark.slow
async def test_a_thousand_connections_are_answered_or_told_to_come_again(
    listed: Listed,
) -> None:
    """
    Whoever is answered 200 is on the list, and whoever comes again at last as well.
    """
    people = numbers(1000)

    async def insist(address: str, number: str) -> int:
        for tries in range(100):
            try:
                async with Line(address) as line:
                    line.post(body_of(number=number), BEARER, path="/opt-out")
                    if (await line.hear()).status == 200:
                        return tries
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            await asyncio.sleep(0.02)
        raise AssertionError

    async with served(listed, opt_out_token=TOKEN) as address:
        await asyncio.gather(*(insist(address, each) for each in people))

    assert set(people) == set(await listed.on_it())


async def test_each_category_is_a_deed_of_its_own(listed: Listed) -> None:
    """
    Also where they come at once.
    """
    listed.gate.clear()
    async with served(listed, opt_out_token=TOKEN) as address:
        asked = [
            asyncio.create_task(
                post(address, body_of(number=each, category=f"c {number % 2}"))
            )
            for number, each in enumerate(numbers(20))
        ]
        await listed.has_begun.wait()
        await settle()
        listed.gate.set()
        await asyncio.gather(*asked)

    found = await listed.on_it()
    assert ["c 0", "c 1"] * 10 == [found[each].category for each in numbers(20)]
    assert {"c 0", "c 1"} == {
        each.category for each in await listed.suppression_history()
    }


# Not storing


async def test_what_cannot_be_stored_is_asked_for_again(
    listed: Listed, session: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """
    With 503 until the ledger is well; health says so, and the answer says nothing of
    the ledger.
    """
    async with served(listed, opt_out_token=TOKEN) as address:
        listed.failure = FULL
        status, said, headers = await post(address, body_of())
        ill = await health(address, session)
        listed.failure = None
        again = await post(address, body_of())

    assert (503, "it could not be stored; post it again") == (status, said)
    assert 0 < int(headers["retry-after"])
    assert (False, 1) == (ill["ok"], ill["opt_outs"]["not_stored"])
    assert (200, "is on the list now") == again[:2]
    assert "the disk is full" in caplog.text


async def test_a_ledger_that_takes_too_long_is_not_waited_for(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A person is on the phone; it may be stored all the same, and posting again does no
    harm.
    """
    monkeypatch.setattr("voicepush.receipts.opt_out_url._MOST_SECONDS", 0.05)
    listed.gate.clear()
    async with served(listed, opt_out_token=TOKEN) as address:
        status = (await post(address, body_of()))[0]
        listed.gate.set()
        await settle()
        again = await post(address, body_of())

    assert (503, 200) == (status, again[0])
    assert "was on the list already" == again[1]


async def test_no_more_wait_than_there_is_room_for(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Others are answered 503 at once, and the ledger is not taken for ill.
    """
    monkeypatch.setattr(opting_out, "_MOST_WAITING", 2)
    listed.gate.clear()
    people = numbers(6)
    async with served(listed, opt_out_token=TOKEN) as address:
        asked = [asyncio.create_task(post(address, body_of(number=people[0])))]
        await listed.has_begun.wait()
        asked.extend(
            asyncio.create_task(post(address, body_of(number=each)))
            for each in people[1:]
        )
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        first = {task.result()[0] for task in done}
        listed.gate.set()
        statuses = [(await task)[0] for task in asked]

    assert {503} == first
    assert [200] * 3 + [503] * 3 == sorted(statuses)


async def test_all_that_was_taken_is_stored_at_the_end(listed: Listed) -> None:
    """
    Also a body whose second half comes when nobody is let in any more.
    """
    listed.gate.clear()
    body = body_of(number="+999000000002")
    async with served(listed, opt_out_token=TOKEN) as address:
        slow = await Line(address).__aenter__()
        slow.say(head(BEARER, f"Content-Length: {len(body)}", path="/opt-out"))
        asked = asyncio.create_task(post(address, body_of()))
        await listed.has_begun.wait()
        asyncio.get_running_loop().call_later(0.05, slow.say, body)
        asyncio.get_running_loop().call_later(0.1, listed.gate.set)
    status = (await asked)[0]
    other = await slow.hear()
    await slow.__aexit__()

    assert (200, 200) == (status, other.status)
    assert {NUMBER, "+999000000002"} == set(await listed.on_it())


async def test_it_takes_nothing_before_and_after(listed: Listed) -> None:
    """
    Who has not begun, or has ended, raises in place of waiting for ever.
    """
    opt_outs = opting_out.OptOuts(listed, failed=print, refuse=print)
    opt_out = OptOut([(Kind.MSISDN, NUMBER)])
    for _ in range(2):
        with pytest.raises(LedgerError, match="not taken any more"):
            await opt_outs.take(opt_out)
        async with opt_outs:
            await opt_outs.take(opt_out)

    assert 1 == opt_outs.counts.taken


# Strangers


@pytest.mark.parametrize(
    "header",
    [
        "X-Nothing: 1",
        *("Authorization: Bearer", "Authorization: Bearer \xff\xfe"),
        *(f"Authorization: Basic {TOKEN}", f"Authorization: Bearer {TOKEN}0"),
        f"X-Token: {TOKEN}",
    ],
)
async def test_without_the_token_nobody_is_put_on_it(
    listed: Listed, session: ClientSession, header: str
) -> None:
    """
    It is refused and counted, and the connection is closed.
    """
    async with served(listed, opt_out_token=TOKEN) as address:
        async with Line(address) as line:
            line.post(body_of(), header, path="/opt-out")
            answer = await line.hear()
            closed = await line.is_closed()
        found = await health(address, session)

    assert (401, True) == (answer.status, closed)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert 1 == found["opt_outs"]["refused"]
    assert 1 == (await listed.receipt_counts()).refused
    assert {} == await listed.on_it()


async def test_without_the_token_no_body_is_waited_for(listed: Listed) -> None:
    """
    However long it is said to be.
    """
    async with served(listed, opt_out_token=TOKEN) as address, Line(address) as line:
        line.say(head("Content-Length: 100000000", path="/opt-out"))

        assert 401 == (await line.hear()).status


async def test_wrong_tokens_take_nothing_from_the_right_one(
    listed: Listed,
) -> None:
    """
    However many come: neither of what is taken in a second, nor of the room for bodies.
    """
    wrong = "Authorization: Bearer wrong-wrong-wrong-wrong"
    async with served(listed, opt_out_token=TOKEN, most_opt_outs=0.1) as address:
        lines = [await Line(address).__aenter__() for _ in range(300)]
        for line in lines:
            line.say(head(wrong, "Content-Length: 500", path="/opt-out"))
        status = (await post(address, body_of()))[0]
        refused = {(await line.hear()).status for line in lines}
        for line in lines:
            await line.__aexit__()

    assert ({401}, 200) == (refused, status)


async def test_slow_receipts_take_nothing_from_opt_outs(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The room for bodies that are on their way is another one.
    """
    monkeypatch.setattr("voicepush.receipts.app._MOST_READ", 1)
    body = body_of()
    async with served(listed, opt_out_token=TOKEN) as address, Line(address) as slow:
        slow.say(head("Content-Length: 100"))
        async with Line(address) as other, Line(address) as line:
            other.say(head("Content-Length: 100") + b"{")
            line.say(head(BEARER, f"Content-Length: {len(body)}", path="/opt-out"))
            await settle()
            line.say(body)

            assert 503 == (await other.hear()).status
            assert 200 == (await line.hear()).status
        slow.say(b"{" * 100)
        await slow.hear()


async def test_a_flow_that_runs_wild_is_slowed_down(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    After ten seconds' worth at once others get 429, and are told when to come again.
    """
    clock = HandClock()
    clock.patch(monkeypatch.setattr)
    async with served(listed, opt_out_token=TOKEN, most_opt_outs=2) as address:
        people = iter(numbers(100))
        first = [await post(address, body_of(number=next(people))) for _ in range(22)]
        clock.seconds += 1
        later = [await post(address, body_of(number=next(people))) for _ in range(3)]

    assert [200] * 20 + [429] * 2 == [status for status, _, _ in first]
    assert [200] * 2 + [429] == [status for status, _, _ in later]
    assert "1" == first[-1][2]["retry-after"]
    assert 22 == len(await listed.on_it())


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_how_many_a_second_is_a_number(listed: Listed, rate: float) -> None:
    """
    Above 0.
    """
    with pytest.raises(InputError, match="opt-outs a second"):
        receipts_app(listed, opt_out_token=TOKEN, most_opt_outs=rate)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "the body is empty"),
        (b"{", 400, "no JSON"),
        (b'{"number": "+9990001", "number": "+9990002"}', 400, "there twice"),
        (b"\x1f\x8b\x08\x00", 400, "no UTF-8"),
        (body_of(number="09000000001"), 400, "calling code"),
        (body_of(category="a\nb"), 400, "one line"),
        (body_of(category="x" * 17_000), 413, "more than 16,384 bytes"),
        (b"{" * (1 << 20), 413, "more than 16,384 bytes"),
    ],
)
async def test_what_is_not_understood_is_said_and_counted(
    listed: Listed,
    session: ClientSession,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    status: int,
    words: str,
) -> None:
    """
    To who posts and to who runs it, since people press a key in vain meanwhile.
    """
    async with served(listed, opt_out_token=TOKEN) as address:
        found, said, _ = await post(address, body)
        counted = (await health(address, session))["opt_outs"]["unusable"]

    assert (status, 1) == (found, counted)
    assert words in said
    assert said.endswith("nobody was put on the list")
    assert words in caplog.text
    assert {} == await listed.on_it()


async def test_a_huge_body_that_says_not_how_long_it_is(listed: Listed) -> None:
    """
    It is read no further than there is room for.
    """
    async with served(listed, opt_out_token=TOKEN) as address, Line(address) as line:
        line.say(head(BEARER, "Transfer-Encoding: chunked", path="/opt-out"))
        for _ in range(20):
            line.say(b"1000\r\n" + b" " * 4096 + b"\r\n")
        answer = await line.hear()

    assert 413 == answer.status


async def test_a_body_that_never_ends_is_not_waited_for(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Nor one that breaks off; a byte now and then gains no time.
    """
    monkeypatch.setattr("voicepush.receipts.opt_out_url._MOST_SECONDS", 0.1)
    start = head(BEARER, "Content-Length: 100", path="/opt-out")
    async with served(listed, opt_out_token=TOKEN) as address, Line(address) as line:
        line.say(start)
        hearing = asyncio.create_task(line.hear())
        while not hearing.done():
            line.say(b"{")
            await asyncio.sleep(0.02)
        async with Line(address) as broken:
            broken.say(start + b"{")
            broken.writer.write_eof()

    assert 503 == hearing.result().status
    assert {} == await listed.on_it()


async def test_other_methods_are_not_for_it(
    listed: Listed, session: ClientSession
) -> None:
    """
    A number never stands in an address, which proxies write down.
    """
    async with served(listed, opt_out_token=TOKEN) as address:
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            async with session.request(
                method,
                f"{address}/opt-out",
                headers={"Authorization": f"Bearer {TOKEN}"},
            ) as answer:
                assert 405 == answer.status


async def test_it_can_be_part_of_another_application(listed: Listed) -> None:
    """
    Under a prefix, beside its receipts, with a token of bytes.
    """
    whole = web.Application()
    whole.add_subapp("/hooks", receipts_app(listed, opt_out_token=TOKEN.encode()))
    async with serving(whole, "127.0.0.1", 0) as address:
        found = await post(address, body_of(), path="/hooks/opt-out")

    assert (200, "is on the list now") == found[:2]
    assert [NUMBER] == list(await listed.on_it())


async def test_without_a_token_it_is_not_there(
    listed: Listed, session: ClientSession
) -> None:
    """
    Nor does health tell of it.
    """
    async with served(listed) as address:
        async with session.post(f"{address}/opt-out", data=body_of()) as answer:
            assert 404 == answer.status
        assert "opt_outs" not in await health(address, session)


async def test_without_a_token_receipts_may_have_its_path(
    listed: Listed, session: ClientSession
) -> None:
    """
    As before there were opt-outs.
    """
    async with (
        served(listed, path="/opt-out") as address,
        session.post(f"{address}/opt-out", data=receipt()) as answer,
    ):
        assert 200 == answer.status


def test_receipts_have_another_path(listed: Listed) -> None:
    """
    And the token can't be guessed.
    """
    with pytest.raises(InputError, match="must be like /receipts"):
        receipts_app(listed, opt_out_token=TOKEN, path="/opt-out/")
    with pytest.raises(InputError, match="too short"):
        receipts_app(listed, opt_out_token="short")


async def test_nobody_is_in_the_log(
    listed: Listed, session: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Neither what was posted, nor the token; each request has a line at INFO.
    """
    caplog.set_level(logging.DEBUG)
    async with served(listed, opt_out_token=TOKEN) as address:
        await post(address, body_of(customer_id="c-12345"), BEARER)
        await post(address, body_of(**{"+999000000001": 1}))
        await post(address, body_of(number="c-12345 999000000001"))
        await post(address, body_of(), "Authorization: Bearer 999000000001-wrong")
        listed.failure = FULL
        await post(address, body_of(number="+999000000002"))
        url = f"{address}/opt-out?number=999000000001"
        async with session.post(url, data=body_of()) as answer:
            assert 401 == answer.status

    lines = [each.message for each in caplog.records if each.levelname == "INFO"]
    assert ["POST 200, ", "POST 400, "] == [each[:10] for each in lines[:2]]
    for secret in ("99900000000", "c-12345", TOKEN):
        assert secret not in caplog.text
