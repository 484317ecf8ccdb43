"""
What every ledger promises, whatever it is kept in.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol, Self

import attrs

from voicepush.model.batch import Batch
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.status import (
    CampaignState,
    CampaignStatus,
    Lookup,
    UnknownBatch,
    Waiting,
)


@attrs.frozen(kw_only=True)
class Plan:
    """
    What a campaign is, apart from its recipients.
    """

    campaign: str
    #: The message, as `wire.dump_message` writes it.
    message: str = attrs.field(repr=False)
    #: Where the recipients came from, in words that its owner recognises.
    source: str
    #: What its correlation ids begin with.
    tag: str
    #: The message's expiry in seconds since 1970, for forecasts.
    expires_at: float | None = None
    #: Destinations per second, where its owner has set it.
    rate: float | None = None
    #: Whether code 7006 is tried again.
    retry_internal_error: bool = True
    #: Whether its owner has decided beforehand that the unknown are sent again.
    resend_unknown: bool = False
    #: What its owner typed when planning it, by the option's name.
    given: Mapping[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Fingerprint:
    """
    What tells a source from another that came under the same name.
    """

    #: The SHA-256 of its bytes, in hexadecimal digits.
    digest: str
    #: Its size in bytes and its time, where it is a file.
    size: int | None = None
    modified_ns: int | None = None


class Command(enum.StrEnum):
    """
    What a campaign's owner wants of its dispatcher.
    """

    PAUSE = "pause"
    CANCEL = "cancel"


@attrs.frozen
class Control:
    """
    What a dispatcher learns when it shows that it is alive.
    """

    command: Command | None
    rate: float | None


class Lease(Protocol):
    """
    The right to dispatch one campaign, until it is released or its holder dies.
    """

    plan: Plan
    #: Until when the service asked to wait, in seconds since 1970, and may be past.
    held_until: float | None

    def due(self, message: VoiceMessage) -> AsyncIterator[BatchResult]:
        """
        The batches in which someone is pending, each with what is known of it.
        """
        ...

    async def claim(self, batch: Batch, places: Sequence[int]) -> None:
        """
        Make it durable that *places* of *batch* are about to be sent.

        Raises:
            LedgerError: It is not; they must not be sent.
        """
        ...

    async def settle(self, result: BatchResult) -> None:
        """
        Make it durable what became of a batch so far.

        Raises:
            LedgerError: It is not; who was in flight will be unknown.
        """
        ...

    async def heartbeat(
        self,
        throughput: float | None,
        *,
        waiting: Waiting | None = None,
        held_until: float | None = None,
    ) -> Control:
        """
        Show that the holder is alive and how fast it is, and learn what is wanted.

        Args:
            waiting: Why nothing goes on at present, where nothing does.
            held_until: Until when the service asked to wait, in seconds since 1970.

        Raises:
            CampaignLostError: Another has taken the campaign over.
        """
        ...

    async def resolve(self, *, resend: bool) -> int:
        """
        Make the unknown pending, or give them up; gives how many there were.
        """
        ...

    async def release(
        self,
        state: CampaignState,
        reason: str | None = None,
        *,
        held_until: float | None = None,
    ) -> None:
        """
        Give the campaign back. A cancelled one has nobody pending any more.

        One in which someone is left is paused, and not finished, whatever *state* says.

        Args:
            held_until: As for `beat`, for the next holder.
        """
        ...


class Draft(Protocol):
    """
    A campaign that is being planned and does not exist for anyone else yet.
    """

    async def add(self, batches: Sequence[Batch]) -> None:
        """
        Take *batches* in.
        """
        ...

    async def heartbeat(self) -> None:
        """
        Show that the planner is alive.
        """
        ...

    async def publish(
        self, counts: Mapping[str, int], fingerprint: Fingerprint | None = None
    ) -> None:
        """
        Make the campaign exist, with the screening's *counts*.

        Args:
            fingerprint: Of the source, where it was a file or a stream.
        """
        ...

    async def discard(self) -> None:
        """
        Let nothing of it remain, if it is still a draft and ours.
        """
        ...


class Ledger(Protocol):
    """
    Where campaigns are kept; `open_ledger` gives one. Used with ``async with``.

    Each method raises `LedgerError` when the store can't be read or written.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def campaigns(self) -> list[CampaignStatus]:
        """
        All campaigns, the newest last.
        """
        ...

    async def status(self, campaign: str) -> CampaignStatus | None:
        """
        Where *campaign* stands, or None if there is no such campaign.
        """
        ...

    async def plan(self, campaign: str) -> Plan | None:
        """
        What *campaign* is, or None if there is no such campaign.
        """
        ...

    async def fingerprint(self, campaign: str) -> Fingerprint | None:
        """
        What *campaign*'s source was like when it was planned, where that is known.
        """
        ...

    async def change(
        self,
        campaign: str,
        *,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
    ) -> None:
        """
        Change what is given of *campaign*'s settings, if nobody dispatches it.

        Raises:
            InputError: There is no such campaign.
            CampaignHeldError: Another process is dispatching it.
        """
        ...

    async def draft(self, plan: Plan) -> Draft:
        """
        Begin to plan a campaign; what a dead process left of an earlier try is dropped.

        Raises:
            CampaignHeldError: Another process is planning it.
        """
        ...

    async def lease(self, campaign: str, *, cancelled: bool = False) -> Lease:
        """
        Become the one dispatcher of *campaign*.

        Who was in flight with a dead dispatcher is unknown from now on (or pending, if
        its owner has decided so), and who was not sent is pending again.

        Args:
            cancelled: Take it although it was cancelled, to decide about its unknown.

        Raises:
            InputError: There is no such campaign, or it was cancelled.
            CampaignHeldError: Another process is dispatching it.
        """
        ...

    async def steer(
        self,
        campaign: str,
        *,
        command: Command | None = None,
        rate: float | None = None,
    ) -> None:
        """
        Tell the dispatcher of *campaign*, in whatever process, what is wanted of it.

        Raises:
            InputError: There is no such campaign.
        """
        ...

    async def lookup(self, value: str) -> list[Lookup]:
        """
        What is known of *value*: an msisdn in its normal form, a customer id, or a
        correlation id.
        """
        ...

    def results(
        self, campaign: str, outcomes: Collection[Outcome]
    ) -> AsyncIterator[BatchResult]:
        """
        The batches of *campaign* in which someone has one of *outcomes*.
        """
        ...

    async def unknown(self, campaign: str) -> list[UnknownBatch]:
        """
        The requests of *campaign* whose recipients are unknown and not given up.
        """
        ...
