"""
A source becomes batches in a ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, suppress
from typing import NamedTuple

from voicepush import clock
from voicepush.campaign.caps import CalledBefore
from voicepush.campaign.dispatching import HEARTBEAT_EVERY
from voicepush.campaign.following import FollowUp
from voicepush.campaign.same_again import check_list, check_same, given_options
from voicepush.campaign.suppression import Listed
from voicepush.campaign.terms import Terms
from voicepush.errors import InputError, LedgerError, NobodyToCallError
from voicepush.ledger import Draft, Fingerprint
from voicepush.ledger.plan import Cap, Plan, PlannedGroup
from voicepush.ledger.protocol import Ledger
from voicepush.model.batch import Batch, make_tag
from voicepush.model.consent import CONSENT, CONSENT_COLUMN
from voicepush.model.fields import check_text
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import Recipients
from voicepush.screening.grouping import Grouping
from voicepush.screening.refusals import Refusal
from voicepush.screening.sampling import Sample
from voicepush.screening.screening import Screening
from voicepush.sending.batching import Batcher
from voicepush.sending.pacing import check_rate
from voicepush.sending.request import dump_message
from voicepush.sources.blocks import Block
from voicepush.sources.feeding import Source, fed
from voicepush.sources.files import ListFile

#: So many batches are written into the ledger together while planning.
_PLANNED_TOGETHER = 64


async def planned(  # noqa: PLR0913 -- most are settings that stay with the campaign
    ledger: Ledger,
    name: str,
    message: VoiceMessage,
    recipients: Source,
    *,
    source: str,
    screening: Screening,
    refused: Callable[[list[Refusal]], None] | None,
    batch_size: int,
    rate: float | None,
    retry_internal_error: bool | None,
    resend_unknown: bool | None,
    caps: Sequence[Cap],
    terms: Terms,
    given: Mapping[str, str],
    tell: Callable[[str], object],
) -> Plan:
    """
    The plan of the campaign *name*, made now or found; as `Campaign.plan` tells.
    """
    check_text(name, "a campaign's name")
    check_text(source, "a campaign's source")
    if rate is not None:
        check_rate(rate)
    given = given_options(message, given)

    async def again(plan: Plan) -> Plan:
        # That another process holds it goes before all else.
        await ledger.change(name)
        check_same(plan, message, source, given)
        await check_list(plan, await ledger.fingerprint(name), recipients, tell)
        await ledger.change(
            name,
            rate=rate,
            retry_internal_error=retry_internal_error,
            resend_unknown=resend_unknown,
        )
        return await ledger.plan(name) or plan

    if existing := await ledger.plan(name):
        return await again(existing)
    started = message.starting(clock.utc_now())
    terms.check(started)
    if screening.hold_until(started.deadline):
        # Each claim asks again.
        given = {CONSENT_COLUMN: CONSENT, **given}
    plan = Plan(
        campaign=name,
        message=dump_message(started),
        source=source,
        tag=make_tag(),
        expires_at=started.deadline,
        rate=rate,
        retry_internal_error=retry_internal_error is not False,
        resend_unknown=resend_unknown is True,
        given=given,
        follows=recipients.follows if isinstance(recipients, FollowUp) else None,
        caps=tuple(caps),
        windows=terms.windows,
        any_hour=terms.any_hour,
        trial=terms.trial,
        stage=terms.stage,
        starts_at=clock.seconds_of(terms.starts_at),
        stops_at=clock.seconds_of(terms.stops_at),
    )
    besides: list[str] = []
    if isinstance(recipients, FollowUp):
        besides = await recipients.besides()
    try:
        draft = await ledger.draft(plan)
    except InputError:
        # Another process may have planned it since we looked.
        if existing := await ledger.plan(name):
            return await again(existing)
        raise
    try:
        async with heartbeats(draft):
            await leave_out(screening, ledger, caps, besides)
        cutter = Cutter(started, terms, tag=plan.tag, size=batch_size)
        cutter.join(screening)
        if not await _fill(draft, recipients, screening, cutter, refused):
            told = recipients.left_out if isinstance(recipients, FollowUp) else ""
            raise NobodyToCallError(  # noqa: TRY301 -- ours
                _nobody(source, screening) + told
            )
        await draft.publish(
            {
                "read": screening.read,
                "invalid": screening.invalid,
                "duplicate": screening.duplicate,
                "suppressed": screening.suppressed,
            },
            _fingerprint_of(recipients),
        )
    except BaseException:
        with suppress(LedgerError):
            await draft.discard()
        raise
    return plan


async def leave_out(
    screening: Screening,
    ledger: Ledger,
    caps: Sequence[Cap],
    besides: Collection[str],
) -> None:
    """
    Let *screening* refuse those who must not be called by what *ledger* knows.

    Args:
        besides: The names of campaigns whose calls count for no cap.
    """
    listed = Listed()
    await listed.look(ledger)
    screening.suppress(listed.known)
    if caps:
        called = CalledBefore(caps)
        await called.look(ledger, besides=besides)
        screening.leave_out(called.known)


def _nobody(source: str, screening: Screening) -> str:
    """
    Why nobody in *source* can be called.
    """
    most = screening.reasons.most_common(1)
    return (
        f"nobody to call: of {screening.read:,} read from {source}, "
        f"{screening.invalid:,} are invalid, {screening.duplicate:,} duplicates and "
        f"{screening.suppressed:,} suppressed; nothing was planned"
        + "".join(f". {number:,} times: {reason}" for reason, number in most)
    )


def _fingerprint_of(recipients: Source) -> Fingerprint | None:
    """
    What tells *recipients* from another list, once all of it was read.
    """
    if not isinstance(recipients, ListFile) or recipients.digest is None:
        return None
    return Fingerprint(
        digest=recipients.digest,
        size=recipients.size,
        modified_ns=recipients.modified_ns,
    )


async def _fill(
    draft: Draft,
    recipients: Source,
    screening: Screening,
    cutter: Cutter,
    refused: Callable[[list[Refusal]], None] | None,
) -> bool:
    """
    Put all of *recipients* who are not refused into *draft*; whether there was anyone.
    """
    batches: list[Batch] = []
    is_anyone = False
    cuts = fed(recipients, _cutting(screening, cutter))
    async with aclosing(cuts), heartbeats(draft):
        async for cut in cuts:
            if refused is not None and cut.refusals:
                refused(cut.refusals)
            if cut.error is not None:
                raise cut.error  # after the refusals have been told
            batches += cut.batches
            if len(batches) >= _PLANNED_TOGETHER:
                is_anyone = True
                await draft.add(batches, cutter.new_groups())
                batches = []
            # A list is screened without waiting; others get their turn here.
            await clock.sleep(0)
    batches += cutter.flush()
    await draft.add(batches, cutter.new_groups())
    return is_anyone or bool(batches)


@asynccontextmanager
async def heartbeats(draft: Draft) -> AsyncIterator[None]:
    """
    Show that the planner is alive, however long its source is silent.
    """

    async def heartbeat() -> None:
        while True:
            await clock.sleep(HEARTBEAT_EVERY)
            # What has gone wrong shows when the next batches are added.
            with suppress(LedgerError):
                await draft.heartbeat()

    heartbeats = asyncio.create_task(heartbeat())
    try:
        yield
    finally:
        heartbeats.cancel()
        await asyncio.wait([heartbeats])


class _Cut(NamedTuple):
    """
    What became of some blocks of recipients.
    """

    batches: list[Batch]
    refusals: list[Refusal]
    #: What reading any further raised.
    error: Exception | None


class Cutter:
    """
    Sorts recipients by their groups, and cuts them into batches.

    Args:
        message: The campaign's; its expiry is a moment.
        tag: What its correlation ids begin with.
        size: The most recipients of one batch.
    """

    def __init__(
        self, message: VoiceMessage, terms: Terms, *, tag: str, size: int
    ) -> None:
        self._grouping = Grouping(
            message, terms.zoning, terms.messages, terms.priority_column
        )
        self._batcher = Batcher(self._grouping.whole, tag=tag, size=size)
        self._has_columns = terms.has_columns
        trial = terms.trial
        self._sample = None if trial is None else Sample(trial.people, trial.seed)
        self._told = 0

    def cut(
        self, recipients: Sequence[Recipients]
    ) -> tuple[list[Batch], list[Refusal]]:
        """
        The batches of *recipients* that are full by now, and who is refused.
        """
        batches: list[Batch] = []
        refusals: list[Refusal] = []
        for some in self._grouping.together(recipients):
            grouped = self._grouping.group(some)
            refusals += grouped.refusals
            for group, part in grouped.parts:
                if self._sample is None:
                    batches += self._batcher.feed(part, group)
                    continue
                for theirs, others in self._sample.sift(group, part):
                    batches += self._batcher.feed(others, theirs)
        return batches, refusals

    def flush(self) -> Iterator[Batch]:
        """
        The last batches, and those of the people who are called first.
        """
        yield from self._batcher.flush()
        if self._sample is not None:
            for group, chosen in self._sample.chosen():
                yield from self._batcher.feed(chosen, self._grouping.trial_of(group))
            yield from self._batcher.flush()

    def join(self, screening: Screening) -> None:
        """
        Let *screening* refuse those whose columns put them into no group.
        """
        if self._has_columns:
            screening.group_by(self._grouping.refused)

    def new_groups(self) -> list[PlannedGroup]:
        """
        The groups that came to be since this was asked last.
        """
        groups = self._grouping.groups[self._told :]
        self._told += len(groups)
        return [
            PlannedGroup(
                number=group.number,
                message=dump_message(group.message),
                zones=group.zones,
                priority=group.priority,
                trial=group.trial,
            )
            for group in groups
        ]


def _cutting(
    screening: Screening, cutter: Cutter
) -> Callable[[Iterable[Block]], _Cut | None]:
    """
    Screens blocks and cuts them into batches, on the event loop or beside it.
    """

    def cut(blocks: Iterable[Block]) -> _Cut | None:
        seen, error = False, None
        batches: list[Batch] = []
        refusals: list[Refusal] = []
        passed: list[Recipients] = []
        try:
            for block in blocks:
                seen = True
                screened = screening.screen(block)
                refusals += screened.refusals
                passed.append(screened.recipients)
        except Exception as raised:  # noqa: BLE001 -- raised once the rest is told
            error = raised
        try:
            batches, ungrouped = cutter.cut(passed)
        except InputError as raised:
            error = error or raised
        else:
            screening.count(ungrouped)
            refusals += ungrouped
        return _Cut(batches, refusals, error) if seen or error else None

    return cut
