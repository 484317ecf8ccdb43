"""
The suppression list, which lasts as long as an object.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import attrs

from voicepush import clock
from voicepush.ledger.forgetting import Forgotten
from voicepush.ledger.suppression import some_at_a_time
from voicepush.model.recipients import Kind
from voicepush.model.suppression import (
    SuppressedEntry,
    SuppressionEvent,
    check_words,
)

_HERE = "this process"


@attrs.define(eq=False)
class Listing:
    """
    Who is on the list, by kind and value, and what was done to it.
    """

    entries: dict[Kind, dict[str, SuppressedEntry]] = attrs.field(
        factory=lambda: {kind: {} for kind in Kind}
    )
    history: list[SuppressionEvent] = attrs.field(factory=list)

    def found(self, kind: Kind, values: Sequence[str]) -> dict[str, SuppressedEntry]:
        """
        Those of *values* that are on it.
        """
        entries = self.entries[kind]
        return {each: entries[each] for each in values if each in entries}


class MemorySuppression:
    """
    The part of a ledger that keeps the list.
    """

    _listing: Listing

    async def suppress(
        self,
        people: Iterable[tuple[Kind, Sequence[str]]],
        *,
        category: str | None = None,
        reason: str | None = None,
        imported: bool = False,
    ) -> int:
        """
        Put *people* on the list; gives how many were not on it before.
        """
        category = check_words(category, "a category")
        reason = check_words(reason, "a reason")
        event = "imported" if imported else "added"
        now, added = clock.utc_now(), 0
        parts = list(some_at_a_time(people))
        for kind, values in parts:
            entries = self._listing.entries[kind]
            for each in values:
                if each not in entries:
                    entries[each] = SuppressedEntry(
                        each, kind, now, _HERE, category, reason
                    )
                    added += 1
        if parts:
            self._listing.history.append(
                SuppressionEvent(now, _HERE, event, added, category, reason)
            )
        return added

    async def unsuppress(
        self, people: Iterable[tuple[Kind, Sequence[str]]], *, reason: str
    ) -> int:
        """
        Take *people* off the list; gives how many were on it.
        """
        words = check_words(reason, "a reason")
        parts = list(some_at_a_time(people))
        removed = sum(
            self._listing.entries[kind].pop(each, None) is not None
            for kind, values in parts
            for each in values
        )
        if parts:
            self._listing.history.append(
                SuppressionEvent(
                    clock.utc_now(), _HERE, "removed", removed, None, words
                )
            )
        return removed

    async def suppressed(
        self, kind: Kind, values: Sequence[str]
    ) -> Mapping[str, SuppressedEntry]:
        """
        Those of *values* that are on the list, and why.
        """
        return self._listing.found(kind, values)

    async def all_suppressed(self) -> AsyncIterator[Sequence[SuppressedEntry]]:
        """
        Everyone on the list: numbers in order, then customer ids.
        """
        numbers, ids = (self._listing.entries[kind].values() for kind in Kind)
        for some in (
            sorted(numbers, key=lambda each: int(each.value)),
            sorted(ids, key=lambda each: each.value.encode()),
        ):
            if some:
                yield some

    async def suppressed_values(self) -> AsyncIterator[tuple[Kind, Sequence[str]]]:
        """
        The same without why.
        """
        async for some in self.all_suppressed():
            yield some[0].kind, [each.value for each in some]

    async def forgotten(self) -> Forgotten:
        """
        There are none: what lasts as long as an object is forgotten with it.
        """
        return Forgotten()

    async def suppression_history(self) -> list[SuppressionEvent]:
        """
        Who did what to the list, the oldest first.
        """
        return list(self._listing.history)
