"""
Who is due again: their request expired when their windows closed, before the network
was offered their call.

It is the one exception to the rule that who was accepted is never called again, so it
is believed only where the platform names the very request that its answer named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from voicepush.ledger.decisions import EARLIER, PROVEN
from voicepush.ledger.placing import is_named_so
from voicepush.ledger.plan import Follows
from voicepush.model.call import CallState, Report
from voicepush.model.outcome import BatchResult, Outcome, Verdict

#: So many of the platform's names for one call are kept; each attempt has one.
_MOST_NAMES = 64

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


def is_over(report: Report, expired: Collection[str]) -> bool:
    """
    Whether *report* says of an attempt that has expired nothing but that nobody was
    rung. All else that is said of it counts: they may have been.

    Args:
        expired: The platform's names for the call in such attempts.
    """
    name = report.transaction_id
    return not report.call.was_offered and any(
        is_named_so(each, name) or is_named_so(name, each) for each in expired
    )


def expired_as(known: Sequence[str], reports: Iterable[Report]) -> list[str]:
    """
    The platform's names for a call in the attempts that expired before the network was
    offered it.

    Args:
        known: Those that were known before.
        reports: What receipts say of it now.
    """
    names = [each.transaction_id for each in reports if each.call.is_expiry]
    return list(dict.fromkeys([*known, *filter(None, names)]))[:_MOST_NAMES]


def due_again(known: BatchResult, expired: Mapping[int, Collection[str]]) -> list[int]:
    """
    The places of a batch at which everyone's latest call expired.

    Args:
        expired: The platform's names for the calls that did, by recipient.
    """
    recipients = known.batch.recipients
    left: Counter[int] = Counter()
    for recipient, place in enumerate(recipients.places_of_values()):
        name = known.transaction_id(place) or ""
        names = expired.get(recipient, ())
        is_theirs = any(is_named_so(name, each) for each in names)
        # Who was forgotten has no value.
        left[place] += not (is_theirs and recipients.values[recipient])
    return [
        place
        for place in known.places(Outcome.ACCEPTED)
        if not left[place] and known.at(place) not in (PROVEN, EARLIER)
    ]


def due_from(
    closes_at: float | None, claimed_at: float | None, heard: Iterable[float]
) -> float | None:
    """
    From when on those who are due again may be sent: not before their request expires
    by our clock, since the platform's may be ahead; at once where that was an earlier
    request of their batch.

    Args:
        closes_at: When the last request of their batch expires.
        claimed_at: When that was claimed.
        heard: When receipts told that theirs have expired.
    """
    is_earlier = any(at < (claimed_at or 0.0) for at in heard)
    return None if is_earlier else closes_at


def told(number: int) -> str:
    """
    How many became due again, as it stands in the history.
    """
    return f"{number} not rung before their windows closed"


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
