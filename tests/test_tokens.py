"""
Tokens in place of the service key: made on time, over a real socket, and never shown.
"""

from __future__ import annotations

import base64
import logging
import pickle
import sys
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import jwt
import pytest
from conftest import KEY, Connect, Simulate, numbers
from moved_clock import MovedClock
from nights import Wall

from voicepush import Client, InputError, Outcome, Settings, Token, VoiceMessage
from voicepush.environment import from_environment
from voicepush.sending.answer import Answer, ResponseItem, without_key
from voicepush.sending.codes import Meaning
from voicepush.sending.reply import Reply
from voicepush.sending.tokens import Tokens
from voicepush.sending.transport import Transport
from voicepush.simulator import Simulator

SERVICE_ID = "made-up-service"
SIGNS = b"a made-up secret, which is as long as good ones are"
SECRET = base64.b64encode(SIGNS).decode()
TOKEN = Token(service_id=SERVICE_ID, secret=SECRET)
BASE = "https://api.imiconnect.io"

HOUR = 3600.0


@pytest.fixture
async def service(simulate: Simulate) -> Simulator:
    """
    A stand-in that takes tokens of the service.
    """
    return await simulate(token=(SERVICE_ID, SECRET))


@pytest.fixture
def with_token(connect: Connect) -> Connect:
    """
    Opens a client that has a token and no key.
    """

    async def open_client(to: Simulator | str, **settings: Any) -> Client:
        return await connect(to, **{"service_key": None, "token": TOKEN, **settings})

    return open_client


async def test_a_token_is_taken_in_place_of_the_key(
    service: Simulator, with_token: Connect, message: VoiceMessage
) -> None:
    """
    Requests carry the token, and no key.
    """
    client = await with_token(service, service_key=None)

    summary = await client.send(message, numbers(2500))

    assert 2500 == summary.accepted
    assert 2500 == len(service.calls)


async def test_what_the_environment_says_of_the_host(
    service: Simulator,
    with_token: Connect,
    message: VoiceMessage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A name and a password in .netrc do not take the token's place.
    """
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login made-up password made-up\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    client = await with_token(service, trust_env=True)

    assert Outcome.ACCEPTED is (await client.submit(message, "+9995550100")).outcome


async def test_questions_carry_it_as_well(service: Simulator) -> None:
    """
    Who asks what became of a transaction is let in.
    """
    settings = Settings(token=TOKEN, base_url=service.url)
    async with (
        Transport(settings) as transport,
        await transport.connection() as connection,
    ):
        reply = await connection.get("/status/none")

    assert 404 == reply.status
    assert b"no such transaction" in reply.body


async def test_a_wrong_secret_stops_everything_and_is_not_shown(
    service: Simulator,
    with_token: Connect,
    message: VoiceMessage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Nobody is called, the reason is told, and neither secret nor token is in it.
    """
    caplog.set_level(logging.DEBUG)
    wrong = base64.b64encode(b"another made-up secret").decode()
    client = await with_token(service, token=Token(service_id=SERVICE_ID, secret=wrong))

    summary = await client.send(message, numbers(3))

    assert (3, 0) == (summary.not_sent, service.rung)
    assert "7001" in str(summary.stopped)
    for text in (repr(summary), caplog.text, repr(client.settings), repr(client)):
        assert wrong not in text
        assert "eyJ" not in text


async def test_one_that_carries_no_token_is_refused(
    service: Simulator, connect: Connect, message: VoiceMessage
) -> None:
    """
    The stand-in takes its key as well, and no other.
    """
    with_key = await connect(service)
    with_another = await connect(service, service_key="another")

    assert Outcome.ACCEPTED is (await with_key.submit(message, "+9995550100")).outcome
    result = await with_another.submit(message, "+9995550101")
    assert (Outcome.NOT_SENT, "7001") == (result.outcome, result.code)


async def test_it_is_made_anew_before_its_hour_ends(
    service: Simulator, with_token: Connect, message: VoiceMessage, wall: Wall
) -> None:
    """
    A client that lives for a day is never refused.
    """
    client = await with_token(service)
    begun = time.time()

    for number, hours in zip(numbers(6), (0, 0.7, 0.8, 1.1, 9, 24), strict=True):
        wall.set(begun + hours * HOUR)
        assert Outcome.ACCEPTED is (await client.submit(message, number)).outcome

    assert {"1001": 6} == service.replies


async def test_one_that_is_refused_for_its_age_is_made_anew(
    service: Simulator,
    with_token: Connect,
    message: VoiceMessage,
    wall: Wall,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Where our clock is half an hour behind, a token ends earlier than we believe: it is
    made anew, and those of the request are called once.
    """
    monkeypatch.setattr("voicepush.clock.now", lambda: time.time() - HOUR / 2)
    client = await with_token(service)
    begun = time.time()
    await client.submit(message, "+9995550100")
    wall.set(begun + HOUR / 2 + 100)

    result = await client.submit(message, "+9995550101")

    assert Outcome.ACCEPTED is result.outcome
    assert {"1001": 2, "7001": 1} == service.replies
    assert {1} == set(service.calls.values())


@pytest.mark.parametrize(("ahead", "words"), [(-2, "behind"), (2, "ahead of")])
async def test_a_clock_that_is_wrong_is_told(
    service: Simulator,
    with_token: Connect,
    message: VoiceMessage,
    monkeypatch: pytest.MonkeyPatch,
    ahead: float,
    words: str,
) -> None:
    """
    Where a new token is refused as well, the reason says by how much the clocks differ.
    """
    monkeypatch.setattr("voicepush.clock.now", lambda: time.time() + ahead * HOUR)
    client = await with_token(service)

    result = await client.submit(message, "+9995550100")

    assert (Outcome.NOT_SENT, "7001") == (result.outcome, result.code)
    assert f"120 minutes {words} the service's" in result.description


def answer(meaning: Meaning, code: str | None) -> Answer:
    """
    An answer of one element.
    """
    return Answer([ResponseItem(meaning, code, "said")])


@pytest.mark.parametrize(
    ("status", "code", "age", "meaning"),
    [
        (200, "7001", 0, Meaning.STOP),
        (200, "7001", 59, Meaning.STOP),
        (200, "7001", 60, Meaning.UNREACHED),
        (401, None, 60, Meaning.UNREACHED),
        (401, None, 0, Meaning.STOP),
        (403, None, 60, Meaning.STOP),
        (200, "7007", 60, Meaning.STOP),
    ],
)
def test_what_a_refusal_means(
    clock: MovedClock, status: int, code: str | None, age: float, meaning: Meaning
) -> None:
    """
    A new token is tried where the refused one was not new, and for no other refusal.
    """
    tokens = Tokens(TOKEN, clock.now)
    bearer = tokens.current()
    clock.move(age)

    judged = tokens.judged(answer(Meaning.STOP, code), Reply(status, b""), bearer)

    assert [meaning] == [each.meaning for each in judged.items]
    assert (tokens.current() is bearer) is (meaning is Meaning.STOP)


def test_a_late_refusal_of_an_older_token_keeps_the_new_one(clock: MovedClock) -> None:
    """
    Many requests that carried the old token are refused one after the other.
    """
    tokens = Tokens(TOKEN, clock.now)
    old = tokens.current()
    clock.move(HOUR)
    new = tokens.current()
    tokens.judged(answer(Meaning.STOP, "7001"), Reply(200, b""), old)

    assert old is not new
    assert new is tokens.current()


def test_it_is_dated_and_signed_as_the_platform_wants_it(clock: MovedClock) -> None:
    """
    The claims are the service's id and the time; a clock that was set back makes it
    anew.
    """
    clock.move(10_000.7)
    tokens = Tokens(TOKEN, clock.now)
    bearer = tokens.current()
    clock.microseconds -= 5_000_000_000

    claims = jwt.decode(bearer.text, SIGNS, algorithms=["HS256"])
    assert {"iss": SERVICE_ID, "iat": 10_000} == claims
    assert {"authorization": f"Bearer {bearer.text}"} == bearer.headers
    assert bearer is not tokens.current()
    assert bearer.text not in repr(bearer)


@pytest.mark.parametrize("secret", ["", "no base64!", "===", "ä"])
def test_a_secret_that_is_no_base64(secret: str) -> None:
    """
    Is refused without being repeated.
    """
    with pytest.raises(InputError, match="base64") as caught:
        Token(service_id=SERVICE_ID, secret=secret)

    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("secret", ["-_-_", "+/+/", "+/+/AA==", "+/+/AA", " +/+/ "])
def test_both_alphabets_of_base64(secret: str) -> None:
    """
    With padding or without, as consoles and editors leave it.
    """
    key = Token(service_id=SERVICE_ID, secret=secret).signing_key

    assert b"\xfb\xff\xbf" == key[:3]


def test_the_secret_is_in_no_repr() -> None:
    """
    Of a token, of settings, and after pickling.
    """
    settings = Settings(token=TOKEN, base_url=BASE)

    assert SECRET not in repr(TOKEN) + repr(settings)
    assert TOKEN == pickle.loads(pickle.dumps(TOKEN))  # noqa: S301 -- our own
    assert SERVICE_ID in repr(settings)


def test_a_token_that_is_repeated_is_hidden() -> None:
    """
    Where an answer gives it back, in whole or cut off.
    """
    text = Tokens(TOKEN).current().text

    assert "no <token> here" == without_key(f"no {text} here", KEY)
    assert text[-20:-5] not in without_key(f"no {text[:-5]}", KEY)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One line says how to install it.
    """
    monkeypatch.setitem(sys.modules, "jwt", None)

    with pytest.raises(InputError, match=r"pip install 'voicepush\[jwt\]'"):
        Client(token=TOKEN, base_url=BASE)


class TestWhereItIsGiven:
    """
    By arguments, by the environment, or by a file.
    """

    def test_both_a_key_and_a_token(self) -> None:
        """
        Are refused: only one can hold.
        """
        with pytest.raises(InputError, match="and not both"):
            Settings(service_key=KEY, token=TOKEN, base_url=BASE)
        with pytest.raises(InputError, match="leave one of them out"):
            from_environment(
                {
                    "VOICEPUSH_SERVICE_KEY": KEY,
                    "VOICEPUSH_SERVICE_ID": SERVICE_ID,
                    "VOICEPUSH_SERVICE_SECRET": SECRET,
                },
                base_url=BASE,
            )

    def test_the_environment(self, tmp_path: Path) -> None:
        """
        The secret stands in a variable, or in a file that one names.
        """
        file = tmp_path / "secret"
        file.write_text(f"{SECRET}\n", encoding="utf-8")
        named = {"VOICEPUSH_SERVICE_ID": SERVICE_ID}

        for besides in (
            {"VOICEPUSH_SERVICE_SECRET": SECRET},
            {"VOICEPUSH_SERVICE_SECRET_FILE": str(file)},
        ):
            found = from_environment({**named, **besides}, base_url=BASE)
            assert (TOKEN, "") == (found.token, found.service_key)

    def test_an_argument_goes_before_the_environment(self) -> None:
        """
        A token that is given rules out a key in the environment, and the reverse.
        """
        key = {"VOICEPUSH_SERVICE_KEY": KEY}
        named = {
            "VOICEPUSH_SERVICE_ID": SERVICE_ID,
            "VOICEPUSH_SERVICE_SECRET": SECRET,
        }

        assert TOKEN == from_environment(key, token=TOKEN, base_url=BASE).token
        found = from_environment(named, service_key=KEY, base_url=BASE)
        assert (KEY, None) == (found.service_key, found.token)

    @pytest.mark.parametrize(
        ("surroundings", "words"),
        [
            ({"VOICEPUSH_SERVICE_ID": SERVICE_ID}, "the secret of the service"),
            ({"VOICEPUSH_SERVICE_SECRET": SECRET}, "the id of the service"),
        ],
    )
    def test_half_of_it(self, surroundings: dict[str, str], words: str) -> None:
        """
        Is refused, and what is missing is named with how to give it.
        """
        with pytest.raises(InputError, match=words) as caught:
            from_environment(surroundings, base_url=BASE)

        assert "VOICEPUSH_SERVICE_" in str(caught.value)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (formatdate(1_500_000_000, usegmt=True), 1_500_000_000),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_clock_of_the_service(text: str, moment: float | None) -> None:
    """
    Is read from its answers, where they say it.
    """
    assert moment == Reply(200, b"", date_text=text).served_at
