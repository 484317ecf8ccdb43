"""
What happened, as frozen values for observers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from voicepush.model.batch import BatchId
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.status import CampaignState

_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class AttemptMade:
    """
    A request was answered, or its answer was lost, and what is known is recorded.
    """

    batch: BatchId
    #: Counted from 1 for each batch.
    attempt: int
    destinations: int
    bytes: int
    #: The HTTP status, where there was an answer.
    status: int | None
    seconds: float
    #: How many recipients each verdict of this attempt stands for; those that are
    #: ``pending`` are sent again.
    verdicts: Mapping[Verdict, int]
    #: Whether the service refused it for speed.
    is_throttled: bool = False

    @property
    def brought_further(self) -> int:
        """
        How many recipients have an outcome by it.
        """
        return sum(
            number
            for verdict, number in self.verdicts.items()
            if verdict.outcome is not Outcome.PENDING
        )


@attrs.frozen(kw_only=True)
class PaceChanged:
    """
    The service, or the owner, made requests faster or slower.
    """

    #: Destinations per second; None without a limit.
    rate: float | None
    #: Until when nothing is sent at all, in seconds since 1970.
    held_until: float | None


@attrs.frozen(kw_only=True)
class CampaignStopped:
    """
    A dispatch has ended.
    """

    campaign: str
    state: CampaignState
    reason: str | None


Event: TypeAlias = AttemptMade | PaceChanged | CampaignStopped
Observer: TypeAlias = Callable[[Event], object]


class Observers:
    """
    Those who hear of events, at once and in the thread in which they happen.
    """

    def __init__(self) -> None:
        self._observers: list[Observer] = []

    def add(self, observer: Observer) -> None:
        """
        Let *observer* hear of what happens from now on.
        """
        self._observers.append(observer)

    def remove(self, observer: Observer) -> None:
        """
        Let *observer* hear no more.
        """
        self._observers.remove(observer)

    def tell(self, event: Event) -> None:
        """
        Tell everyone of *event*. What an observer raises is logged and goes no further.
        """
        for observer in self._observers:
            try:
                observer(event)
            except Exception:  # noqa: BLE001 -- it must not disturb anyone
                _log.exception("an observer failed")
