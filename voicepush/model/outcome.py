"""
What became of those who were to be called.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import NamedTuple

import attrs

from voicepush.errors import (
    DeliveryError,
    ExpiredError,
    InDoubtError,
    NotSentError,
    RejectedError,
    VoicepushError,
)
from voicepush.masking import mask, mask_numbers, masked_repr, only_count
from voicepush.model.batch import Batch

#: A summary lists at most so many recipients that were not accepted, and tells
#: apart at most so many reasons, so that it stays small whatever happens.
MOST_FAILURES = 10_000


MOST_REASONS = 100


class Outcome(enum.StrEnum):
    """
    What became of a recipient.
    """

    ACCEPTED = "accepted"  #: the API queued the call
    REJECTED = "rejected"  #: refused for good; code and description say why
    EXPIRED = "expired"  #: the expiry passed first; provably not sent
    NOT_SENT = "not_sent"  #: provably never taken by the API; may be sent again
    UNKNOWN = "unknown"  #: the API may have taken it; never sent again by itself
    SUPPRESSED = "suppressed"  #: left out when it was its turn; no longer planned
    PENDING = "pending"  #: not tried yet, or waiting for its next attempt


#: The outcomes for which an answer, if there was one, is of no account.
_WITHOUT_ANSWER = (
    *(Outcome.PENDING, Outcome.NOT_SENT, Outcome.EXPIRED),
    Outcome.SUPPRESSED,
)


class Verdict(NamedTuple):
    """
    An outcome with its reason.
    """

    outcome: Outcome
    #: The API's code, where an answer gave one.
    code: str | None = None
    #: The API's words, or ours where it said nothing.
    description: str = ""

    def __repr__(self) -> str:
        return (
            f"Verdict({self.outcome.value}, code={self.code!r}, "
            f"description={mask_numbers(self.description)!r})"
        )


class Result(NamedTuple):
    """
    What became of one recipient.
    """

    recipient: str
    outcome: Outcome
    code: str | None
    description: str
    transaction_id: str | None
    correlation_id: str

    def raise_for_outcome(self) -> None:
        """
        Raise what became of it, unless it was accepted.

        Raises:
            DeliveryError: `RejectedError`, `ExpiredError`, `NotSentError` or, where it
                may have been called, `InDoubtError`; with `retryable`, `in_doubt` and
                the API's ``code``.
        """
        kind = _ERRORS.get(self.outcome)
        if kind is None:
            return
        said = " ".join(filter(None, (self.code, mask_numbers(self.description))))
        error = kind(f"{mask(self.recipient)} is {self.outcome.value}: {said}")
        error.code = self.code
        raise error

    def __repr__(self) -> str:
        return (
            f"Result({mask(self.recipient)}, {self.outcome.value}, "
            f"code={self.code!r}, description={mask_numbers(self.description)!r}, "
            f"transaction_id={self.transaction_id!r})"
        )


#: What each outcome other than acceptance is as an exception.
_ERRORS: Mapping[Outcome, type[DeliveryError]] = {
    Outcome.REJECTED: RejectedError,
    Outcome.EXPIRED: ExpiredError,
    Outcome.NOT_SENT: NotSentError,
    Outcome.PENDING: NotSentError,
    Outcome.SUPPRESSED: RejectedError,
    Outcome.UNKNOWN: InDoubtError,
}


class SourceRow(NamedTuple):
    """
    A recipient as the source had it, and what became of it.
    """

    #: Counted from 1; None where it is not known.
    row: int | None
    #: What the source said of it, which may be written otherwise than the recipient.
    as_came: str
    result: Result

    def __repr__(self) -> str:
        return f"SourceRow({self.row}, {mask(self.as_came)}, {self.result!r})"


@attrs.define(eq=False)
class BatchResult:
    """
    What became of a batch: one verdict for all, and the exceptions to it by place.

    Iterating gives one `Result` per recipient, in the order of the batch.
    """

    batch: Batch
    verdict: Verdict
    exceptions: Mapping[int, Verdict] = attrs.field(factory=dict, repr=only_count)
    #: None, one for all, or one per place (empty where there is none).
    transaction_ids: Sequence[str] = attrs.field(default=(), repr=only_count)
    #: How many requests were made for it so far.
    attempts: int = 0
    #: Why nothing else can be sent, where the API said so.
    stop_reason: str | None = attrs.field(default=None, repr=masked_repr)

    @classmethod
    def untried(cls, batch: Batch) -> BatchResult:
        """
        Where *batch* stands before its first attempt.
        """
        return cls(batch, Verdict(Outcome.PENDING))

    @classmethod
    def of_places(
        cls,
        batch: Batch,
        verdicts: Sequence[Verdict],
        transaction_ids: Sequence[str] = (),
        *,
        attempts: int = 0,
        stop_reason: str | None = None,
    ) -> BatchResult:
        """
        Pack *verdicts*, one per place: the most frequent becomes the rule.
        """
        rule = Counter(verdicts).most_common(1)[0][0]
        return cls(
            batch,
            rule,
            {
                place: verdict
                for place, verdict in enumerate(verdicts)
                if verdict != rule
            },
            transaction_ids if any(transaction_ids) else (),
            attempts,
            stop_reason,
        )

    def at(self, place: int) -> Verdict:
        """
        The verdict on the destination at *place*.
        """
        return self.exceptions.get(place, self.verdict)

    def places(self, outcome: Outcome) -> list[int]:
        """
        The places whose outcome is *outcome*, in order.
        """
        exceptions = self.exceptions.items()
        if self.verdict.outcome is not outcome:
            return sorted(at for at, each in exceptions if each.outcome is outcome)
        others = {at for at, each in exceptions if each.outcome is not outcome}
        return [place for place in range(len(self.batch)) if place not in others]

    def transaction_id(self, place: int) -> str | None:
        """
        The platform's id for the destination at *place*, where its answer gave one.
        """
        if not self.transaction_ids or self.at(place).outcome in _WITHOUT_ANSWER:
            return None
        alone = len(self.transaction_ids) == 1
        return self.transaction_ids[0 if alone else place] or None

    def reasons(self) -> Counter[Verdict]:
        """
        How many recipients each verdict stands for.
        """
        found: Counter[Verdict] = Counter()
        found[self.verdict] = self.batch.size
        widths = self.batch.recipients.widths
        for place, verdict in self.exceptions.items():
            width = 1 if widths is None else widths[place]
            found[self.verdict] -= width
            found[verdict] += width
        return +found

    def counts(self) -> Counter[Outcome]:
        """
        How many recipients have each outcome.
        """
        found: Counter[Outcome] = Counter()
        if not self.exceptions:
            found[self.verdict.outcome] = self.batch.size
            return found
        for verdict, number in self.reasons().items():
            found[verdict.outcome] += number
        return found

    def rows(self) -> Iterator[SourceRow]:
        """
        Everyone with the row of the source and what stood there.
        """
        recipients = self.batch.recipients
        as_came, rows = recipients.as_came, recipients.rows
        for place, result in zip(recipients.places_of_values(), self, strict=True):
            yield SourceRow(
                rows[place] if rows else None,
                as_came.get(place) or result.recipient,
                result,
            )

    def __len__(self) -> int:
        return self.batch.size

    def __iter__(self) -> Iterator[Result]:
        recipients, ids = self.batch.recipients, self.batch.correlation_ids
        if recipients.widths is None and not self.exceptions:
            yield from self._alike(recipients.values, ids)
            return
        yield from self.results_at(range(len(self.batch)))

    def results_at(self, places: Sequence[int]) -> Iterator[Result]:
        """
        What became of the recipients at *places*.
        """
        recipients, ids = self.batch.recipients, self.batch.correlation_ids
        if recipients.widths is None:
            groups: Iterable[Sequence[str]] = zip(
                recipients.values_at(places), strict=True
            )
        else:
            every = list(recipients.by_destination())
            groups = map(every.__getitem__, places)
        for place, values in zip(places, groups, strict=True):
            verdict = self.at(place)
            for value in values:
                yield Result(value, *verdict, self.transaction_id(place), ids[place])

    def _alike(self, values: Sequence[str], ids: Sequence[str]) -> Iterator[Result]:
        """
        The results where all of them have the same verdict and one value.
        """
        theirs = self.transaction_ids
        if len(theirs) > 1 and self.verdict.outcome not in _WITHOUT_ANSWER:
            transactions: Iterable[str | None] = (each or None for each in theirs)
        else:
            transactions = repeat(self.transaction_id(0))
        # Transactions come last: they may be endless.
        columns = zip(
            values, *map(repeat, self.verdict), transactions, ids, strict=False
        )
        return map(Result._make, columns)


def count_reason(reasons: Counter[Verdict], verdict: Verdict, number: int) -> None:
    """
    Add to *reasons* that *verdict* stands for a *number* of recipients, with numbers
    masked in its words.
    """
    # An API that writes the number into each description must not fill the memory.
    masked = verdict._replace(description=mask_numbers(verdict.description))
    if masked not in reasons and len(reasons) >= MOST_REASONS:
        masked = Verdict(verdict.outcome, None, "for other reasons")
    reasons[masked] += number


@attrs.define(kw_only=True)
class Summary:
    """
    What became of many recipients, in numbers that add up.
    """

    accepted: int = 0
    rejected: int = 0
    expired: int = 0
    not_sent: int = 0
    unknown: int = 0
    #: Left out when it was their turn, and so no longer planned.
    suppressed: int = 0
    #: How many requests were made.
    requests: int = 0
    #: Why it ended early, where it did.
    stopped: str | None = attrs.field(default=None, repr=masked_repr)
    #: Whether that was because the service refuses everything.
    refused: bool = False
    #: How many recipients each reason other than acceptance stands for.
    reasons: Counter[Verdict] = attrs.field(factory=Counter)
    #: The recipients that were not accepted, at most `MOST_FAILURES` of them.
    failures: list[Result] = attrs.field(factory=list, repr=only_count)
    #: How many more there were.
    failures_left_out: int = 0

    @property
    def total(self) -> int:
        """
        How many recipients it speaks of.
        """
        called = self.accepted + self.rejected + self.unknown
        return called + self.expired + self.not_sent + self.suppressed

    def add(self, result: BatchResult, since: BatchResult | None = None) -> None:
        """
        Count *result* in, or what is new in it *since* an earlier one of its batch.
        """
        self.requests += result.attempts - (since.attempts if since else 0)
        self.stopped = self.stopped or result.stop_reason
        self.refused = self.refused or result.stop_reason is not None
        found = result.reasons()
        if since is not None:
            found = found - since.reasons()
        for verdict, number in found.items():
            if verdict.outcome is Outcome.PENDING:
                continue
            name = verdict.outcome.value
            setattr(self, name, getattr(self, name) + number)
            if verdict.outcome is not Outcome.ACCEPTED:
                count_reason(self.reasons, verdict, number)
        if result.exceptions or result.verdict.outcome is not Outcome.ACCEPTED:
            self._list_failures(result, since or BatchResult.untried(result.batch))

    def _list_failures(self, result: BatchResult, since: BatchResult) -> None:
        places: Iterable[int] = range(len(result.batch))
        if result.verdict.outcome is Outcome.ACCEPTED:
            places = sorted(result.exceptions)
        failed = [
            place
            for place in places
            if (verdict := result.at(place)).outcome is not Outcome.ACCEPTED
            and since.at(place) != verdict
        ]
        room = max(0, MOST_FAILURES - len(self.failures))
        listed = list(islice(result.results_at(failed[:room]), room))
        self.failures += listed
        weight = result.batch.recipients.weigh(failed)
        self.failures_left_out += weight - len(listed)


class RecipientsError(VoicepushError):
    """
    Iterating over the recipients failed; the cause is what it raised.

    What was under way has been answered; what was read but not sent is not sent.
    """

    def __init__(self, message: str, summary: Summary | None = None) -> None:
        super().__init__(message)
        #: What was sent before.
        self.summary = summary or Summary()
