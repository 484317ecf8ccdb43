"""
Those who are due again stand in the store as pending, and of their calls nothing is
known any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voicepush.ledger.due_again import (
    due_again,
    due_from,
    may_be_due_again,
    reopened,
    told,
)
from voicepush.ledger.packing import unpack_transactions
from voicepush.ledger.sql.deciding import Decision, for_each
from voicepush.ledger.sql.history import note
from voicepush.ledger.sql.late import write_late
from voicepush.ledger.sql.rows import batch_result, follows_of, record_of
from voicepush.ledger.sql.statements import RECORD_READ
from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.model.call import CallState
from voicepush.model.outcome import BatchResult
from voicepush.model.status import CampaignState

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
    "was_offered": 0,
}

#: But for the names of what has expired, which tell what is over.
_FORGET = f"""
    UPDATE call SET {", ".join(f"{name} = :{name}" for name in _NOTHING)}
    WHERE campaign = :campaign AND number = :number AND recipient = :recipient
"""  # noqa: S608 -- our names

#: Of these calls it is not known yet whether their people are due again.
_IS_NEW = "expired_as IS NOT NULL AND looked_at = 0"

#: Nobody else may have the batch before them: it is recorded, and nobody is pending.
_IS_FREE = "batch.state = 2"

#: Goes from batch to batch, however many of each have expired: it is asked often, and
#: most of them may wait for a morning.
_IS_ANY = f"""
    WITH RECURSIVE news (number) AS (
        SELECT min(number) FROM call WHERE campaign = :campaign AND {_IS_NEW}
        UNION ALL
        SELECT (
            SELECT min(call.number) FROM call WHERE call.campaign = :campaign
            AND {_IS_NEW} AND call.number > news.number
        ) FROM news WHERE news.number IS NOT NULL
    )
    SELECT 1 FROM news CROSS JOIN batch
    WHERE batch.campaign = :campaign AND batch.number = news.number AND {_IS_FREE}
    LIMIT 1
"""  # noqa: S608 -- ours

#: Of these nobody is called any more, or not from here.
_OVER = (CampaignState.CANCELLED, CampaignState.MOVING, CampaignState.MOVED)


def is_any_due_again(connection: Connection, campaign: int) -> bool:
    """
    Whether there may be someone in *campaign* who is due again.
    """
    found = connection.execute(_IS_ANY, {"campaign": campaign}).fetchone()
    return found is not None and _may_be(connection, campaign)


def number_due_again(connection: Connection, campaign: int) -> int:
    """
    How many these may be.
    """
    (number,) = connection.execute(
        f"SELECT count(*) FROM call WHERE campaign = ? AND {_IS_NEW}",  # noqa: S608 -- ours
        (campaign,),
    ).fetchone()
    return int(number) if number and _may_be(connection, campaign) else 0


def stay_expired(connection: Connection, campaign: int, other: Row) -> None:
    """
    Let nobody in *campaign* be due again who was called so far, if the one in the row
    *other* follows up calls that have expired: it will not be there to tell of that.
    """
    follows = follows_of(other)
    if follows is not None and CallState.EXPIRED in follows.states:
        connection.execute(
            "UPDATE batch SET closes_at = NULL "
            "WHERE campaign = ? AND closes_at IS NOT NULL",
            (campaign,),
        )


def _may_be(connection: Connection, campaign: int) -> bool:
    row = connection.execute(
        "SELECT state, expires_at, archived_at FROM campaign WHERE id = ?", (campaign,)
    ).fetchone()
    others = connection.execute(
        "SELECT follows FROM campaign WHERE parent = ?", (campaign,)
    )
    followed = list(filter(None, map(follows_of, others)))
    is_over = row["archived_at"] is not None or row["state"] in _OVER
    expires_at, now = row["expires_at"], connection.now()
    return not is_over and may_be_due_again(expires_at, followed, now)


class DueAgain(Decision):
    """
    What is made of calls that have expired: those whose windows had closed are pending
    again, and the others stay as they are.

    Args:
        waits: Is told the number of each batch that is due again.
    """

    where = f"""{_IS_FREE} AND EXISTS (
        SELECT 1 FROM call WHERE {_IS_NEW}
        AND call.campaign = batch.campaign AND call.number = batch.number
    )"""  # noqa: S608 -- ours
    together = 1
    locks_calls = True

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
            "SELECT recipient, expired_as, received_at FROM call WHERE campaign = ? "
            "AND number = ? AND expired_as IS NOT NULL AND was_offered = 0",
            key,
        ).fetchall()
        known = batch_result(row)
        places: list[int] = []
        if row["closes_at"] is not None:
            expired = {
                call["recipient"]: unpack_transactions(call["expired_as"])
                for call in calls
            }
            places = due_again(known, expired)
        if places:
            owners, again = known.batch.recipients.places_of_values(), frozenset(places)
            theirs = [call for call in calls if owners[call["recipient"]] in again]
            batch = {**_NOTHING, "campaign": key[0], "number": key[1]}
            connection.executemany(
                _FORGET, [{**batch, "recipient": call["recipient"]} for call in theirs]
            )
            heard = [call["received_at"] for call in theirs]
            due_at = due_from(row["closes_at"], row["claimed_at"], heard)
            self._reopen(connection, row, reopened(known, places), due_at)
            self._number += known.batch.weigh(places)
        # The others are asked about when there is news of them.
        connection.execute(
            "UPDATE call SET looked_at = 1 WHERE campaign = ? AND number = ? "  # noqa: S608 -- ours
            f"AND {_IS_NEW}",
            key,
        )

    def _reopen(
        self, connection: Connection, row: Row, known: BatchResult, due_at: float | None
    ) -> None:
        record = record_of(known, self._campaign, self._token, due_at)
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
        await store.do(
            lambda connection: note(connection, campaign, "due again", told(number))
        )
