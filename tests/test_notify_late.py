"""
A campaign that will miss its expiry is told of once, and how it was left is, too.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from conftest import Serve
from hearing import WRITES_DOWN, by_command, events, told
from mishaps import ended, june, process, sending, stand, wait_until
from test_report import STATUS
from test_terminal import Told

from voicepush import clock
from voicepush.cli.notifying import Notifier, watching
from voicepush.errors import CampaignLostError, LedgerError
from voicepush.model.status import CampaignState, CampaignStatus

pytestmark = pytest.mark.usefixtures("in_a_folder")

#: A forecast is told once it has been bad for a moment.
SOON = "import voicepush.cli.notifying as it; it._BAD_FOR = 0.1"


def test_a_late_campaign_is_told_of_once(serve: Serve) -> None:
    """
    While it runs, with the forecast; and then its end.
    """
    simulator = serve()
    june(400)
    options = ["--rate", "40", "--batch-size", "4", "--expiry", "5s", *by_command()]

    with process(*sending(simulator, *options), first=SOON) as running:
        said = ended(running)
    late, finished = told("late"), told("finished")

    assert 1 == said.code
    assert ["late", "finished"] == events()
    assert "running" == late["state"]
    assert late["throughput"] > 0
    assert 0 < late["will_expire"] <= late["pending"]
    assert finished["expired"] > 0


def test_a_campaign_in_time_is_not_late(serve: Serve) -> None:
    """
    Nothing is told before its end.
    """
    june(400)
    options = ["--rate", "200", "--batch-size", "10", "--expiry", "2h", *by_command()]

    with process(*sending(serve(), *options), first=SOON) as running:
        said = ended(running)

    assert 0 == said.code
    assert ["finished"] == events()


def test_who_hears_that_it_is_late_holds_nothing_up(serve: Serve) -> None:
    """
    A program that hangs is run beside the campaign, and hears of its end afterwards.
    """
    simulator = serve()
    june(400)
    os.mkfifo("open")
    text = f'[ "$VOICEPUSH_EVENT" = late ] && cat open > /dev/null; {WRITES_DOWN}'
    options = ["--rate", "40", "--batch-size", "4", "--expiry", "5s"]

    with process(*sending(simulator, *options, *by_command(text)), first=SOON) as runs:
        wait_until(lambda: simulator.requests)
        wait_until(lambda: stand()["state"] == "finished")
        before = events()
        with Path("open").open("w"):
            pass
        said = ended(runs)

    assert 1 == said.code
    assert [] == before
    assert ["late", "finished"] == events()
    assert "running" == told("late")["state"]


class Listener:
    """
    Keeps what it hears.
    """

    name = "a listener"

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    async def tell(self, event: str, campaign: str, body: bytes) -> None:
        """
        Keep it.
        """
        assert campaign.encode() in body
        self.heard.append((event, campaign))


def running(**changes: Any) -> CampaignStatus:
    """
    A campaign that goes on, and will be late unless *changes* say otherwise.
    """
    late = {
        "state": CampaignState.RUNNING,
        "pending": 10_000,
        "throughput": 1.0,
        "expiry": datetime.now(UTC) + timedelta(hours=1),
    }
    return attrs.evolve(STATUS, **{**late, **changes})


LATE = running()


@pytest.mark.parametrize(
    ("looks", "heard"),
    [
        ([LATE] * 10, 0),
        ([LATE] * 12, 1),
        ([LATE] * 60, 1),
        # It must have been so without a break.
        ([LATE, LATE, LATE, LATE, running(throughput=10.0)] * 10, 0),
        ([LATE] * 8 + [running(throughput=10.0)] + [LATE] * 12, 1),
        # Not what is only wanted, but what was measured.
        ([running(throughput=None, rate=1.0)] * 60, 0),
        ([running(expiry=None)] * 60, 0),
        ([running(throughput=10.0)] * 60, 0),
        # It stands still, and even at the rate that is wanted it would be late.
        ([running(throughput=0.0, rate=1.0)] * 60, 1),
        # A ledger that can't be read now and then says nothing.
        ([LATE, LedgerError("busy"), LATE] * 20, 1),
    ],
)
async def test_a_forecast_must_have_been_bad_for_a_while(
    monkeypatch: pytest.MonkeyPatch, looks: list[Any], heard: int
) -> None:
    """
    For ten seconds; then it is told once.
    """
    listener, now = Listener(), 0.0

    class Standing(Told):
        async def status(self) -> CampaignStatus:
            if not looks:
                await asyncio.Event().wait()
            if isinstance(looks[0], LedgerError):
                raise looks.pop(0)
            found: CampaignStatus = looks.pop(0)
            return found

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        await asyncio.sleep(0)

    looks = [*looks]
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    monkeypatch.setattr(clock, "sleep", sleep)

    async with watching(Standing(), [listener]):
        async with asyncio.timeout(10):
            while looks:  # noqa: ASYNC110 -- nobody signals it
                await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert [("late", LATE.campaign)] * heard == listener.heard


# What a dispatch leaves behind.


async def left(
    *looks: CampaignStatus, failure: LedgerError | None = None
) -> list[tuple[str, str]]:
    """
    What is told where a dispatch ends with *failure*, and the last of *looks*.
    """
    listener: Notifier = Listener()
    async with watching(Told(*looks), [listener]) as watch:
        await asyncio.sleep(0)
        if failure is not None:
            watch.failed(failure)
        else:
            watch.ended(looks[-1])
    assert isinstance(listener, Listener)
    return listener.heard


async def test_a_ledger_that_tells_nothing_any_more() -> None:
    """
    Where it stood at the last look is told, as paused.
    """
    heard = await left(running(), failure=LedgerError("the ledger is gone"))

    assert [("paused", STATUS.campaign)] == heard


async def test_a_campaign_that_another_process_took_over() -> None:
    """
    That one tells how it ends.
    """
    assert [] == await left(running(), failure=CampaignLostError("taken over"))
    assert [] == await left(running(), running())


async def test_nothing_is_told_where_nobody_said_that_it_ended() -> None:
    """
    An error that ends the command is told by its exit status.
    """
    listener = Listener()

    async def fail() -> None:
        async with watching(Told(running()), [listener]):
            await asyncio.sleep(0)
            raise LedgerError("the ledger is gone")

    with pytest.raises(LedgerError):
        await fail()

    assert [] == listener.heard
