"""
What was done to a campaign by whom, and how it went minute by minute.
"""

from __future__ import annotations

import json

import pytest
from conftest import Connect, Serve, Simulate
from ledger_model import Store, Ticking, two_planned
from made_up import number
from mishaps import june, say, sending

from voicepush import Campaign, Ledger, VoiceMessage
from voicepush.ledger import Command
from voicepush.model.status import CampaignState, Progress

pytestmark = pytest.mark.usefixtures("in_a_folder")


async def test_everything_that_was_done_is_written_down(store: Store) -> None:
    """
    Planning, joining, leaving, changing, telling and resolving each leave an entry.
    """
    ledger = store.ledger
    _, worker = await two_planned(ledger)
    await ledger.steer("june", command=Command.PAUSE)
    await worker.resolve(resend=False)
    await worker.leave(CampaignState.PAUSED, "because")
    await ledger.change("june", rate=80.0)

    done = await ledger.history("june")

    assert ["planned", "joined", "told", "resolved", "left", "changed"] == [
        each.event for each in done
    ]
    assert [None, None, "command pause", "0 given up", "paused: because"] == [
        each.detail for each in done[:5]
    ]
    assert "rate 80.0" == done[5].detail
    assert all("process" in each.who for each in done)


async def test_minutes_are_added_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Heartbeats of one minute make one entry, with the pace of the last.
    """
    ticking = Ticking()
    ticking.patch(monkeypatch.setattr)
    _, worker = await two_planned(store.ledger)
    begun = (await store.ledger.minutes("june")) == []
    await worker.heartbeat(1.0, progress=Progress(5, 1, 50.0))
    await worker.heartbeat(1.0, progress=Progress(7, 0, 100.0))
    ticking.move(60)
    await worker.heartbeat(1.0, progress=Progress(3))

    minutes = await store.ledger.minutes("june")

    assert begun
    assert [Progress(12, 1, 100.0), Progress(3)] == [each.progress for each in minutes]
    assert 60 == (minutes[1].at - minutes[0].at).total_seconds()


@pytest.mark.slow
async def test_a_dispatch_tells_of_its_minutes(
    ledger: Ledger, message: VoiceMessage, simulate: Simulate, connect: Connect
) -> None:
    """
    All that a dispatch did stands in its minutes.
    """
    simulator = await simulate(latency=0.1)
    simulator.next_replies("429:1")
    client = await connect(simulator, concurrency=1)
    campaign = await Campaign.plan(
        *(ledger, "june", message, [number(at) for at in range(40)]),
        batch_size=2,
        rate=5_000,
    )
    await campaign.dispatch(client)

    minutes = await ledger.minutes("june")

    assert 40 == sum(each.progress.recipients for each in minutes)
    assert 1 == sum(each.progress.throttled for each in minutes)
    assert all(each.progress.rate is not None for each in minutes)


def test_the_command_line_shows_it(serve: Serve) -> None:
    """
    ``status --history`` tells who did what, and JSON has the same.
    """
    simulator = serve()
    june(20)
    assert 0 == say(*sending(simulator)).code

    shown = say("status", "june", "--history")
    told = json.loads(say("status", "june", "--history", "--json").out)

    assert ["planned", "joined", "left"] == [each["event"] for each in told["history"]]
    assert "left      process" in shown.out
    assert "finished" in shown.out
    assert 2 == say("status", "--history").code
