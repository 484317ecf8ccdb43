"""
The lists that are sent while processes are killed, and what has to become of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import count, islice
from pathlib import Path

import attrs
from conftest import numbers

#: 7006 befalls whole requests and single destinations, and 7100 refuses for good. None
#: of them leaves anything in doubt, so whoever is unknown is so because of a kill.
FAULTS = ("7006@10%", "mix:7006=10%,7100=5%@20%")

#: Requests that are too large are halved, and partly sent when the kill comes.
HALVINGS = ("7009@10%", "7022@5%", *FAULTS)

TOO_LARGE = ("7009", "7022")


@attrs.frozen
class Row:
    """
    A line of a file, and what has to become of it.
    """

    line: str
    #: Who is to be called.
    values: tuple[str, ...] = ()
    own_id: str = ""
    #: How many values are refused.
    invalid: int = 0
    duplicate: int = 0


@attrs.frozen
class Kind:
    """
    A kind of list, and the weather in which it is sent.
    """

    name: str
    #: Rows without end, all of different people.
    rows: Callable[[], Iterator[Row]]
    #: The last rows, which hold nobody, and someone a second time.
    last: tuple[Row, ...]
    #: The first line, for CSV; JSON lines have none.
    header: str | None = None
    #: How many rows it has, the last ones apart.
    size: int = 4_000
    batch_size: int = 60
    faults: tuple[str, ...] = FAULTS
    #: The most destinations that the service takes within a second.
    tps: int | None = None
    #: What is said to the command.
    options: tuple[str, ...] = ()
    #: The shape of ordinary answers: one element, or one for each destination.
    answer: str = "one"


def _numbers() -> Iterator[Row]:
    for place in count():
        (number,) = numbers(1, place)
        yield Row(number, (number,))


def _numbers_with_ids() -> Iterator[Row]:
    for place in count():
        (number,) = numbers(1, place)
        own_id = f"ticket-{place}"
        yield Row(f"{number},{own_id}", (number,), own_id)


def _customers() -> Iterator[Row]:
    for place in count():
        yield Row(f"customer-{place},Somebody", (f"customer-{place}",))


def _several(*, with_ids: bool) -> Iterator[Row]:
    for place in count():
        own_id = f"household-{place}" if with_ids else ""
        yield _row("msisdn", numbers(1 + place % 4, 4 * place), own_id)


def _mix() -> Iterator[Row]:
    for place in count():
        (number,) = numbers(1, 4 * place)
        match place % 6:
            case 0:
                yield Row(json.dumps(number), (number,))
            case 1:
                yield _row("msisdn", numbers(2 + place % 3, 4 * place))
            case 2:
                yield _row("customerid", [f"customer-{place}"], f"order-{place}")
            case 3:
                yield _row("msisdn", [number], f"order-{place}")
            case 4:
                yield _row("msisdn", numbers(3, 4 * place), f"order-{place}")
            case _:
                yield _row("customerid", [f"customer-{place}", f"other-{place}"])


def _repeats() -> Iterator[Row]:
    """
    A mix in which some come again, or come with an id that was used before.
    """
    for place, row in enumerate(_mix()):
        yield row
        fresh = f"+998{place:09d}"
        match place % 30:
            case 3:  # this row's own id with other people
                entry = {"msisdn": [fresh, fresh[:-1]], "correlationid": row.own_id}
                yield Row(json.dumps(entry), invalid=2)
            case 4:  # as it was, id and all
                yield Row(row.line, invalid=3)
            case 10:  # one of them again, with someone new
                entry = {"msisdn": [row.values[0], fresh], "correlationid": fresh}
                yield Row(json.dumps(entry), (fresh,), fresh, duplicate=1)
            case 13:
                yield Row(row.line, duplicate=len(row.values))
            case 17:
                entry = {"customerid": [*row.values, " "]}
                yield Row(json.dumps(entry), duplicate=2, invalid=1)
            case 22:
                yield Row(json.dumps({"msisdn": []}), invalid=1)
            case _:
                pass


def _row(field: str, values: list[str], own_id: str = "") -> Row:
    entry: dict[str, str | list[str]] = {field: values}
    if own_id:
        entry["correlationid"] = own_id
    return Row(json.dumps(entry), tuple(values), own_id)


_NOBODY = Row("nobody", invalid=1)

_AGAIN = Row(numbers(1)[0], duplicate=1)

_LAST = (_NOBODY, _AGAIN)

_LAST_OF_JSON = tuple(attrs.evolve(row, line=json.dumps(row.line)) for row in _LAST)

#: Gone through in this order, over and over.
KINDS = (
    Kind("many numbers", _numbers, _LAST, "msisdn", size=150_000, batch_size=500),
    Kind(
        "own ids",
        _numbers_with_ids,
        (Row("nobody,nothing", invalid=1), Row(f"{_AGAIN.line},again", duplicate=1)),
        "msisdn,correlationid",
        answer="each",
    ),
    Kind(
        "customer ids",
        _customers,
        (Row(",Nobody", invalid=1), Row("customer-0,Again", duplicate=1)),
        "customerid,name",
    ),
    Kind("several", lambda: _several(with_ids=False), _LAST_OF_JSON, size=1_600),
    Kind(
        "several with own ids",
        lambda: _several(with_ids=True),
        _LAST_OF_JSON,
        size=1_600,
        answer="each",
    ),
    Kind("mix", _mix, _LAST_OF_JSON, size=2_000, answer="each"),
    Kind("repeats", _repeats, _LAST_OF_JSON, size=2_000),
    Kind("halvings", _numbers, _LAST, "msisdn", size=6_000, faults=HALVINGS),
    Kind(
        "halvings of a mix",
        _mix,
        _LAST_OF_JSON,
        size=3_000,
        faults=HALVINGS,
        answer="each",
    ),
    Kind(
        "throttled",
        _numbers,
        _LAST,
        "msisdn",
        size=6_000,
        tps=1_000,
        options=("--rate", "1500"),
    ),
)


@attrs.frozen(slots=False)
class MadeList:
    """
    A file of made-up people, and how it is sent.
    """

    name: str
    kind: Kind
    concurrency: int

    @cached_property
    def rows(self) -> list[Row]:
        """
        What is in the file.
        """
        return [*islice(self.kind.rows(), self.kind.size), *self.kind.last]

    @cached_property
    def own_ids(self) -> dict[str, str]:
        """
        Everyone who is to be called, each with the id that its owner gave.
        """
        return {value: row.own_id for row in self.rows for value in row.values}

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """
        How many are planned, invalid and duplicate.
        """
        return (
            len(self.own_ids),
            sum(row.invalid for row in self.rows),
            sum(row.duplicate for row in self.rows),
        )

    @property
    def file(self) -> str:
        """
        What the file is called.
        """
        return f"{self.name}.{'jsonl' if self.kind.header is None else 'csv'}"

    def write(self, folder: Path) -> None:
        """
        Make the file.
        """
        head = [] if self.kind.header is None else [self.kind.header]
        lines = [*head, *(row.line for row in self.rows)]
        (folder / self.file).write_text("\n".join(lines) + "\n")
