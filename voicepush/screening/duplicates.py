"""
Who came before.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyroaring import BitMap64

from voicepush.screening.msisdn import Texts, integers

#: Up to about so many numbers are kept as texts, which takes some 100 MB.
_KEPT_AS_TEXTS = 1_200_000


class Seen:
    """
    The numbers that came before.

    In a set of texts they are found and added in a third of the time that a bitmap
    takes, but with ten times the memory. So once there are many, whatever comes goes
    into a bitmap, and so do the texts little by little.
    """

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._bitmap = BitMap64()
        self._are_many = False

    def repeated(self, numbers: Texts) -> Sequence[int]:
        """
        The places of those of *numbers* that came before; from now on all did.
        """
        if self._are_many:
            return self._repeated_of_many(numbers)
        before = len(self._texts)
        places: Sequence[int] = ()
        if not self._texts.isdisjoint(numbers):
            places = self._add_each(numbers)
        else:
            self._texts.update(numbers)
            if len(self._texts) < before + len(numbers):
                # Some come twice among themselves.
                self._texts.difference_update(numbers)
                places = self._add_each(numbers)
        self._are_many = len(self._texts) > _KEPT_AS_TEXTS
        return places

    def _add_each(self, numbers: Texts) -> list[int]:
        places = []
        for place, number in enumerate(numbers):
            if number in self._texts:
                places.append(place)
            else:
                self._texts.add(number)
        return places

    def _repeated_of_many(self, numbers: Texts) -> list[int]:
        some = min(len(self._texts), len(numbers))
        self._bitmap.update(integers([self._texts.pop() for _ in range(some)]))
        if not self._texts:
            self._texts.clear()  # gives back its table, which popping does not
        if self._texts and not self._texts.isdisjoint(numbers):
            among_texts = self._texts.intersection(numbers)
            self._texts -= among_texts
            self._bitmap.update(integers(list(among_texts)))
        add, places = self._bitmap.add_checked, []
        for place, number in enumerate(integers(numbers)):
            try:
                add(number)
            except KeyError:
                places.append(place)
        return places
