"""
Cuts a stream into batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from voicepush.model.batch import Batch
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import (
    MOST_PER_REQUEST,
    Recipient,
    are_bare,
    own_id_of,
    values_of,
)


class Batcher:
    """
    Cuts recipients into batches of one message, in the order they came.

    It is fed and flushed and never awaits. A batch holds at most *size* values;
    a destination of several values is never divided.

    Args:
        tag: The beginning of each batch's key; the rest is its number.
        first: The number of the first batch.
    """

    def __init__(
        self,
        message: VoiceMessage,
        *,
        tag: str,
        size: int = MOST_PER_REQUEST,
        first: int = 0,
    ) -> None:
        self._message = message
        self._tag = tag
        self._size = size
        self._numbers = count(first)
        self._waiting: list[Recipient] = []
        #: Of what waits; None once something came without its row.
        self._rows: Sequence[int] | None = ()
        self._as_came: dict[int, str] = {}
        self._weight = 0
        #: Whether everything that waits is a bare msisdn.
        self._plain = True
        self._ids: set[str | None] = set()

    def feed(
        self,
        recipients: Sequence[Recipient],
        *,
        rows: Sequence[int] | None = None,
        as_came: Mapping[int, str] | None = None,
        plain: bool | None = None,
    ) -> Iterator[Batch]:
        """
        Take *recipients* in, and give the batches that are full by now.

        Args:
            rows: Where in the source each of them stood, for the batches to keep.
            as_came: What was changed of them, by place, as it came; kept as well.
            plain: Whether all are bare msisdns, where that is known.
        """
        came = _Came(rows, as_came or {})
        if plain is None:
            plain = are_bare(recipients)
        if plain and self._plain:
            yield from self._feed_values(recipients, came)
            return
        for place, recipient in enumerate(recipients):
            weight, own_id = len(values_of(recipient)), own_id_of(recipient)
            # Two entries with one correlation id could not be told apart in an answer.
            if self._weight + weight > self._size or own_id in self._ids:
                yield from self.flush()
            self._note(came, place, place + 1)
            self._waiting.append(recipient)
            self._weight += weight
            self._plain = False
            if own_id is not None:
                self._ids.add(own_id)

    def flush(self) -> Iterator[Batch]:
        """
        Give what is left as a last batch, if there is anything.
        """
        if self._waiting:
            batch = Batch(
                self._message,
                f"{self._tag}-{next(self._numbers)}",
                self._waiting,
                plain=self._plain,
                rows=self._rows,
                as_came=self._as_came or None,
            )
            self._waiting, self._weight, self._plain = [], 0, True
            self._rows, self._as_came = (), {}
            self._ids = set()
            yield batch

    def _feed_values(self, values: Sequence[Recipient], came: _Came) -> Iterator[Batch]:
        """
        The same by slices, where everything is one value.
        """
        start = 0
        while start < len(values):
            stop = min(len(values), start + self._size - len(self._waiting))
            self._note(came, start, stop)
            self._waiting.extend(values[start:stop])
            self._weight = len(self._waiting)
            if self._weight == self._size:
                yield from self.flush()
            start = stop

    def _note(self, came: _Came, start: int, stop: int) -> None:
        """
        Keep what is known of those from *start* to *stop*, who are about to wait.
        """
        if self._rows is not None:
            self._rows = came.rows and _joined(self._rows, came.rows[start:stop])
        if came.texts:
            offset = len(self._waiting) - start
            for place in range(start, stop):
                if (text := came.texts.get(place)) is not None:
                    self._as_came[offset + place] = text


class _Came(NamedTuple):
    rows: Sequence[int] | None
    texts: Mapping[int, str]


def _joined(first: Sequence[int], second: Sequence[int]) -> Sequence[int]:
    # Rows of a file follow each other; a range of a thousand takes no room.
    if not first:
        return second
    if isinstance(first, range) and isinstance(second, range):
        both = range(first.start, second.stop)
        if first.stop == second.start and len(both) == len(first) + len(second):
            return both
    if not isinstance(first, list):
        first = list(first)
    first.extend(second)
    return first
