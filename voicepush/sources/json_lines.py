"""
One JSON text per line.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from functools import lru_cache
from itertools import compress
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from voicepush.model.recipients import Kind
from voicepush.sources.blocks import Block, Facts, Malformed
from voicepush.sources.choosing import (
    Choice,
    Undecided,
    deciding,
    named,
    option_of,
    shown,
)
from voicepush.sources.decoding import Piece
from voicepush.sources.entries import (
    NOT_A_RECORD,
    UNDECIDED_FIELD,
    Columns,
    block_of,
)
from voicepush.sources.headers import Rank, choose, rank_of

# Who writes objects with more fields than that gives them names of their own.
_MOST_FIELDS = 200

# What is decoded from a line that is no JSON.
_BROKEN = object()

# A shape is learnt anew if one line of so many is of another.
_FEW = 8


def read_json_lines(
    pieces: Iterator[Piece], name: str, facts: Facts, choice: Choice
) -> Iterator[Block]:
    """
    The blocks of a text with one JSON value per line.
    """
    reader = _Reader(name, facts, choice)
    for piece in pieces:
        lines = piece.text[:-1].split("\n")
        rows: Sequence[int] = range(piece.row, piece.row + len(lines))
        if not all(lines) or any(map(str.isspace, lines)):
            filled = [bool(line) and not line.isspace() for line in lines]
            rows = list(compress(rows, filled))
            lines = list(compress(lines, filled))
        if rows:
            yield from reader.blocks(rows, lines)


class _Fields(NamedTuple):
    """
    Which fields of an object are taken.
    """

    value: str
    own_id: str | None
    kind: Kind


class _Shape(NamedTuple):
    """
    What most lines look like: objects with some fields of known names.

    A line with another field is of no shape, since it may be a better known one.
    """

    decode: Callable[[str], Any]
    empty: Any
    fields: _Fields
    places: dict[str, str]  # the attributes of the fields

    def column(self, found: Iterable[Any], field: str) -> list[Any]:
        """
        What all of those *found* have in *field*.
        """
        return list(map(attrgetter(self.places[field]), found))

    def tried(self, line: str) -> Any:
        """
        What is in *line*, or nothing if it is of another shape.
        """
        try:
            return self.decode(line)
        except (ValueError, RecursionError):
            return self.empty


class _Lines:
    """
    The columns of some lines while they are filled; empty where nothing is.
    """

    def __init__(self, rows: Sequence[int]) -> None:
        self.kind = Kind.MSISDN
        self.rows = rows
        self.values: list[Any] = [None] * len(rows)
        self.own_ids: list[Any] | None = None
        self.kept: dict[str, list[Any]] = {}
        self.odd: Sequence[int] = range(len(rows))  # still to be looked at

    def keep(self, fields: Iterable[str]) -> None:
        """
        Have a column for each of *fields*.
        """
        for field in fields:
            if field not in self.kept:
                self.kept[field] = [None] * len(self.rows)

    def put(self, place: int, entry: _Entry) -> None:
        """
        Fill one *place*.
        """
        self.values[place] = entry.value
        if entry.own_id is not None:
            if self.own_ids is None:
                self.own_ids = [""] * len(self.rows)
            self.own_ids[place] = entry.own_id
        for field, column in self.kept.items():
            column[place] = entry.kept.get(field)

    def fill_with_bare(self, values: list[Any]) -> None:
        """
        Fill all places with *values* that have no fields.
        """
        self.kind, self.values, self.own_ids = Kind.MSISDN, values, None

    @property
    def columns(self) -> Columns:
        """
        What a block is made of.
        """
        return Columns(self.rows, self.values, self.own_ids, self.kept)


class _Entry(NamedTuple):
    """
    What one line says that was looked at alone.
    """

    kind: Kind
    value: Any
    own_id: Any
    kept: dict[str, Any]


class _Reader:
    """
    Learns what the lines look like, and takes those that do by columns.
    """

    def __init__(self, name: str, facts: Facts, choice: Choice) -> None:
        self._name = name
        self._facts = facts
        self._choice = choice
        self._kept: list[str] = []
        self._known: dict[str, None] = {}  # the fields that were ever seen
        self._shape: _Shape | None = None
        self._shaped = 0  # so many fields were known then

    def blocks(self, rows: Sequence[int], lines: Sequence[str]) -> Iterator[Block]:
        """
        Those of some *lines*, one for each kind of recipients in them.
        """
        filled = self._by_shape(rows, lines)
        odd = {place: _decoded(lines[place]) for place in filled.odd}
        self._learn(odd.values(), rows[0])
        filled.keep(self._kept)
        if self._shape is None or _FEW * len(odd) > len(lines):
            self._reshape()
        are_objects = {dict, object}.intersection(map(type, odd.values()))
        if len(odd) == len(lines) and not are_objects:
            filled.fill_with_bare(list(odd.values()))
            odd = {}
        malformed: dict[int, str] = {}
        others: dict[int, _Entry] = {}
        for place, found in odd.items():
            entry = self._entry(found)
            if isinstance(entry, str):
                malformed[place] = entry
            elif entry.kind is filled.kind:
                filled.put(place, entry)
            else:
                others[place] = entry
        block = block_of(
            filled.kind,
            filled.columns,
            malformed=malformed,
            elsewhere=others.keys(),
            shown=lines.__getitem__,
        )
        if others:
            yield from _in_two(block, self._block_of_others(rows, lines, others))
        else:
            yield block

    def _by_shape(self, rows: Sequence[int], lines: Sequence[str]) -> _Lines:
        shape = self._shape
        filled = _Lines(rows)
        if shape is None:
            return filled
        try:
            found = list(map(shape.decode, lines))
        except (ValueError, RecursionError):
            found = list(map(shape.tried, lines))
        filled.kind = shape.fields.kind
        filled.values = shape.column(found, shape.fields.value)
        if shape.fields.own_id is not None:
            filled.own_ids = shape.column(found, shape.fields.own_id)
        for field in self._kept:
            if field in shape.places:
                filled.kept[field] = shape.column(found, field)
        filled.odd = _places_of_none(filled.values)
        if len(filled.odd) < len(lines):
            self._tell(shape.fields)
        if filled.own_ids is not None:
            for place in filled.odd:
                filled.own_ids[place] = ""
        return filled

    def _block_of_others(
        self, rows: Sequence[int], lines: Sequence[str], others: dict[int, _Entry]
    ) -> Block:
        places = list(others)
        filled = _Lines([rows[place] for place in places])
        filled.keep(self._kept)
        for at, entry in enumerate(others.values()):
            filled.put(at, entry)
            filled.kind = entry.kind
        return block_of(filled.kind, filled.columns, shown=lambda at: lines[places[at]])

    # What the lines look like.

    def _learn(self, odd: Iterable[Any], row: int) -> None:
        for found in odd:
            if isinstance(found, dict) and len(self._known) <= _MOST_FIELDS:
                self._known.update(dict.fromkeys(found))
        if self._choice.keep and not self._kept:
            with deciding(self._name):
                self._kept = _kept_fields(list(self._known), self._choice.keep, row)

    def _reshape(self) -> None:
        if len(self._known) > self._shaped:
            self._shaped = len(self._known)
            self._shape = self._shape_of_most() or self._shape

    def _shape_of_most(self) -> _Shape | None:
        fields = _fields(tuple(self._known), self._choice.column)
        ranks = list(map(rank_of, self._known))
        # With two fields for ids it is the first one in each line.
        if (
            isinstance(fields, str)
            or ranks.count(Rank.CORRELATION_ID) > 1
            or len(self._known) > _MOST_FIELDS
        ):
            return None
        places = {field: f"field_{place}" for place, field in enumerate(self._known)}
        try:
            shape = msgspec.defstruct(
                "Line",
                [(attribute, Any, None) for attribute in places.values()],
                rename={attribute: field for field, attribute in places.items()},
                forbid_unknown_fields=True,
                gc=False,
            )
        except ValueError:
            return None  # a field's name has a quote or a line end in it
        return _Shape(msgspec.json.Decoder(shape).decode, shape(), fields, places)

    def _tell(self, fields: _Fields) -> None:
        self._facts.column = self._facts.column or f'field "{fields.value[:40]}"'

    # A line alone.

    def _entry(self, found: Any) -> _Entry | str:
        """
        What a line says in which *found* was read, or why it says nothing.
        """
        if found is _BROKEN:
            return NOT_A_RECORD
        if not isinstance(found, dict):
            return _Entry(Kind.MSISDN, found, None, {})
        filled = tuple(key for key, value in found.items() if value is not None)
        fields = _fields(filled, self._choice.column)
        if isinstance(fields, str):
            return fields
        self._tell(fields)
        own_id = found[fields.own_id] if fields.own_id else None
        return _Entry(fields.kind, found[fields.value], own_id, found)


def _decoded(line: str) -> Any:
    try:
        return msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return _BROKEN


@lru_cache(maxsize=1024)
def _fields(keys: tuple[str, ...], column: str | None) -> _Fields | str:
    """
    Those of *keys* that are taken, or why none is.
    """
    if column is None:
        taken = [keys[place] for place in choose(keys)]
    else:
        taken = [column] if column in keys else []
    if len(taken) != 1:
        return UNDECIDED_FIELD if taken else NOT_A_RECORD
    own_ids = (key for key in keys if rank_of(key) is Rank.CORRELATION_ID)
    are_customers = rank_of(taken[0]) is Rank.CUSTOMER_ID
    kind = Kind.CUSTOMER_ID if are_customers else Kind.MSISDN
    return _Fields(taken[0], next(own_ids, None), kind)


def _kept_fields(fields: list[str], keep: Sequence[str], row: int) -> list[str]:
    """
    Those of *fields* that are to be kept.

    Raises:
        Undecided: There is none of that name in the first lines.
    """
    kept: dict[str, None] = {}
    for column in keep:
        found = named(column, fields)
        if not found:
            raise Undecided(
                f"there is no field {shown(column)}",
                fields,
                row,
                option=option_of(column),
                are_fields=True,
            )
        kept[fields[found[0]]] = None
    return list(kept)


def _places_of_none(column: Sequence[Any]) -> Sequence[int]:
    try:
        "".join(column)  # the fastest way to find out that there is none
    except TypeError:
        return [place for place, value in enumerate(column) if value is None]
    return ()


def _in_two(block: Block, others: Block) -> Iterator[Block]:
    """
    The blocks of two kinds, with all malformed rows in the first.
    """
    malformed: list[Malformed] = [*block.malformed, *others.malformed]
    malformed.sort(key=attrgetter("row"))
    if len(block.recipients):
        yield Block(block.recipients, malformed)
        malformed = []
    if len(others.recipients) or malformed:
        yield Block(others.recipients, malformed)
