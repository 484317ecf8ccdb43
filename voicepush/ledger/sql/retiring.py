"""
A campaign that is over is put into little room, or deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from voicepush import clock
from voicepush.errors import InputError
from voicepush.ledger.packing import zipped, zipped_text
from voicepush.ledger.sql.calls import blank_bodies
from voicepush.ledger.sql.draft import drop
from voicepush.ledger.sql.due_again import stay_expired
from voicepush.ledger.sql.history import note, this_process
from voicepush.ledger.sql.holding import (
    campaign_row,
    check_free,
    let_all_go,
    published_row,
)
from voicepush.ledger.sql.store import DRAFT, Connection, Row, Store
from voicepush.model.status import CampaignState

_T = TypeVar("_T")

#: So many batches are changed together, so that others get their turn.
_TOGETHER = 64

_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED, CampaignState.MOVED)


class Archived(NamedTuple):
    """
    How many bytes the columns of a campaign took, and take now.
    """

    before: int
    after: int


def ended_before(connection: Connection, moment: float) -> list[str]:
    """
    The campaigns that ended before *moment*, that is, were left for the last time; the
    newest first, so that who calls people again comes before those campaigns.
    """
    rows = connection.execute(
        f"SELECT name FROM campaign WHERE state IN ({', '.join('?' * len(_OVER))}) "  # noqa: S608 -- ours
        "AND coalesce((SELECT max(at) FROM history WHERE campaign = campaign.id "
        "AND event IN ('left', 'moved')), planned_at) < ? ORDER BY id DESC",
        (*_OVER, moment),
    )
    return [row["name"] for row in rows]


async def _in_turn(store: Store, work: Callable[[Connection], _T]) -> _T:
    """
    The value of *work*; who dispatches gets as much time as it took.
    """
    begun = clock.monotonic()
    given = await store.do(work)
    await clock.sleep(clock.monotonic() - begun)
    return given


# Archiving


async def archive(store: Store, name: str) -> Archived:
    """
    Put the campaign called *name* into little room; all that is asked of it is answered
    as before. What was interrupted is gone on with.
    """
    campaign = await store.do(partial(_begin_archive, name=name))
    after, before, now = -1, 0, 0
    while found := await _in_turn(
        store, partial(_zip_some, campaign=campaign, after=after)
    ):
        after, sizes = found
        before, now = before + sizes.before, now + sizes.after

    def end(connection: Connection) -> None:
        connection.execute(
            "UPDATE campaign SET archived_at = coalesce(archived_at, ?) WHERE id = ?",
            (connection.now(), campaign),
        )
        note(connection, campaign, "archived", f"{before:,} bytes in {now:,}")

    await store.do(end)
    return Archived(before, now)


def _begin_archive(connection: Connection, *, name: str) -> int:
    row = published_row(connection, name)
    _check_over(connection, row, "archived")
    return int(row["id"])


def _zip_some(
    connection: Connection, *, campaign: int, after: int
) -> tuple[int, Archived] | None:
    rows = connection.execute(
        "SELECT number, packed, ids, as_came, kept, exceptions, transactions "
        "FROM batch JOIN recipients USING (campaign, number) "
        "WHERE campaign = ? AND number > ? ORDER BY number LIMIT ?",
        (campaign, after, _TOGETHER),
    ).fetchall()
    before = now = 0
    for row in rows:
        number, *columns, exceptions, transactions = row
        small = [zipped(each) for each in columns]
        connection.execute(
            "UPDATE recipients SET packed = ?, ids = ?, as_came = ?, kept = ? "
            "WHERE campaign = ? AND number = ?",
            (*small, campaign, number),
        )
        others = (zipped(exceptions), zipped_text(transactions))
        connection.execute(
            "UPDATE batch SET exceptions = ?, transactions = ? "
            "WHERE campaign = ? AND number = ?",
            (*others, campaign, number),
        )
        before += sum(len(each or "") for each in (*columns, exceptions, transactions))
        now += sum(len(each or "") for each in (*small, *others))
    return (rows[-1]["number"], Archived(before, now)) if rows else None


# Deleting


async def delete(
    store: Store, name: str, tell: Callable[[int], object] = lambda _: None
) -> None:
    """
    Let nothing remain of the campaign called *name* but that there was one.

    Some at a time, so that others get their turn; what was interrupted is gone on with.

    Args:
        tell: Hears how many batches are gone.
    """
    campaign = await store.do(partial(_begin_deleting, name=name))
    after = -1
    while (
        last := await _in_turn(
            store, partial(_blank_some, campaign=campaign, after=after)
        )
    ) is not None:
        after = last
    await store.do(partial(_hide, name=name))
    gone = 0
    while number := await _in_turn(store, partial(_delete_some, campaign=campaign)):
        gone += number
        tell(gone)
    await store.do(lambda connection: drop(connection, campaign))


def check_deleted(connection: Connection, name: str) -> None:
    """
    Refuse to plan a campaign that was deleted.

    Raises:
        InputError: It was; everyone in it would be called again.
    """
    row = connection.execute("SELECT * FROM deleted WHERE name = ?", (name,)).fetchone()
    if row is not None:
        raise InputError(
            f"there was a campaign {name!r} in this ledger, which called "
            f"{row['accepted']:,} and was deleted; planned again, it would call them "
            "again: if that is meant, give it another name by --campaign"
        )


def _check_over(connection: Connection, row: Row, deed: str) -> None:
    check_free(connection, row)
    if row["state"] not in _OVER:
        raise InputError(
            f"campaign {row['name']!r} is {row['state']}; only one that is finished, "
            f"cancelled or moved can be {deed}: go on with resume, or end it by cancel"
        )


def _begin_deleting(connection: Connection, *, name: str) -> int:
    row = campaign_row(connection, name)
    if row is None:
        raise InputError(f"there is no campaign {name!r} in this ledger")
    if row["state"] == DRAFT:
        check_free(connection, row)  # one whose deletion, or planning, was cut off
        return int(row["id"])
    _check_over(connection, row, "deleted")
    child = connection.execute(
        "SELECT name FROM campaign WHERE parent = ?", (row["id"],)
    ).fetchone()
    if child is not None:
        raise InputError(
            f"{child['name']} calls people of {name} again, and looks at their calls; "
            "delete that first"
        )
    return int(row["id"])


def _blank_some(connection: Connection, *, campaign: int, after: int) -> int | None:
    """
    Let no bodies of calls of the next batches remain; others' are kept beside them.
    """
    numbers = [
        row["number"]
        for row in connection.execute(
            "SELECT number FROM batch WHERE campaign = ? AND number > ? "
            "ORDER BY number LIMIT ?",
            (campaign, after, _TOGETHER),
        )
    ]
    if not numbers:
        return None
    between = (campaign, numbers[0], numbers[-1])
    by_block: dict[int, set[int]] = {}
    for row in connection.execute(
        "SELECT bodies FROM call WHERE campaign = ? AND number BETWEEN ? AND ? "
        "AND bodies != ''",
        between,
    ):
        for each in row["bodies"].split():
            block, _, place = each.partition(".")
            by_block.setdefault(int(block), set()).add(int(place))
    for block, places in by_block.items():
        blank_bodies(connection, block, places, drop=True)
    connection.execute(
        "UPDATE call SET bodies = '' WHERE campaign = ? AND number BETWEEN ? AND ?",
        between,
    )
    return int(numbers[-1])


def _hide(connection: Connection, *, name: str) -> None:
    """
    From now on nobody sees it, and nobody plans it again.
    """
    row = campaign_row(connection, name)
    if row is None or row["state"] == DRAFT:
        return
    _check_over(connection, row, "deleted")
    tally = connection.execute(
        "SELECT planned, accepted FROM tally WHERE campaign = ?", (row["id"],)
    ).fetchone()
    connection.execute(
        "INSERT INTO deleted VALUES (?, ?, ?, ?, ?)",
        (name, connection.now(), this_process(), *tally),
    )
    let_all_go(connection, row["id"])
    stay_expired(connection, row["parent"], row)
    connection.execute("UPDATE campaign SET state = ? WHERE id = ?", (DRAFT, row["id"]))


def _delete_some(connection: Connection, *, campaign: int) -> int:
    numbers = [
        row["number"]
        for row in connection.execute(
            "SELECT number FROM batch WHERE campaign = ? ORDER BY number LIMIT ?",
            (campaign, _TOGETHER),
        )
    ]
    for table in ("call", "poll", "proof", "recipients", "batch"):
        connection.executemany(
            f"DELETE FROM {table} WHERE campaign = ? AND number = ?",  # noqa: S608 -- ours
            [(campaign, number) for number in numbers],
        )
    return len(numbers)
