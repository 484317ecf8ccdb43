"""
Which batches a worker is given next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from voicepush.ledger.opening import (
    Groups,
    called_in,
    in_order,
    load_windows,
    starts_later,
    who_waits,
)
from voicepush.ledger.plan import ON_TRIAL
from voicepush.ledger.protocol import Finished
from voicepush.ledger.sql.due_again import is_any_due_again
from voicepush.ledger.sql.rows import READY, SELECT_BATCH, rows_numbered
from voicepush.ledger.sql.store import Connection, Row
from voicepush.model.claim import NotBefore

_PENDING = (
    "size - in_flight - accepted - rejected - expired - not_sent - unknown - suppressed"
)


class Giving:
    """
    Gives the batches of one campaign: those of the groups whose windows are open, the
    most urgent first, and of these in the order of the plan.
    """

    def __init__(self, campaign: int, groups: Groups) -> None:
        self._campaign = campaign
        self._groups = groups
        #: The last batch that was given of some groups, in the order of the plan.
        self._last: dict[tuple[int, ...], int] = {}

    def next_rows(
        self,
        connection: Connection,
        row: Row,
        *,
        given: Collection[int],
        limit: int,
    ) -> list[Row] | NotBefore | Finished | None:
        """
        The next batches in which someone is pending and need not wait; None if someone
        may be due again, who has to be pending first.

        Args:
            row: The campaign's.
            given: Those that were given and not told of since.
        """
        if is_any_due_again(connection, self._campaign):
            return None
        # By the clock that a claim looks at.
        now, windows = connection.now(), load_windows(row["windows"])
        if waits := starts_later(row["starts_at"], now):
            return waits
        expires_at = row["expires_at"]
        groups = called_in(self._groups, trial=row["stage"] in ON_TRIAL)
        classes = in_order(groups, windows, now, expires_at)
        for numbers in classes:
            found = self._after_the_last(connection, numbers, now, given, limit)
            if found:
                return found
        # Those that had to wait or are pending again, and stand before that one.
        opened = [number for numbers in classes for number in numbers]
        waiting = [
            each
            for each in connection.execute(
                "SELECT number, due_at FROM batch "  # noqa: S608 -- ours
                "WHERE campaign = ? AND state = ? "
                f"{self._in(opened)} ORDER BY due_at",
                (self._campaign, READY),
            )
            if each["number"] not in given
        ]
        due = [
            each["number"]
            for each in waiting
            if each["due_at"] is None or each["due_at"] <= now
        ]
        if due:
            return [
                found
                for number in due[:limit]
                for found in rows_numbered(connection, self._campaign, number)
            ]
        later = [
            NotBefore(each["due_at"], "everyone who is left has to wait")
            for each in waiting[:1]
        ]
        if len(opened) < len(groups):
            people = self._people(connection, given, set(groups) - set(opened))
            if closed := who_waits(people, groups, windows, now, expires_at):
                later.append(closed)
        return min(later, key=lambda each: each.moment, default=Finished())

    def waits(self, connection: Connection, row: Row) -> NotBefore | None:
        """
        When the next windows open, if all who are pending wait for that.
        """
        now, windows = connection.now(), load_windows(row["windows"])
        if later := starts_later(row["starts_at"], now):
            return later
        classes = in_order(self._groups, windows, now, row["expires_at"])
        opened = [number for numbers in classes for number in numbers]
        if len(opened) == len(self._groups):
            return None
        found = connection.execute(
            "SELECT 1 FROM batch WHERE campaign = ? AND state = ? "  # noqa: S608 -- ours
            f"{self._in(opened)} LIMIT 1",
            (self._campaign, READY),
        )
        if found.fetchone() is not None:
            return None
        people = self._people(connection, (), set(self._groups) - set(opened))
        return who_waits(people, self._groups, windows, now, row["expires_at"])

    def _after_the_last(
        self,
        connection: Connection,
        numbers: Sequence[int],
        now: float,
        given: Collection[int],
        limit: int,
    ) -> list[Row]:
        """
        The next batches of the groups with these *numbers*, behind the last that was
        given of them.
        """
        key = tuple(numbers)
        while True:
            last = self._last.get(key, -1)
            rows = connection.execute(
                f"{SELECT_BATCH} WHERE batch.campaign = ? AND batch.state = ? "
                "AND (due_at IS NULL OR due_at <= ?) AND batch.number > ? "
                f"{self._in(numbers)} ORDER BY batch.number LIMIT ?",
                (self._campaign, READY, now, last, limit),
            ).fetchall()
            if not rows:
                return []
            self._last[key] = rows[-1]["number"]
            # Other groups may have stood beside these before.
            fresh = [each for each in rows if each["number"] not in given]
            if fresh:
                return fresh

    def _in(self, numbers: Sequence[int]) -> str:
        """
        What asks for the groups with these *numbers*, where they are not all.
        """
        if len(numbers) == len(self._groups):
            return ""
        return f"AND message_group IN ({', '.join(map(str, numbers)) or 'NULL'})"

    def _people(
        self, connection: Connection, given: Collection[int], numbers: Collection[int]
    ) -> dict[int, int]:
        """
        How many are pending in each of the groups with these *numbers*.
        """
        people: dict[int, int] = {}
        for each in connection.execute(
            f"SELECT number, message_group, {_PENDING} AS people FROM batch "  # noqa: S608 -- ours
            f"WHERE campaign = ? AND state = ? {self._in(sorted(numbers))}",
            (self._campaign, READY),
        ):
            if each["number"] not in given:
                group = each["message_group"]
                people[group] = people.get(group, 0) + each["people"]
        return people
