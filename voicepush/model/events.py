"""
What happened, as frozen values for observers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from typing import TypeAlias

import attrs

from voicepush.masking import only_count
from voicepush.model.batch import BatchId
from voicepush.model.call import CallState, Received
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.status import CampaignState

_log = logging.getLogger(__name__)

#: Outcomes other than acceptance, the worst first. Who is left out when it is their
#: turn is no failure.
_ONLY_ACCEPTED = {Outcome.ACCEPTED}
_FAILURES = (Outcome.UNKNOWN, Outcome.NOT_SENT, Outcome.REJECTED, Outcome.EXPIRED)


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
    #: When the request began, in seconds since 1970, and how long its answer took.
    began: float
    seconds: float
    #: What was said of most of its destinations: the API's code, where it gave one, and
    #: what that means, in one word such as ``accepted`` or ``throttled``.
    code: str | None
    meaning: str
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
class BatchRecorded:
    """
    All that can be done about a batch for now was done, and is recorded.
    """

    batch: BatchId
    #: How many recipients it holds.
    recipients: int
    #: What became of how many of them, of those who had no outcome before. Who could
    #: not be sent to is ``not_sent``, and counted again once that can be done.
    outcomes: Mapping[Outcome, int]
    #: The requests that were made for it meanwhile.
    attempts: Sequence[AttemptMade] = attrs.field(repr=only_count)
    #: When it was begun with, in seconds since 1970, and how long it took.
    began: float
    seconds: float
    #: The contexts of those who wait for it, where their submissions were joined.
    callers: Sequence[Context] = attrs.field(default=(), repr=only_count)

    @property
    def failure(self) -> Outcome | None:
        """
        The worst of the outcomes, if someone was not accepted.
        """
        if self.outcomes.keys() == _ONLY_ACCEPTED:
            return None
        return next((each for each in _FAILURES if self.outcomes.get(each)), None)


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
class CampaignBegun:
    """
    A dispatch begins.
    """

    campaign: str
    #: What the ids of its batches begin with.
    tag: str


@attrs.frozen(kw_only=True)
class CampaignStopped:
    """
    A dispatch has ended.
    """

    campaign: str
    #: What the ids of its batches begin with.
    tag: str
    state: CampaignState
    reason: str | None


@attrs.frozen(kw_only=True)
class ReceiptsApplied:
    """
    Receipts were made durable, or some that had been kept aside were applied.
    """

    #: How many bodies were stored.
    stored: int
    #: How many requests were refused since the last time.
    refused: int
    #: What was done with the receipts.
    received: Received
    seconds: float
    #: How many of the receipts that were stored say what of their calls.
    states: Mapping[CallState, int] = attrs.field(factory=dict)


Event: TypeAlias = (
    AttemptMade
    | BatchRecorded
    | PaceChanged
    | CampaignBegun
    | CampaignStopped
    | ReceiptsApplied
)
Observer: TypeAlias = Callable[[Event], object]


class Observers:
    """
    Those who hear of events, at once and in the thread in which they happen.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers: list[Observer] = [*observers]

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
