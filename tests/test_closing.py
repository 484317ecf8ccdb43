"""
What happens to requests at the closing minute, whatever the service answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from conftest import Connect, Simulate
from ledger_model import Store
from making import batch_of
from nights import Hours, People, Wall, at, check_hours
from sums import check_sums

from voicepush import Campaign, Client, VoiceMessage
from voicepush.model.claim import Policy
from voicepush.model.outcome import BatchResult
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.sending.delivery import Delivery, Turn
from voicepush.simulator import Simulator
from voicepush.simulator.options import parse_faults

KOLKATA = "Asia/Kolkata"
HOURS = Hours("09:00", "21:00")
CLOSES, OPENS = at("2027-06-01T21:00", KOLKATA), at("2027-06-02T09:00", KOLKATA)


async def until(happened: Callable[[], object], seconds: float = 20.0) -> None:
    """
    Wait for it, but not for ever.
    """
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 -- others make it happen
            await asyncio.sleep(0.02)


class Evening:
    """
    A campaign that begins shortly before the closing minute, and may end in the
    morning.
    """

    def __init__(self, campaign: Campaign, people: People, wall: Wall) -> None:
        self.campaign, self.people, self.wall = campaign, people, wall
        self.dispatching: asyncio.Task[Any] | None = None

    async def night(self, client: Client) -> CampaignStatus:
        """
        How it stands when all who are left wait for the morning.
        """
        self.dispatching = asyncio.create_task(self.campaign.dispatch(client))
        async with asyncio.timeout(30):
            while True:
                await asyncio.sleep(0.1)
                status = await self.campaign.status()
                if self.dispatching.done():
                    await self.dispatching
                    return status
                if "wait for 09:00" in (status.waiting or ""):
                    check_sums(status)
                    return status

    async def morning(self, simulator: Simulator, late: float = 0.0) -> CampaignStatus:
        """
        How it has ended on the next day.
        """
        assert self.dispatching is not None
        self.wall.set(OPENS + late - 0.3)
        async with asyncio.timeout(30):
            await self.dispatching
        check_hours(simulator, HOURS, self.people.zones)
        status = await self.campaign.status()
        check_sums(status)
        assert set(simulator.calls.values()) <= {1}
        return status

    async def cancel(self) -> None:
        """
        End it at once.
        """
        assert self.dispatching is not None
        self.dispatching.cancel()
        with suppress(asyncio.CancelledError):
            await self.dispatching


@pytest.fixture
def evening(store: Store, wall: Wall, tmp_path: Path, message: VoiceMessage) -> Any:
    """
    Begins one, so many seconds before the closing minute.
    """

    async def begin(
        seconds: float, *, people: int = 40, expiry: Any = None, **options: Any
    ) -> Evening:
        wall.set(CLOSES - seconds)
        some = People(tmp_path, people, [KOLKATA])
        options = {"batch_size": 20, **options}
        message_ = attrs.evolve(message, expiry=expiry)
        campaign = await some.planned(store.ledger, HOURS, message_, **options)
        return Evening(campaign, some, wall)

    return begin


async def test_errors_until_the_closing_minute(
    evening: Any, simulate: Simulate, connect: Connect
) -> None:
    """
    Who is tried until then is called in the morning: closed windows are no patience.
    """
    simulator = await simulate("7006", rings=["heard"])
    client = await connect(simulator, patience=30, first_wait=0.2)
    one = await evening(1.5)

    night = await one.night(client)
    tried = len(simulator.requests)
    simulator.faults = parse_faults([])
    end = await one.morning(simulator)

    assert (40, 0) == (night.pending, night.not_sent)
    assert tried > 2
    assert (CampaignState.FINISHED, 40) == (end.state, end.accepted)


@pytest.mark.parametrize("store", ["sqlite", "memory"], indirect=True)
async def test_who_runs_out_of_patience_in_the_day(
    evening: Any, simulate: Simulate, connect: Connect
) -> None:
    """
    Is not sent, as without windows.
    """
    simulator = await simulate("7006")
    client = await connect(simulator, patience=1.0, first_wait=0.2)
    one = await evening(3600)

    night = await one.night(client)

    assert (CampaignState.PAUSED, 40) == (night.state, night.not_sent)


@pytest.mark.parametrize(
    ("reply", "left"), [("7005", range(40, 41)), ("mix:7005=50%", range(5, 36))]
)
async def test_a_service_whose_clock_is_ahead(
    evening: Any, simulate: Simulate, connect: Connect, reply: str, left: range
) -> None:
    """
    Those of a request who it says have expired are called in the morning, and nobody
    else of it.
    """
    simulator = await simulate(rings=["heard"])
    simulator.next_replies(reply, reply)
    client = await connect(simulator)
    one = await evening(1.5)

    night = await one.night(client)
    end = await one.morning(simulator)

    assert night.pending in left
    assert 40 == night.pending + night.accepted
    assert (CampaignState.FINISHED, 40, 0) == (end.state, end.accepted, end.expired)


async def test_the_service_asks_to_wait_beyond_the_closing_minute(
    evening: Any, simulate: Simulate, connect: Connect
) -> None:
    """
    They are called in the morning, when that is over as well.
    """
    simulator = await simulate(rings=["heard"])
    simulator.next_replies("429:4", "429:4")
    client = await connect(simulator, patience=30)
    one = await evening(1.5)

    night = await one.night(client)
    end = await one.morning(simulator)

    assert 40 == night.pending
    assert (CampaignState.FINISHED, 40) == (end.state, end.accepted)


@pytest.mark.parametrize("store", ["sqlite", "memory"], indirect=True)
async def test_the_service_asks_to_wait_for_longer_than_is_worth_it(
    evening: Any, simulate: Simulate, connect: Connect
) -> None:
    """
    The campaign pauses and says so; nobody is put off until the windows close.
    """
    simulator = await simulate(rings=["heard"])
    simulator.next_replies("429:3600")
    client = await connect(simulator, patience=5, rate=20)
    one = await evening(6 * 3600, batch_size=5)

    paused = await one.night(client)
    one.wall.set(CLOSES - 3600)
    end = await one.night(await connect(simulator))

    assert CampaignState.PAUSED is paused.state
    assert "to wait until" in str(paused.reason)
    assert (CampaignState.FINISHED, 40) == (end.state, end.accepted)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_an_expiry_outlasts_what_the_service_asks_to_wait(
    evening: Any, simulate: Simulate, connect: Connect
) -> None:
    """
    With an expiry in some hours nobody has expired because that is longer than the
    patience.
    """
    simulator = await simulate(rings=["heard"])
    simulator.next_replies("429:2")
    client = await connect(simulator, patience=0.5, concurrency=1)
    one = await evening(6 * 3600, expiry=timedelta(hours=3))

    end = await one.night(client)

    assert (CampaignState.FINISHED, 40) == (end.state, end.accepted)


async def test_an_expiry_in_the_night(
    evening: Any, simulate: Simulate, connect: Connect
) -> None:
    """
    Who was not called in the day has expired then, and the campaign ends with it.
    """
    simulator = await simulate("7006", rings=["heard"])
    client = await connect(simulator, first_wait=0.2)
    one = await evening(1.0, expiry=timedelta(hours=3))
    dispatching = asyncio.create_task(one.campaign.dispatch(client))
    await until(lambda: one.wall.now() > CLOSES + 2.5)
    night = await one.campaign.status()
    one.wall.set(CLOSES + 3 * 3600 - 1.2)
    await asyncio.wait_for(dispatching, 20)
    end = await one.campaign.status()

    assert 40 == night.pending
    assert "open after the expiry" in str(night.waiting)
    assert (CampaignState.FINISHED, 40) == (end.state, end.expired)
    assert not simulator.calls


@pytest.mark.parametrize("store", ["sqlite", "memory"], indirect=True)
@pytest.mark.parametrize("after", [-0.4, 0.0, 0.4])
async def test_an_expiry_about_the_closing_minute(
    evening: Any, simulate: Simulate, connect: Connect, after: float
) -> None:
    """
    The earlier of both ends each request; who expires is not called in the morning.
    """
    simulator = await simulate("7006")
    client = await connect(simulator, first_wait=0.2, patience=30)
    one = await evening(1.5, expiry=timedelta(seconds=1.5 + after))
    dispatching = asyncio.create_task(one.campaign.dispatch(client))
    await asyncio.wait_for(dispatching, 20)
    end = await one.campaign.status()
    ends = [each.expiry for each in simulator.requests if each.correlation_ids]

    assert (CampaignState.FINISHED, 40) == (end.state, end.expired)
    assert ends
    assert all(each and each.timestamp() <= CLOSES for each in ends)


@pytest.mark.parametrize("rate", [1.0, 1 / 3600])
async def test_the_pace_chooses_who_is_left(
    evening: Any, simulate: Simulate, connect: Connect, rate: float
) -> None:
    """
    At one an hour as well: who can't leave in time waits, and nobody is stuck.
    """
    simulator = await simulate(rings=["heard"], dial_rate=rate)
    client = await connect(simulator, rate=rate)
    one = await evening(2.5, people=8, rate=rate)

    night = await one.night(client)
    await one.cancel()
    check_hours(simulator, HOURS, one.people.zones)

    assert 8 == night.pending + night.accepted
    assert 1 <= night.accepted <= 4


async def test_a_rate_that_falls_before_the_closing_minute(
    evening: Any, simulate: Simulate, connect: Connect
) -> None:
    """
    Requests that are too large by then are cut, or wait for the morning.
    """
    simulator = await simulate(rings=["heard"], latency=0.2)
    client = await connect(simulator, rate=40, concurrency=1)
    one = await evening(3.0, people=200, rate=40, batch_size=10)
    dispatching = asyncio.create_task(one.campaign.dispatch(client))
    one.dispatching = dispatching
    await until(lambda: len(simulator.requests) >= 2)
    await one.campaign.set_rate(2)
    await until(lambda: one.wall.now() > CLOSES + 1)
    night = await one.campaign.status()
    await one.cancel()
    check_hours(simulator, HOURS, one.people.zones)

    assert night.pending > 100
    assert night.accepted == len(simulator.calls)


@pytest.mark.parametrize("store", ["sqlite", "memory"], indirect=True)
async def test_nothing_spins_while_everything_is_closed(
    evening: Any,
    simulate: Simulate,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The ledger is asked no more, and the core is left alone.
    """
    simulator = await simulate()
    client = await connect(simulator)
    one = await evening(-60)
    asked = []
    joined = type(one.campaign.ledger).join

    async def join(*values: Any, **options: Any) -> Any:
        worker = await joined(*values, **options)
        due = worker.due

        async def counted(limit: int) -> Any:
            asked.append(limit)
            return await due(limit)

        worker.due = counted
        return worker

    monkeypatch.setattr(type(one.campaign.ledger), "join", join)
    night = await one.night(client)
    await asyncio.sleep(1.5)
    await one.cancel()

    assert "40 wait for 09:00 in Asia/Kolkata" in str(night.waiting)
    assert len(asked) <= 2
    assert [] == simulator.requests


@pytest.mark.parametrize(
    ("closes_in", "held", "turn"),
    [
        (8 * 3600, True, Turn.TOO_LONG),
        (60, True, Turn.CLOSED),
        (8 * 3600, False, Turn.CLOSED),
    ],
)
def test_whether_the_patience_or_the_window_ends_first(
    message: VoiceMessage, closes_in: float, held: bool, turn: Turn
) -> None:
    """
    A wait that the service asks for pauses the campaign, unless the window closes
    before that is worth it.
    """
    batch = batch_of(message, "0123456789-0", ["+9991"])
    delivery = Delivery(BatchResult.untried(batch), Policy(), 900.0, lambda: 5_000.0)
    delivery.closes = 5_000.0 + closes_in

    assert turn is delivery.turn(paced=False, fits=True, stopped=False, held=held)


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
@pytest.mark.parametrize("ahead", [60, -3])
async def test_a_database_whose_clock_differs(
    evening: Any,
    simulate: Simulate,
    connect: Connect,
    wall: Wall,
    monkeypatch: pytest.MonkeyPatch,
    ahead: float,
) -> None:
    """
    Nobody is called when it is too late by either clock, or too early by ours.
    """
    monkeypatch.setattr(
        "voicepush.ledger.postgres.connection.ServerClock.now",
        lambda _: wall.now() + ahead,
    )
    simulator = await simulate(rings=["heard"], latency=0.05)
    client = await connect(simulator, rate=20)
    one = await evening(max(ahead, 0) + 1.2, people=60, batch_size=5)

    night = await one.night(client)
    end = await one.morning(simulator, late=max(0.0, -ahead))

    assert 0 < night.pending < 60
    assert (CampaignState.FINISHED, 60) == (end.state, end.accepted)
