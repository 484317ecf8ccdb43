"""
Those who are due again stand in the store as pending, and of their calls nothing is
known any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from voicepush.ledger.due_again import due_again, may_be_due_again, reopened
from voicepush.ledger.packing import pack_transactions, unpack_transactions
from voicepush.ledger.plan import Follows
from voicepush.ledger.sql.deciding import Decision, for_each
from voicepush.ledger.sql.history import note
from voicepush.ledger.sql.late import write_late
from voicepush.ledger.sql.rows import batch_result, record_of
from voicepush.ledger.sql.statements import RECORD_READ
from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.model.call import CallState
from voicepush.model.outcome import BatchResult

#: What is known of a call of which nothing was heard: less than any receipt says.
_NOTHING: dict[str, Any] = {
    "state": CallState.ON_ITS_WAY.value,
    "rank": -1,
    "code": "",
    "words": "",
    "at": None,
    "answered_at": None,
    "ended_at": None,
    "heard": -1,
    "has_ended": False,
    "was_offered": False,
    "expired_as": None,
}

_FORGET = f"""
    UPDATE call SET {", ".join(f"{name} = :{name}" for name in _NOTHING)},
        transactions = :transactions, past = :past
    WHERE campaign = :campaign AND number = :number AND recipient = :recipient
"""  # noqa: S608 -- our names

#: Nobody else may have the batch before them: it is recorded, and nobody is pending.
_WHERE = """
    expired_as IS NOT NULL AND batch.state = 2
    AND batch.campaign = call.campaign AND batch.number = call.number
"""

_IS_ANY = f"""
    SELECT 1 FROM call CROSS JOIN batch WHERE call.campaign = ? AND {_WHERE} LIMIT 1
"""  # noqa: S608 -- ours


def is_any_due_again(connection: Connection, campaign: int) -> bool:
    """
    Whether there may be someone in *campaign* who is due again.
    """
    found = connection.execute(_IS_ANY, (campaign,)).fetchone()
    return found is not None and _may_be(connection, campaign)


def number_due_again(connection: Connection, campaign: int) -> int:
    """
    How many these may be.
    """
    (number,) = connection.execute(
        "SELECT count(*) FROM call WHERE campaign = ? AND expired_as IS NOT NULL",
        (campaign,),
    ).fetchone()
    return int(number) if number and _may_be(connection, campaign) else 0


def _may_be(connection: Connection, campaign: int) -> bool:
    row = connection.execute(
        "SELECT expires_at, archived_at FROM campaign WHERE id = ?", (campaign,)
    ).fetchone()
    others = connection.execute(
        "SELECT follows FROM campaign WHERE parent = ?", (campaign,)
    )
    followed = [msgspec.json.decode(each["follows"], type=Follows) for each in others]
    is_archived = row["archived_at"] is not None
    expires_at, now = row["expires_at"], connection.now()
    return not is_archived and may_be_due_again(expires_at, followed, now)


class DueAgain(Decision):
    """
    What is made of calls that have expired: those whose windows had closed are pending
    again, and the others stay as they are.

    Args:
        waits: Is told the number of each batch that is due again.
    """

    where = f"EXISTS (SELECT 1 FROM call WHERE {_WHERE})"  # noqa: S608 -- ours

    def __init__(
        self, campaign: int, token: str, waits: Callable[[Connection, int], None]
    ) -> None:
        super().__init__(campaign, token)
        self._waits = waits

    def __call__(self, connection: Connection, row: Row) -> None:
        """
        Decide about the batch in *row*.
        """
        if not _may_be(connection, self._campaign):
            return
        key = (self._campaign, row["number"])
        calls = connection.execute(
            "SELECT * FROM call WHERE campaign = ? AND number = ? "
            "AND expired_as IS NOT NULL",
            key,
        ).fetchall()
        known = batch_result(row)
        places: list[int] = []
        if row["closes_at"] is not None:
            expired = {call["recipient"]: call["expired_as"] for call in calls}
            places = due_again(known, expired)
        owners = known.batch.recipients.places_of_values()
        again = frozenset(places)
        for call in calls:
            if owners[call["recipient"]] in again:
                connection.execute(_FORGET, _forgotten(call))
        # Of the others nothing is to be asked any more.
        connection.execute(
            "UPDATE call SET expired_as = NULL WHERE campaign = ? AND number = ?", key
        )
        if places:
            self._reopen(connection, row, reopened(known, places))
            self._number += known.batch.weigh(places)

    def _reopen(self, connection: Connection, row: Row, known: BatchResult) -> None:
        record = record_of(known, self._campaign, self._token, row["closes_at"])
        if row["proven"] is None:
            # They are taken from where they were counted.
            columns = {**record, "now": row["recorded_at"]}
            connection.execute(RECORD_READ, columns)
        else:
            write_late(connection, row, known, record)
        self._waits(connection, row["number"])


async def call_again(
    store: Store,
    campaign: int,
    token: str,
    waits: Callable[[Connection, int], None],
) -> None:
    """
    Make those of *campaign* pending who are due again, as its worker of that *token*.
    """
    again = DueAgain(campaign, token, waits)
    number = (await for_each(store, campaign, token, again)).resolved.recipients
    if number:
        told = f"{number} not rung before their windows closed"
        await store.do(lambda connection: note(connection, campaign, "due again", told))


def _forgotten(call: Row) -> dict[str, Any]:
    """
    The columns of *call* once it is over: its names tell what belongs to it.
    """
    name = call["expired_as"]
    names = dict.fromkeys([*unpack_transactions(call["transactions"]), name])
    past = [*unpack_transactions(call["past"]), name]
    return {
        **_NOTHING,
        **{key: call[key] for key in ("campaign", "number", "recipient")},
        "transactions": pack_transactions(list(names)),
        "past": pack_transactions(past),
    }
