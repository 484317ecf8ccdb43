"""
Caps hold between machines whose clocks differ.
"""

from __future__ import annotations

import pytest
from conftest import Connect, Simulate, numbers
from ledger_model import Store

from voicepush import Campaign, Cap, VoiceMessage, clock
from voicepush.errors import NobodyToCallError


@pytest.mark.parametrize("store", ["postgres"], indirect=True)
@pytest.mark.parametrize("ahead", [-60.0, -90_000.0, 90_000.0])
async def test_a_cap_holds_where_another_clock_differs(
    store: Store,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    monkeypatch: pytest.MonkeyPatch,
    ahead: float,
) -> None:
    """
    Who was called by a machine whose clock is a minute behind was called lately, and
    so whatever it says, by claims as well as when a campaign is planned.
    """
    simulator = await simulate()
    client = await connect(simulator)
    june = await Campaign.plan(
        *(store.ledger, "june", message, numbers(10)),
        caps=[Cap(most=1, seconds=86_400)],
    )
    july = await Campaign.plan(store.ledger, "july", message, numbers(10))
    here = clock.now
    with monkeypatch.context() as there:
        there.setattr(clock, "now", lambda: here() + ahead)
        await july.dispatch(client)
    await june.dispatch(client)
    status = await june.status()
    with monkeypatch.context() as there:
        there.setattr(clock, "now", lambda: here() - ahead)
        with pytest.raises(NobodyToCallError, match="10 suppressed"):
            await Campaign.plan(
                *(store.ledger, "august", message, numbers(10)),
                caps=[Cap(most=1, seconds=86_400)],
            )

    assert 0 == simulator.summary()["rung_twice"]
    assert (0, 10) == (status.accepted, status.suppressed)
