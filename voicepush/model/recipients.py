"""
Who is to be called: `Destination` at the door, `Recipients` everywhere behind it.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, compress, repeat
from operator import itemgetter
from typing import TypeAlias, TypeVar

import attrs

from voicepush.errors import InputError
from voicepush.masking import mask, masked_repr, only_count
from voicepush.model.fields import check_text, exact_text, optional_correlation_id
from voicepush.model.rows import joined_rows

_T = TypeVar("_T")
_K = TypeVar("_K", bound=Hashable)

#: The API takes at most so many destinations in one request; values are counted,
#: which is safe whether its limit means values or entries.
MOST_PER_REQUEST = 1000


class Kind(enum.StrEnum):
    """
    What the values of a block are.
    """

    MSISDN = "msisdn"  #: phone numbers
    CUSTOMER_ID = "customer_id"  #: ids by which the platform knows whom to call


def _values(value: str | Iterable[str]) -> tuple[str, ...]:
    values: tuple[object, ...] = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(each, str) and each for each in values):
        raise InputError("a destination's values must be texts that are not empty")
    return tuple(map(str, values))


def _hidden(values: tuple[str, ...]) -> str:
    return repr(tuple(map(mask, values)))


@attrs.frozen
class Destination:
    """
    One entry of a request: a recipient, or several that share a correlation id.

    Holds msisdns or customer ids, never both. Receipts for several values under
    one correlation id can be told apart only by number.

    Raises:
        InputError: It names nobody, or both kinds, or more than 1,000 values.
    """

    msisdn: tuple[str, ...] = attrs.field(default=(), converter=_values, repr=_hidden)
    customer_id: tuple[str, ...] = attrs.field(
        default=(), converter=_values, kw_only=True, repr=_hidden
    )
    #: Made by voicepush where it is left out.
    correlation_id: str | None = attrs.field(
        default=None,
        kw_only=True,
        converter=exact_text,
        validator=optional_correlation_id,
        repr=masked_repr,
    )

    def __attrs_post_init__(self) -> None:
        if bool(self.msisdn) == bool(self.customer_id):
            raise InputError(
                "a destination needs either msisdns or customer ids, and not both"
            )
        check_text("".join(self.values), "a destination's values")
        if len(self.values) > MOST_PER_REQUEST:
            raise InputError(
                f"a destination holds at most {MOST_PER_REQUEST} values, "
                f"this one {len(self.values)}"
            )

    @property
    def values(self) -> tuple[str, ...]:
        """
        The recipients in it, of either kind.
        """
        return self.msisdn or self.customer_id


#: One entry of a list to be called; a bare string is an msisdn.
Recipient: TypeAlias = str | Destination


@attrs.frozen(eq=False)
class Recipients:
    """
    Many destinations of one kind as columns, with one entry per destination in each.

    What is not there costs nothing: a list of bare numbers is one column. Nothing in
    it is changed once it is made; `taken` and slices give others.
    """

    kind: Kind
    #: The values, end to end; one per destination unless `widths` says otherwise.
    values: Sequence[str] = attrs.field(repr=only_count)
    #: Where in the source each destination stood, counted from 1, where it is known.
    rows: Sequence[int] | None = attrs.field(default=None, repr=False)
    #: The owner's correlation ids; empty texts where there is none.
    correlation_ids: Sequence[str] | None = attrs.field(default=None, repr=False)
    #: How many values each destination has; None if each has one.
    widths: Sequence[int] | None = attrs.field(default=None, repr=False)
    #: What the source said, by place, where that was changed; of several values the
    #: first that was changed.
    as_came: Mapping[int, str] = attrs.field(factory=dict, repr=only_count)
    #: The columns of the source that its owner wants to keep, by header.
    kept: Mapping[str, Sequence[str]] = attrs.field(factory=dict, repr=only_count)
    #: Which calls of an earlier campaign they follow up, as `origin_of` writes them.
    origins: Sequence[int] | None = attrs.field(default=None, repr=False)

    @classmethod
    def of(cls, *recipients: Recipient) -> Recipients:
        """
        Some *recipients* of one kind, for whom speed does not matter.

        Raises:
            InputError: They are of both kinds.
        """
        each = [Destination(one) if isinstance(one, str) else one for one in recipients]
        kinds = {Kind.MSISDN if one.msisdn else Kind.CUSTOMER_ID for one in each}
        if len(kinds) > 1:
            raise InputError("numbers and customer ids can't stand in one block")
        return cls.of_values(
            kinds.pop() if kinds else Kind.MSISDN,
            [one.values for one in each],
            [one.correlation_id or "" for one in each],
        )

    @classmethod
    def of_values(
        cls,
        kind: Kind,
        values: Sequence[Sequence[str]],
        ids: Sequence[str],
        rows: Sequence[int] | None = None,
    ) -> Recipients:
        """
        Those with these *values*, at least one for each destination, and *ids*, which
        are empty where there is none.
        """
        together = list(chain.from_iterable(values))
        return cls(
            kind,
            together,
            rows,
            ids if any(ids) else None,
            list(map(len, values)) if len(together) > len(values) else None,
        )

    @property
    def size(self) -> int:
        """
        How many values it holds, which is how many people.
        """
        return len(self.values)

    def __len__(self) -> int:
        return len(self.values) if self.widths is None else len(self.widths)

    def weigh(self, places: Sequence[int]) -> int:
        """
        How many values stand at *places*.
        """
        if self.widths is None:
            return len(places)
        return sum(map(self.widths.__getitem__, places))

    def values_at(self, places: Sequence[int]) -> list[str]:
        """
        The values at *places*, end to end.
        """
        if self.widths is None:
            return _at(self.values, places)
        groups = list(self.by_destination())
        return list(chain.from_iterable(map(groups.__getitem__, places)))

    def by_destination(self) -> Iterator[Sequence[str]]:
        """
        The values of each destination.
        """
        if self.widths is None:
            yield from map(list, zip(self.values, strict=True))
            return
        start = 0
        for width in self.widths:
            yield self.values[start : start + width]
            start += width

    def places_of_values(self) -> Sequence[int]:
        """
        For each value, the place of its destination.
        """
        if self.widths is None:
            return range(len(self.values))
        return list(
            chain.from_iterable(
                repeat(place, width) for place, width in enumerate(self.widths)
            )
        )

    def kept_at(self, place: int) -> dict[str, str]:
        """
        What is kept of the destination at *place*.
        """
        return {header: column[place] for header, column in self.kept.items()}

    def __getitem__(self, part: slice) -> Recipients:
        """
        Those in one *part* without gaps, in their order.
        """
        start, stop, _ = part.indices(len(self))
        if stop - start == len(self):
            return self
        values = self.values[part]
        if self.widths is not None:
            before = sum(self.widths[:start])
            values = self.values[before : before + sum(self.widths[part])]
        return Recipients(
            self.kind,
            values,
            self.rows and self.rows[part],
            self.correlation_ids and self.correlation_ids[part],
            self.widths and self.widths[part],
            {
                place - start: text
                for place, text in self.as_came.items()
                if start <= place < stop
            },
            {header: column[part] for header, column in self.kept.items()},
            self.origins and self.origins[part],
        )

    def taken(self, good: Sequence[object]) -> Recipients:
        """
        Those at whose places *good* holds something true.
        """
        widths = self.widths
        spread = good if widths is None else list(chain(*map(_repeated, good, widths)))
        places: dict[int, int] = {}
        if self.as_came:
            places = {
                old: new for new, old in enumerate(compress(range(len(self)), good))
            }
        return Recipients(
            self.kind,
            list(compress(self.values, spread)),
            self.rows and list(compress(self.rows, good)),
            self.correlation_ids and list(compress(self.correlation_ids, good)),
            widths and list(compress(widths, good)),
            {
                places[place]: text
                for place, text in self.as_came.items()
                if place in places
            },
            {
                header: list(compress(column, good))
                for header, column in self.kept.items()
            },
            self.origins and list(compress(self.origins, good)),
        )

    def at(self, places: Sequence[int]) -> Recipients:
        """
        Those at *places*, in that order.
        """
        if len(places) == len(self):
            return self

        pick = itemgetter(*places) if len(places) > 1 else None

        def at(column: Sequence[_T]) -> list[_T]:
            return _at(column, places) if pick is None else list(pick(column))

        came: dict[int, str] = {}
        if self.as_came:
            both = enumerate(places)
            came = {new: self.as_came[old] for new, old in both if old in self.as_came}
        rows = self.rows
        if isinstance(rows, range) and rows.step == 1:
            start = rows.start
            rows = [start + place for place in places]
        elif rows is not None:
            rows = at(rows)
        return Recipients(
            self.kind,
            at(self.values) if self.widths is None else self.values_at(places),
            rows,
            self.correlation_ids and at(self.correlation_ids),
            self.widths and at(self.widths),
            came,
            {header: at(column) for header, column in self.kept.items()},
            self.origins and at(self.origins),
        )

    def by_key(self, keys: Sequence[_K]) -> dict[_K, Recipients]:
        """
        Those with the same key together, the first ones first.

        Args:
            keys: One for each destination.
        """
        if len(set(keys)) == 1:
            return {keys[0]: self}
        places: defaultdict[_K, list[int]] = defaultdict(list)
        for place, key in enumerate(keys):
            places[key].append(place)
        return {key: self.at(where) for key, where in places.items()}

    @classmethod
    def joined(cls, parts: Sequence[Recipients]) -> Recipients:
        """
        All of *parts*, which are of one kind and keep the same columns, in their order.

        Rows are known only if all of them know theirs.
        """
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        as_came: dict[int, str] = {}
        before = 0
        for part in parts:
            as_came.update({before + at: text for at, text in part.as_came.items()})
            before += len(part)
        have_ids = any(part.correlation_ids is not None for part in parts)
        have_widths = any(part.widths is not None for part in parts)
        return cls(
            first.kind,
            list(chain.from_iterable(part.values for part in parts)),
            joined_rows([part.rows for part in parts]),
            list(
                chain.from_iterable(
                    part.correlation_ids or ("",) * len(part) for part in parts
                )
            )
            if have_ids
            else None,
            list(chain.from_iterable(part.widths or (1,) * len(part) for part in parts))
            if have_widths
            else None,
            as_came,
            {
                header: list(chain.from_iterable(part.kept[header] for part in parts))
                for header in first.kept
            },
            joined_rows([part.origins for part in parts]),
        )


def origin_of(number: int, recipient: int) -> int:
    """
    The call of a *recipient*, counted from 0, of the batch with that *number*.
    """
    return number * MOST_PER_REQUEST + recipient


def origin_in(origin: int) -> tuple[int, int]:
    """
    The number of the batch, and the recipient in it, that *origin* stands for.
    """
    return divmod(origin, MOST_PER_REQUEST)


def _at(column: Sequence[_T], places: Sequence[int]) -> list[_T]:
    if len(places) == len(column):
        return list(column)
    if len(places) == 1:
        return [column[places[0]]]
    if isinstance(places, range) and places.step == 1:
        return list(column[places.start : places.stop])
    return list(itemgetter(*places)(column)) if places else []


def _repeated(flag: object, width: int) -> Iterator[object]:
    return repeat(flag, width)
