"""
Campaigns that last for days, by a clock that is moved from one edge of their hours to
the next.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Connect, Simulate
from ledger_model import Store
from nights import Hours, People, Wall, at, check_hours

from voicepush import VoiceMessage
from voicepush.model.status import CampaignState

LONDON, SYDNEY, KOLKATA = "Europe/London", "Australia/Sydney", "Asia/Kolkata"


async def pass_by(
    wall: Wall, changes: Sequence[float], dispatching: asyncio.Task[Any]
) -> int:
    """
    Let each of *changes* come and go, and move the clock to the next one; how many it
    took until *dispatching* was done.
    """
    for number, change in enumerate(changes):
        wall.set(change - 0.5)
        await asyncio.wait([dispatching], timeout=1.5)
        if dispatching.done():
            return number
    return len(changes)


@pytest.mark.slow
async def test_three_zones_and_both_changes_of_the_clocks(
    store: Store,
    wall: Wall,
    tmp_path: Path,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
) -> None:
    """
    In one night of it an hour does not exist in London, in another one comes twice in
    Sydney, and between them are holidays; the platform dials more slowly than it takes,
    and rings nobody once they are closed.
    """
    zones = [LONDON, SYDNEY, KOLKATA]
    easter = [f"2027-{day}" for day in ("03-29", "03-30", "03-31", "04-01", "04-02")]
    hours = Hours("00:30", "03:30", not_on=easter)
    begins, ends = at("2027-03-27T12:00", "UTC"), at("2027-04-06T00:00", "UTC")
    wall.set(begins)
    simulator = await simulate(rings=["heard"], dial_rate=70)
    client = await connect(simulator, rate=100)
    people = People(tmp_path, 200, zones)
    campaign = await people.planned(store.ledger, hours, message, batch_size=25)

    dispatching = asyncio.create_task(campaign.dispatch(client))
    took = await pass_by(wall, hours.changes(begins, ends, zones), dispatching)
    summary = await dispatching
    check_hours(simulator, hours, people.zones)
    status = await campaign.status()
    late = [each for each in simulator.truth() if each.state == "expired"]

    assert took > 6, "one night was enough"
    assert CampaignState.FINISHED is status.state
    assert 600 == status.accepted == summary.accepted
    assert Counter(list(people.zones)) == simulator.calls
    assert 0 < len(late) < 200
