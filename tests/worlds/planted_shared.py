"""
What would be wrong where several workers send, put in one by one: worlds in a database
have to find each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from planting import Plant, Planted, planted_in
from psycopg import IsolationLevel
from setups import Fault, Setup
from showing import has_deaths, resolves, stands_still, with_all, with_faults

from voicepush.ledger.postgres import store, worker
from voicepush.ledger.postgres.worker import PostgresWorker
from voicepush.ledger.sql import late, statements
from voicepush.ledger.sql.holding import workers_of
from voicepush.ledger.sql.statements import CLAIM, RECORD

#: By what is wrong.
SHARED: dict[str, Planted] = {}


def _are_several(setup: Setup) -> bool:
    return setup.workers > 1


def _planted(words: str, *wants: Callable[[Setup], bool]) -> Callable[[Plant], Plant]:
    return planted_in(SHARED, words, with_all(_are_several, *wants))


def _without(statement: str, condition: str) -> str:
    assert condition in statement
    return statement.replace(condition, "true")


@_planted(
    "neither a lease nor what others recorded is looked at",
    stands_still,
    with_faults(Fault.MIXED),
)
def _no_lease() -> Iterator[None]:
    held = statements._IS_HELD
    claim, record = _without(CLAIM, held), _without(RECORD, held)
    with (
        mock.patch.object(worker, "_CLAIM", claim),
        mock.patch.object(worker, "_RECORD", record),
        mock.patch.object(worker, "hold", _row_of),
    ):
        yield


def _row_of(connection: Any, campaign: int, _: str) -> Any:
    return connection.execute(
        "SELECT * FROM campaign WHERE id = ?", (campaign,)
    ).fetchone()


@_planted("who was in flight with a worker that is gone is pending again", has_deaths)
def _in_flight_pending() -> Iterator[None]:
    class LeftBehind(worker._LeftBehind):
        def __init__(self, campaign: int, token: str) -> None:
            super().__init__(campaign, token, resend=True, process_is_gone=True)

    with mock.patch.object(worker, "_LeftBehind", LeftBehind):
        yield


@_planted("every other worker is taken for gone")
def _all_gone() -> Iterator[None]:
    def gone(self: PostgresWorker, connection: Any) -> list[str]:
        tokens = [each["token"] for each in workers_of(connection, self._campaign)]
        return [token for token in tokens if token != self.token]

    with mock.patch.object(PostgresWorker, "_look_for_gone", gone):
        yield


@_planted("transactions do not look whether others were in the way")
def _not_serialisable() -> Iterator[None]:
    class Levels:
        SERIALIZABLE = IsolationLevel.READ_COMMITTED
        REPEATABLE_READ = IsolationLevel.READ_COMMITTED

    with mock.patch.object(store, "IsolationLevel", Levels):
        yield


@_planted("jobs of workers that are gone are given to nobody", has_deaths)
def _jobs_lost() -> Iterator[None]:
    with mock.patch.object(PostgresWorker, "_clean_engine", return_value=None):
        yield


@_planted(
    "whom a worker that stands still has claimed is called again",
    stands_still,
    resolves,
)
def _wakes() -> Iterator[None]:
    with mock.patch.object(late, "may_wake", return_value=False):
        yield
