"""
Which calls are silent, and how far it was asked what became of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from functools import partial

from voicepush import clock
from voicepush.ledger.packing import pack_places, unpack_places
from voicepush.ledger.silence import Silent, silent_in
from voicepush.ledger.sql.rows import SELECT_BATCH, batch_result, rows_of
from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.model.batch import BatchId

#: Batches with how many of their calls have ended, and when they were asked about.
_SELECT = f"""
    {SELECT_BATCH} LEFT JOIN poll
    ON poll.campaign = batch.campaign AND poll.number = batch.number
"""

#: In which batches someone may be silent; of the others nothing else is read.
_MAY_BE_SILENT = """
    campaign.name = ? AND coalesce(claimed_at, 0) <= ? AND transactions IS NOT NULL
    AND batch.accepted + coalesce(
        (SELECT accepted FROM proof
         WHERE proof.campaign = batch.campaign AND proof.number = batch.number), 0
    ) > coalesce(poll.ended, 0)
    AND (poll.asked_at IS NULL OR poll.asked_at < ? OR poll.asked IS NOT NULL)
"""

_ENDED = """
    SELECT recipient FROM campaign JOIN call ON call.campaign = campaign.id
    WHERE tag = ? AND number = ? AND has_ended = 1
"""

_LATELY = """
    SELECT asked FROM campaign JOIN poll ON poll.campaign = campaign.id
    WHERE tag = ? AND number = ? AND asked_at >= ?
"""

_ASKED = """
    INSERT INTO poll (campaign, number, asked_at, asked)
    SELECT id, ?, ?, ? FROM campaign WHERE tag = ?
    ON CONFLICT (campaign, number)
    DO UPDATE SET asked_at = excluded.asked_at, asked = excluded.asked
"""


async def silent(
    store: Store, campaign: str, claimed_before: float, asked_before: float
) -> AsyncIterator[Silent]:
    """
    The batches of *campaign* in which someone is silent, in order; each is looked at
    when it is its turn.
    """
    wanted = (campaign, claimed_before, asked_before)
    async for row in rows_of(store, _MAY_BE_SILENT, wanted, _SELECT):
        found = await store.do(partial(_silent_in, row, asked_before), writes=False)
        if found is not None:
            yield found


def _silent_in(row: Row, asked_before: float, connection: Connection) -> Silent | None:
    batch = BatchId(row["tag"], row["number"])
    lately = connection.execute(_LATELY, (*batch, asked_before)).fetchone()
    if lately is not None and lately["asked"] is None:
        return None  # by another process, meanwhile
    ended = {each["recipient"] for each in connection.execute(_ENDED, batch)}
    asked = unpack_places(lately and lately["asked"])
    return silent_in(batch_result(row), ended, asked)


def note_asked(
    connection: Connection, batch: BatchId, places: Collection[int] | None
) -> None:
    """
    Write down that the calls at *places* of *batch* were asked about lately, the last
    of them now; None for all that are silent.
    """
    asked = None if places is None else pack_places(places) or "[]"
    connection.execute(_ASKED, (batch.number, clock.now(), asked, batch.tag))
