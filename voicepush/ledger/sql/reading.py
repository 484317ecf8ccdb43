"""
What is asked of campaigns, with nothing changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from functools import partial

from voicepush.ledger import decisions
from voicepush.ledger.plan import Fingerprint, Plan
from voicepush.ledger.reader import CalledBatch
from voicepush.ledger.silence import Silent
from voicepush.ledger.sql.books import Books, Key
from voicepush.ledger.sql.calls import (
    call_of,
    call_with_bodies,
    calls_in,
    expired_in,
    heard_for,
    receipt_counts,
)
from voicepush.ledger.sql.groups import pending_by_zones
from voicepush.ledger.sql.history import history_of, minutes_of
from voicepush.ledger.sql.holding import campaign_row, published_row
from voicepush.ledger.sql.index import batches_with
from voicepush.ledger.sql.polling import silent
from voicepush.ledger.sql.rows import (
    COUNTED,
    IS_PROVEN,
    SELECT_BATCH,
    SELECT_WITH_RECEIPTS,
    SELECT_WITH_SOURCE,
    batch_result,
    called_in,
    in_flight,
    lookups_at,
    lookups_in,
    plan_of,
    rows_of,
    unknown_batch_of,
)
from voicepush.ledger.sql.statuses import statuses_of
from voicepush.ledger.sql.store import DRAFT, Connection, Row, Store
from voicepush.ledger.sql.timeline import reasons_of, timeline_of
from voicepush.model.batch import BatchId
from voicepush.model.call import Call, ReceiptCounts, Report
from voicepush.model.fields import check_text
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.overview import Snapshot, Timeline
from voicepush.model.recipients import Kind
from voicepush.model.status import (
    CampaignStatus,
    HistoryEntry,
    Lookup,
    Minute,
    UnknownBatch,
)

_PUBLISHED_BATCH = (
    f"{SELECT_BATCH} WHERE batch.campaign = ? AND batch.number = ? "
    f"AND campaign.state != '{DRAFT}'"
)

_UNKNOWN = f"""
    {SELECT_WITH_RECEIPTS} WHERE campaign.name = ? AND unknown > given_up
    ORDER BY batch.number
"""

_HOW_MANY_CLAIMED = """
    SELECT count(*), coalesce(sum(size), 0)
    FROM batch JOIN campaign ON campaign.id = batch.campaign
    WHERE name = ? AND claimed_at IS NOT NULL
"""


def _expired(row: Row, connection: Connection) -> set[int]:
    return expired_in(connection, BatchId(row["tag"], row["number"]))


def _unknown(connection: Connection, campaign: str) -> list[UnknownBatch]:
    rows = connection.execute(_UNKNOWN, (campaign,))
    return [each for each in map(unknown_batch_of, rows) if each is not None]


class SQLReader:
    """
    Tells what stands in a store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._books = Books()

    async def campaigns(self) -> list[CampaignStatus]:
        """
        All campaigns, the newest last.
        """
        return await self._store.do(
            lambda connection: statuses_of(connection, None), writes=False
        )

    async def status(self, campaign: str) -> CampaignStatus | None:
        """
        Where *campaign* stands, or None if there is no such campaign.
        """
        found = await self._store.do(
            lambda connection: statuses_of(connection, campaign), writes=False
        )
        return found[0] if found else None

    async def plan(self, campaign: str) -> Plan | None:
        """
        What *campaign* is, or None if there is no such campaign.
        """

        def work(connection: Connection) -> Plan | None:
            row = campaign_row(connection, campaign)
            return None if row is None or row["state"] == DRAFT else plan_of(row)

        return await self._store.do(work, writes=False)

    async def fingerprint(self, campaign: str) -> Fingerprint | None:
        """
        What *campaign*'s source was like when it was planned, where that is known.
        """

        def work(connection: Connection) -> Fingerprint | None:
            row = published_row(connection, campaign)
            if row["digest"] is None:
                return None
            return Fingerprint(
                digest=row["digest"],
                size=row["source_size"],
                modified_ns=row["source_modified_ns"],
            )

        return await self._store.do(work, writes=False)

    async def lookup(self, value: str) -> list[Lookup]:
        """
        What is known of *value*: an msisdn in its normal form, a customer id, or a
        correlation id.
        """
        check_text(value, "what is looked up")
        # Ours are computed and stand nowhere.
        ours = BatchId.parse(value)

        def work(connection: Connection) -> list[Lookup]:
            batches = batches_with(connection, value)
            if ours is not None:
                (tag, number), _ = ours
                batches |= {
                    (row["id"], number)
                    for row in connection.execute(
                        "SELECT id FROM campaign WHERE tag = ?", (tag,)
                    )
                }
            return [
                found
                for batch in sorted(batches)
                for row in connection.execute(_PUBLISHED_BATCH, batch)
                for found in lookups_in(
                    row, value, partial(call_with_bodies, connection, batch)
                )
            ]

        return await self._store.do(work, writes=False)

    async def history(self, campaign: str) -> list[HistoryEntry]:
        """
        What was done to *campaign* by whom, the oldest first.
        """
        return await self._store.do(
            lambda connection: history_of(
                connection, published_row(connection, campaign)["id"]
            ),
            writes=False,
        )

    async def minutes(self, campaign: str) -> list[Minute]:
        """
        How *campaign* went in each minute in which a worker was at work.
        """
        return await self._store.do(
            lambda connection: minutes_of(
                connection, published_row(connection, campaign)["id"]
            ),
            writes=False,
        )

    async def timeline(self, campaign: str) -> Timeline:
        """
        What happened when in *campaign*.
        """
        return await self._store.do(
            lambda connection: timeline_of(connection, campaign), writes=False
        )

    async def pending_by_zones(self, campaign: str) -> dict[tuple[str, ...], int]:
        """
        How many of *campaign* are pending, by the time zones in which they may live.
        """

        def work(connection: Connection) -> dict[tuple[str, ...], int]:
            row = published_row(connection, campaign)
            return pending_by_zones(connection, row["id"])

        return await self._store.do(work, writes=False)

    async def reasons(self, campaign: str) -> Counter[Verdict]:
        """
        How many recipients of *campaign* have which verdict.
        """
        return await self._store.do(
            lambda connection: reasons_of(connection, campaign), writes=False
        )

    async def snapshot(self, campaign: str) -> Snapshot:
        """
        How *campaign* stands, all of it at one moment.
        """

        def work(connection: Connection) -> Snapshot:
            row = published_row(connection, campaign)
            (status,) = statuses_of(connection, campaign)
            return Snapshot(
                status=status,
                timeline=timeline_of(connection, campaign),
                reasons=reasons_of(connection, campaign),
                unknown=_unknown(connection, campaign),
                receipts=receipt_counts(connection),
                history=history_of(connection, row["id"]),
            )

        return await self._store.do(work, writes=False)

    async def results(
        self, campaign: str, outcomes: Collection[Outcome]
    ) -> AsyncIterator[BatchResult]:
        """
        The batches of *campaign* in which someone has one of *outcomes*.
        """
        counted = [each.value for each in outcomes if each is not Outcome.PENDING]
        some = [f"batch.{name} > 0" for name in counted]
        if Outcome.PENDING in outcomes:
            done = " + ".join(f"batch.{name}" for name in COUNTED)
            some.append(f"size > in_flight + {done}")
        if Outcome.UNKNOWN in outcomes:
            some.append("in_flight > 0")
        if Outcome.ACCEPTED in outcomes:
            some.append(IS_PROVEN)
        if await self.plan(campaign) is None or not some:
            return
        async for row in rows_of(
            self._store,
            f"campaign.name = ? AND ({' OR '.join(some)})",
            (campaign,),
            SELECT_WITH_SOURCE,
        ):
            known = batch_result(row)
            result = decisions.shown(known, in_flight(row, known))
            if row["proven"] is None or any(map(result.places, outcomes)):
                yield result

    async def calls(self, batch: BatchId) -> Mapping[int, Call]:
        """
        What receipts say of the calls of *batch*, by recipient, counted from 0 in it.
        """
        return await self._store.do(
            lambda connection: calls_in(connection, batch), writes=False
        )

    async def unknown(self, campaign: str) -> list[UnknownBatch]:
        """
        The requests of *campaign* whose recipients are unknown and not given up.
        """
        return await self._store.do(
            lambda connection: _unknown(connection, campaign), writes=False
        )

    async def heard_for(self, campaign: str, seconds: int) -> int:
        """
        How many calls of *campaign* were heard for at least so many *seconds*.
        """
        return await self._store.do(
            lambda connection: heard_for(
                connection, published_row(connection, campaign)["id"], seconds
            ),
            writes=False,
        )

    async def now(self) -> float:
        """
        Seconds since 1970, by a clock that all who use the ledger share.
        """
        return await self._store.do(lambda connection: connection.now(), writes=False)

    async def called(
        self, since: float, *, besides: Collection[str] = ()
    ) -> AsyncIterator[CalledBatch]:
        """
        Who was claimed *since* that moment, and is accepted, unknown or in flight; but
        not whose call has expired before the platform offered it.
        """
        for campaign in await self.campaigns():
            if campaign.campaign not in besides:
                async for each in self._called(campaign, "claimed_at >= ?", since):
                    yield each

    async def some_called(
        self, campaign: str, *, people: int, batches: int
    ) -> AsyncIterator[CalledBatch]:
        """
        Who was called in some of the batches of *campaign*, spread evenly over it.
        """
        status = await self.status(campaign)
        if status is None:
            return
        claimed, size = await self._store.do(
            lambda connection: connection.execute(
                _HOW_MANY_CLAIMED, (campaign,)
            ).fetchone(),
            writes=False,
        )
        step = max(1, -(-claimed // batches), -(-size // people))
        async for each in self._called(
            status, "claimed_at IS NOT NULL AND batch.number % ? = 0", step
        ):
            yield each

    async def _called(
        self, campaign: CampaignStatus, where: str, parameter: float
    ) -> AsyncIterator[CalledBatch]:
        calls = campaign.calls
        async for row in rows_of(
            self._store,
            f"campaign.name = ? AND {where} AND (batch.accepted > 0 "
            f"OR batch.unknown > 0 OR in_flight > 0 OR {IS_PROVEN})",
            (campaign.campaign, parameter),
        ):
            expired: set[int] = set()
            if calls is not None and calls.expired:
                expired = await self._store.do(partial(_expired, row), writes=False)
            values = called_in(row, expired)
            if values:
                yield CalledBatch(row["claimed_at"], Kind(row["kind"]), values)

    def silent(
        self, campaign: str, *, claimed_before: float, asked_before: float
    ) -> AsyncIterator[Silent]:
        """
        The batches of *campaign* in which someone is silent, in order.
        """
        return silent(self._store, campaign, claimed_before, asked_before)

    async def receipt_counts(self) -> ReceiptCounts:
        """
        What was received, and what is kept aside.
        """
        return await self._store.do(receipt_counts, writes=False)

    async def whose(self, reports: Sequence[Report]) -> list[Lookup | None]:
        """
        Whom the names in each of *reports* stand for, where they tell.
        """

        def work(connection: Connection) -> list[Lookup | None]:
            with self._books.opened(connection):
                found = [self._books.place(report) for report in reports]
            wanted: dict[Key, set[int]] = {}
            for key, seat in filter(None, found):
                wanted.setdefault(key, set()).add(seat.recipient)
            known = {
                (key, recipient): lookup
                for key, recipients in wanted.items()
                for row in connection.execute(_PUBLISHED_BATCH, key)
                for recipient, lookup in zip(
                    recipients,
                    lookups_at(row, recipients, partial(call_of, connection, key)),
                    strict=True,
                )
            }
            return [each and known[each[0], each[1].recipient] for each in found]

        return await self._store.do(work, writes=False)
