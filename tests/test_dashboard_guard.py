"""
Who may look, and who is shown whom.
"""

from __future__ import annotations

import asyncio
import base64
import re

import pytest
from aiohttp import ClientSession
from conftest import Connect, Simulate, numbers
from dashboards import TOKEN, page, sent, shown, words
from receiving import settle

from voicepush import InputError, Ledger, LedgerError, Lookup, VoiceMessage, clock
from voicepush.dashboard import guard, showing
from voicepush.dashboard.app import dashboard_app
from voicepush.dashboard.guard import Token, host_in, is_loopback
from voicepush.ledger.memory.ledger import MemoryLedger


def basic(password: str, user: str = "anyone") -> dict[str, str]:
    """
    What a browser sends once a password was typed.
    """
    given = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {given}"}


# By name


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::1%lo", True),
        ("0.0.0.0", False),  # noqa: S104 -- nothing listens there
        ("::", False),
        ("192.0.2.1", False),
        ("example.org", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("xlocalhost", False),
        ("", False),
    ],
)
def test_some_names_lead_to_this_machine_only(host: str, is_ours: bool) -> None:
    """
    Whatever a resolver says of the others.
    """
    assert is_ours is is_loopback(host)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("localhost:8070", "localhost"),
        ("[::1]:8070", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1", ""),
        ("", ""),
        ("evil.example@localhost", "localhost"),
    ],
)
def test_a_host_is_read_without_its_port(header: str, host: str) -> None:
    """
    What can't be read is no name.
    """
    assert host == host_in(header)


@pytest.mark.parametrize("path", ["", "events", "lookup", "static/live.js", "none"])
async def test_a_name_that_was_made_to_lead_here_is_refused(
    session: ClientSession, path: str
) -> None:
    """
    The page of a stranger could otherwise read what is shown.
    """
    async with shown(MemoryLedger()) as address:
        headers = {"Host": "evil.example:8070"}
        async with session.get(f"{address}/{path}", headers=headers) as answer:
            assert 403 == answer.status
            assert "--token-file" in await answer.text()


@pytest.mark.parametrize("name", ["forwarded", "Via", "X-Forwarded-For"])
async def test_a_proxy_needs_a_token(session: ClientSession, name: str) -> None:
    """
    It may ask for this machine by name, and have others behind it.
    """
    async with (
        shown(MemoryLedger()) as address,
        session.get(f"{address}/", headers={name: "192.0.2.1"}) as answer,
    ):
        assert 403 == answer.status
        assert "through a proxy" in await answer.text()


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("cross-site", "no-cors", 403),
        ("cross-site", "cors", 403),
        ("same-site", "cors", 403),
        ("cross-site", "navigate", 200),
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
    ],
)
async def test_pages_of_others_may_only_lead_here(
    session: ClientSession, site: str, mode: str, status: int
) -> None:
    """
    They could take the places of those who watch.
    """
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
    async with (
        shown(MemoryLedger()) as address,
        session.get(f"{address}/", headers=headers) as answer,
    ):
        assert status == answer.status


# By token


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic(TOKEN), 200),
        (basic(TOKEN, user=""), 200),
        (basic(TOKEN, user="é"), 200),
        ({"Authorization": f"bearer  {TOKEN} "}, 200),
        (basic(f"{TOKEN}x"), 401),
        (basic(TOKEN[:-1]), 401),
        (basic(""), 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": "Bearer é"}, 401),
        ({"Authorization": "Basic é"}, 401),
        ({"Authorization": "Basic !"}, 401),
        ({"Authorization": "Basic eA"}, 401),
        ({"Authorization": f"Digest {TOKEN}"}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": ""}, 401),
    ],
)
async def test_only_the_token_lets_in(
    session: ClientSession,
    headers: dict[str, str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    As a password of any user, or by itself; from any name.
    """
    monkeypatch.setattr(guard, "_WAITS", 0.0)
    async with shown(MemoryLedger(), token=TOKEN) as address:
        for path in ("", "static/live.js", "report.css"):
            async with session.get(
                f"{address}/{path}", headers={**headers, "Host": "example.org"}
            ) as answer:
                assert status == answer.status
                if status == 401:
                    assert "Basic realm" in answer.headers["WWW-Authenticate"]
        if status == 401:
            for path in ("events", "none", "campaign?name=june"):
                async with session.get(f"{address}/{path}", headers=headers) as answer:
                    assert 401 == answer.status
            async with session.post(f"{address}/lookup", headers=headers) as answer:
                assert 401 == answer.status


async def test_who_gave_a_wrong_token_waits(
    session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    And too many don't; who has the right one is let in meanwhile.
    """
    gate, waiting = asyncio.Event(), 0

    async def wait(_: float) -> None:
        nonlocal waiting
        waiting += 1
        await gate.wait()

    monkeypatch.setattr(clock, "sleep", wait)

    async def ask(headers: dict[str, str]) -> int:
        async with session.get(f"{address}/", headers=headers) as answer:
            return answer.status

    async with shown(MemoryLedger(), token=TOKEN) as address:
        wrong = [asyncio.create_task(ask(basic("wrong"))) for _ in range(20)]
        async with asyncio.timeout(10):
            while waiting < 20:
                await settle()
        more, right, none = [
            await ask(headers) for headers in (basic("wrong"), basic(TOKEN), {})
        ]
        gate.set()
        statuses = await asyncio.gather(*wrong)

    assert (429, 200, 401) == (more, right, none)
    assert [401] * 20 == statuses


@pytest.mark.parametrize("token", ["", "short", "x" * 15, b"x" * 15])
def test_a_token_that_could_be_guessed_is_refused(token: str | bytes) -> None:
    """
    With a way to make a good one.
    """
    with pytest.raises(InputError, match="openssl rand -hex 16"):
        dashboard_app(MemoryLedger(), token=token)


def test_a_token_may_hold_any_bytes() -> None:
    """
    As they come out of a file.
    """
    secret = bytes(range(128, 160))
    given = base64.b64encode(b":" + secret).decode()

    assert Token(secret).fits(f"Basic {given}")
    assert not Token(secret[:-1]).fits(f"Basic {given}")


# Looking up


async def look_up(session: ClientSession, address: str, value: str) -> str:
    """
    The page that answers.
    """
    async with session.post(f"{address}/lookup", data={"value": value}) as answer:
        assert 200 == answer.status
        return await answer.text()


async def test_a_number_is_looked_up_and_masked(
    ledger: Ledger,
    message: VoiceMessage,
    simulate: Simulate,
    connect: Connect,
    session: ClientSession,
) -> None:
    """
    As anyone writes it; with what became of it, and no whole number anywhere.
    """
    await sent(ledger, await connect(await simulate("mix:7102=30%@1/2")), message)
    [found] = await ledger.lookup(numbers(1)[0])
    async with shown(ledger) as address:
        form = await page(session, f"{address}/lookup")
        text = await look_up(session, address, " +999 000-000 000 ")
        by_id = await look_up(session, address, found.result.correlation_id or "")
        others = [await look_up(session, address, each) for each in numbers(40)]

    assert 'name="value"' in form
    for each in (text, by_id):
        assert '<dd data-field="recipient">+99******0000</dd>' in each
        assert '<span data-field="outcome">accepted</span>' in each
        assert '<span data-field="call">reached</span>' in each
        assert found.batch in each
        assert "campaign?name=june" in each
    assert any("rejected" in each and "7102" in each for each in others)
    assert not re.search(r"\d{9}", "".join(words(each) for each in (text, *others)))


async def test_numbers_are_shown_to_whom_they_may_be_shown(
    ledger: Ledger,
    message: VoiceMessage,
    simulate: Simulate,
    connect: Connect,
    session: ClientSession,
) -> None:
    """
    Where the one who started it wanted that.
    """
    await sent(ledger, await connect(await simulate()), message)
    async with shown(ledger, show_numbers=True) as address:
        text = await look_up(session, address, numbers(1)[0])

    assert f'<dd data-field="recipient">{numbers(1)[0]}</dd>' in text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("+999000000099", "No campaign in this ledger has it."),
        ("<b>customer</b>", "No campaign in this ledger has it."),
        ("x" * 5000, "That is too long."),
        ("", "Was this person called?"),
        ("\x00", "No campaign in this ledger has it."),
    ],
)
async def test_whoever_is_not_there_is_said_so(
    session: ClientSession, value: str, said: str
) -> None:
    """
    Without the number that was asked for.
    """
    async with shown(MemoryLedger()) as address:
        text = await look_up(session, address, value)

    assert said in words(text)
    assert "+999000000099" not in text
    assert "<b>customer" not in text


async def test_a_lookup_that_fails_is_one_line(session: ClientSession) -> None:
    """
    With the form below it.
    """

    class Broken(MemoryLedger):
        async def lookup(self, value: str) -> list[Lookup]:
            raise LedgerError(f"the disk of {value} is gone")

    async with shown(Broken()) as address:
        text = await look_up(session, address, "+999000000099")

    assert "the disk of +99******0099 is gone" in words(text)
    assert 'name="value"' in text


async def test_a_form_that_never_ends_is_given_up(
    session: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    With 503.
    """
    monkeypatch.setattr(showing, "_MOST_SECONDS", 0.01)
    gate = asyncio.Event()

    async def body() -> object:
        yield b"value="
        await gate.wait()

    async with shown(MemoryLedger()) as address:
        async with session.post(f"{address}/lookup", data=body()) as answer:
            assert 503 == answer.status
        gate.set()
