"""
A campaign: one message to one list, planned under a name, and dispatched.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import suppress

from voicepush.campaign.dispatching import Run
from voicepush.campaign.planning import planned
from voicepush.campaign.steering import SteeredCampaign, check_resending
from voicepush.campaign.terms import Terms
from voicepush.client.client import Client
from voicepush.errors import InputError, LedgerError
from voicepush.ledger.plan import Cap, Plan
from voicepush.ledger.protocol import Ledger
from voicepush.model.fields import check_text
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import Summary
from voicepush.model.recipients import MOST_PER_REQUEST
from voicepush.model.status import CampaignState, Resolved, UnknownBatch
from voicepush.report.text import left_alone
from voicepush.screening.refusals import Refusal
from voicepush.screening.screening import Screening
from voicepush.sources.feeding import Source

#: How much longer than an answer may take a dispatch waits for what is under way once
#: it is to end, in seconds.
BEYOND_ANSWERS = 30.0


def _no_one(_: str) -> None:
    """
    Hear nothing.
    """


class Campaign(SteeredCampaign):
    """
    A campaign that is planned in a ledger; `plan` makes one, `open` finds one.
    """

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        super().__init__(ledger, plan)
        self._run: Run | None = None

    @classmethod
    async def plan(  # noqa: PLR0913 -- most are settings that stay with the campaign
        cls,
        ledger: Ledger,
        name: str,
        message: VoiceMessage,
        recipients: Source,
        *,
        source: str = "recipients given by a program",
        screening: Screening | None = None,
        refused: Callable[[list[Refusal]], None] | None = None,
        batch_size: int = MOST_PER_REQUEST,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
        caps: Sequence[Cap] = (),
        terms: Terms | None = None,
        given: Mapping[str, str] | None = None,
        tell: Callable[[str], object] = _no_one,
    ) -> Campaign:
        """
        Plan *name*: screen *recipients*, cut them into batches, and keep them.

        A stream of any length is fine. Nothing of the campaign exists for anyone else
        until all of it does. If it is planned already, with the same message, source
        and options, its plan is left as it is, and so is its expiry; *rate*,
        *retry_internal_error* and *resend_unknown* hold from now on. What is left out
        is not compared.

        Args:
            source: Where the recipients come from, in words that its owner recognises.
            screening: Refuses and counts; the default drops duplicates.
            refused: Is told whom the screening refuses, and why.
            batch_size: The most recipients of one request.
            rate: Destinations per second, kept with the campaign.
            retry_internal_error: Whether code 7006 is tried again, as it is by default.
                Turn it off for a service that was seen to dial and then say 7006.
            resend_unknown: Whether those in doubt are called again, at the risk of
                a second call; by default they are not.
            caps: How often someone may be called by all campaigns of this ledger; who
                is accepted, unknown or in flight counts. Others are suppressed, now or
                when it is their turn.
            terms: When people are called, in which order, and what each one is played;
                by default at any hour, in the order of the list, all *message*.
            given: What its owner typed, by the option's name; the same options must
                be given the same values next time.
            tell: Hears what the owner should know meanwhile.

        Raises:
            InputError: It is planned already, with another message, source, list or
                option; or there is nobody to call.
            CampaignHeldError: Another process is planning or dispatching it.
            LedgerError: The ledger can't be written.
        """
        check_resending(ledger, resend_unknown=resend_unknown)
        plan = await planned(
            ledger,
            name,
            message,
            recipients,
            source=source,
            screening=screening or Screening(),
            refused=refused,
            batch_size=batch_size,
            rate=rate,
            retry_internal_error=retry_internal_error,
            resend_unknown=resend_unknown,
            caps=caps,
            terms=terms or Terms(),
            given=given or {},
            tell=tell,
        )
        return cls(ledger, plan)

    @classmethod
    async def open(cls, ledger: Ledger, name: str) -> Campaign:
        """
        The campaign that is planned under *name*.

        Raises:
            InputError: There is none; the text says which there are.
        """
        check_text(name, "a campaign's name")
        plan = await ledger.plan(name)
        if plan is None:
            known = ", ".join(each.campaign for each in await ledger.campaigns())
            raise InputError(
                f"there is no campaign {name!r} in this ledger"
                + (f"; it holds {known}" if known else ", which is empty")
            )
        return cls(ledger, plan)

    async def dispatch(
        self,
        client: Client,
        *,
        drain: float | None = None,
        process_is_gone: bool = False,
        tell: Callable[[str], object] = _no_one,
    ) -> Summary:
        """
        Send to everyone who is pending, through *client*; call it again to go on.

        A batch is claimed durably before its first byte leaves, and recorded durably
        after its answer. Who was in flight when an earlier dispatcher died is
        unknown and is not sent again. It ends early when the service refuses
        everything, when most requests fail, when the service asks to wait for longer
        than the client's ``patience``, and when its owner wants it to.

        Args:
            drain: How long what is under way may take once it is to end, in seconds:
                to be answered, and to be written into a ledger that can't be written
                at the moment. By default 30 s more than an answer may take.
            process_is_gone: Where the unknown are sent again: no process exists any
                more that may have claimed some of them and not sent them yet.
            tell: Hears what the owner should know meanwhile.

        Returns:
            What became of those that were sent now; `status` speaks of everyone.

        Raises:
            InputError: The campaign was cancelled.
            CampaignHeldError: Another process is dispatching it.
            LedgerError: The ledger failed; what was under way was answered first.
        """
        if drain is None:
            drain = client.settings.answer_timeout + BEYOND_ANSWERS
        worker = await self._join(process_is_gone=process_is_gone)
        if worker.left_alone.left_alone:
            tell(left_alone(worker.left_alone))
        run = Run(worker, client.sender, drain, tell, ledger=self._ledger)
        self._run = run
        try:
            try:
                await run.until_done()
            except BaseException as error:
                with suppress(LedgerError):
                    await run.leave(
                        CampaignState.PAUSED, run.journal.stop.reason or _words(error)
                    )
                raise
            finally:
                self._run = None
            await run.leave(run.state, run.reason)
            if run.journal.failure is not None:
                raise run.journal.failure
            status = await self.status()
        except LedgerError as error:
            error.while_sending = True
            raise
        if status.state is CampaignState.PAUSED:
            run.summary.stopped = run.summary.stopped or status.reason
        return run.summary

    def stop(self, reason: str) -> None:
        """
        Claim nothing more; `dispatch` returns once what is under way is recorded.
        """
        if self._run is not None:
            self._run.journal.stop.set(reason)

    async def unknown(self) -> list[UnknownBatch]:
        """
        The requests whose recipients are unknown and not given up, with the evidence.
        """
        status = await self.status()
        is_left = status.in_flight and status.state is CampaignState.PAUSED
        if is_left and self._ledger.backup is None:
            # Its dispatcher died; joining makes those unknown whom it left.
            worker = await self._join()
            await worker.leave(CampaignState.PAUSED, status.reason)
        return await self._ledger.unknown(self.name)

    async def resolve(
        self,
        *,
        resend: bool,
        process_is_gone: bool = False,
        batches: Collection[str] | None = None,
    ) -> Resolved:
        """
        Decide about the unknown: make them pending, or give them up for good.

        Those whom a process had claimed that may still exist are not made pending: it
        may have been stopped between its claim and its request.

        Args:
            process_is_gone: No such process exists any more.
            batches: Only the unknown in these, by their ids as `unknown` gives them.

        Returns:
            How many it was decided about, and how many were left alone.

        Raises:
            CampaignHeldError: Another process is dispatching it.
        """
        before = await self.status()
        is_cancelled = before.state is CampaignState.CANCELLED and not resend
        worker = await self._join(
            cancelled=is_cancelled, process_is_gone=process_is_gone
        )
        resolved = await worker.resolve(
            resend=resend, process_is_gone=process_is_gone, batches=batches
        )
        pending = (await self.status()).pending
        if is_cancelled:
            await worker.leave(CampaignState.CANCELLED, before.reason)
        else:
            why = f"{pending:,} are to be sent; resume goes on"
            await worker.leave(CampaignState.FINISHED, why)
        return resolved


def _words(error: BaseException) -> str:
    return "interrupted" if isinstance(error, asyncio.CancelledError) else str(error)
