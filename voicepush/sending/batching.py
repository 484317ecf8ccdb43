"""
Cuts a stream into batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import attrs

from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.recipients import MOST_PER_REQUEST, Kind, Recipients


class Batcher:
    """
    Cuts recipients into batches, each of one kind and group, in the order they came.

    It is fed and flushed and never awaits. A batch holds at most *size* values;
    a destination of several values is never divided.

    Args:
        tag: What no other campaign or client has; batches are numbered under it.
        numbers: Their numbers, which a client shares among all that it sends.
    """

    def __init__(
        self,
        group: Group,
        *,
        tag: str,
        size: int = MOST_PER_REQUEST,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._group = group
        self._tag = tag
        self._size = size
        self._numbers = count() if numbers is None else numbers
        #: One open batch for each kind and group, so that those which alternate do not
        #: make batches of one.
        self._open: dict[tuple[Kind, int], _Open] = {}

    def feed(
        self, recipients: Recipients, group: Group | None = None
    ) -> Iterator[Batch]:
        """
        Take *recipients* in, and give the batches that are full by now.

        Args:
            group: That of *recipients*, where it is another one.
        """
        if not len(recipients):
            return
        group = group or self._group
        waiting = self._open.setdefault((recipients.kind, group.number), _Open(group))
        start = 0
        while start < len(recipients):
            stop = waiting.room_for(recipients, start, self._size)
            if stop > start:
                waiting.add(recipients[start:stop])
            if stop < len(recipients) or waiting.size >= self._size:
                yield self._batch(waiting)
            start = stop

    def flush(self) -> Iterator[Batch]:
        """
        Give what is left as last batches, if there is anything.
        """
        for waiting in self._open.values():
            if waiting.parts:
                yield self._batch(waiting)

    def _batch(self, waiting: _Open) -> Batch:
        recipients = Recipients.joined(waiting.parts)
        waiting.clear()
        return Batch(BatchId(self._tag, next(self._numbers)), recipients, waiting.group)


@attrs.define(eq=False)
class _Open:
    """
    What waits until its batch is full.
    """

    group: Group
    parts: list[Recipients] = attrs.field(factory=list)
    size: int = 0
    ids: set[str] = attrs.field(factory=set)

    def room_for(self, recipients: Recipients, start: int, most: int) -> int:
        """
        The place up to which *recipients* from *start* on find room here.
        """
        room = most - self.size
        if recipients.widths is None:
            stop = min(len(recipients), start + room)
        else:
            stop = start
            for width in recipients.widths[start:]:
                room -= width
                if room < 0 and (self.size or stop > start):
                    break
                stop += 1
        own = recipients.correlation_ids
        # Two with one correlation id could not be told apart in an answer.
        return stop if own is None else self._distinct(own, start, stop)

    def _distinct(self, own: Sequence[str], start: int, stop: int) -> int:
        some = own[start:stop]
        found = set(some)
        if len(found) == len(some) and self.ids.isdisjoint(found - {""}):
            return stop
        seen = set(self.ids)
        for place, each in enumerate(some, start):
            if each and each in seen:
                return place
            seen.add(each)
        return stop

    def add(self, part: Recipients) -> None:
        """
        Take *part* in, for which there is room.
        """
        self.parts.append(part)
        self.size += part.size
        if part.correlation_ids is not None:
            self.ids.update(filter(None, part.correlation_ids))

    def clear(self) -> None:
        """
        Begin anew.
        """
        self.parts, self.size, self.ids = [], 0, set()
