"""
How the campaign of a world is planned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from setups import BEGINNING, NAME, Setup

from voicepush import Campaign, Screening, Terms, VoiceMessage, Windows, Zoning, clock
from voicepush.ledger import Ledger
from voicepush.model.recipients import Destination, Kind

if TYPE_CHECKING:
    from world import World


async def plan(world: World, ledger: Ledger) -> None:
    """
    Plan it as the setup of *world* wants.
    """
    setup = world.setup
    zoning = None if setup.gap is None else Zoning(_windows(world), zone="UTC")
    starts_at = None
    if setup.starts_in is not None and setup.starts_in < (setup.expiry or 1e9):
        starts_at = world.promises.starts_at = world.wall() + setup.starts_in
    if setup.expiry is not None:
        world.promises.expires_at = world.wall() + setup.expiry
    expiry = clock.moment(world.promises.expires_at)
    await Campaign.plan(
        ledger,
        NAME,
        VoiceMessage(media="hello", expiry=expiry),
        _list(setup),
        batch_size=setup.batch_size,
        rate=setup.rate,
        retry_internal_error=setup.retry_internal_error,
        resend_unknown=setup.resend_unknown,
        screening=Screening(),
        terms=Terms(zoning=zoning, starts_at=clock.moment(starts_at)),
    )


def _windows(world: World) -> Windows:
    assert world.setup.gap is not None
    first, last = (BEGINNING // 60 % 1440 + each for each in world.setup.gap)
    world.promises.gap = first, last
    closes, opens = (f"{at // 60:02}:{at % 60:02}" for at in (first, last))
    return Windows.parse(f"mon-sun 00:00-{closes}, mon-sun {opens}-24:00")


def _list(setup: Setup) -> list[Destination]:
    found: list[Destination] = []
    for at, values in enumerate(setup.people):
        own = (setup.own_ids[at] if setup.own_ids else "") or None
        if setup.kind is Kind.MSISDN:
            found.append(Destination(values, correlation_id=own))
        else:
            found.append(Destination(customer_id=values, correlation_id=own))
    return found
