"""Answers that are put together, and what they are made to mean."""

from collections.abc import Sequence

import msgspec

from voicepush.sending.answer import Answer, decode
from voicepush.sending.codes import Meaning

IDS = ["k-0", "k-1", "k-2"]


def answered(*elements: object, status: int = 200, ids: Sequence[str] = IDS) -> Answer:
    """
    What an answer of *elements* says of *ids*.
    """
    return decode(status, msgspec.json.encode({"response": elements}), ids)


def queued(correlation_id: str | None = None, **more: object) -> dict[str, object]:
    """
    An element that accepts.
    """
    more = {"code": "1001", "transid": "t", "description": "Queued", **more}
    return more if correlation_id is None else {**more, "correlationid": correlation_id}


def refused(correlation_id: str | None = None, **more: object) -> dict[str, object]:
    """
    An element that refuses.
    """
    return queued(correlation_id, **{"code": "7004", "description": "no", **more})


def meanings(answer: Answer, count: int = 3) -> list[Meaning]:
    """
    What *answer* means for each of *count* destinations.
    """
    items = list(answer.items)
    return [each.meaning for each in (items * count if len(items) == 1 else items)]
