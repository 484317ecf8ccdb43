"""
Who holds a campaign, and whether that process is alive.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from voicepush import clock
from voicepush.errors import (
    CampaignHeldError,
    CampaignLostError,
    InputError,
)
from voicepush.ledger.sql.store import DRAFT, Connection, Row
from voicepush.model.status import CampaignState

#: A holder that gave no sign for so long is taken for dead, in seconds.
SILENT_FOR = 15.0

#: For how long a holder gave no sign, by a clock that all who use the store share.
SILENT_SINCE = "life_clock() - heartbeat_at AS silent"

#: The tokens of the workers in this process that have claimed someone and not left,
#: whichever of its event loops they are in.
at_work: set[str] = set()


def campaign_row(connection: Connection, name: str) -> Row | None:
    """
    The row of the campaign called *name*, a draft included.
    """
    row: Row | None = connection.execute(
        f"SELECT campaign.*, message, {SILENT_SINCE} "  # noqa: S608 -- our names
        "FROM campaign JOIN message_group "
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


def check_free(row: Row) -> None:
    """
    Refuse a campaign that a living process holds.
    """
    if row["holder"] is not None and is_alive(row):
        raise CampaignHeldError(row["name"], describe(row))


def hold(connection: Connection, campaign: int, holder: str) -> Row:
    """
    The campaign's row, if it is still ours.
    """
    row: Row | None = connection.execute(
        "SELECT * FROM campaign WHERE id = ? AND holder = ?", (campaign, holder)
    ).fetchone()
    if row is None:
        raise CampaignLostError(
            "the campaign was taken over by another process; this one stops"
        )
    return row


def is_held(connection: Connection, campaign: int, holder: str) -> bool:
    """
    Whether the campaign is still ours.
    """
    found = connection.execute(
        "SELECT 1 FROM campaign WHERE id = ? AND holder = ?", (campaign, holder)
    )
    return found.fetchone() is not None


def note_heartbeat(connection: Connection, campaign: int) -> None:
    """
    Note that the holder of *campaign* is alive.
    """
    connection.execute(
        "UPDATE campaign SET heartbeat_at = life_clock() WHERE id = ?", (campaign,)
    )


def is_alive(row: Row) -> bool:
    """
    Whether the holder in *row* gave a sign lately.
    """
    # Before the last start of this machine, or on another one, it would be negative.
    if row["silent"] is None or not 0 <= row["silent"] <= SILENT_FOR:
        return False
    return not is_gone(row["holder"])


def describe(row: Row) -> str:
    """
    The holder in *row*, in words.
    """
    seconds = round(row["silent"])
    when = f"{seconds} s ago" if seconds >= 0 else "before this machine was started"
    return f"{process_of(row['holder'])} (last sign {when})"


def process_of(token: str) -> str:
    """
    The process that *token* names, in words.
    """
    host, pid, *_ = token.rsplit(":", 3)
    return f"process {pid} on {host}"


def new_token() -> str:
    """
    What a worker in this process is known by in a ledger: host, process id, when the
    process was started, and something random.
    """
    pid = os.getpid()
    began = f"{_started(pid)}-{_namespace()}"
    return f"{socket.gethostname()}:{pid}:{began}:{clock.random_hex(8)}"


def is_gone(token: str) -> bool:
    """
    Whether the process of *token* ran on this machine and does not any more.
    """
    host, pid, began, _ = token.rsplit(":", 3)
    started, _, namespace = began.partition("-")
    # A container has process numbers of its own, as another machine has.
    if (host, namespace) != (socket.gethostname(), _namespace()):
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    now = _started(int(pid))
    # The number may have been given to another process since.
    return bool(int(started)) and bool(now) and int(started) != now


def may_wake(token: str | None) -> bool:
    """
    Whether a worker that claimed by *token* may still send what it has claimed: one
    that is at work in this process, or in another that exists, or on another machine.
    """
    if not token or is_gone(token):
        return False
    ours = new_token()
    is_here = token.rsplit(":", 1)[0] == ours.rsplit(":", 1)[0]
    return token in at_work if is_here else True


def _namespace() -> str:
    """
    Which numbers of processes are meant; empty where that is unknown.
    """
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116 -- no file
    except OSError:
        return ""


def _started(pid: int) -> int:
    """
    When the process was started, in ticks since the machine was; 0 if that is unknown.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
