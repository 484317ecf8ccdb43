"""
Some people of a list, chosen by chance from all parts of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from heapq import heappush, heapreplace
from itertools import compress, count

from voicepush.model.batch import Group
from voicepush.model.recipients import Recipients


class Sample:
    """
    The so many destinations whose values come first when they are shuffled by *seed*.

    The same people are chosen from the same list by the same seed, whatever their
    order. Of a stream nobody knows how long it will be, so that those who were chosen
    until now are held back, and given back when others come before them.
    """

    def __init__(self, size: int, seed: str) -> None:
        self._size = size
        self._key = blake2b(seed.encode(), digest_size=16).digest()
        #: The last in that order is the first here: minus its place in it, a number
        #: that no other has, its group, and itself.
        self._held: list[tuple[int, int, Group, Recipients]] = []
        self._numbers = count()

    def sift(
        self, group: Group, recipients: Recipients
    ) -> Iterator[tuple[Group, Recipients]]:
        """
        *recipients* but for those who are chosen, and who is not chosen any more.
        """
        if not len(recipients):
            return
        places = self._shuffled(recipients)
        good = bytearray(b"\1") * len(recipients)
        for at, place in enumerate(places):
            if len(self._held) == self._size and -place <= self._held[0][0]:
                continue
            good[at] = 0
            entry = (-place, next(self._numbers), group, recipients.at([at]))
            if len(self._held) < self._size:
                heappush(self._held, entry)
            else:
                _, _, theirs, back = heapreplace(self._held, entry)
                yield theirs, back
        yield (
            group,
            recipients
            if all(good)
            else recipients.at(list(compress(range(len(recipients)), good))),
        )

    def chosen(self) -> Iterator[tuple[Group, Recipients]]:
        """
        Those who are chosen, in the order of the list.
        """
        for _, _, group, recipients in sorted(self._held, key=lambda each: each[1]):
            yield group, recipients

    def _shuffled(self, recipients: Recipients) -> Sequence[int]:
        """
        The place of each destination in that order.
        """
        firsts: Sequence[str] = recipients.values
        if recipients.widths is not None:
            firsts = [values[0] for values in recipients.by_destination()]
        key = self._key
        return [
            int.from_bytes(blake2b(each.encode(), digest_size=8, key=key).digest())
            for each in firsts
        ]
