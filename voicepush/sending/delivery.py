"""
One batch on its way: what is known of it, and every decision about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import NamedTuple, overload

from voicepush.model.batch import Batch
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.sending.answer import Answer, Remark
from voicepush.sending.codes import Meaning
from voicepush.sending.journal import Fence
from voicepush.settings import Settings

#: The outcomes that need nothing but to be written down.
_OUTCOMES = {
    Meaning.ACCEPTED: Outcome.ACCEPTED,
    Meaning.REJECTED: Outcome.REJECTED,
    Meaning.EXPIRED: Outcome.EXPIRED,
    Meaning.IN_DOUBT: Outcome.UNKNOWN,
    Meaning.STOP: Outcome.NOT_SENT,
    Meaning.UNREACHED: Outcome.PENDING,
    Meaning.INTERNAL: Outcome.PENDING,
    Meaning.THROTTLED: Outcome.PENDING,
    Meaning.TOO_LARGE: Outcome.PENDING,
}


_EXPIRED = "the expiry passed before it was sent"


#: So many times a batch meets a name that does not exist, or a certificate that is not
#: trusted, before everything is stopped.
_UNREACHABLE_TRIES = 4


class Left(NamedTuple):
    """
    What an attempt left, as `retrying.Attempt` wants to know it.
    """

    again: bool
    retry_after: float | None


class Delivery:
    """
    One batch on its way: what is known of it so far, and until when it may be sent.
    """

    def __init__(
        self,
        due: BatchResult,
        fence: Fence,
        settings: Settings,
        now: Callable[[], float],
    ) -> None:
        self.batch = due.batch
        self.fence = fence
        self.attempts = due.attempts
        self._now = now
        self._deadline = due.batch.message.deadline
        self._patience = settings.patience
        self.give_up_at = self._deadline or now() + settings.patience
        #: When the pacer let the latest request pass, on its clock.
        self.passed_at = 0.0
        self._rule = due.verdict
        self._exceptions = dict(due.exceptions)
        self._transactions = due.transaction_ids
        self._stop_reason: str | None = None
        self._unreachable = 0
        #: What the fence was told, if nothing was decided since.
        self._told: BatchResult | None = None

    def pending(self) -> Sequence[int]:
        """
        The places that have no outcome yet.
        """
        if not self._exceptions:
            is_pending = self._rule.outcome is Outcome.PENDING
            return range(len(self.batch)) if is_pending else ()
        return self._result().places(Outcome.PENDING)

    def ids(self, places: Sequence[int]) -> Sequence[str]:
        """
        The correlation ids at *places*, made when an answer has to be matched by them.
        """
        return _Ids(self.batch, places)

    def request_id(self) -> str | None:
        """
        A correlation id for the next request; None where the owner gave one for all.
        """
        given = self.batch.message.correlation_id
        return None if given is not None else self.batch.id.request_id()

    def unreachable(self, words: str) -> Remark:
        """
        What to make of it that no request can reach the service, as *words* say.

        A name may be found again in a moment; but when some tries have failed, a
        million people need not be tried one after the other.
        """
        self._unreachable += 1
        stops = self._unreachable >= _UNREACHABLE_TRIES
        return Remark(Meaning.STOP if stops else Meaning.UNREACHED, None, words)

    def seconds_left(self) -> float:
        """
        How long it may still be sent.
        """
        return inf if self._deadline is None else self._deadline - self._now()

    def be_patient(self, seconds: float) -> None:
        """
        Try so many *seconds* longer, if there is no expiry.
        """
        if self._deadline is None:
            self.give_up_at += seconds

    def is_over(self) -> bool:
        """
        Whether the expiry has come.
        """
        return self.seconds_left() <= 0

    def halve(self, places: Sequence[int], remark: Remark) -> list[Sequence[int]]:
        """
        *places* as two halves; a single one that is too large is refused for good.
        """
        if len(places) == 1:
            refused = Verdict(Outcome.REJECTED, remark.code, remark.description)
            self._decide(places, refused)
            return []
        middle = len(places) // 2
        return [places[:middle], places[middle:]]

    def note(self, remark: Remark, places: Sequence[int]) -> None:
        """
        Take note of what an answer said of *places*.
        """
        outcome = _OUTCOMES[remark.meaning]
        if remark.meaning is Meaning.INTERNAL and not self.fence.retry_internal_error:
            # Whoever turned retrying off suspects that the calls may have been placed.
            outcome = Outcome.UNKNOWN
        if outcome is Outcome.UNKNOWN and self.fence.resend_unknown:
            outcome = Outcome.PENDING
        if remark.meaning is Meaning.STOP:
            self._stop_reason = " ".join(
                filter(None, (remark.code, remark.description))
            )
            self.fence.close(self._stop_reason)
        if self._deadline is None and outcome is not Outcome.PENDING:
            # Someone was brought further, so trying goes on.
            self.give_up_at = self._now() + self._patience
        self._decide(places, Verdict(outcome, remark.code, remark.description))

    def note_transactions(self, answer: Answer, places: Sequence[int]) -> None:
        """
        Keep the transaction ids of an answer that spoke of *places*.
        """
        theirs = answer.transaction_ids
        if not any(theirs):
            return
        if len(places) == len(self.batch):
            self._transactions = theirs
            return
        known = list(self._transactions)
        if len(known) < len(self.batch):
            known = [""] * len(self.batch)
        for at, place in enumerate(places):
            known[place] = theirs[at if len(theirs) > 1 else 0]
        self._transactions = known

    async def settle(self) -> BatchResult:
        """
        Tell the fence what is known by now, which it has to hear after each claim.
        """
        result = self._result()
        await self.fence.settle(result)
        self._told = result
        return result

    async def expire(self, places: Sequence[int]) -> None:
        """
        The expiry came before *places* were sent.
        """
        self._decide(places, Verdict(Outcome.EXPIRED, None, _EXPIRED))
        await self.settle()

    async def finish(self) -> BatchResult:
        """
        Give what is still pending its outcome, and the batch its result.
        """
        if not self.pending():
            return await self.settle() if self._told is None else self._told
        if self.fence.closed:
            # For the fence it stays pending: it was never claimed, or refused.
            self._end_pending(Outcome.NOT_SENT, self.fence.reason or "stopped")
            return self._result()
        if self._deadline is not None:
            self._end_pending(Outcome.EXPIRED, _EXPIRED)
        else:
            self._end_pending(Outcome.NOT_SENT, "tried until the patience ran out")
        return await self.settle()

    def _end_pending(self, outcome: Outcome, why: str) -> None:
        def ended(verdict: Verdict) -> Verdict:
            if verdict.outcome is not Outcome.PENDING:
                return verdict
            last = " ".join(filter(None, (verdict.code, verdict.description)))
            words = f"{why}; last: {last}" if last else why
            return Verdict(outcome, verdict.code, words)

        self._told = None
        self._rule = ended(self._rule)
        self._exceptions = {
            place: ended(verdict) for place, verdict in self._exceptions.items()
        }

    def _decide(self, places: Sequence[int], verdict: Verdict) -> None:
        self._told = None
        many = len(self.batch)
        if len(places) == many:
            self._rule = verdict
            self._exceptions.clear()
        elif len(places) > many // 2:
            # The most frequent verdict is the rule; others are exceptions to it.
            others = sorted(set(range(many)).difference(places))
            rule, known = self._rule, self._exceptions
            self._exceptions = {at: known.get(at, rule) for at in others}
            self._rule = verdict
        else:
            self._exceptions.update(dict.fromkeys(places, verdict))

    def _result(self) -> BatchResult:
        if len(self._exceptions) > len(self.batch) // 2:
            return BatchResult.of_places(
                self.batch,
                [
                    self._exceptions.get(place, self._rule)
                    for place in range(len(self.batch))
                ],
                self._transactions,
                attempts=self.attempts,
                stop_reason=self._stop_reason,
            )
        return BatchResult(
            self.batch,
            self._rule,
            dict(self._exceptions),
            tuple(self._transactions),
            self.attempts,
            self._stop_reason,
        )


def by_remark(
    remarks: Sequence[Remark], places: Sequence[int]
) -> list[tuple[Remark, Sequence[int]]]:
    """
    The *remarks* of an answer, each with the places that it speaks of.
    """
    if len(remarks) == 1:
        return [(remarks[0], places)]
    # Equal remarks of an answer are one object.
    named = {id(each): each for each in remarks}
    (most, _), *_ = Counter(map(id, remarks)).most_common(1)
    rule = named[most]
    found: dict[Remark, list[int]] = {rule: []}
    for place, remark in zip(places, remarks, strict=True):
        if remark is not rule:
            found.setdefault(remark, []).append(place)
    others = set().union(*found.values())
    found[rule] += [place for place in places if place not in others]
    return list(found.items())


class _Ids(Sequence[str]):
    """
    The correlation ids of *batch* at *places*; most answers are read without them.
    """

    def __init__(self, batch: Batch, places: Sequence[int]) -> None:
        self.batch = batch
        self.places = places

    def __iter__(self) -> Iterator[str]:
        ids = self.batch.correlation_ids
        if len(self.places) == len(ids):
            return iter(ids)
        return map(ids.__getitem__, self.places)

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...

    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        ids, places = self.batch.correlation_ids, self.places[at]
        if isinstance(places, int):
            return ids[places]
        return [ids[place] for place in places]
