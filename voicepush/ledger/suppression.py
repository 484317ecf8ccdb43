"""
What every ledger promises about its suppression list: those who must not be called.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from voicepush.ledger.forgetting import Forgotten
from voicepush.model.recipients import Kind
from voicepush.model.suppression import SuppressedEntry, SuppressionEvent, check_value

#: So many are written or read at once, so that nobody who claims has to wait for long.
TOGETHER = 10_000


class SuppressionList(Protocol):
    """
    Who must not be called from now on, in every campaign of a ledger.

    Who is on it is left out by every claim, in whatever process, that is made after
    `suppress` has answered. Who is in flight already is not touched.
    """

    async def suppress(
        self,
        people: Iterable[tuple[Kind, Sequence[str]]],
        *,
        category: str | None = None,
        reason: str | None = None,
        imported: bool = False,
    ) -> int:
        """
        Put *people* on the list: numbers in normal form, or customer ids.

        Who is on it stays as they are. Many are written little by little, so that
        campaigns go on meanwhile; if that is interrupted, those written are on the
        list, and the same again adds the others.

        Args:
            category: What they do not want, in the owner's words; it is shown where
                someone was left out.
            reason: Why, for the history of the list.
            imported: They come from a file, which the history tells.

        Returns:
            How many were not on it before.

        Raises:
            InputError: Someone can't be on it, or *category* or *reason* is no line of
                words.
        """
        ...

    async def unsuppress(
        self, people: Iterable[tuple[Kind, Sequence[str]]], *, reason: str
    ) -> int:
        """
        Take *people* off the list. Who was left out meanwhile stays left out.

        Returns:
            How many were on it.

        Raises:
            InputError: Someone can't be on it, or *reason* is no line of words.
        """
        ...

    async def suppressed(
        self, kind: Kind, values: Sequence[str]
    ) -> Mapping[str, SuppressedEntry]:
        """
        Those of *values* that are on the list, and why.
        """
        ...

    def all_suppressed(self) -> AsyncIterator[Sequence[SuppressedEntry]]:
        """
        Everyone on the list, some at a time: numbers in order, then customer ids.
        """
        ...

    def suppressed_values(self) -> AsyncIterator[tuple[Kind, Sequence[str]]]:
        """
        The same without why, which takes less time.
        """
        ...

    async def forgotten(self) -> Forgotten:
        """
        Those who were forgotten and are not called again, as nobody can read them; they
        are left out as those on the list are.
        """
        ...

    async def suppression_history(self) -> list[SuppressionEvent]:
        """
        Who did what to the list, the oldest first.
        """
        ...


def some_at_a_time(
    people: Iterable[tuple[Kind, Sequence[str]]],
) -> Iterator[tuple[Kind, list[str]]]:
    """
    *people* without repetitions within each part, at most `TOGETHER` in one.

    Raises:
        InputError: Someone can't be on a list.
    """
    for kind, values in people:
        for start in range(0, len(values), TOGETHER):
            some = values[start : start + TOGETHER]
            yield kind, list(dict.fromkeys(check_value(kind, each) for each in some))
