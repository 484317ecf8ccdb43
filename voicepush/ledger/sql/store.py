"""
What statements are run on: a connection of whatever store, and what runs them there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

_T = TypeVar("_T")

#: The state of a campaign that is being planned; no one else looks at it yet.
DRAFT = "draft"

#: Values of a statement: by place for ``?``, by name for ``:name``.
Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]


class Row(Protocol):
    """
    A row, by the names of its columns and by their places.
    """

    def __getitem__(self, key: Any, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...

    def keys(self) -> Any:
        """
        The names of the columns.
        """
        ...


class Cursor(Protocol):
    """
    What a statement gave.
    """

    @property
    def rowcount(self) -> int:
        """
        How many rows it has changed.
        """
        ...

    @property
    def lastrowid(self) -> int | None:
        """
        The id of the row that it has inserted, where the table gives ids.
        """
        ...

    def fetchone(self) -> Any:
        """
        The next row, or None.
        """
        ...

    def fetchall(self) -> list[Any]:
        """
        All rows that are left.
        """
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """
    A connection in a transaction.
    """

    #: A table of what is in a JSON array, which is its one parameter, in the column
    #: ``asked.value``.
    each_of: str

    def execute(self, statement: str, parameters: Parameters = (), /) -> Cursor:
        """
        Run *statement*.
        """
        ...

    def executemany(self, statement: str, parameters: Iterable[Any], /) -> Cursor:
        """
        Run *statement* with each of *parameters*.
        """
        ...

    def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], /
    ) -> None:
        """
        Insert *rows* into *columns* of *table*, in the way that is fastest for many.
        """
        ...

    def now(self) -> float:
        """
        Seconds since 1970, by a clock that all who use the store share.
        """
        ...

    def queue(self) -> None:
        """
        Let the transaction go on alone of those that queue; its first statement.
        """
        ...

    def lock_suppression(self, *, alone: bool = False) -> None:
        """
        Let nobody change the list of the suppressed until the transaction ends, or
        nobody look at it either; the first statement of a transaction but `queue`.
        """
        ...

    def lock_calls(self, *, alone: bool = False) -> None:
        """
        Let nobody be due again until the transaction ends, or no receipt be applied
        either; the first statement of a transaction but `queue`.
        """
        ...


class Store(Protocol):
    """
    Runs jobs, each in a transaction that is durable before it is answered.
    """

    async def do(
        self,
        work: Callable[[Any], _T],
        *,
        writes: bool = True,
        at_once: bool = False,
    ) -> _T:
        """
        The value of *work*, once what it wrote is durable. If it raises, nothing of it
        remains.

        Args:
            work: Is given a `Connection`.
            writes: Whether it changes anything.
            at_once: It raises only before it has written anything.
        """
        ...

    def do_later(self, work: Callable[[Any], object]) -> None:
        """
        Do *work* after all that was begun before, for someone who can't wait for it.
        """
        ...

    def check_in_place(self) -> None:
        """
        Make sure that what was written is where others find it.

        Raises:
            LedgerError: It is not, and what was written is worth nothing.
        """
        ...

    async def close(self) -> None:
        """
        Finish what was begun.
        """
        ...
