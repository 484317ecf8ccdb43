"""
Who is left out when it is their turn, because of what is known by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from threading import RLock

from voicepush import clock
from voicepush.ledger import decisions
from voicepush.ledger.index import Places
from voicepush.ledger.opening import called_until, load_windows
from voicepush.ledger.packing import unpack_kept, unpack_rows, unpack_texts
from voicepush.ledger.plan import Plan
from voicepush.ledger.sql import suppression
from voicepush.ledger.sql.calls import call_in, expired_in
from voicepush.ledger.sql.index import batches_with
from voicepush.ledger.sql.rows import called_in, rows_numbered
from voicepush.ledger.sql.store import Connection
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.call import Call
from voicepush.model.claim import NotBefore, Refused
from voicepush.model.consent import CONSENT
from voicepush.model.outcome import Verdict
from voicepush.model.recipients import origin_in
from voicepush.model.windows import Windows

#: A claim may stand in the store so many seconds after the moment that it tells: its
#: process may have stood still before the commit, which PostgreSQL suffers for 10 s at
#: each step.
_COMES_LATER = 30.0


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
        #: How far the clock was before one that is never set.
        self._ahead = -inf
        #: Their batches: campaign and number; and who is in which of them.
        self._others: list[tuple[int, int]] = []
        self._known: set[tuple[int, int]] = set()
        self._called = Places()
        self._chained: frozenset[int] | None = None
        #: Whether others have claimed lately. Of two claims that count each other's
        #: people, and have not seen each other, one has to be done again; it is cheaper
        #: to wait first.
        self._meets_others = False
        self._lock = RLock()

    def until(
        self, connection: Connection, group: Group, now: float
    ) -> NotBefore | Refused | float | None:
        """
        Until when the people of *group* may be called, or when they may be again, by
        the windows of this moment and the campaign's own times.
        """
        windows: Windows | None = None
        if group.zones:
            row = connection.execute(
                "SELECT windows FROM campaign WHERE id = ?", (self._campaign,)
            ).fetchone()
            windows = load_windows(row["windows"])
        return called_until(self._plan, windows, group, now)

    def look(
        self, connection: Connection, batch: Batch, places: Sequence[int]
    ) -> NotBefore | Mapping[int, Verdict]:
        """
        Those at *places* of *batch* who must not be called any more, or when they may
        be.
        """
        if self._meets_others:
            connection.queue()
        out = suppression.left_out(connection, batch, places)
        if self._plan.asks_consent:
            consents = self._consents(connection, batch.id.number)
            now = connection.now()
            out = {**decisions.agreed_no_more(consents, places, now), **out}
        if self._plan.follows is None and not self._plan.caps:
            return out
        # What is looked at is remembered, and several connections may be at work.
        with self._lock:
            found = self._look(connection, batch, places)
        return found if isinstance(found, NotBefore) else {**found, **out}

    def _consents(self, connection: Connection, number: int) -> Sequence[str]:
        """
        Until when each in a batch has agreed, as it was kept.
        """
        (kept,) = connection.execute(
            "SELECT kept FROM recipients WHERE campaign = ? AND number = ?",
            (self._campaign, number),
        ).fetchone()
        return unpack_kept(kept).get(CONSENT, ())

    def _look(
        self, connection: Connection, batch: Batch, places: Sequence[int]
    ) -> NotBefore | Mapping[int, Verdict]:
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
        self, connection: Connection, number: int, places: Sequence[int]
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
            (earlier, row["recipient"]): call_in(row)
            for earlier in {number for number, _ in wanted.values()}
            for row in connection.execute(
                "SELECT * FROM call WHERE campaign = ? AND number = ?",
                (parent, earlier),
            )
        }
        return {place: known.get(origin) for place, origin in wanted.items()}

    def catch_up(self, connection: Connection) -> None:
        """
        Take in whom other campaigns have claimed since this was looked at; done before
        a claim as well, since the first time may take long, and needs no lock.
        """
        with self._lock:
            self._catch_up(connection)

    def _catch_up(self, connection: Connection) -> None:
        now = connection.now()
        # If the clock was set back, so are the moments of all claims since.
        ahead = now - clock.monotonic()
        self._looked_at -= max(0.0, self._ahead - ahead)
        self._ahead = ahead
        rows = connection.execute(
            "SELECT batch.campaign, number, claimed_at FROM campaign "
            "CROSS JOIN batch WHERE batch.campaign = campaign.id AND claimed_at > ? "
            "AND campaign.id != ?",
            (self._looked_at - _COMES_LATER, self._campaign),
        ).fetchall()
        self._meets_others = any(at > now - _COMES_LATER for *_, at in rows)
        for campaign, number, claimed_at in rows:
            self._looked_at = max(self._looked_at, claimed_at)
            key = (campaign, number)
            if key in self._known or campaign in self._besides(connection):
                continue
            self._known.add(key)
            (packed,) = connection.execute(
                "SELECT packed FROM recipients WHERE campaign = ? AND number = ?", key
            ).fetchone()
            self._called.add(len(self._others), unpack_texts(packed))
            self._others.append(key)

    def _too_often(
        self, connection: Connection, batch: Batch, places: frozenset[int]
    ) -> dict[int, Verdict]:
        """
        Only who may have been called since the campaign was planned is looked at; all
        others were looked at then.
        """
        self.catch_up(connection)
        out: dict[int, Verdict] = {}
        if not self._called:
            return out
        values, now = batch.recipients.values, connection.now()
        owners = batch.recipients.places_of_values()
        times: dict[int, list[float]] = {}
        for other, found in self._called.find(values).items():
            at, called = self._called_in(connection, self._others[other])
            for recipient in found:
                if owners[recipient] in places and values[recipient] in called:
                    times.setdefault(recipient, []).append(at)
        for recipient, lately in times.items():
            verdict = decisions.too_often(lately, self._plan.caps, now)
            if verdict is None:
                # Not by these calls alone; those of before count as well.
                every = list(self._times(connection, values[recipient]))
                verdict = decisions.too_often(every, self._plan.caps, now)
            if verdict is not None:
                out[owners[recipient]] = verdict
        return out

    def _called_in(
        self, connection: Connection, key: tuple[int, int]
    ) -> tuple[float, frozenset[str]]:
        """
        When a batch was claimed, or 0, and who in it was called, or may have been.
        """
        (row,) = rows_numbered(connection, *key)
        expired = expired_in(connection, BatchId(row["tag"], row["number"]))
        return row["claimed_at"] or 0.0, frozenset(called_in(row, expired))

    def _times(self, connection: Connection, value: str) -> Iterator[float]:
        """
        When *value* was called, or may have been, by other campaigns.
        """
        for campaign, number in batches_with(connection, value):
            if campaign != self._campaign and campaign not in self._besides(connection):
                at, called = self._called_in(connection, (campaign, number))
                if value in called:
                    yield at

    def _besides(self, connection: Connection) -> frozenset[int]:
        """
        The campaigns whose calls count for no cap.
        """
        if self._chained is None:
            self._chained = frozenset(self._chain(connection))
        return self._chained

    def _chain(self, connection: Connection) -> Iterator[int]:
        """
        The campaigns that are followed up, where their calls count for no cap.
        """
        campaign: int | None = self._campaign
        while self._plan.follows is not None and self._plan.follows.after and campaign:
            yield campaign
            (campaign,) = connection.execute(
                "SELECT parent FROM campaign WHERE id = ?", (campaign,)
            ).fetchone()
