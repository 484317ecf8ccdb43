"""
Who works on a campaign, or plans it, and whether that process is alive.
"""

from __future__ import annotations

from voicepush.errors import (
    CampaignHeldError,
    CampaignLostError,
    InputError,
)
from voicepush.ledger.sql.store import DRAFT, Connection, Row
from voicepush.ledger.sql.tokens import is_gone, process_of
from voicepush.model.status import CampaignState, Waiting

#: A worker that gave no sign for so long is taken for dead, in seconds.
SILENT_FOR = 15.0

_IS_OURS = "EXISTS (SELECT * FROM worker WHERE campaign = campaign.id AND token = ?)"


def campaign_row(connection: Connection, name: str) -> Row | None:
    """
    The row of the campaign called *name*, a draft included.
    """
    row: Row | None = connection.execute(
        "SELECT campaign.*, message FROM campaign JOIN message_group "
        "ON message_group.campaign = campaign.id AND number = 0 WHERE name = ?",
        (name,),
    ).fetchone()
    return row


def published_row(connection: Connection, name: str) -> Row:
    """
    The row of the campaign called *name*, if everyone may see it.
    """
    row = campaign_row(connection, name)
    if row is None or row["state"] == DRAFT:
        raise InputError(f"there is no campaign {name!r} in this ledger")
    return row


def check_here(row: Row) -> None:
    """
    Refuse a campaign that goes on in another ledger, or is on its way to one.
    """
    name, where = row["name"], row["reason"]
    if row["state"] == CampaignState.MOVED:
        raise InputError(
            f"campaign {name!r} was moved to {where}; name that by --ledger"
        )
    if row["state"] == CampaignState.MOVING:
        raise InputError(
            f"campaign {name!r} is being moved to {where}; go on with voicepush move, "
            "or take it back by --back"
        )


def workers_of(connection: Connection, campaign: int) -> list[Row]:
    """
    Those who work on *campaign*, and for how long each gave no sign, by a clock that
    all who use the store share.
    """
    return connection.execute(
        "SELECT token, shares, throughput, waiting, waiting_since, "
        "life_clock() - heartbeat_at AS silent FROM worker WHERE campaign = ?",
        (campaign,),
    ).fetchall()


def is_anyone_at_work(connection: Connection) -> bool:
    """
    Whether a living process works on any campaign.
    """
    campaigns = connection.execute("SELECT DISTINCT campaign FROM worker").fetchall()
    return any(
        is_alive(worker)
        for row in campaigns
        for worker in workers_of(connection, row["campaign"])
    )


def check_free(connection: Connection, row: Row, *, shares: bool = False) -> None:
    """
    Refuse the campaign in *row* if a living process works on it.

    Args:
        shares: Whether those who share it with others do not matter.
    """
    for worker in workers_of(connection, row["id"]):
        if is_alive(worker) and not (shares and worker["shares"]):
            raise CampaignHeldError(row["name"], describe(worker))


def take(
    connection: Connection, campaign: int, token: str, *, shares: bool = False
) -> None:
    """
    Work on *campaign* from now on: with others, or instead of all that were there,
    which are gone.
    """
    if not shares:
        let_all_go(connection, campaign)
    connection.execute(
        "INSERT INTO worker (token, campaign, shares, heartbeat_at) "
        "VALUES (?, ?, ?, life_clock())",
        (token, campaign, shares),
    )


def let_go(connection: Connection, token: str) -> None:
    """
    Work on nothing any more.
    """
    connection.execute("DELETE FROM worker WHERE token = ?", (token,))


def let_all_go(connection: Connection, campaign: int) -> None:
    """
    Let nobody work on *campaign* any more.
    """
    connection.execute("DELETE FROM worker WHERE campaign = ?", (campaign,))


def hold(connection: Connection, campaign: int, token: str) -> Row:
    """
    The campaign's row, if it is still ours.
    """
    row: Row | None = connection.execute(
        f"SELECT * FROM campaign WHERE id = ? AND {_IS_OURS}",  # noqa: S608 -- ours
        (campaign, token),
    ).fetchone()
    if row is None:
        raise CampaignLostError(
            "the campaign was taken over by another process; this one stops"
        )
    return row


def is_held(connection: Connection, campaign: int, token: str) -> bool:
    """
    Whether the campaign is still ours.
    """
    found = connection.execute(
        "SELECT 1 FROM worker WHERE campaign = ? AND token = ?", (campaign, token)
    )
    return found.fetchone() is not None


def note_heartbeat(connection: Connection, token: str) -> None:
    """
    Note that the worker of *token* is alive.
    """
    connection.execute(
        "UPDATE worker SET heartbeat_at = life_clock() WHERE token = ?", (token,)
    )


def give_sign(
    connection: Connection,
    token: str,
    throughput: float | None,
    waiting: Waiting | None,
) -> None:
    """
    The same, with how fast it is and why nothing goes on.
    """
    note_heartbeat(connection, token)
    since = waiting and waiting.since.timestamp()
    connection.execute(
        "UPDATE worker SET throughput = ?, waiting = ?, waiting_since = ? "
        "WHERE token = ?",
        (throughput, waiting and waiting.reason, since, token),
    )


def is_alive(worker: Row) -> bool:
    """
    Whether *worker* gave a sign lately.
    """
    # Before the last start of this machine, or on another one, it would be negative.
    if not 0 <= worker["silent"] <= SILENT_FOR:
        return False
    return not is_gone(worker["token"])


def describe(worker: Row) -> str:
    """
    *worker* in words.
    """
    seconds = round(worker["silent"])
    when = f"{seconds} s ago" if seconds >= 0 else "before this machine was started"
    return f"{process_of(worker['token'])} (last sign {when})"
