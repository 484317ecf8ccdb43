"""
What came of one request, and what it leaves to be sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import compress
from operator import not_
from typing import NamedTuple

from voicepush.sending.answer import Answer, ResponseItem


class Posted(NamedTuple):
    """
    What came of one request.
    """

    answer: Answer
    #: How long the service asked to wait, in seconds.
    asked: float | None
    status: int | None
    #: When it began, in seconds since 1970, and how long it took.
    began: float
    seconds: float
    #: Of the request, in bytes.
    size: int


class Rest(NamedTuple):
    """
    What is to be sent yet in this round, and how long to wait before the next.
    """

    places: Sequence[Sequence[int]] = ()
    wait: float | None = None


def by_item(
    items: Sequence[ResponseItem], places: Sequence[int]
) -> list[tuple[ResponseItem, Sequence[int]]]:
    """
    The *items* of an answer, each with the places that it speaks of.
    """
    if len(items) == 1:
        return [(items[0], places)]
    # Equal items of an answer are one object.
    names = list(map(id, items))
    (most, _), *_ = Counter(names).most_common(1)
    is_most = list(map(most.__eq__, names))
    found = {items[names.index(most)]: list(compress(places, is_most))}
    others = map(not_, is_most)
    for place, item in compress(zip(places, items, strict=True), others):
        found.setdefault(item, []).append(place)
    return list(found.items())
