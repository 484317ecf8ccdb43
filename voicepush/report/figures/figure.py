"""
What a picture shows, whether it is drawn, told or read by a program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import attrs

Cell: TypeAlias = str | int | float | datetime | None


class Key(NamedTuple):
    """
    What a colour stands for.
    """

    #: The colour's name in the style sheet.
    colour: str
    words: str
    number: int | None = None


@attrs.frozen(kw_only=True)
class Table:
    """
    The numbers of a picture.
    """

    #: What each column is called in JSON, and in its head.
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Cell]]

    def objects(self) -> list[dict[str, Cell]]:
        """
        The same for JSON.
        """
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@attrs.frozen(kw_only=True)
class Figure:
    """
    One picture with one idea.
    """

    #: What it is called in JSON and in the page.
    name: str
    title: str
    #: The main fact in a sentence, or why there is nothing to be seen.
    says: str
    #: What one must know to read it right.
    notes: Sequence[str] = ()
    keys: Sequence[Key] = ()
    table: Table = Table(columns={}, rows=())
    #: How it is drawn by Vega-Lite; empty where there is nothing to be seen.
    spec: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    #: What a terminal draws: some numbers by their names.
    bars: Sequence[tuple[str, int]] = ()

    def as_object(self) -> dict[str, object]:
        """
        The same for JSON.
        """
        return {
            "title": self.title,
            "says": self.says,
            "notes": list(self.notes),
            "rows": self.table.objects(),
        }
