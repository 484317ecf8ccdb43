"""
Which recipients may share a request: those with the same message and time zones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.masking import only_count
from voicepush.model.batch import Group
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import Kind, Recipients
from voicepush.model.windows import Windows, zone
from voicepush.screening.kept import MessageColumn, Messages, Turns, kept_column
from voicepush.screening.refusals import Reason, Refusal
from voicepush.screening.screening import without
from voicepush.screening.zones import places_by_zones, zones_of_all

_K = TypeVar("_K", bound=Hashable)

#: In which time zones someone may live; none where that is not known.
_Zones = tuple[str, ...]

#: What tells a group from others: its message, its priority and its zones.
_Key = tuple[VoiceMessage, int, _Zones]


def _named(name: str | None) -> str | None:
    return None if name is None else zone(name).key


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
    zone: str | None = attrs.field(default=None, converter=_named)
    #: The column of the source, which is kept, with the time zone of each; where that
    #: is blank, the number tells.
    column: str | None = None


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
        messages: How it is known what each one is played, where that differs.
        priority_column: The column of the source, which is kept, with the number of
            each one's turn.
    """

    def __init__(
        self,
        message: VoiceMessage,
        zoning: Zoning | None = None,
        messages: MessageColumn | None = None,
        priority_column: str | None = None,
    ) -> None:
        self._turns = None if priority_column is None else Turns(priority_column)
        self._zoning = zoning
        self._messages = None if messages is None else Messages(message, messages)
        #: Everyone is in it where nothing tells people apart.
        self.whole = Group(message)
        #: By what they have in common; the others are numbered from 1.
        self._groups: dict[tuple[VoiceMessage, int, _Zones, bool], Group] = {}
        self._reasons: dict[_Zones, Reason | None] = {}
        self._named: dict[str, _Zones] = {}

    @property
    def groups(self) -> Sequence[Group]:
        """
        Those that were made by now, but for number 0, which everyone is in otherwise.
        """
        return list(self._groups.values())

    def refused(self, recipients: Recipients) -> dict[int, Reason]:
        """
        Why those are refused of whom a column of the source says what can't be, by
        place; who is refused by their number alone is found by `group`.
        """
        found: dict[int, Reason] = {}
        if self._messages is not None:
            played = self._messages.of(recipients)
            _mark(found, Reason.NO_MESSAGE, (each is None for each in played))
        if self._turns is not None:
            turns = self._turns.of(recipients)
            _mark(found, Reason.NO_PRIORITY, (each is None for each in turns))
        if self._zoning is not None and self._zoning.column is not None:
            names = kept_column(recipients, self._zoning.column, "time zones")
            bad = {
                name
                for name in set(names)
                if name.strip()
                and self._reasons.get(self._zone_named(name)) is Reason.NOT_A_ZONE
            }
            _mark(found, Reason.NOT_A_ZONE, (name in bad for name in names))
        return found

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
        if (self._zoning, self._messages, self._turns) == (None, None, None):
            return Grouped([Part(self.whole, recipients)])
        refusals: list[Refusal] = []
        parts: list[Part] = []
        for message, same in self._by_message(recipients, refusals):
            for priority, equal in self._by_priority(same, refusals):
                for zones, part in self._by_zones(equal, refusals):
                    parts.append(Part(self._group((message, priority, zones)), part))
        refusals.sort(key=lambda refusal: refusal.row)
        return Grouped(parts, refusals)

    def _by_message(
        self, recipients: Recipients, refusals: list[Refusal]
    ) -> Iterator[tuple[VoiceMessage, Recipients]]:
        if self._messages is None:
            yield self.whole.message, recipients
            return
        played = self._messages.of(recipients)
        yield from _sorted(recipients, played, Reason.NO_MESSAGE, refusals)

    def _by_priority(
        self, recipients: Recipients, refusals: list[Refusal]
    ) -> Iterator[tuple[int, Recipients]]:
        if self._turns is None:
            yield 0, recipients
            return
        turns = self._turns.of(recipients)
        yield from _sorted(recipients, turns, Reason.NO_PRIORITY, refusals)

    def _by_zones(
        self, recipients: Recipients, refusals: list[Refusal]
    ) -> Iterator[tuple[_Zones, Recipients]]:
        if self._zoning is None:
            yield (), recipients
            return
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

    def _group(self, key: _Key, *, trial: bool = False) -> Group:
        group = self._groups.get((*key, trial))
        if group is None:
            message, priority, zones = key
            group = self._groups[*key, trial] = Group(
                message,
                number=len(self._groups) + 1,
                zones=zones,
                priority=priority,
                trial=trial,
            )
        return group

    def trial_of(self, group: Group) -> Group:
        """
        The group of those who are called before all others of *group*.
        """
        return self._group((group.message, group.priority, group.zones), trial=True)

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
        named = kept_column(recipients, zoning.column, "time zones")
        return [
            self._zone_named(name) if name and not name.isspace() else zones
            for name, zones in zip(named, found, strict=True)
        ]

    def _zone_named(self, name: str) -> _Zones:
        zones = self._named.get(name)
        if zones is None:
            zones = (name.strip(),)
            try:
                zones = (zone(*zones).key,)
            except InputError:
                self._reasons[zones] = Reason.NOT_A_ZONE
            self._named[name] = zones
        return zones


def _sorted(
    recipients: Recipients,
    keys: Sequence[_K | None],
    reason: Reason,
    refusals: list[Refusal],
) -> Iterator[tuple[_K, Recipients]]:
    """
    *recipients* by their keys; who has none is refused for that *reason*.
    """
    for key, part in recipients.by_key(keys).items():
        if key is None:
            without(part, [True] * len(part), reason, refusals)
        else:
            yield key, part


def _mark(found: dict[int, Reason], reason: Reason, bad: Iterable[bool]) -> None:
    """
    Note *reason* for the *bad* of whom none is known yet.
    """
    for place, is_bad in enumerate(bad):
        if is_bad:
            found.setdefault(place, reason)


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
