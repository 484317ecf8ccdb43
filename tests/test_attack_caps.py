"""
Caps hold between machines whose clocks differ.
"""

from __future__ import annotations

import pytest
from conftest import Connect, Simulate, numbers
from ledger_model import Store

from voicepush import Campaign, Cap, VoiceMessage, clock


@pytest.mark.xfail(strict=True, reason="claims are looked for by their machine's clock")
@pytest.mark.parametrize("store", ["postgres"], indirect=True)
async def test_a_cap_holds_where_another_clock_is_behind(
    store: Store,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Who was called by a machine whose clock is a minute behind was called lately.
    """
    simulator = await simulate()
    client = await connect(simulator)
    june = await Campaign.plan(
        *(store.ledger, "june", message, numbers(10)),
        caps=[Cap(most=1, seconds=86_400)],
    )
    july = await Campaign.plan(store.ledger, "july", message, numbers(10))
    behind = clock.now
    with monkeypatch.context() as there:
        there.setattr(clock, "now", lambda: behind() - 60.0)
        await july.dispatch(client)
    await june.dispatch(client)
    status = await june.status()

    assert 0 == simulator.summary()["rung_twice"]
    assert (0, 10) == (status.accepted, status.suppressed)
