"""
How a campaign is to be carried out: when, in which order, and what is played to whom.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.ledger.plan import Stage, Trial
from voicepush.model.message import VoiceMessage
from voicepush.model.windows import Windows
from voicepush.screening.grouping import Zoning
from voicepush.screening.kept import MessageColumn


@attrs.frozen(kw_only=True)
class Terms:
    """
    What its owner wants of a campaign, beside the message, the list and the pace.

    Raises:
        InputError: It stops before it starts, or a moment has no time zone.
    """

    #: When people may be called by the clock where they live, and how it is known where
    #: that is; None at any hour.
    zoning: Zoning | None = None
    #: Why they are called at any hour, for the history.
    any_hour: str | None = None
    #: How it is known what each one is played, where that is not the one message.
    messages: MessageColumn | None = None
    #: The column of the source, which is kept, with the number of each one's turn: who
    #: has 1 is called before who has 2, and blank ones after all others.
    priority_column: str | None = None
    #: Whether some people are called first, and nobody else before its owner says so.
    trial: Trial | None = None
    #: Nothing is claimed before this moment,
    starts_at: datetime | None = None
    #: and nothing from this one on; who is pending then stays so.
    stops_at: datetime | None = None

    def __attrs_post_init__(self) -> None:
        for moment in filter(None, (self.starts_at, self.stops_at)):
            if moment.tzinfo is None:
                raise InputError("when a campaign starts or stops needs a time zone")
        if self.starts_at and self.stops_at and self.stops_at <= self.starts_at:
            raise InputError("a campaign can't stop before it starts")

    def check(self, message: VoiceMessage) -> None:
        """
        Make sure that someone can be called before *message* expires, which is a moment
        by now.

        Raises:
            InputError: Nobody can.
        """
        deadline, starts_at = message.deadline, clock.seconds_of(self.starts_at)
        if deadline is not None and starts_at is not None and starts_at >= deadline:
            raise InputError(
                "everyone would expire before it starts: --start-at names a moment "
                "that is not before the expiry (--expiry)"
            )

    @property
    def has_columns(self) -> bool:
        """
        Whether columns of the list say what holds for each one.
        """
        has_zones = self.zoning is not None and self.zoning.column is not None
        columns = (self.messages, self.priority_column)
        return has_zones or columns != (None, None)

    @property
    def windows(self) -> Windows | None:
        """
        When people may be called; None at any hour.
        """
        return None if self.zoning is None else self.zoning.windows

    @property
    def stage(self) -> Stage | None:
        """
        How far its trial is when it is planned.
        """
        return None if self.trial is None else Stage.TRIAL
