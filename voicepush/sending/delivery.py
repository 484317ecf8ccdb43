"""
One batch on its way: what is known of it, and every decision about it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from math import inf
from typing import NamedTuple

from voicepush import clock
from voicepush.model.batch import IdsAt
from voicepush.model.claim import Policy
from voicepush.model.events import AttemptMade
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.sending.answer import Answer, ResponseItem
from voicepush.sending.codes import Meaning

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


class Turn(enum.Enum):
    """
    What follows when it is the turn of a request.
    """

    GO = enum.auto()  #: it is claimed, and leaves
    CUT_AGAIN = enum.auto()  #: the rate has fallen; no second has room for so many
    CLOSED = enum.auto()  #: the window of its people closes before it could leave
    EXPIRED = enum.auto()  #: the expiry has come, or comes first
    TOO_LONG = enum.auto()  #: the service asks to wait for longer than is worth it
    STOP = enum.auto()  #: nothing else may be sent


class Delivery:
    """
    One batch on its way: what is known of it so far, and until when it may be sent.
    """

    def __init__(
        self,
        due: BatchResult,
        policy: Policy,
        patience: float,
        now: Callable[[], float],
    ) -> None:
        self.batch = due.batch
        self.attempts = due.attempts
        #: When it was begun with, in seconds since 1970.
        self.began = now()
        #: What observers were told of its requests.
        self.made: list[AttemptMade] = []
        self._policy = policy
        self._now = now
        self._deadline = due.batch.message.deadline
        self._patience = patience
        #: Whether its requests go before those that wait already.
        self.is_urgent = False
        self._gives_up_at = self._deadline or now() + patience
        #: When the window of its people closes, in seconds since 1970.
        self.closes = inf
        #: Whether an answer said that it has closed.
        self.is_closed = False
        #: When the pacer let the latest request pass, on its clock.
        self.passed_at = 0.0
        #: Why no other request can succeed, where an answer said so.
        self.stop_reason: str | None = None
        #: Why this batch may not be sent by us, where that is so.
        self.refusal: str | None = None
        #: What the journal was told, if nothing was decided since.
        self.recorded: BatchResult | None = None
        self._rule = due.verdict
        self._exceptions = dict(due.exceptions)
        self._transactions = due.transaction_ids
        self._unreachable = 0
        self._waits_since = 0.0

    def pending(self) -> Sequence[int]:
        """
        The places that have no outcome yet.
        """
        if not self._exceptions:
            is_pending = self._rule.outcome is Outcome.PENDING
            return range(len(self.batch)) if is_pending else ()
        return self.result().places(Outcome.PENDING)

    def at(self, place: int) -> Verdict:
        """
        What is known of the destination at *place*.
        """
        return self._exceptions.get(place, self._rule)

    def ids(self, places: Sequence[int]) -> Sequence[str]:
        """
        The correlation ids at *places*, made when an answer has to be matched by them.
        """
        return IdsAt(self.batch, places)

    def request_id(self) -> str | None:
        """
        A correlation id for the next request; None where the owner gave one for all.
        """
        given = self.batch.message.correlation_id
        return None if given is not None else self.batch.id.request_id()

    def unreachable(self, words: str) -> ResponseItem:
        """
        What to make of it that no request can reach the service, as *words* say.

        A name may be found again in a moment; but when some tries have failed, a
        million people need not be tried one after the other.
        """
        self._unreachable += 1
        stops = self._unreachable >= _UNREACHABLE_TRIES
        return ResponseItem(Meaning.STOP if stops else Meaning.UNREACHED, None, words)

    def turn(self, *, paced: bool, fits: bool, stopped: bool, held: bool) -> Turn:
        """
        What follows when it was the turn of a request.

        Args:
            paced: Whether the pace lets it leave now.
            fits: Whether it is no larger than the present rate allows.
            stopped: Whether nothing else may be sent.
            held: Whether the service asks to wait.
        """
        if stopped:
            return Turn.STOP
        if self.is_over():
            return Turn.CLOSED if self.ends_with_window else Turn.EXPIRED
        if paced:
            return Turn.GO
        if not fits:
            return Turn.CUT_AGAIN
        if self.ends_with_window and not (held and self._is_too_long):
            return Turn.CLOSED
        # Without an expiry only a wait that the service asked for is too long.
        return Turn.TOO_LONG if self._deadline is None else Turn.EXPIRED

    @property
    def _is_too_long(self) -> bool:
        """
        Whether its patience ends first, if the service asks to wait.
        """
        return self._deadline is None and self._patience < self.seconds_left()

    @property
    def give_up_at(self) -> float:
        """
        When trying ends for now, in seconds since 1970.
        """
        return min(self._gives_up_at, self.closes)

    @property
    def expiry(self) -> datetime | None:
        """
        The expiry of its next request, where that is not its message's: the platform
        must ring nobody once their window is closed.
        """
        return clock.moment(self.closes) if self.ends_with_window else None

    @property
    def ends_with_window(self) -> bool:
        """
        Whether their window closes before the message expires.
        """
        return self.closes < (inf if self._deadline is None else self._deadline)

    @property
    def waits_for_window(self) -> bool:
        """
        Whether those who are pending may be tried again once their window opens, and
        not before.
        """
        is_first = self.ends_with_window and self.closes <= self._gives_up_at
        return self.is_closed or is_first

    def is_dialled(self, places: Sequence[int], rate: float | None) -> bool:
        """
        Whether the platform can ring all at *places* before their window closes.

        It queues what exceeds the tenant's rate, and the last one would wait for as
        long as the others take. Without a *rate* nobody knows how long that is.
        """
        if rate is None:
            return True
        takes = (self.batch.weigh(places) - 1) / rate
        return self._now() + takes < self.closes

    @property
    def has_expiry(self) -> bool:
        """
        Whether there is a moment from which on nobody may be called.
        """
        return self._deadline is not None

    @property
    def has_expired(self) -> bool:
        """
        Whether that moment has come, and no window matters any more.
        """
        return self._deadline is not None and self._now() >= self._deadline

    def seconds_left(self) -> float:
        """
        How long it may still be sent.
        """
        end = inf if self._deadline is None else self._deadline
        return min(end, self.closes) - self._now()

    def wait_begins(self) -> None:
        """
        A request waits for its turn.
        """
        self._waits_since = self._now()

    def wait_ends(self) -> None:
        """
        Its turn has come. Waiting for that was no trouble of the service's, so without
        an expiry trying goes on for as much longer.
        """
        if self._deadline is None:
            self._gives_up_at += self._now() - self._waits_since

    def is_over(self) -> bool:
        """
        Whether the expiry has come.
        """
        return self.seconds_left() <= 0

    def halve(self, places: Sequence[int], item: ResponseItem) -> list[Sequence[int]]:
        """
        *places* as two halves; a single one that is too large is refused for good.
        """
        if len(places) == 1:
            refused = Verdict(Outcome.REJECTED, item.code, item.description)
            self._decide(places, refused)
            return []
        middle = len(places) // 2
        return [places[:middle], places[middle:]]

    def note(self, item: ResponseItem, places: Sequence[int]) -> None:
        """
        Take note of what an answer said of *places*.
        """
        outcome = _OUTCOMES[item.meaning]
        if item.meaning is Meaning.INTERNAL and not self._policy.retry_internal_error:
            # Their owner turned retrying off because the calls may have been placed.
            outcome = Outcome.UNKNOWN
        if outcome is Outcome.UNKNOWN and self._policy.resend_unknown:
            outcome = Outcome.PENDING
        if outcome is Outcome.EXPIRED and self.ends_with_window:
            # Not the message has expired, but this request of it.
            outcome, self.is_closed = Outcome.PENDING, True
        if item.meaning is Meaning.STOP:
            said = " ".join(filter(None, (item.code, item.description)))
            self.stop_reason = self.stop_reason or said
        if self._deadline is None and outcome is not Outcome.PENDING:
            # Someone was brought further, so trying goes on.
            self._gives_up_at = self._now() + self._patience
        self._decide(places, Verdict(outcome, item.code, item.description))

    def note_transactions(self, answer: Answer, places: Sequence[int]) -> None:
        """
        Keep the transaction ids of an answer that spoke of *places*; one that has none
        leaves none of an earlier answer, which were of another request.
        """
        theirs = answer.transaction_ids if any(answer.transaction_ids) else ()
        if len(places) == len(self.batch) or not (theirs or any(self._transactions)):
            self._transactions = theirs or self._transactions[:0]
            return
        theirs = theirs or ("",)
        known = list(self._transactions)
        if len(known) < len(self.batch):
            known = [""] * len(self.batch)
        for at, place in enumerate(places):
            known[place] = theirs[at if len(theirs) > 1 else 0]
        self._transactions = known

    def leave_out(self, known: Mapping[int, Verdict]) -> None:
        """
        Take note of what the ledger knows by now, so that nobody is called again.
        """
        for place, verdict in known.items():
            self._decide([place], verdict)

    def expire(self, places: Sequence[int]) -> None:
        """
        The expiry came before *places* were sent.
        """
        self._decide(places, Verdict(Outcome.EXPIRED, None, _EXPIRED))

    def stay(self, reason: str) -> None:
        """
        Who is pending is not sent now; in the journal they stay pending.
        """
        self._end_pending(Outcome.NOT_SENT, reason)

    def give_up(self) -> None:
        """
        Who is pending is not tried any more.
        """
        if self._deadline is not None:
            self._end_pending(Outcome.EXPIRED, _EXPIRED)
        else:
            self._end_pending(Outcome.NOT_SENT, "tried until the patience ran out")

    def _end_pending(self, outcome: Outcome, why: str) -> None:
        def ended(verdict: Verdict) -> Verdict:
            if verdict.outcome is not Outcome.PENDING:
                return verdict
            last = " ".join(filter(None, (verdict.code, verdict.description)))
            words = f"{why}; last: {last}" if last else why
            return Verdict(outcome, verdict.code, words)

        self.recorded = None
        self._rule = ended(self._rule)
        self._exceptions = {
            place: ended(verdict) for place, verdict in self._exceptions.items()
        }

    def _decide(self, places: Sequence[int], verdict: Verdict) -> None:
        self.recorded = None
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

    def result(self) -> BatchResult:
        """
        What is known by now.
        """
        if len(self._exceptions) > len(self.batch) // 2:
            return BatchResult.of_places(
                self.batch,
                [
                    self._exceptions.get(place, self._rule)
                    for place in range(len(self.batch))
                ],
                self._transactions,
                attempts=self.attempts,
                stop_reason=self.stop_reason,
            )
        return BatchResult(
            self.batch,
            self._rule,
            dict(self._exceptions),
            tuple(self._transactions),
            self.attempts,
            self.stop_reason,
        )
