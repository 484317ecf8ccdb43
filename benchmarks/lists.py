"""
Makes the lists that are sent; in a process of its own, since some need much memory.

    python benchmarks/lists.py KIND MANY FILE

The people in it are made up, and come in no order. One row of a thousand is a
duplicate of one far above it.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

#: Own correlation ids begin with it.
OWN_ID = "order-"

#: One row of so many is a duplicate, or has the correlation id of another row.
_DUPLICATE = 1000
_REPEATED = 100

#: So many rows are written into a Parquet file together.
_TOGETHER = 100_000


class Row(NamedTuple):
    """
    One person.
    """

    name: str
    value: str
    own_id: str


def planned(many: int) -> int:
    """
    How many of *many* rows are no duplicates.
    """
    return many - many // _DUPLICATE


def numbers(prefix: str, digits: int) -> Iterator[str]:
    """
    Different numbers in no order: *prefix* and so many digits.
    """
    # A full-period generator modulo a power of ten: no number comes twice.
    room = 10**digits
    step = 7_777_777_777 % room
    value = random.Random(1).randrange(room)  # noqa: S311 -- made-up numbers
    while True:
        value = (value * 21 + step) % room
        yield f"{prefix}{value:0{digits}d}"


def nowhere() -> Iterator[str]:
    """
    Numbers of no country: +999 is nobody's code.
    """
    return numbers("+999", 10)


def national() -> Iterator[str]:
    """
    Such as are written in India, where mobile numbers begin with 98.
    """
    return numbers("98", 8)


def international() -> Iterator[str]:
    """
    The same with their calling code; the numbering plan takes them for valid.
    """
    return numbers("+9198", 8)


def customers() -> Iterator[str]:
    """
    Customer ids.
    """
    return numbers("customer-", 10)


def rows(values: Iterator[str], many: int, *, repeated: bool = False) -> Iterator[Row]:
    """
    So many rows; *repeated* gives one row of a hundred the correlation id of another,
    in turns the row above it and one far above.
    """
    some: list[str] = []
    for place, value in enumerate(islice(values, many)):
        if place % _DUPLICATE == 0:
            some.append(value)
        is_duplicate = place % _DUPLICATE == _DUPLICATE - 1
        theirs = some[len(some) // 2] if is_duplicate else value
        own = place
        if repeated and place % _REPEATED == _REPEATED // 2:
            own = place - 1 if place // _REPEATED % 2 else place // 2
        yield Row(f"person {place}", theirs, f"{OWN_ID}{own:09d}")


def _csv(found: Iterator[Row], file: Path, heads: str) -> None:
    wide = len(heads.split(","))
    with file.open("w") as lines:
        lines.write(f"{heads}\n")
        lines.writelines(f"{','.join(row[:wide])}\n" for row in found)


def _json_lines(found: Iterator[Row], file: Path, heads: str) -> None:
    names = heads.split(",")
    with file.open("w") as lines:
        for row in found:
            lines.write(f"{json.dumps(dict(zip(names, row, strict=True)))}\n")


def _parquet(found: Iterator[Row], file: Path, heads: str) -> None:
    pyarrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    names = heads.split(",")
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    with parquet.ParquetWriter(file, schema) as writer:
        while some := list(islice(found, _TOGETHER)):
            columns = dict(zip(names, map(list, zip(*some, strict=True)), strict=True))
            writer.write_table(pyarrow.table(columns, schema=schema))


class Kind(NamedTuple):
    """
    How a list is made.
    """

    values: Callable[[], Iterator[str]]
    write: Callable[[Iterator[Row], Path, str], None]
    heads: str
    ending: str = ".csv"
    repeated: bool = False


_NUMBERS = "name,msisdn"
_WITH_IDS = "name,msisdn,correlationid"

KINDS = {
    "plain": Kind(nowhere, _csv, _NUMBERS),
    "ids": Kind(nowhere, _csv, _WITH_IDS),
    "repeated": Kind(nowhere, _csv, _WITH_IDS, repeated=True),
    "json-lines": Kind(nowhere, _json_lines, _WITH_IDS, ".jsonl"),
    "parquet": Kind(nowhere, _parquet, _WITH_IDS, ".parquet"),
    "customers": Kind(customers, _csv, "name,customerid"),
    "national": Kind(national, _csv, _NUMBERS),
    "international": Kind(international, _csv, _NUMBERS),
}


def main() -> None:
    """
    Make one list.
    """
    name, many, file = sys.argv[1:]
    kind = KINDS[name]
    found = rows(kind.values(), int(many), repeated=kind.repeated)
    kind.write(found, Path(file), kind.heads)


if __name__ == "__main__":
    main()
