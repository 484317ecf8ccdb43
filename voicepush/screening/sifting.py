"""
The values that are still good, and what is left of a block with only these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

import attrs

from voicepush.model.recipients import Recipients
from voicepush.screening.refusals import Reason


@attrs.define(eq=False)
class Column:
    """
    The values of some destinations that are still good, and why others are not.
    """

    values: Sequence[str]
    #: Where each stood before any was dropped.
    places: Sequence[int]
    reasons: dict[int, Reason] = attrs.field(factory=dict)

    def drop(self, reasons: Mapping[int, Reason]) -> None:
        """
        Drop the values at the places for which there are *reasons*.
        """
        if not reasons:
            return
        good = bytearray(b"\1") * len(self.values)
        for place, reason in reasons.items():
            good[place] = 0
            self.reasons[self.places[place]] = reason
        self.values = list(compress(self.values, good))
        self.places = list(compress(self.places, good))

    def drop_for(self, reason: Reason, places: Iterable[int]) -> None:
        """
        Drop the values at *places*, all for one *reason*.
        """
        self.drop(dict.fromkeys(places, reason))

    def drop_those(self, reason: Reason, values: set[str]) -> None:
        """
        Drop all that are among *values*.
        """
        if values:
            self.drop_for(
                reason,
                (place for place, each in enumerate(self.values) if each in values),
            )


def sifted(part: Recipients, column: Column) -> Recipients:
    """
    *part* with the values in *column* and no others.
    """
    if column.values is part.values:
        return part
    if part.widths is not None:
        return _sifted_by_destination(part, column)
    if column.reasons:
        good = bytearray(b"\1") * len(part)
        for place in column.reasons:
            good[place] = 0
        part = part.taken(good)
    changed = {
        place: text
        for place, (text, value) in enumerate(
            zip(part.values, column.values, strict=True)
        )
        if text != value
    }
    # What a reader had changed already came as the reader says.
    return attrs.evolve(part, values=column.values, as_came={**changed, **part.as_came})


def _sifted_by_destination(part: Recipients, column: Column) -> Recipients:
    owners = part.places_of_values()
    theirs = [owners[place] for place in column.places]
    counts = Counter(theirs)
    came: dict[int, str] = {}
    for owner, place, value in zip(theirs, column.places, column.values, strict=True):
        if value != part.values[place]:
            came.setdefault(owner, part.values[place])
    changed = {new: came[owner] for new, owner in enumerate(counts) if owner in came}
    taken = part.taken([place in counts for place in range(len(part))])
    widths = list(counts.values())
    return attrs.evolve(
        taken,
        values=column.values,
        widths=widths if any(width != 1 for width in widths) else None,
        as_came={**changed, **taken.as_came},
    )
