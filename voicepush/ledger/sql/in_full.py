"""
Batches of a store with everything that is known of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from voicepush.ledger import decisions
from voicepush.ledger.bodies import unpack_bodies
from voicepush.ledger.packing import unpack_places
from voicepush.ledger.sql.calls import call_in
from voicepush.ledger.sql.rows import (
    SELECT_WITH_SOURCE,
    batch_result,
    in_flight,
)
from voicepush.ledger.sql.store import DRAFT, Connection, Row, Store
from voicepush.model.call import Call
from voicepush.model.in_full import BatchInFull, KeptReceipt

#: So many are read in one transaction, with their calls.
_TOGETHER = 8

#: Unpacked bodies of receipts are kept up to so many bytes: those of a batch lie in
#: many blocks, which hold those of its neighbours as well.
_MOST_BYTES = 64 * 2**20

_BATCHES = f"""
    {SELECT_WITH_SOURCE}
    WHERE campaign.name = ? AND campaign.state != '{DRAFT}' AND batch.number > ?
    ORDER BY batch.number LIMIT ?
"""

_CALLS = """
    SELECT call.* FROM campaign JOIN call ON call.campaign = campaign.id
    WHERE tag = ? AND number = ? ORDER BY recipient
"""


class _Blocks:
    """
    The bodies that came together, those that were looked at last.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[int, tuple[float, Sequence[bytes]] | None] = (
            OrderedDict()
        )
        self._bytes = 0

    def receipt(self, connection: Connection, name: str) -> KeptReceipt:
        """
        The receipt that is kept under *name*: its block and its place in that.
        """
        block, _, place = name.partition(".")
        found = self._block(connection, int(block))
        if found is None:
            return KeptReceipt(None, None)
        received_at, bodies = found
        return KeptReceipt(received_at, bodies[int(place)])

    def _block(
        self, connection: Connection, block: int
    ) -> tuple[float, Sequence[bytes]] | None:
        if block in self._found:
            self._found.move_to_end(block)
            return self._found[block]
        row = connection.execute(
            "SELECT received_at, packed FROM body_block WHERE id = ?", (block,)
        ).fetchone()
        found = None
        if row is not None:
            found = (row["received_at"], unpack_bodies(row["packed"]))
            self._bytes += sum(map(len, found[1]))
        self._found[block] = found
        while self._bytes > _MOST_BYTES and len(self._found) > 1:
            _, dropped = self._found.popitem(last=False)
            self._bytes -= 0 if dropped is None else sum(map(len, dropped[1]))
        return found


async def in_full(store: Store, campaign: str) -> AsyncIterator[BatchInFull]:
    """
    The batches of *campaign* in order, each with its calls and receipts.
    """
    after = -1
    blocks = _Blocks()

    def work(connection: Connection) -> list[BatchInFull]:
        rows = connection.execute(_BATCHES, (campaign, after, _TOGETHER)).fetchall()
        return [_in_full(connection, row, blocks) for row in rows]

    while found := await store.do(work, writes=False):
        for each in found:
            yield each
        after = found[-1].result.batch.id.number


def _in_full(connection: Connection, row: Row, blocks: _Blocks) -> BatchInFull:
    known = batch_result(row)
    under_way = in_flight(row, known)
    calls: dict[int, Call] = {}
    receipts: dict[int, Sequence[KeptReceipt]] = {}
    for call in connection.execute(_CALLS, (row["tag"], row["number"])).fetchall():
        calls[call["recipient"]] = call_in(call)
        receipts[call["recipient"]] = [
            blocks.receipt(connection, name) for name in call["bodies"].split()
        ]
    given_up = unpack_places(row["given_up_places"])
    return BatchInFull(
        result=decisions.shown(known, under_way),
        in_flight=under_way,
        given_up=frozenset(decisions.still_given_up(known, given_up)),
        claimed=row["claimed_at"],
        recorded=row["recorded_at"],
        calls=calls,
        receipts=receipts,
    )
