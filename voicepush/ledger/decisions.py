"""
The rules of recovery, resending, giving up, cancelling and merging, for every store.

Each is a plain function on what is known of one batch; a store reads, asks and writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from voicepush.ledger.plan import Cap, Follows
from voicepush.model.batch import Batch
from voicepush.model.call import Call
from voicepush.model.claim import NotBefore
from voicepush.model.consent import end_of
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import Resolved
from voicepush.model.suppression import SuppressedEntry

#: On who may be ringing right now.
IN_FLIGHT = Verdict(Outcome.UNKNOWN, None, "in flight, not answered yet")

#: On whom a dead worker left in flight.
LOST = Verdict(Outcome.UNKNOWN, None, "claimed, and its answer was never recorded")

#: On whom a receipt shows that the API has taken their request, whatever it said.
PROVEN = Verdict(Outcome.ACCEPTED, None, "the platform's report proves it")

#: On whom an earlier request was accepted, as is told late, and a later one may have
#: been.
EARLIER = Verdict(
    Outcome.ACCEPTED, None, "an earlier request was accepted; the last is in doubt"
)

#: On whom a claim has left out since they agree no more.
NOT_AGREED = Verdict(Outcome.SUPPRESSED, None, "the consent has ended")

#: What a late record may still say of someone, by what is known by now.
_MAY_BECOME = {
    Outcome.UNKNOWN: frozenset(Outcome) - {Outcome.PENDING},
    Outcome.PENDING: frozenset({Outcome.ACCEPTED, Outcome.UNKNOWN}),
    Outcome.NOT_SENT: frozenset({Outcome.ACCEPTED, Outcome.UNKNOWN}),
    Outcome.EXPIRED: frozenset({Outcome.ACCEPTED, Outcome.UNKNOWN}),
    Outcome.SUPPRESSED: frozenset({Outcome.ACCEPTED, Outcome.UNKNOWN}),
    Outcome.REJECTED: frozenset({Outcome.ACCEPTED}),
    Outcome.ACCEPTED: frozenset[Outcome](),
}


def replaced(
    result: BatchResult,
    old: Outcome,
    new: Verdict,
    places: Collection[int] | None = None,
) -> BatchResult:
    """
    *result* with *new* in place of the outcome *old*, at *places* or wherever it is.
    """
    if not result.exceptions and places is None:
        rule = new if result.verdict.outcome is old else result.verdict
        return BatchResult(
            result.batch, rule, {}, result.transaction_ids, result.attempts
        )
    verdicts = [result.at(place) for place in range(len(result.batch))]
    for place in result.places(old) if places is None else places:
        if verdicts[place].outcome is old:
            verdicts[place] = new
    return BatchResult.of_places(
        result.batch, verdicts, result.transaction_ids, attempts=result.attempts
    )


def shown(result: BatchResult, in_flight: Collection[int]) -> BatchResult:
    """
    *result* as an owner sees it while some of it is *in_flight*.
    """
    if not in_flight:
        return result
    return replaced(result, Outcome.PENDING, IN_FLIGHT, in_flight)


def lost(result: BatchResult, in_flight: Collection[int]) -> BatchResult:
    """
    *result* when nothing will be heard any more of those *in_flight*.
    """
    if not in_flight:
        return result
    return replaced(result, Outcome.PENDING, LOST, in_flight)


def restored(
    result: BatchResult, in_flight: Collection[int], verdict: Verdict
) -> BatchResult:
    """
    *result* when it comes from a backup: whoever was *in_flight* then is lost, and on
    whoever may have been sent since is *verdict*.
    """
    result = lost(result, in_flight)
    for outcome in (Outcome.PENDING, Outcome.NOT_SENT):
        result = replaced(result, outcome, verdict)
    return result


def recovered(
    result: BatchResult, in_flight: Collection[int], *, resend: bool
) -> BatchResult:
    """
    What a worker makes of a batch when it joins: who was in flight with another that is
    gone is unknown, and who was not sent is pending again.

    Args:
        resend: Whether the owner has decided beforehand that the unknown are sent
            again, and the other worker certainly is gone.
    """
    if not resend:
        result = lost(result, in_flight)
    return replaced(result, Outcome.NOT_SENT, Verdict(Outcome.PENDING))


def unresolved(result: BatchResult, given_up: Collection[int]) -> list[int]:
    """
    The places that are unknown and that nobody has decided about.
    """
    known = frozenset(given_up)
    return [place for place in result.places(Outcome.UNKNOWN) if place not in known]


def still_given_up(result: BatchResult, given_up: Collection[int]) -> list[int]:
    """
    Those of *given_up* that are unknown yet, after a late record.
    """
    known = frozenset(given_up)
    return [place for place in result.places(Outcome.UNKNOWN) if place in known]


def resent(result: BatchResult, given_up: Collection[int]) -> BatchResult:
    """
    *result* with the unresolved pending again, at the risk of a second call.
    """
    places = unresolved(result, given_up)
    return replaced(result, Outcome.UNKNOWN, Verdict(Outcome.PENDING), places)


def told(resolved: Resolved, *, resend: bool) -> str:
    """
    What was decided about the unknown, as it stands in the history.
    """
    deed = "pending again" if resend else "given up"
    left = f", {resolved.left_alone} left alone" if resolved.left_alone else ""
    return f"{resolved.recipients} {deed}{left}"


def cancelled(
    result: BatchResult, in_flight: Collection[int], reason: str
) -> BatchResult:
    """
    *result* when its owner has ended the campaign: nobody is pending any more.
    """
    result = lost(result, in_flight)
    return replaced(result, Outcome.PENDING, Verdict(Outcome.NOT_SENT, None, reason))


def merged(
    known: BatchResult, late: BatchResult, *, is_latest: bool = True
) -> BatchResult:
    """
    *known* with what a *late* record adds, from a worker that was taken for dead.

    Who was called stays called; a late record never makes anyone pending.

    Args:
        is_latest: Whether nobody has claimed any of the batch since. Else it is of
            account only that they were called, or may have been: by the other, too.
    """
    verdicts: list[Verdict] = []
    theirs: list[int] = []
    for place in range(len(known.batch)):
        ours, other = known.at(place), late.at(place)
        is_heard = is_latest or was_called(other)
        is_named = is_latest and _is_named_at_last(ours, other)
        if is_named or (is_heard and other.outcome in _MAY_BECOME[ours.outcome]):
            is_doubtful = not is_latest and ours.outcome is Outcome.UNKNOWN
            is_earlier = is_doubtful and other.outcome is Outcome.ACCEPTED
            verdicts.append(EARLIER if is_earlier else other)
            theirs.append(place)
        else:
            verdicts.append(ours)
    return BatchResult.of_places(
        known.batch,
        verdicts,
        _transactions(known, late, theirs),
        attempts=max(known.attempts, late.attempts),
    )


def _is_named_at_last(known: Verdict, told: Verdict) -> bool:
    """
    Whether an answer that was *told* accepts who was accepted without one.
    """
    bare = (PROVEN, EARLIER)
    return known in bare and told.outcome is Outcome.ACCEPTED and told not in bare


def claimable(
    known: BatchResult, places: Sequence[int]
) -> tuple[list[int], dict[int, Verdict]]:
    """
    Those of *places* that may be sent, and what is known of the others by now.
    """
    pending = frozenset(known.places(Outcome.PENDING))
    left_out = {place: known.at(place) for place in places if place not in pending}
    return [place for place in places if place in pending], left_out


def heard(known: BatchResult, told: BatchResult) -> BatchResult:
    """
    *known*, to which a late record or a receipt was added, with what its worker has
    *told* since.

    That one may not know of it, so it is heard only on who is pending, and on who is
    accepted by a receipt alone where it has an answer that says so, too.
    """
    verdicts = [known.at(place) for place in range(len(known.batch))]
    places = [
        place
        for place, verdict in enumerate(verdicts)
        if verdict.outcome is Outcome.PENDING
        or _is_named_at_last(verdict, told.at(place))
    ]
    for place in places:
        verdicts[place] = told.at(place)
    return BatchResult.of_places(
        known.batch,
        verdicts,
        _transactions(known, told, places),
        attempts=max(known.attempts, told.attempts),
    )


def proven(result: BatchResult, places: Iterable[int]) -> BatchResult:
    """
    *result* when receipts show that the API has taken those at *places*.
    """
    verdicts = [result.at(place) for place in range(len(result.batch))]
    for place in unproven(result, places):
        verdicts[place] = PROVEN
    return BatchResult.of_places(
        result.batch, verdicts, result.transaction_ids, attempts=result.attempts
    )


def unproven(result: BatchResult, places: Iterable[int]) -> list[int]:
    """
    Those of *places* that nobody knows to be accepted.
    """
    return [
        place for place in places if result.at(place).outcome is not Outcome.ACCEPTED
    ]


def shifted(
    result: BatchResult,
    in_flight: Collection[int],
    given_up: Collection[int],
    places: Iterable[int],
) -> Counter[str]:
    """
    How many recipients at *places* are counted as something else than accepted, by
    what they are counted as; those who were given up are counted as that, too.
    """
    found: Counter[str] = Counter()
    for place in unproven(result, places):
        weight = result.batch.weigh([place])
        outcome = result.at(place).outcome.value
        found["in_flight" if place in in_flight else outcome] += weight
        if place in given_up:
            found["given_up"] += weight
    return found


#: On whom a later receipt of the earlier call has shown not to need another.
NOT_AGAIN = Verdict(
    Outcome.SUPPRESSED, None, "the earlier call is in another state by now"
)


def followed_up(
    calls: Mapping[int, Call | None], follows: Follows, now: float
) -> NotBefore | dict[int, Verdict]:
    """
    Who must not be called again, by place, or when all of them may be.

    Args:
        calls: The earlier call of each who is to be called, by place.
    """
    left_out = {
        place: NOT_AGAIN for place, call in calls.items() if not ripe(call, follows)
    }
    ends = [
        call.received_at
        for place, call in calls.items()
        if place not in left_out and call is not None and call.received_at is not None
    ]
    moment = max(ends, default=0.0) + follows.after
    if moment > now:
        return NotBefore(moment, "so long after the earlier call as --after says")
    return left_out


def too_often(
    times: Sequence[float], caps: Sequence[Cap], now: float
) -> Verdict | None:
    """
    On someone who was called at these *times*, in seconds since 1970: why they must not
    be called once more, if so.
    """
    for cap in caps:
        number = sum(at > now - cap.seconds for at in times)
        if number >= cap.most:
            period = duration_text(cap.seconds)
            often = "" if cap.most == 1 else f" {number} times"
            words = f"was called{often} within {period} already"
            return Verdict(Outcome.SUPPRESSED, None, words)
    return None


def listed(
    batch: Batch, places: Sequence[int], entries: Mapping[str, SuppressedEntry]
) -> dict[int, Verdict]:
    """
    Those at *places* of *batch* who must not be called any more, by place: who is
    among *entries*, or shares an id with someone who is.
    """
    owners, asked = batch.recipients.places_of_values(), frozenset(places)
    return {
        owners[recipient]: Verdict(Outcome.SUPPRESSED, None, entries[value].words)
        for recipient, value in enumerate(batch.recipients.values)
        if value in entries and owners[recipient] in asked
    }


def agreed_no_more(
    consents: Sequence[str], places: Iterable[int], now: float
) -> dict[int, Verdict]:
    """
    Those at *places* whose consent, as it was kept, does not hold *now* any more.
    """
    if not consents:
        return dict.fromkeys(places, NOT_AGREED)
    over = {text for text in set(consents) if not now <= (end_of(text) or 0)}
    if not over:
        return {}
    return {place: NOT_AGREED for place in places if consents[place] in over}


def was_called(verdict: Verdict) -> bool:
    """
    Whether someone with *verdict*, as its owner sees it, was called or may have been.
    """
    return verdict.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)


def duration_text(seconds: float) -> str:
    """
    A period in the largest unit that divides it.
    """
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        number, rest = divmod(seconds, length)
        if number and not rest:
            return f"{number:.0f} {unit}" + ("s" if number > 1 else "")
    return f"{seconds:g} seconds"


def ripe(call: Call | None, follows: Follows) -> bool:
    """
    Whether an earlier *call* has ended in a state that is followed up.
    """
    return call is not None and call.has_ended and call.state in follows.states


def _transactions(
    known: BatchResult, late: BatchResult, theirs: Sequence[int]
) -> Sequence[str]:
    if not theirs:
        return known.transaction_ids
    # An answer without an id must not be shown with that of another request.
    many = len(known.batch)
    ours = _spread(known.transaction_ids, many)
    others = _spread(late.transaction_ids, many)
    for place in theirs:
        ours[place] = others[place]
    return ours


def _spread(transaction_ids: Sequence[str], many: int) -> list[str]:
    if len(transaction_ids) == many:
        return list(transaction_ids)
    return list(transaction_ids[:1] or ("",)) * many
