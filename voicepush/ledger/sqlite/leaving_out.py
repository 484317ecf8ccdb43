"""
Who is left out when it is their turn, because of what is known by then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from voicepush import clock
from voicepush.ledger import decisions
from voicepush.ledger.index import Hashes
from voicepush.ledger.packing import unpack_rows, unpack_texts
from voicepush.ledger.plan import Plan
from voicepush.ledger.sqlite.calls import call_in, expired_in
from voicepush.ledger.sqlite.index import batches_with
from voicepush.ledger.sqlite.rows import batch_result, called_in, rows_numbered
from voicepush.model.batch import Batch
from voicepush.model.call import Call
from voicepush.model.claim import NotBefore
from voicepush.model.outcome import Verdict
from voicepush.model.recipients import origin_in

#: A claim may stand in the file so many seconds after the moment that it tells: it may
#: have waited for the file's lock.
_COMES_LATER = 15.0


class LeavingOut:
    """
    Looks at those who are about to be claimed in one campaign.

    Args:
        since: When it was planned, in seconds since 1970; who was called before was
            looked at then.
    """

    def __init__(self, campaign: int, plan: Plan, since: float) -> None:
        self._campaign = campaign
        self._plan = plan
        #: Up to when the claims of other campaigns were looked at.
        self._looked_at = since
        self._others: set[tuple[int, int]] = set()
        self._called = Hashes()
        self._besides: frozenset[int] | None = None

    def look(
        self, connection: sqlite3.Connection, batch: Batch, places: Sequence[int]
    ) -> NotBefore | Mapping[int, Verdict]:
        """
        Those at *places* of *batch* who must not be called any more, or when they may
        be.
        """
        out: dict[int, Verdict] = {}
        if self._plan.follows is not None:
            calls = self._earlier_calls(connection, batch.id.number, places)
            found = decisions.followed_up(calls, self._plan.follows, clock.now())
            if isinstance(found, NotBefore):
                return found
            out |= found
        if self._plan.caps:
            out |= self._too_often(connection, batch, frozenset(places))
        return out

    def _earlier_calls(
        self, connection: sqlite3.Connection, number: int, places: Sequence[int]
    ) -> dict[int, Call | None]:
        """
        The calls that are followed up, by the places of those who are called again.
        """
        parent, packed = connection.execute(
            "SELECT parent, origins FROM campaign JOIN recipients "
            "ON recipients.campaign = campaign.id "
            "WHERE campaign.id = ? AND number = ?",
            (self._campaign, number),
        ).fetchone()
        origins = unpack_rows(packed) or ()
        wanted = {place: origin_in(origins[place]) for place in places}
        known = {
            (number, row["recipient"]): call_in(row)
            for number in {number for number, _ in wanted.values()}
            for row in connection.execute(
                "SELECT * FROM call WHERE campaign = ? AND number = ?", (parent, number)
            )
        }
        return {place: known.get(origin) for place, origin in wanted.items()}

    def _too_often(
        self, connection: sqlite3.Connection, batch: Batch, places: frozenset[int]
    ) -> dict[int, Verdict]:
        self._look_at_others(connection)
        out: dict[int, Verdict] = {}
        if not self._called:
            return out
        values, now = batch.recipients.values, clock.now()
        owners = batch.recipients.places_of_values()
        for at in self._called.places(values):
            if owners[at] not in places:
                continue
            times = list(self._times(connection, values[at]))
            verdict = decisions.too_often(times, self._plan.caps, now)
            if verdict is not None:
                out[owners[at]] = verdict
        return out

    def _look_at_others(self, connection: sqlite3.Connection) -> None:
        """
        Take in whom other campaigns have claimed since this was looked at.
        """
        rows = connection.execute(
            "SELECT batch.campaign, number, claimed_at FROM campaign "
            "CROSS JOIN batch ON batch.campaign = campaign.id AND claimed_at > ? "
            "WHERE campaign.id != ?",
            (self._looked_at - _COMES_LATER, self._campaign),
        ).fetchall()
        for campaign, number, claimed_at in rows:
            self._looked_at = max(self._looked_at, claimed_at)
            key = (campaign, number)
            if key in self._others:
                continue
            self._others.add(key)
            (packed,) = connection.execute(
                "SELECT packed FROM recipients WHERE campaign = ? AND number = ?", key
            ).fetchone()
            self._called.add(unpack_texts(packed))

    def _times(self, connection: sqlite3.Connection, value: str) -> Iterator[float]:
        """
        When *value* was called, or may have been, by other campaigns.
        """
        if self._besides is None:
            self._besides = frozenset(self._chain(connection))
        for campaign, number in batches_with(connection, value):
            if campaign == self._campaign or campaign in self._besides:
                continue
            for row in rows_numbered(connection, campaign, number):
                expired = expired_in(connection, batch_result(row).batch.id)
                if value in called_in(row, expired):
                    yield row["claimed_at"]

    def _chain(self, connection: sqlite3.Connection) -> Iterator[int]:
        """
        The campaigns that are followed up, where their calls count for no cap.
        """
        campaign: int | None = self._campaign
        while self._plan.follows is not None and self._plan.follows.after and campaign:
            yield campaign
            (campaign,) = connection.execute(
                "SELECT parent FROM campaign WHERE id = ?", (campaign,)
            ).fetchone()
