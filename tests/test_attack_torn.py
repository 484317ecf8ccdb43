"""
A report on a campaign that goes on while it is made is of one moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from conftest import Connect, Simulate, numbers
from dashboards import pick_up

from voicepush import Campaign, Ledger, LedgerReader, VoiceMessage
from voicepush.campaign.overview import overview_of
from voicepush.dashboard.looking import figures_of, one_of
from voicepush.report.account import account_of


class Meanwhile:
    """
    A ledger to which something is done before one of its questions is answered.
    """

    def __init__(
        self, ledger: Ledger, before: str, happens: Callable[[], Awaitable[object]]
    ) -> None:
        self._ledger = ledger
        self._before = before
        self._happens: Callable[[], Awaitable[object]] | None = happens

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ledger, name)
        happens = self._happens
        if name != self._before or happens is None:
            return found
        self._happens = None

        async def ask(*values: Any, **options: Any) -> Any:
            await happens()
            return await found(*values, **options)

        async def each(*values: Any, **options: Any) -> AsyncIterator[Any]:
            await happens()
            async for item in found(*values, **options):
                yield item

        return each if name == "some_called" else ask


@pytest.mark.parametrize(
    "before", ["status", "timeline", "snapshot", "some_called", "history"]
)
async def test_a_report_is_of_one_moment(
    ledger: Ledger,
    message: VoiceMessage,
    simulate: Simulate,
    connect: Connect,
    before: str,
) -> None:
    """
    Whatever is recorded while it is read: its parts say the same.
    """
    simulator = await simulate()
    client = await connect(simulator)
    people = numbers(40)
    campaign = await Campaign.plan(ledger, "june", message, people, batch_size=10)

    async def go_on() -> None:
        await campaign.dispatch(client)
        await pick_up(ledger, *people[:30])

    meanwhile = cast("LedgerReader", Meanwhile(ledger, before, go_on))
    found = await overview_of(meanwhile, "june")
    status = found.status
    account = account_of(found)

    assert status.accepted == sum(found.reasons.values())
    assert status.accepted == sum(
        sum(each.outcomes.values()) for each in found.timeline.outcomes
    )
    picked_up = 0 if status.calls is None else status.calls.reached
    assert picked_up == sum(each.calls for each in found.timeline.calls)
    assert found.local_hours.looked_at <= found.local_hours.called
    assert status.accepted == sum(each.number for each in account.reasons)


async def test_a_part_of_a_picture_is_not_greater_than_its_whole(
    ledger: Ledger, message: VoiceMessage, simulate: Simulate, connect: Connect
) -> None:
    """
    Also where more people were called since the page looked at the campaign.
    """
    simulator = await simulate()
    client = await connect(simulator)
    people = numbers(40)
    campaign = await Campaign.plan(ledger, "june", message, people, batch_size=10)
    before = await one_of(ledger, "june")
    await campaign.dispatch(client)
    await pick_up(ledger, *people[:30])

    _, calls = await figures_of(ledger, before)

    assert calls.says.startswith("30 of 40 calls were picked up (75 %)")
