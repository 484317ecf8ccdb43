"""
The one call of a check, its receipts, and what both show.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any

import attrs
import pytest
from conftest import KEY, Serve, Simulate
from mishaps import say
from servers import Echo, Heard, Server

from voicepush import VoiceMessage
from voicepush.checking.findings import Finding, Holds
from voicepush.checking.ringing import Listening, ring
from voicepush.settings import Settings
from voicepush.simulator import Simulator

YES, NO, UNKNOWN = Holds.YES, Holds.NO, Holds.UNKNOWN

PHONE = "+999000000001"

SECRET = "the hub secret"


def free_port() -> int:
    """
    A port that nobody listens at.
    """
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def rung(
    at: Simulator | Server, *, seconds: float = 10.0, secret: bytes | None = None
) -> Mapping[str, Finding]:
    """
    What a call with receipts shows, by what it is about.
    """
    port = free_port()
    message = VoiceMessage(media="x", notify_url=f"http://127.0.0.1:{port}/receipts")
    listening = Listening(
        host="127.0.0.1",
        port=port,
        path="/receipts",
        secret=secret,
        longest=seconds,
        afterwards=0.5,
    )
    settings = Settings(service_key=KEY, base_url=at.url)
    found = await ring(settings, message, PHONE, listening=listening)
    names = {each.about: each for each in found}
    assert len(names) == len(found)
    return names


@pytest.mark.parametrize("ring_word", ["heard", "busy", "hung-up", "hung-up-ringing"])
async def test_a_call_with_all_its_receipts(simulate: Simulate, ring_word: str) -> None:
    """
    Everything holds; the phone rings once, since the second call has expired.
    """
    simulator = await simulate(rings=[ring_word], hub_secret=SECRET)

    found = await rung(simulator, secret=SECRET.encode())

    holding = [
        *("call", "transaction id", "ids of a call", "expiry passed", "receipts"),
        *("receipt signature", "receipt ids", "receipt times", "receipt types"),
    ]
    assert {YES} == {found[about].holds for about in holding}, found
    assert UNKNOWN is found["receipt Failed"].holds
    assert "OFFERED 7407 after 0." in found["receipts"].words
    assert Counter({PHONE: 1}) == simulator.calls


async def test_ids_that_do_not_come_back(simulate: Simulate) -> None:
    """
    Then connections are not used again, which is told.
    """
    found = await rung(await simulate(echo=False))

    assert NO is found["ids of a call"].holds
    assert "connection of its own" in found["ids of a call"].words


async def test_a_call_that_is_refused(simulate: Simulate) -> None:
    """
    No second one follows, and no receipts are waited for.
    """
    simulator = await simulate("7102")

    found = await rung(simulator)

    assert {"call"} == found.keys()
    assert NO is found["call"].holds
    assert "7102" in found["call"].words


async def test_an_answer_that_is_lost(simulate: Simulate) -> None:
    """
    Nobody knows if the phone rang; it is not called again.
    """
    simulator = await simulate("drop")

    found = await rung(simulator)

    assert UNKNOWN is found["call"].holds
    assert Counter({PHONE: 1}) == simulator.calls


async def test_no_receipts_come(simulate: Simulate) -> None:
    """
    They are waited for as long as was said.
    """
    found = await rung(await simulate(receipt_faults=["lost"]), seconds=0.5)

    assert NO is found["receipts"].holds
    assert UNKNOWN is found["receipt types"].holds is found["receipt signature"].holds


@pytest.mark.parametrize(
    "fault",
    [
        *("garbage", "empty", "truncated", "twice", "reordered", "single", "short"),
        *("drop", "drop-early", "mix:7006=99%", "7006", "7020", "429:1", "503", "500"),
        *("ring-503", "ring-7006"),
    ],
)
async def test_an_answer_that_is_none(simulate: Simulate, fault: str) -> None:
    """
    The phone is rung once at most, each belief is told of once, and only what an answer
    shows is said to hold.
    """
    simulator = await simulate(fault, hub_secret=SECRET)

    found = await rung(simulator, seconds=1, secret=SECRET.encode())

    assert sum(simulator.calls.values()) <= 1
    assert all(each.words for each in found.values())
    if fault not in ("single", "short", "reordered", "mix:7006=99%"):
        assert YES is not found["call"].holds or simulator.calls


@pytest.mark.parametrize("fault", ["forged", "unsigned"])
async def test_wrong_signatures(simulate: Simulate, fault: str) -> None:
    """
    They are refused, counted, and told of.
    """
    simulator = await simulate(receipt_faults=[fault], hub_secret=SECRET)

    found = await rung(simulator, seconds=3, secret=SECRET.encode())

    assert NO is found["receipts"].holds is found["receipt signature"].holds
    assert "were refused" in found["receipt signature"].words


async def test_receipts_without_ids(simulate: Simulate) -> None:
    """
    The transaction id tells whose they are, and which lack the other is told.
    """
    found = await rung(await simulate(receipt_faults=["no-id"]))

    assert (YES, NO) == (found["receipts"].holds, found["receipt ids"].holds)
    assert "OFFERED 7407" in found["receipt ids"].words


async def test_time_stamps_without_an_offset(simulate: Simulate) -> None:
    """
    The tenant's time zone has to be told then.
    """
    found = await rung(await simulate(tenant_offset=timedelta(hours=5.5)))

    assert NO is found["receipt times"].holds
    assert "--tenant-zone" in found["receipt times"].words


async def test_types_that_are_not_selected(simulate: Simulate) -> None:
    """
    What never came is named: a call that expires at once has one receipt only.
    """
    found = await rung(await simulate(rings=["expired"]))

    assert NO is found["receipt types"].holds
    assert "OFFERED 7407, ACCEPTED 7408" in found["receipt types"].words
    assert "selected in the console" in found["receipt types"].words


async def test_an_expiry_that_is_not_looked_at() -> None:
    """
    Taken, and without receipts nobody knows what became of it.
    """
    async with Server() as server:
        found = await rung(server, seconds=0.2)

    assert UNKNOWN is found["expiry passed"].holds
    assert "if the phone rang twice" in found["expiry passed"].words


@attrs.define(kw_only=True, eq=False)
class RefusesTheSecond(Server):
    """
    Refuses what has an expiry, with a code of another meaning.
    """

    def body(self, request: Heard, code: str) -> bytes:
        """
        What is said.
        """
        said = "7004" if "expiry" in request.message else code
        return super().body(request, said)


async def test_an_expiry_that_is_refused_otherwise() -> None:
    """
    It is honoured, but not as believed.
    """
    async with RefusesTheSecond(echo=Echo.REQUEST) as server:
        found = await rung(server, seconds=0.2)

    assert NO is found["expiry passed"].holds
    assert "not with 7005" in found["expiry passed"].words
    assert "the request's comes back" in found["ids of a call"].words


@pytest.mark.usefixtures("in_a_folder")
def test_the_command_rings_and_listens(serve: Serve) -> None:
    """
    The findings of the call take the place of what was unknown; it is said who rings.
    """
    simulator = serve()
    port = free_port()
    where = f"127.0.0.1:{port}"

    said = say(
        *("check", "--base-url", simulator.url, "--call", PHONE, "--media", "x"),
        *("--receipts", f"http://{where}/receipts", "--listen", where),
        *("--wait", "10s", "--expired-call"),
    )

    lines: dict[str, Any] = {
        line[9:].split("  ")[0]: line.split()[0] for line in said.out.splitlines()[1:-1]
    }
    assert 0 == said.code, said.out + said.err
    assert "ringing +99" in said.err
    assert PHONE not in said.err + said.out
    assert ("yes", "yes") == (lines["expiry passed"], lines["receipt types"])
    assert Counter({PHONE: 1}) == simulator.calls


@pytest.mark.usefixtures("in_a_folder")
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--media", "x"], "of no use without --call"),
        (["--receipts", "http://127.0.0.1:9/receipts"], "of no use without --call"),
        (["--call", "12", "--media", "x"], "12: "),
        (["--call", PHONE], "media"),
        (["--call", PHONE, "--media", "x", "--wait", "long"], "--wait long is no"),
    ],
)
def test_wrong_usage_of_the_call(
    serve: Serve, words: list[str], complaint: str
) -> None:
    """
    With exit status 2, before anything is asked.
    """
    simulator = serve()

    said = say("check", "--base-url", simulator.url, *words)

    assert 2 == said.code
    assert complaint in said.complaint
    assert [] == simulator.requests


@pytest.mark.usefixtures("in_a_folder")
def test_nobody_is_rung_where_the_key_is_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The call is left out.
    """
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", "another")
    simulator = serve()

    said = say(*("check", "--base-url", simulator.url, "--call", PHONE, "--media", "x"))

    assert 3 == said.code
    assert 0 == simulator.rung
    assert 1 == len(simulator.requests)
