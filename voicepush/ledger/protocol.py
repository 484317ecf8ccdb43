"""
What every ledger promises, whatever it is kept in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol, Self, TypeAlias

import attrs

from voicepush.ledger.plan import (
    Command,
    Control,
    Fingerprint,
    Plan,
    PlannedGroup,
    Stage,
)
from voicepush.ledger.reader import LedgerReader
from voicepush.ledger.suppression import SuppressionList
from voicepush.model.batch import Batch, BatchId
from voicepush.model.call import Receipt, Received
from voicepush.model.claim import Claim, Claimed, NotBefore, Record
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult
from voicepush.model.status import (
    CampaignState,
    Progress,
    Resolved,
    Waiting,
)
from voicepush.model.windows import Windows


@attrs.frozen
class Due:
    """
    A batch in which someone is pending.
    """

    #: What is known of it, with the batch itself.
    known: BatchResult
    #: Since when it may be sent, in seconds since 1970, where it had to wait.
    due_at: float | None = None


@attrs.frozen
class Finished:
    """
    Nobody is pending any more.
    """


Dues: TypeAlias = Sequence[Due] | NotBefore | Finished


class Worker(Protocol):
    """
    A process that takes batches of one campaign; alone on SQLite.

    Each method raises `LedgerError` when the store can't be read or written, and
    `CampaignLostError` when another worker has taken the campaign over.
    """

    plan: Plan
    #: Names this worker in its claims.
    token: str
    #: Until when the service asked to wait, in seconds since 1970, and may be past.
    held_until: float | None
    #: A batch that has to wait for longer, in seconds, is recorded as due again instead
    #: of being kept, where others may take it; None where there are none.
    longest_wait: float | None
    #: Who was not made pending again when it joined, although the owner wants that.
    left_alone: Resolved

    async def due(self, limit: int) -> Dues:
        """
        The next batches in which someone is pending, at most *limit* of them.

        Each batch is given once, until it is recorded as due again or deferred.

        Returns:
            `NotBefore` where all that are left have to wait, `Finished` where nobody is
            left; batches that were given and not recorded yet are left out of both.
        """
        ...

    async def open(self, batch: BatchId) -> Due | None:
        """
        That one *batch*, if someone in it is pending.
        """
        ...

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Make it durable that *places* of *batch* are about to be sent.

        Raises:
            LedgerError: It is not; they must not be sent.
        """
        ...

    async def record(
        self,
        claimed: Claimed | None,
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Make it durable what became of a batch so far.

        Args:
            claimed: What `claim` gave; None where nobody was claimed.
            due_at: When those who are pending may be sent again, by whichever worker;
                None if this worker goes on with the batch itself.

        Raises:
            LedgerError: It is not; who was in flight will be unknown.
        """
        ...

    async def defer(self, batch: BatchId, until: float) -> None:
        """
        Let *batch* wait, and be given again by `due` after *until*.
        """
        ...

    async def heartbeat(
        self,
        throughput: float | None,
        *,
        waiting: Waiting | None = None,
        held_until: float | None = None,
        progress: Progress | None = None,
    ) -> Control:
        """
        Show that the worker is alive and how fast it is, and learn what is wanted.

        Args:
            throughput: Recipients per second.
            waiting: Why nothing goes on at present, where nothing does.
            held_until: Until when the service asked to wait, in seconds since 1970.
            progress: What was done since the last heartbeat, for the history.
        """
        ...

    async def resolve(
        self,
        *,
        resend: bool,
        process_is_gone: bool = False,
        batches: Collection[str] | None = None,
    ) -> Resolved:
        """
        Make the unknown pending, or give them up.

        Those whom a process had claimed that may still exist are not made pending: it
        may have been stopped between its claim and its request.

        Args:
            process_is_gone: Its owner knows that no such process exists.
            batches: The ids of those that are decided about; by default all are.
        """
        ...

    async def leave(
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
            held_until: As for `heartbeat`, for the next worker.
        """
        ...


class Draft(Protocol):
    """
    A campaign that is being planned and does not exist for anyone else yet.
    """

    async def add(
        self, batches: Sequence[Batch], groups: Sequence[PlannedGroup] = ()
    ) -> None:
        """
        Take *batches* in.

        Args:
            groups: Those that none of the earlier batches was of; group 0 is there.
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


class Ledger(LedgerReader, SuppressionList, Protocol):
    """
    Where campaigns are kept; `open_ledger` gives one. Used with ``async with``.

    Each method raises `LedgerError` when the store can't be read or written; one that
    changes something raises `BackupError` in a backup.
    """

    @property
    def backup(self) -> str | None:
        """
        What it is a backup of, in words, where it is one that nobody has restored.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def change(
        self,
        campaign: str,
        *,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
        stops_at: float | None = None,
    ) -> None:
        """
        Change what is given of *campaign*'s settings, if no worker has joined it.

        Args:
            stops_at: In seconds since 1970; infinite where it does not stop.

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

    async def join(
        self,
        campaign: str,
        load: Callable[[str], VoiceMessage],
        *,
        cancelled: bool = False,
        process_is_gone: bool = False,
    ) -> Worker:
        """
        Become a worker of *campaign*.

        Who was in flight with a worker that is gone is unknown from now on (or pending,
        if the owner has decided so), and who was not sent is pending again.

        Args:
            load: Makes the message of its text in the plan.
            cancelled: Join although it was cancelled, to decide about its unknown.
            process_is_gone: As for `Worker.resolve`.

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
        Tell the worker of *campaign*, in whatever process, what is wanted of it.

        Raises:
            InputError: There is no such campaign.
        """
        ...

    async def set_windows(
        self, campaign: str, windows: Windows | None, *, any_hour: str | None = None
    ) -> None:
        """
        Change when the people of *campaign* may be called, which each claim looks at.

        Args:
            windows: None where they may be called at any hour.
            any_hour: Why that is so.

        Raises:
            InputError: There is no such campaign, or it was planned without windows,
                so that it is not known where its people live.
        """
        ...

    async def set_stage(self, campaign: str, stage: Stage, said: str) -> None:
        """
        Make it durable how far the trial of *campaign* is.

        Args:
            said: What the history says of it.

        Raises:
            InputError: There is no such campaign.
        """
        ...

    async def receive(
        self, receipts: Sequence[Receipt], *, refused: int = 0
    ) -> Received:
        """
        Make *receipts* durable, and apply what they say to the calls that it is about.

        A person who has one is accepted from now on, whatever is recorded, and is
        left out of every claim, recovery and resending. What belongs to no known call
        is kept, and applied when a receipt or a record tells whose it is.

        Args:
            refused: How many more were refused since, for `receipt_counts`.

        Raises:
            LedgerError: They are not stored; the platform has to send them again.
        """
        ...

    async def note(self, campaign: str, event: str, detail: str) -> None:
        """
        Write into the history of *campaign* what was done to it from elsewhere.

        Raises:
            InputError: There is no such campaign.
        """
        ...

    async def place_again(self) -> Received:
        """
        Try again to find whose the receipts are that belong to no known call.
        """
        ...

    async def note_asked(self, batch: BatchId, places: Collection[int] | None) -> None:
        """
        Make it durable that the platform was asked what became of calls of *batch*, the
        last of them now, so that whoever asks next goes on after them.

        Args:
            places: Of all that were asked about lately; None for all that are silent.
        """
        ...

    async def forget_bodies(self, before: float) -> int:
        """
        Delete some of the bodies that came *before* that moment, in seconds since 1970;
        what they said of calls stays known.

        Returns:
            How many; 0 once there are none.
        """
        ...
