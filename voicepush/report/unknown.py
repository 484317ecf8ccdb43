"""
What receipts say for and against requests whose answer is not known.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import attrs

from voicepush import clock
from voicepush.masking import shown
from voicepush.model.call import ReceiptCounts
from voicepush.model.status import CampaignStatus, UnknownBatch
from voicepush.report.json import time_text
from voicepush.report.text import counted, time_of_day

#: So many requests are listed.
_MOST_BATCHES = 20

#: Of a request that was taken nearly everyone has a receipt.
_NEARLY = 0.9

#: Silence says nothing before so many seconds: the platform queues what comes in a
#: burst, and tries three more times to tell of a call.
_LONG = 3600.0

#: Nor before so many of the campaign's calls have ended, or been told of otherwise.
_MOST_HEARD = 0.5


class Advice(enum.StrEnum):
    """
    What the receipts of a request speak for.
    """

    TAKEN = "taken"  #: nearly everyone has one
    PARTLY = "partly"  #: some have one, or were accepted by an answer
    NOT_TAKEN = "not_taken"  #: nobody has one, although others got theirs since
    TOO_EARLY = "too_early"  #: nobody has one yet
    UNCLEAR = "unclear"  #: no receipts came of this campaign, or since
    NO_RECEIPTS = "no_receipts"  #: none came of anybody, ever

    @property
    def words(self) -> str:
        """
        The same for people.
        """
        return self.value.replace("_", " ")


_MEANINGS: Mapping[Advice, str] = {
    Advice.TAKEN: (
        "the platform took the request, so resending would ring people twice; who has "
        "no receipt may get one yet, or is settled by --evidence"
    ),
    Advice.PARTLY: (
        "some of it was taken, so resending may ring people twice; wait for more "
        "receipts, or settle it by --evidence"
    ),
    Advice.NOT_TAKEN: (
        "receipts came for others since, and none for this: the platform most likely "
        "never took it, and resending rings nobody twice; that is for you to decide"
    ),
    Advice.TOO_EARLY: (
        "receipts may still come; look again an hour after the request, or once most "
        "calls of the campaign have ended"
    ),
    Advice.UNCLEAR: (
        "no receipts came since, or none of this campaign: check that they arrive, or "
        "settle it by --evidence"
    ),
    Advice.NO_RECEIPTS: (
        "this ledger never received a receipt, so nothing can be concluded; send with "
        "--notify-url and serve it by voicepush receipts, or settle it by --evidence"
    ),
}


class Advised(NamedTuple):
    """
    A request whose answer is not known, and what its receipts speak for.
    """

    batch: UnknownBatch
    advice: Advice

    @property
    def size(self) -> int:
        """
        How many recipients it has.
        """
        return self.batch.size


def advised(
    batches: Sequence[UnknownBatch], status: CampaignStatus, counts: ReceiptCounts
) -> list[Advised]:
    """
    What the receipts of each of *batches* speak for.

    Args:
        status: Where their campaign stands.
        counts: What the ledger has received.
    """
    now = clock.now()
    return [Advised(each, _advice(each, status, counts, now)) for each in batches]


def _advice(
    batch: UnknownBatch, status: CampaignStatus, counts: ReceiptCounts, now: float
) -> Advice:
    if batch.receipts or batch.accepted:
        size = batch.accepted + batch.unknown
        return Advice.TAKEN if batch.receipts >= _NEARLY * size else Advice.PARTLY
    if counts.last_at is None:
        return Advice.NO_RECEIPTS
    if batch.claimed is None:
        return Advice.UNCLEAR
    claimed_at = batch.claimed.timestamp()
    if now - claimed_at < _LONG:
        return Advice.TOO_EARLY
    return _on_others(status) if counts.last_at > claimed_at else Advice.UNCLEAR


def _on_others(status: CampaignStatus) -> Advice:
    """
    What long silence speaks for, by what was heard of others in the campaign.
    """
    if not status.accepted:
        return Advice.NOT_TAKEN  # receipts came, if only for other campaigns
    if status.calls is None:
        return Advice.UNCLEAR
    # Who was asked about was accepted; that says nothing of whether receipts arrive.
    heard = status.accepted - status.calls.on_its_way - status.asked
    if heard >= _MOST_HEARD * status.accepted:
        return Advice.NOT_TAKEN
    return Advice.UNCLEAR if status.asked else Advice.TOO_EARLY


def unknown_as_text(found: Sequence[Advised]) -> str:
    """
    Each request in a line, and in the end what they come to.
    """
    lines = list(map(_line, found[:_MOST_BATCHES]))
    if len(found) > _MOST_BATCHES:
        lines.append(f"  and {len(found) - _MOST_BATCHES:,} more requests")
    lines += [
        f"{each.words}, {counted(each.requests, 'request')} with "
        f"{each.unknown:,} unknown: {each.meaning}"
        for each in by_advice(found)
    ]
    return "\n".join(lines)


def _line(each: Advised) -> str:
    batch = each.batch
    reasons = shown("; ".join(batch.reasons))
    return (
        f"  {batch.batch}  {time_text(batch.claimed)}  {batch.unknown:>5,} unknown, "
        f"{_heard(each)}: {each.advice.words}" + (f"  ({reasons})" if reasons else "")
    )


def _heard(each: Advised) -> str:
    batch = each.batch
    if batch.receipts:
        text = f"{batch.receipts:,} of {each.size:,} have receipts"
        last = batch.last_receipt
        return text if last is None else f"{text}, the last {time_of_day(last)}"
    accepted = f"{batch.accepted:,} accepted, " if batch.accepted else ""
    if batch.claimed is None:
        return f"{accepted}no receipt"
    waited = clock.now() - batch.claimed.timestamp()
    return f"{accepted}no receipt after {for_how_long(waited)}"


def for_how_long(seconds: float) -> str:
    """
    *seconds* in the largest unit of which there are two, rounded down.
    """
    for word, unit in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * unit:
            return counted(int(seconds // unit), word)
    return counted(max(0, int(seconds)), "second")


class Group(NamedTuple):
    """
    The requests whose receipts speak for the same.
    """

    advice: Advice
    requests: int
    unknown: int

    @property
    def words(self) -> str:
        """
        What they speak for.
        """
        return self.advice.words

    @property
    def meaning(self) -> str:
        """
        What follows from it.
        """
        return _MEANINGS[self.advice]


def by_advice(found: Sequence[Advised]) -> list[Group]:
    """
    What the requests come to.
    """
    requests = Counter(each.advice for each in found)
    unknown: Counter[Advice] = Counter()
    for each in found:
        unknown[each.advice] += each.batch.unknown
    return [
        Group(advice, requests[advice], unknown[advice])
        for advice in Advice
        if requests[advice]
    ]


def unknown_as_object(
    campaign: str, found: Sequence[Advised], counts: ReceiptCounts
) -> dict[str, object]:
    """
    The same for JSON.
    """
    groups = by_advice(found)
    return {
        "campaign": campaign,
        "unknown": sum(each.unknown for each in groups),
        "requests": len(found),
        "receipts": counts.received,
        "last_receipt": clock.moment(counts.last_at),
        "advice": {
            each.advice.value: {"requests": each.requests, "unknown": each.unknown}
            for each in groups
        },
        "batches": [
            {**attrs.asdict(each.batch), "size": each.size, "advice": each.advice.value}
            for each in found
        ],
    }
