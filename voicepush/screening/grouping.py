"""
Which recipients may share a request: those with the same message and time zones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.masking import only_count
from voicepush.model.batch import Group
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import Kind, Recipients
from voicepush.model.windows import Windows, zone
from voicepush.screening.refusals import Reason, Refusal
from voicepush.screening.screening import without
from voicepush.screening.zones import places_by_zones, zones_of_all

#: In which time zones someone may live; none where that is not known.
_Zones = tuple[str, ...]


@attrs.frozen
class Zoning:
    """
    How it is known in which time zones people live.

    A number tells of them by its first digits, which is where it was given out and not
    always where its owner lives.

    Raises:
        InputError: There is no such time zone.
    """

    #: When they may be called.
    windows: Windows
    #: The time zone in which all of them live.
    zone: str | None = None
    #: The column of the source, which is kept, with the time zone of each; where that
    #: is blank, the number tells.
    column: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.zone is not None:
            zone(self.zone)


class Part(NamedTuple):
    """
    Recipients of one group.
    """

    group: Group
    recipients: Recipients


@attrs.frozen(eq=False)
class Grouped:
    """
    What was let through, by groups, and who was refused.
    """

    parts: Sequence[Part] = attrs.field(repr=only_count)
    refusals: Sequence[Refusal] = attrs.field(default=(), repr=only_count)


class Grouping:
    """
    Sorts recipients by what the people of one request must have in common.

    Args:
        message: What they are played.
        zoning: How it is known where they live; None where they may be called at any
            hour, and it does not matter.
    """

    def __init__(self, message: VoiceMessage, zoning: Zoning | None = None) -> None:
        self._zoning = zoning
        self._whole = Group(message)
        #: By what they have in common; the others are numbered from 1.
        self._groups: dict[_Zones, Group] = {}
        self._reasons: dict[_Zones, Reason | None] = {}
        self._named: dict[str, _Zones] = {}

    @property
    def groups(self) -> Sequence[Group]:
        """
        Those that were made by now, but for number 0, which everyone is in otherwise.
        """
        return list(self._groups.values())

    def together(self, parts: Sequence[Recipients]) -> Iterator[Recipients]:
        """
        *parts*, those of them as one that can be: sorting many costs less for each.
        """
        if self._zoning is None:
            yield from parts
            return
        for _, alike in groupby(parts, key=lambda part: (part.kind, *part.kept)):
            some = list(filter(len, alike))
            if some:
                yield Recipients.joined(some)

    def group(self, recipients: Recipients) -> Grouped:
        """
        *recipients* by their groups, without those who can't be in any.
        """
        if self._zoning is None:
            return Grouped([Part(self._whole, recipients)])
        refusals: list[Refusal] = []
        parts = [
            Part(self._group(zones), part)
            for zones, part in self._by_zones(recipients, refusals)
        ]
        refusals.sort(key=lambda refusal: refusal.row)
        return Grouped(parts, refusals)

    def _by_zones(
        self, recipients: Recipients, refusals: list[Refusal]
    ) -> Iterator[tuple[_Zones, Recipients]]:
        assert self._zoning is not None  # noqa: S101 -- nobody asks otherwise
        for zones, places in self._places(recipients, self._zoning).items():
            part = recipients.at(places)
            reason = self._reason(zones, self._zoning.windows)
            if reason is None:
                yield zones, part
            else:
                without(part, [True] * len(part), reason, refusals)

    def _places(
        self, recipients: Recipients, zoning: Zoning
    ) -> Mapping[_Zones, Sequence[int]]:
        """
        The places of the destinations, by where they may be.
        """
        is_plain = recipients.kind is Kind.MSISDN and recipients.widths is None
        if is_plain and zoning.zone is None and zoning.column is None:
            return places_by_zones(recipients.values)
        places: defaultdict[_Zones, list[int]] = defaultdict(list)
        for place, zones in enumerate(self._zones(recipients, zoning)):
            places[zones].append(place)
        return places

    def _group(self, zones: _Zones) -> Group:
        group = self._groups.get(zones)
        if group is None:
            number = len(self._groups) + 1
            group = Group(self._whole.message, number=number, zones=zones)
            self._groups[zones] = group
        return group

    def _reason(self, zones: _Zones, windows: Windows) -> Reason | None:
        """
        Why nobody who may live in any of *zones* can be called, if so.
        """
        if zones not in self._reasons:
            self._reasons[zones] = _reason(zones, windows)
        return self._reasons[zones]

    def _zones(self, recipients: Recipients, zoning: Zoning) -> Sequence[_Zones]:
        """
        Where each destination may be.
        """
        if zoning.zone is not None:
            return [(zoning.zone,)] * len(recipients)
        if recipients.kind is Kind.CUSTOMER_ID:
            found: Sequence[_Zones] = [()] * len(recipients)
        else:
            found = zones_of_all(recipients.values)
            if recipients.widths is not None:
                found = _together(found, recipients.widths)
        if zoning.column is None:
            return found
        try:
            named = recipients.kept[zoning.column]
        except KeyError:
            raise InputError(
                f"there is no column {zoning.column!r} with time zones"
            ) from None
        return [
            self._zone_named(name) if name and not name.isspace() else zones
            for name, zones in zip(named, found, strict=True)
        ]

    def _zone_named(self, name: str) -> _Zones:
        zones = self._named.get(name)
        if zones is None:
            zones = (name.strip(),)
            try:
                zone(*zones)
            except InputError:
                self._reasons[zones] = Reason.NOT_A_ZONE
            self._named[name] = zones
        return zones


def _reason(zones: _Zones, windows: Windows) -> Reason | None:
    if not zones:
        return Reason.NO_ZONE
    span = windows.at(clock.now(), zones)
    is_never = not span.is_open and span.until == float("inf")
    return Reason.NEVER_OPEN if is_never else None


def _together(zones: Sequence[_Zones], widths: Sequence[int]) -> list[_Zones]:
    """
    Where each destination may be, if its values may be in *zones*; nowhere that is
    known if one of them is not.
    """
    found: list[_Zones] = []
    start = 0
    for width in widths:
        theirs = zones[start : start + width]
        start += width
        known = all(theirs)
        found.append(tuple(sorted(set().union(*theirs))) if known else ())
    return found
