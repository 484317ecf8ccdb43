"""Clients, commands and processes that share a rate."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import postgres
import psycopg
import pytest
from conftest import KEY, Connect, Simulate, numbers
from mishaps import say

from voicepush import (
    Campaign,
    Client,
    InputError,
    Ledger,
    NoLedgerError,
    Outcome,
    VoiceMessage,
)
from voicepush.ledger import shared_rate
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.pace import PostgresAllowance
from voicepush.model.events import AttemptMade, Event
from voicepush.simulator import Simulator
from voicepush.simulator.records import Record


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """
    The database of a ledger whose rate nobody has set, and that is left so.
    """
    address = postgres.server().address
    async with await PostgresLedger.open(address):
        pass
    yield address
    with psycopg.connect(address) as connection:
        connection.execute("DELETE FROM voicepush.pace")
        connection.execute("INSERT INTO voicepush.pace (name) VALUES ('tenant')")


def busiest_second(records: Sequence[Record]) -> int:
    """
    The most that came within any second.
    """
    return max(
        sum(
            other.size
            for other in records
            if first.arrived <= other.arrived < first.arrived + 1
        )
        for first in records
    )


class TestClient:
    """
    A client whose rate is an address.
    """

    async def test_it_keeps_to_the_rate(
        self,
        simulate: Simulate,
        connect: Connect,
        message: VoiceMessage,
        address: str,
    ) -> None:
        """
        What is sent and what is submitted share what the database says.
        """
        async with shared_rate(address) as allowance:
            await allowance.set_rate(400)
        simulator = await simulate()
        client = await connect(simulator, rate=address)
        begun = asyncio.get_running_loop().time()
        summary, result = await asyncio.gather(
            client.send(message, numbers(600)),
            client.submit(message, "+999000999999"),
        )
        took = asyncio.get_running_loop().time() - begun

        assert 600 == summary.accepted
        assert Outcome.ACCEPTED is result.outcome
        assert 501 / 400 == pytest.approx(took, abs=0.4)
        assert busiest_second(simulator.requests) <= 400 + 100 + 100
        assert all(record.size <= 100 for record in simulator.requests)

    async def test_a_refusal_slows_the_others(
        self,
        simulate: Simulate,
        connect: Connect,
        message: VoiceMessage,
        address: str,
    ) -> None:
        """
        One client meets 7020, and another has its rate lowered.
        """
        simulator = await simulate()
        one = await connect(simulator, rate=address)
        other = await connect(simulator, rate=address)
        simulator.next_replies("7020")
        result = await one.submit(message, "+999000000001")
        assert one.sender.pacer.rate is not None
        await other.submit(message, "+999000000002")

        assert Outcome.ACCEPTED is result.outcome
        assert other.sender.pacer.rate is not None
        assert other.sender.pacer.rate <= 200

    async def test_a_campaign_with_a_rate_of_its_own(
        self,
        simulate: Simulate,
        connect: Connect,
        message: VoiceMessage,
        address: str,
        ledger: Ledger,
    ) -> None:
        """
        It keeps to both, and afterwards the client goes on at the shared one.
        """
        async with shared_rate(address) as allowance:
            await allowance.set_rate(400)
        simulator = await simulate()
        client = await connect(simulator, rate=address)
        campaign = await Campaign.plan(
            ledger, "june", message, numbers(200), rate=200, batch_size=50
        )
        rates: list[float | None] = []

        def note_rate(event: Event) -> None:
            if isinstance(event, AttemptMade):
                rates.append(client.sender.pacer.rate)

        client.sender.observers.add(note_rate)
        summary = await campaign.dispatch(client)
        arrivals = [record.arrived for record in simulator.requests]

        assert 200 == summary.accepted
        assert [200] * 4 == rates
        # A busy machine may be later, and is never earlier.
        assert 150 / 200 - 0.2 < max(arrivals) - min(arrivals)
        assert 400 == client.sender.pacer.rate

    async def test_no_ledger_there(self) -> None:
        """
        It is told when the client is opened.
        """
        address = postgres.server().address.replace("/postgres?", "/template1?")
        client = Client(service_key=KEY, base_url="http://127.0.0.1:1", rate=address)
        with pytest.raises(NoLedgerError, match="there is no shared rate"):
            await client.__aenter__()

    @pytest.mark.parametrize(
        ("rate", "complaint"),
        [
            ("postgresql://june:secret@db/calls", "holds a password"),
            ("postgresql://db/calls?password=secret", "holds a password"),
            ("postgresql://db/calls?colour=red", "can't be understood"),
            ("fast", "a number of destinations per second, or the address"),
            (0, "rate must be above 0"),
        ],
    )
    def test_what_is_no_rate(self, rate: float | str, complaint: str) -> None:
        """
        It is refused in one line that does not repeat a password.
        """
        with pytest.raises(InputError, match=complaint) as refused:
            Client(service_key=KEY, base_url="http://127.0.0.1:1", rate=rate)

        assert "secret" not in str(refused.value)

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        It is said what is missing.
        """
        monkeypatch.delitem(
            sys.modules, "voicepush.ledger.postgres.pace", raising=False
        )
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(InputError, match="pip install"):
            Client(
                service_key=KEY,
                base_url="http://127.0.0.1:1",
                rate="postgresql://db/calls",
            )

    async def test_the_database_goes_away(
        self,
        simulate: Simulate,
        connect: Connect,
        message: VoiceMessage,
        address: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """
        Nothing leaves without its answer; it is a result, and trying again is safe.
        """
        monkeypatch.setattr("voicepush.sending.shared_pacing._PATIENCE", 0.1)
        simulator = await simulate()
        client = await connect(simulator, rate=address)
        assert client._allowance is not None
        await client._allowance.close()
        result = await client.submit(message, "+999000000001")
        summary = await client.send(message, numbers(10))

        assert Outcome.NOT_SENT is result.outcome
        assert "the shared rate" in result.description
        assert 10 == summary.not_sent
        assert [] == simulator.requests


_PROCESS = f"""
import asyncio, sys
from voicepush import Client, VoiceMessage

async def main(url, address, first):
    message = VoiceMessage(media="welcome", cli="18005550100")
    async with Client(service_key={KEY!r}, base_url=url, rate=address) as client:
        print(flush=True)
        sys.stdin.readline()
        numbers = [f"+999{{number:09d}}" for number in range(first, first + 400)]
        summary = await client.send(message, numbers)
        assert summary.accepted == 400, summary

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


class TestProcesses:
    """
    Several at once.
    """

    async def test_three_together(self, simulate: Simulate, address: str) -> None:
        """
        No second sees more than the rate and one request of each, and hardly less.
        """
        async with shared_rate(address) as allowance:
            await allowance.set_rate(400)
        simulator = await simulate()
        await self.run(simulator, address)
        arrivals = sorted(record.arrived for record in simulator.requests)

        assert 1200 == sum(record.size for record in simulator.requests)
        assert busiest_second(simulator.requests) <= 400 + 3 * 100
        took = arrivals[-1] - arrivals[0]
        assert 1100 / 400 == pytest.approx(took, rel=0.15)
        assert max(b - a for a, b in pairwise(arrivals)) < 0.6

    async def run(self, simulator: Simulator, address: str) -> None:
        """
        Let three processes send at the same time.
        """
        started = [
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _PROCESS, simulator.url, address, str(first)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for first in (0, 1000, 2000)
        ]
        for process in started:
            assert process.stdout is not None
            assert b"\n" == await process.stdout.readline()
        for process in started:
            assert process.stdin is not None
            process.stdin.write(b"\n")
        async with asyncio.timeout(30):
            assert [0, 0, 0] == [await process.wait() for process in started]
            for process in started:
                await process.communicate()


class TestCommand:
    """
    voicepush rate --tenant.
    """

    def test_set_and_shown(self, address: str) -> None:
        """
        It is written where all look, and shown with what is left of it.
        """
        ledger = ("--ledger", address)

        assert "tenant: no limit of our own" in say("rate", "--tenant", *ledger).out
        assert "at most 80/s" in say("rate", "--tenant", "80", *ledger).out
        asyncio.run(slowed(address))
        shown = say("rate", "--tenant", *ledger)
        assert "at most 80/s, at present 68/s" in shown.out
        assert "no limit" in say("rate", "--tenant", "none", *ledger).out
        assert 0 == shown.code

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (("--tenant", "80"), "voicepush.db is no ledger in a database"),
            (("--tenant", "80", "90"), "--tenant is the rate of all campaigns"),
            (("june",), "name a campaign and its destinations per second"),
            ((), "name a campaign and its destinations per second"),
        ],
    )
    def test_refused(self, arguments: tuple[str, ...], complaint: str) -> None:
        """
        In one clear line.
        """
        said = say("rate", *arguments)

        assert 2 == said.code
        assert complaint in said.complaint
        assert "\n" not in said.complaint

    @pytest.mark.parametrize(
        ("rate", "complaint"),
        [("fast", "is no number"), ("0", "a rate must be at least")],
    )
    def test_what_is_no_rate(self, rate: str, complaint: str, address: str) -> None:
        """
        It is refused, and nothing is changed.
        """
        said = say("rate", "--tenant", rate, "--ledger", address)

        assert 2 == said.code
        assert complaint in said.complaint


async def slowed(address: str) -> None:
    """
    The service refused something for speed.
    """
    async with PostgresAllowance(address) as allowance:
        await allowance.slow_down()
