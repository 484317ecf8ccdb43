"""
Who is due again: their request expired when their windows closed, before the network
was offered their call.

It is the one exception to the rule that who was accepted is never called again, so it
is believed only where the platform names the very request that its answer named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from voicepush.ledger.decisions import PROVEN
from voicepush.ledger.placing import is_named_so
from voicepush.ledger.plan import Follows
from voicepush.model.call import Call, CallState, Report
from voicepush.model.outcome import BatchResult, Outcome, Verdict

#: On whom it is.
AGAIN = Verdict(Outcome.PENDING, None, "expired before it was offered; due again")


def may_be_due_again(
    expires_at: float | None, followed_by: Iterable[Follows], now: float
) -> bool:
    """
    Whether a campaign may call them: its message has not expired, and no other campaign
    follows up the calls that have.
    """
    if expires_at is not None and expires_at <= now:
        return False
    return not any(CallState.EXPIRED in each.states for each in followed_by)


def is_over(report: Report, past: Collection[str]) -> bool:
    """
    Whether *report* says once more that an attempt expired after which its person was
    due again. All else that is said of it counts: they may have been rung.

    Args:
        past: The platform's names for the call in those attempts.
    """
    name = report.transaction_id
    return report.call.is_expiry and any(is_named_so(each, name) for each in past)


def expired_as(
    call: Call, known: str | None, reports: Collection[Report]
) -> str | None:
    """
    The platform's name for a *call* that expired before the network was offered it, if
    that is so.

    Args:
        known: The name that was known before.
        reports: What receipts say of it now.
    """
    if call.was_offered:
        return None
    names = [each.transaction_id for each in reports if each.call.is_expiry]
    return next(filter(None, reversed(names)), known)


def due_again(known: BatchResult, expired: Mapping[int, str]) -> list[int]:
    """
    The places of a batch at which everyone's latest call expired.

    Args:
        expired: The platform's names for the calls that did, by recipient.
    """
    recipients = known.batch.recipients
    left: Counter[int] = Counter()
    for recipient, place in enumerate(recipients.places_of_values()):
        name = known.transaction_id(place) or ""
        is_theirs = is_named_so(name, expired.get(recipient, ""))
        # Who was forgotten has no value.
        left[place] += not (is_theirs and recipients.values[recipient])
    return [
        place
        for place in known.places(Outcome.ACCEPTED)
        if not left[place] and known.at(place) != PROVEN
    ]


def reopened(known: BatchResult, places: Collection[int]) -> BatchResult:
    """
    *known* with those at *places* pending again.
    """
    every = range(len(known.batch))
    verdicts = [known.at(place) for place in every]
    names = [known.transaction_id(place) or "" for place in every]
    for place in places:
        verdicts[place], names[place] = AGAIN, ""
    return BatchResult.of_places(known.batch, verdicts, names, attempts=known.attempts)
