"""
Planning with a show: who is refused and why, and what is said when it is done.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import (
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import attrs

from voicepush.campaign.campaign import Campaign
from voicepush.campaign.following import FollowUp
from voicepush.campaign.planning import leave_out
from voicepush.campaign.terms import Terms
from voicepush.cli.dispatching import dispatch
from voicepush.cli.exit_status import EVERYONE_ACCEPTED, INTERRUPTED
from voicepush.cli.notifying import Notifier
from voicepush.cli.options import LedgerPath, check_expiry, existing, named
from voicepush.cli.outputs import writing
from voicepush.cli.reaching import say_reach
from voicepush.cli.rehearsal import column_said, rehearse
from voicepush.cli.terminal import (
    interruptible,
    say,
    signals,
    tell,
    tell_json,
    working,
)
from voicepush.cli.times import told_expiry
from voicepush.errors import InputError, NoLedgerError, SourceError
from voicepush.ledger.plan import Cap
from voicepush.ledger.protocol import Ledger
from voicepush.model.consent import CONSENT_COLUMN
from voicepush.model.message import VoiceMessage
from voicepush.model.status import CampaignStatus
from voicepush.report.cells import guarded
from voicepush.screening.refusals import Refusal
from voicepush.screening.screening import Screening
from voicepush.sending.pacing import most_at
from voicepush.settings import Settings
from voicepush.sources.blocks import Block
from voicepush.sources.files import ListFile

_T = TypeVar("_T")


#: So many reasons are told for which rows were refused.
_MOST_REASONS = 5


@attrs.frozen(kw_only=True)
class Order:
    """
    What is to be planned and sent, and how.
    """

    message: VoiceMessage
    settings: Settings
    #: Hear how it goes.
    notifiers: Sequence[Notifier]
    screening: Screening
    caps: Sequence[Cap]
    #: When people are called, in which order, and what each one is played.
    terms: Terms
    #: Where refused rows are written.
    rejects: Path | None
    retry_internal_error: bool | None
    resend_unknown: bool | None
    #: What was typed, by the option's name.
    given: Mapping[str, str]
    drain: float | None
    process_is_gone: bool
    #: Leave the sending to others.
    detach: bool
    json: bool

    @property
    def batch_size(self) -> int:
        """
        The most recipients of one request.
        """
        return most_at(self.settings.own_rate, self.settings.batch_size)

    async def agreed_before(self, ledger: Ledger, campaign: str) -> Order:
        """
        The same where people of *campaign* are called again: if they had to agree for
        that, they have to for this.
        """
        before = await ledger.plan(campaign)
        column = None if before is None else before.given.get(CONSENT_COLUMN)
        if column is None:
            return self
        self.screening.need_consent()
        return attrs.evolve(self, given={**self.given, CONSENT_COLUMN: column})

    async def rehearse(
        self,
        name: str,
        blocks: Iterable[Block],
        source: str,
        ledger: LedgerPath,
        *,
        besides: Collection[str] = (),
    ) -> int:
        """
        Tell what planning would give, and keep nothing.

        Args:
            besides: The names of campaigns whose calls count for no cap.
        """
        check_expiry(self.message)
        with suppress(NoLedgerError):
            async with existing(ledger) as opened:
                await leave_out(self.screening, opened, self.caps, besides)
        with refusals(self.rejects) as refused, interruptible():
            rehearsal = rehearse(
                name,
                self.message,
                blocks,
                file=source,
                screening=self.screening,
                refused=refused,
                batch_size=self.batch_size,
                rate=self.settings.own_rate,
                terms=self.terms,
                prompt_field=self.settings.prompt_field,
            )
        tell_refusals(self.screening)
        if self.json:
            tell_json(rehearsal.as_object())
        else:
            tell(rehearsal.as_text())
        with suppress(NoLedgerError):
            async with existing(ledger) as opened:
                if await opened.plan(name) is not None:
                    say(
                        f"but {name} is planned in {ledger} already: send goes on with "
                        "that plan, and refuses another list, message or option"
                    )
        if rehearsal.planned:
            return EVERYONE_ACCEPTED
        raise InputError(f"{source}: there is nobody to call in it")

    async def plan_and_send(
        self,
        ledger: Ledger,
        name: str,
        recipients: ListFile | FollowUp,
        source: str,
        *,
        new_ledger: LedgerPath | None = None,
    ) -> int:
        """
        Plan it, if it is not planned yet, and send; gives the exit status.
        """
        # Going on reads no file, and keeps the rejects of the planning.
        is_new = await ledger.plan(name) is None
        if is_new:
            check_expiry(self.message)
        with (
            refusals(self.rejects if is_new else None) as refused,
            working("planning"),
        ):
            planned = await until_interrupted(
                Campaign.plan(
                    ledger,
                    name,
                    self.message,
                    recipients,
                    source=source,
                    screening=self.screening,
                    refused=refused,
                    batch_size=self.batch_size,
                    rate=self.settings.own_rate,
                    retry_internal_error=self.retry_internal_error,
                    resend_unknown=self.resend_unknown,
                    caps=self.caps,
                    terms=self.terms,
                    given=self.given,
                    tell=say,
                )
            )
        if planned is None:
            return INTERRUPTED
        if new_ledger is not None:
            say(f"a new ledger was made: {named(Path(new_ledger))}")
        if self.rejects is not None and not is_new:
            say(
                "--rejects is left alone: rows are refused when planning, which is done"
            )
        tell_refusals(self.screening)
        read = recipients if is_new and isinstance(recipients, ListFile) else None
        stands = await planned.status()
        tell_plan(stands, read)
        await say_reach(ledger, stands)
        return await dispatch(
            planned,
            self.settings,
            drain=self.drain,
            process_is_gone=self.process_is_gone,
            detach=self.detach,
            json=self.json,
            notifiers=self.notifiers,
        )


async def until_interrupted(work: Coroutine[Any, Any, _T]) -> _T | None:
    """
    The value of *work*, or None if a signal has ended it.
    """
    doing = asyncio.ensure_future(work)
    interrupted = False

    def stop() -> None:
        nonlocal interrupted
        interrupted = True
        say("stopping: nothing new is planned")
        doing.cancel()

    with signals(stop):
        try:
            return await doing
        except asyncio.CancelledError:
            if not interrupted:
                doing.cancel()
                raise
            return None


@contextmanager
def refusals(path: Path | None) -> Iterator[Callable[[list[Refusal]], None] | None]:
    """
    Writes refused rows into *path*, if there is one.

    A list in which nobody is left to be called is an error that they explain, so they
    are kept then, too.
    """
    if path is None:
        yield None
        return
    nobody_left: InputError | None = None
    told = 0
    with writing(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["row", "recipient", "kind", "reason"])

        def write(refused: list[Refusal]) -> None:
            nonlocal told
            told += len(refused)
            rows.writerows(
                (each.row, guarded(each.recipient), each.kind, each.reason)
                for each in refused
            )

        try:
            yield write
        except InputError as error:
            if isinstance(error, SourceError) or not told:
                raise
            nobody_left = error
    if nobody_left is not None:
        raise nobody_left


def tell_refusals(screening: Screening) -> None:
    """
    Say why rows were refused, the most frequent reasons first.
    """
    for reason, number in screening.reasons.most_common(_MOST_REASONS):
        say(f"  {number:>10,}  {reason}")


def tell_plan(status: CampaignStatus, source: ListFile | None) -> None:
    """
    Say what is planned, and from which column where *blocks* were read just now.
    """
    left_out = [
        f"{number:,} {name}"
        for name in ("invalid", "duplicate", "suppressed")
        if (number := getattr(status, name))
    ]
    column = column_said(source.column, source.titles) if source else ""
    say(
        f"{status.campaign}: {status.planned:,} of {status.read:,} planned"
        + (f", from {column}" if column else "")
        + (f"; {', '.join(left_out)}" if left_out else "")
    )
    if status.expiry is not None:
        say(told_expiry(status.expiry))
