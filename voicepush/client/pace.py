"""
How fast a client sends: alone, or together with all who share a rate.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import attrs

from voicepush import clock
from voicepush.sending.pacing import Pacer, Pacing

if TYPE_CHECKING:
    from voicepush.ledger.postgres.pace import PostgresAllowance


@attrs.frozen(kw_only=True)
class CurrentPace:
    """
    How fast a client sends at present.
    """

    #: Destinations per second; None where there is no limit, or where a rate is shared
    #: and nothing was sent yet.
    rate: float | None
    #: Until when nothing is sent, since the service asked for that; None where it did
    #: not.
    held_until: datetime | None


def pace_of(pacer: Pacing) -> CurrentPace:
    """
    What *pacer* keeps to.
    """
    held_until = clock.moment(pacer.held_until)
    return CurrentPace(rate=pacer.rate, held_until=held_until)


def pacer_of(rate: float | str | None) -> tuple[Pacing, PostgresAllowance | None]:
    """
    What keeps to *rate*, and whom it asks for that, if a rate is shared.
    """
    if not isinstance(rate, str):
        return Pacer(rate), None
    # Few share a rate, and each of those has a database.
    from voicepush.ledger import shared_rate  # noqa: PLC0415
    from voicepush.sending.shared_pacing import SharedPacer  # noqa: PLC0415

    allowance = shared_rate(rate)
    return SharedPacer(allowance), allowance
