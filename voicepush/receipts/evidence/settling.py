"""
Evidence settles the unknown: people who are listed as called were accepted.

Nobody is settled by not being listed: an export has a period, a service and a channel,
and may end anywhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import attrs

from voicepush.ledger.placing import is_named_so
from voicepush.ledger.protocol import Ledger
from voicepush.model.batch import BatchId
from voicepush.model.call import Receipt, Report
from voicepush.model.outcome import Outcome
from voicepush.model.status import Lookup
from voicepush.receipts.evidence.reading import EvidenceBlock, EvidenceFile
from voicepush.screening.duplicates import Seen
from voicepush.sources.feeding import beside

#: So many rows that can't be understood are told by number.
MOST_ROWS = 5

#: So many blocks are read at a time, in a thread.
_TOGETHER = 4

#: Up to so many people are kept as texts, and more as integers.
_MOST_TEXTS = 100_000

#: A time without an offset is wrong by as much at most, in seconds: from one end of the
#: world's time zones to the other.
_ZONES = 26 * 3600.0


@attrs.frozen
class Row:
    """
    Where something stands.
    """

    file: str
    row: int


@attrs.define(kw_only=True)
class Settled:
    """
    What evidence says of a campaign: each row that was read is in one of the counts.
    """

    #: Rows that were the first to list someone who was unknown.
    proven: int = 0
    #: The same of those who are under way, and of those who were recorded as something
    #: else, such as rejected.
    in_flight: int = 0
    corrected: int = 0
    #: Rows of people who are known to be accepted.
    accepted: int = 0
    #: Further rows of those who are counted above.
    repeated: int = 0
    #: Rows of other campaigns, which were left alone.
    elsewhere: int = 0
    #: Rows of which it can't be told whose call it was: the owner's correlation id
    #: stands in several campaigns, or the call was before this one's request.
    doubtful: int = 0
    #: Rows that name nobody in the ledger, by no id of any kind or by a foreign one.
    nameless: int = 0
    foreign: int = 0
    #: Rows that say that the platform refused the call, or gave it no id.
    unproven: int = 0
    #: Rows that can't be understood, and where the first of them stand.
    unreadable: int = 0
    unreadable_rows: list[Row] = attrs.field(factory=list)
    #: Of the proven, those whom their owner had given up.
    given_up: int = 0
    #: So many tell the ledger something new, also where nothing was applied.
    new: int = 0

    @property
    def read(self) -> int:
        """
        How many rows were read, or calls where one told of several.
        """
        return sum(getattr(self, name) for name in _COUNTS)


_COUNTS = (
    *("proven", "in_flight", "corrected", "accepted", "repeated", "elsewhere"),
    *("doubtful", "nameless", "foreign", "unproven", "unreadable"),
)


class _Named(NamedTuple):
    """
    A call that is listed, and what is known of whom it names.
    """

    report: Report
    at: float | None
    known: Lookup


async def settle(
    ledger: Ledger, campaign: str, files: Iterable[EvidenceFile], *, apply: bool = True
) -> Settled:
    """
    Accept those of *campaign* whom *files* list, whatever is recorded of them.

    It holds nothing, so another process may dispatch the campaign meanwhile. The same
    files again change nothing.

    Args:
        apply: Whether to do it; otherwise it is only counted.

    Raises:
        SourceError: A file can't be read any further; what was read is applied.
        LedgerError: The ledger can't be read or written.
    """
    settling = Settling(ledger, campaign, apply=apply)
    for file in files:
        await settling.read(file)
    await settling.finish()
    return settling.settled


class Settling:
    """
    Evidence file by file; what was found out so far is in `settled`.

    Args:
        apply: As for `settle`.
    """

    def __init__(self, ledger: Ledger, campaign: str, *, apply: bool) -> None:
        self._ledger = ledger
        self.campaign = campaign
        self.applies = apply
        self._is_alone: bool | None = None
        #: Who was counted as someone who was not known to be accepted.
        self._counted = Seen.of_ids(most_texts=_MOST_TEXTS)
        self.settled = Settled()

    async def read(self, file: EvidenceFile) -> None:
        """
        Take what *file* lists.
        """
        async for block in _fed(file):
            await self._take(block, file.name)

    async def finish(self) -> None:
        """
        Write into the campaign's history what was applied, if anything was.
        """
        settled = self.settled
        if self.applies and settled.new:
            more = settled.in_flight + settled.corrected
            told = f"{settled.proven:,} unknown accepted by evidence"
            told += f", and {more:,} others" if more else ""
            await self._ledger.note(self.campaign, "resolved", told)

    async def _take(self, block: EvidenceBlock, file: str) -> None:
        settled = self.settled
        settled.unproven += len(block.unproven)
        settled.unreadable += len(block.unreadable)
        free = MOST_ROWS - len(settled.unreadable_rows)
        settled.unreadable_rows += [Row(file, row) for row in block.unreadable[:free]]
        reports = [each for listed in block.listed for each in listed.receipt.reports]
        whose = iter(await self._ledger.whose(reports))
        ours: list[_Named] = []
        new: list[Receipt] = []
        for listed in block.listed:
            theirs = [
                named
                for report in listed.receipt.reports
                if (named := await self._ours(report, listed.at, next(whose)))
            ]
            ours += theirs
            if told := [named.report for named in theirs if _is_new(named)]:
                new.append(attrs.evolve(listed.receipt, reports=told, is_evidence=True))
        self._count([named.known for named in ours])
        if new and self.applies:
            await self._ledger.receive(new)
        settled.new += len(new)

    async def _ours(
        self, report: Report, at: float | None, known: Lookup | None
    ) -> _Named | None:
        """
        Whom *report* names, if that is someone of this campaign; else it is counted.
        """
        settled = self.settled
        if known is None:
            if report.correlation_id or report.callback_data:
                settled.foreign += 1
            else:
                settled.nameless += 1
            return None
        named = await self._sure(_Named(report, at, known))
        if named is None:
            settled.doubtful += 1
        elif named.known.campaign != self.campaign:
            settled.elsewhere += 1
            return None
        return named

    def _count(self, ours: Sequence[Lookup]) -> None:
        """
        Count rows of this campaign, by what was known of whom they name.
        """
        settled = self.settled
        people = list(map(_person, ours))
        before = self._counted.known(people)
        new: dict[str, None] = {}
        for person, known in zip(people, ours, strict=True):
            outcome = known.result.outcome
            if person in before or person in new:
                settled.repeated += 1
                continue
            if outcome is Outcome.ACCEPTED:
                settled.accepted += 1
                continue
            new[person] = None
            if known.in_flight:
                settled.in_flight += 1
            elif outcome is Outcome.UNKNOWN:
                settled.proven += 1
                settled.given_up += known.given_up
            else:
                settled.corrected += 1
        self._counted.add(list(new))

    # The owner's correlation ids may come again in another campaign, and in its log.

    async def _sure(self, named: _Named) -> _Named | None:
        """
        Whose call it was, if that is sure; *named* says whose it may be.
        """
        report, own_id = named.report, named.report.correlation_id
        if (
            _is_ours(report)
            or named.known.result.correlation_id != own_id
            or _is_confirmed(named)
        ):
            return named
        possible = [named]
        if not await self._has_one_campaign():
            possible = [
                named._replace(known=known)
                for known in await self._ledger.lookup(own_id)
                if known.result.correlation_id == own_id
            ]
        for each in possible:
            if _is_confirmed(each):
                return _directed(each)
        possible = [each for each in possible if _is_plausible(each)]
        if len({each.known.batch for each in possible}) != 1:
            return None
        return _directed(_same_recipient(possible, named))

    async def _has_one_campaign(self) -> bool:
        if self._is_alone is None:
            self._is_alone = len(await self._ledger.campaigns()) == 1
        return self._is_alone


def _person(known: Lookup) -> str:
    result = known.result
    return f"{known.batch} {result.correlation_id} {result.recipient}"


def _is_ours(report: Report) -> bool:
    """
    Whether *report* has an id that voicepush made, for one batch alone.
    """
    return (
        BatchId.parse(report.correlation_id) is not None
        or BatchId.named(report.callback_data) is not None
    )


def _is_confirmed(named: _Named) -> bool:
    """
    Whether the platform's answer gave the call that name.
    """
    transaction_id = named.known.result.transaction_id
    return bool(transaction_id) and is_named_so(
        transaction_id or "", named.report.transaction_id
    )


def _is_plausible(named: _Named) -> bool:
    """
    Whether it may be the call of a request for whom it names.
    """
    known = named.known
    transaction_id = known.result.transaction_id
    if transaction_id and named.report.transaction_id:
        return False  # it has another name
    if known.claimed is None:
        return False  # nothing was sent for it yet
    return named.at is None or named.at + _ZONES >= known.claimed.timestamp()


def _same_recipient(possible: Sequence[_Named], named: _Named) -> _Named:
    """
    The one of *possible*, all of one batch, who is the recipient of *named*.
    """
    wanted = named.known.result.recipient
    same = (each for each in possible if each.known.result.recipient == wanted)
    return next(same, possible[0])


def _directed(named: _Named) -> _Named:
    """
    The same with a report that names the batch, so that the ledger looks there.
    """
    report = attrs.evolve(named.report, callback_data=named.known.batch)
    return named._replace(report=report)


def _is_new(named: _Named) -> bool:
    known = named.known
    if known.result.outcome is not Outcome.ACCEPTED or known.call is None:
        return True
    return known.call.merged(named.report.call) != known.call


async def _fed(file: EvidenceFile) -> AsyncIterator[EvidenceBlock]:
    """
    The blocks of *file*, read beside the event loop.
    """

    def some() -> list[EvidenceBlock]:
        return list(islice(file, _TOGETHER))

    while blocks := await beside(some):
        for block in blocks:
            yield block
