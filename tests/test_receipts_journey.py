"""
A campaign from its plan to what became of its calls, with every receipt posted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs
from conftest import Connect, Simulate, numbers
from receiving import served

from voicepush import Campaign, VoiceMessage

if TYPE_CHECKING:
    from ledger_model import Store

SECRET, LOGIN = "hub-secret", ("user", "pass-word")


async def test_what_is_posted_is_what_is_known(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Signed, twice, late and with wrong signatures among them; what the ledger says of
    the calls is what the platform said to it.
    """
    async with served(store.ledger, secret=SECRET, basic=LOGIN) as address:
        simulator = await simulate(
            rings=["busy@20%", "hung-up@20%", "hung-up-ringing@10%", "agent@5%"],
            ring_seconds=0.01,
            receipt_faults=["twice:0.2@20%", "late:0.2@20%", "forged@5%", "no-id@10%"],
            hub_secret=SECRET,
            hub_algorithm="sha512",
            hub_prefix=True,
            notify_login=LOGIN,
            retry_seconds=0.01,
            seed=5,
        )
        message = VoiceMessage(media="welcome", notify_url=f"{address}/receipts")
        client = await connect(simulator)
        campaign = await Campaign.plan(
            store.ledger, "june", message, numbers(200), batch_size=50
        )
        await campaign.dispatch(client)
        await simulator.receipts_done()
        posted = simulator.receipts()
        truth = Counter(each.delivered_state for each in simulator.truth())
        status = await campaign.status()
    counts = await store.ledger.receipt_counts()

    assert 200 == status.accepted
    assert status.calls is not None
    assert truth == Counter(attrs.asdict(status.calls))
    assert 0 == posted["forged_taken"]
    assert posted["forged"] == counts.refused > 0
    assert posted["delivered"] == counts.received
    assert (0, 0) == (counts.unplaced, counts.unreadable)
