"""
What observers are told of a batch on its way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import Context

from voicepush.model.events import AttemptMade, BatchRecorded
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.sending.answer import ResponseItem
from voicepush.sending.attempt import Posted
from voicepush.sending.codes import Meaning
from voicepush.sending.delivery import Delivery


def attempt_made(
    delivery: Delivery,
    posted: Posted,
    items: Sequence[tuple[ResponseItem, Sequence[int]]],
    verdicts: Mapping[Verdict, int],
) -> AttemptMade:
    """
    The latest request of *delivery* as an event.

    Args:
        items: What its answer said, each with the places that it speaks of.
        verdicts: How many recipients each verdict stands for.
    """
    said, _ = items[0] if len(items) == 1 else max(items, key=_destinations)
    made = AttemptMade(
        batch=delivery.batch.id,
        attempt=delivery.attempts,
        destinations=sum(map(_destinations, items)),
        bytes=posted.size,
        status=posted.status,
        began=posted.began,
        seconds=posted.seconds,
        code=said.code,
        meaning=_WORDS[said.meaning],
        verdicts=verdicts,
        is_throttled=any(item.meaning is Meaning.THROTTLED for item, _ in items),
    )
    delivery.made.append(made)
    return made


def batch_recorded(
    delivery: Delivery,
    due: BatchResult,
    result: BatchResult,
    *,
    seconds: float,
    callers: Sequence[Context],
) -> BatchRecorded:
    """
    The end of *delivery* for now as an event.

    Args:
        due: What was known of the batch before.
        result: What is known of it now.
    """
    outcomes = result.counts()
    if due.exceptions or due.verdict.outcome is not Outcome.PENDING:
        outcomes -= due.counts()
    del outcomes[Outcome.PENDING]
    return BatchRecorded(
        batch=delivery.batch.id,
        recipients=delivery.batch.size,
        outcomes=outcomes,
        attempts=delivery.made,
        began=delivery.began,
        seconds=seconds,
        callers=callers,
    )


def _destinations(item: tuple[ResponseItem, Sequence[int]]) -> int:
    return len(item[1])


#: Each meaning in one word.
_WORDS = {each: each.name.lower() for each in Meaning}
