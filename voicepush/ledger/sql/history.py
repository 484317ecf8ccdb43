"""
Who did what to a campaign when, and how it went, minute by minute.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from math import inf

from voicepush import clock
from voicepush.ledger.sql.store import Connection
from voicepush.model.status import HistoryEntry, Minute, Progress


def note(
    connection: Connection, campaign: int, event: str, detail: str | None = None
) -> None:
    """
    Write down that this process did something to *campaign* now.
    """
    connection.execute(
        "INSERT INTO history VALUES (?, ?, ?, ?, ?)",
        (campaign, clock.now(), this_process(), event, detail),
    )


def note_progress(connection: Connection, campaign: int, progress: Progress) -> None:
    """
    Add *progress* to the present minute.
    """
    connection.execute(
        "INSERT INTO minute VALUES (:campaign, :minute, :recipients, :throttled, :rate)"
        " ON CONFLICT (campaign, minute) DO UPDATE "
        "SET recipients = minute.recipients + excluded.recipients, "
        "throttled = minute.throttled + excluded.throttled, rate = excluded.rate",
        {
            "campaign": campaign,
            "minute": int(clock.now() // 60),
            "recipients": progress.recipients,
            "throttled": progress.throttled,
            "rate": progress.rate,
        },
    )


def history_of(connection: Connection, campaign: int) -> list[HistoryEntry]:
    """
    What was done to *campaign*, the oldest first.
    """
    return [
        HistoryEntry(clock.moment(row["at"]), row["who"], row["event"], row["detail"])
        for row in connection.execute(
            "SELECT * FROM history WHERE campaign = ? ORDER BY rowid", (campaign,)
        )
    ]


def minutes_of(connection: Connection, campaign: int) -> list[Minute]:
    """
    How it went in each minute in which a worker was at work.
    """
    return [
        Minute(
            clock.moment(60.0 * row["minute"]),
            Progress(row["recipients"], row["throttled"], row["rate"]),
        )
        for row in connection.execute(
            "SELECT * FROM minute WHERE campaign = ? ORDER BY minute", (campaign,)
        )
    ]


def told(given: Mapping[str, object]) -> str:
    """
    What was *given*, in words.
    """
    return ", ".join(
        f"{name} {value}" for name, value in given.items() if value is not None
    )


def moment_text(seconds: float | None) -> str | None:
    """
    The moment that many *seconds* after 1970, in words; infinity is never.
    """
    if seconds is None:
        return None
    return (
        "never" if seconds == inf else clock.moment(seconds).isoformat(" ", "seconds")
    )


def this_process() -> str:
    """
    This process, in words.
    """
    return f"process {os.getpid()} on {socket.gethostname()}"
