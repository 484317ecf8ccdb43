"""
A clock on the wall that is moved while a campaign runs, and what must hold of whoever
is called by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from conftest import numbers

from voicepush import Campaign, Ledger, Terms, VoiceMessage, Windows
from voicepush.screening.grouping import Zoning
from voicepush.simulator import Simulator
from voicepush.simulator.records import Record
from voicepush.sources.files import read_file

#: Lets a process live by a clock that is ahead by what the file "clock" says.
MOVED = """
import time, pathlib
true = time.time
def moved():
    try:
        return true() + float(pathlib.Path("clock").read_text() or 0)
    except OSError:
        return true()
time.time = moved
"""


def at(text: str, zone: str) -> float:
    """
    The moment at which it is *text* by the clock in *zone*, in seconds since 1970.
    """
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


class Wall:
    """
    The clock on the wall, for this process and for those that read the file.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._true = time.time
        self._ahead = 0.0

    def now(self) -> float:
        """
        Seconds since 1970.
        """
        return self._true() + self._ahead

    def patch(self, setattr_: Callable[[str, object], None]) -> None:
        """
        Let everyone here live by it, a database included.
        """
        setattr_("time.time", self.now)
        setattr_(
            "voicepush.ledger.postgres.connection.ServerClock.now", lambda _: self.now()
        )

    def set(self, moment: float) -> None:
        """
        Set it to *moment*.
        """
        self._ahead = moment - self._true()
        if self._file is not None:
            # Never half written where another process reads it.
            written = self._file.with_suffix(".new")
            written.write_text(str(self._ahead))
            written.replace(self._file)


class Hours:
    """
    The hours of each day, by which a test judges; written another way than ours.
    """

    def __init__(self, opens: str, closes: str, *, not_on: Sequence[str] = ()) -> None:
        self.text = f"{opens}-{closes}"
        self.not_on = not_on
        self._opens, self._closes = opens, closes

    def is_open(self, moment: float, zone: str) -> bool:
        """
        Whether someone in *zone* may be called at *moment*.
        """
        local = datetime.fromtimestamp(moment, ZoneInfo(zone))
        if local.date() in map(date.fromisoformat, self.not_on):
            return False
        return self._opens <= f"{local:%H:%M}" < self._closes

    def changes(self, start: float, end: float, zones: Sequence[str]) -> list[float]:
        """
        When someone's hours begin or end between *start* and *end*.
        """
        first = int(start // 60 + 1) * 60
        return [
            float(minute)
            for minute in range(first, int(end), 60)
            if any(
                self.is_open(minute, zone) is not self.is_open(minute - 60, zone)
                for zone in zones
            )
        ]


def check_hours(
    simulator: Simulator, hours: Hours, zones: Mapping[str, Sequence[str]]
) -> None:
    """
    Nobody was asked to be called, nor rung, outside of *hours*, and no request lasts
    beyond them.

    Args:
        zones: Where each number may be.
    """
    numbers = {each.correlation_id: each.recipient for each in simulator.truth()}
    for record in simulator.requests:
        theirs = set(
            chain.from_iterable(zones[numbers[each]] for each in record.correlation_ids)
        )
        _check_request(record, hours, theirs)
    for call in simulator.truth():
        for event in call.events:
            if event.code == "7407":
                moment = event.moment / 1000
                assert all(
                    hours.is_open(moment, zone) for zone in zones[call.recipient]
                ), (call, moment)


def _check_request(record: Record, hours: Hours, zones: set[str]) -> None:
    if not record.correlation_ids:
        # It was about to expire when it left, and had when it came.
        assert record.code == "7005"
        return
    assert record.expiry is not None
    expiry = record.expiry.timestamp()
    # Its first minute, each minute while it lasts, and the last thousandth.
    moments = [record.at, *range(int(record.at // 60 + 1) * 60, int(expiry), 60)]
    for zone in zones:
        for moment in (*moments, expiry - 0.001):
            assert hours.is_open(moment, zone), (zone, moment)


class People:
    """
    A list of people and where each of them lives.
    """

    def __init__(self, folder: Path, each: int, zones: Sequence[str]) -> None:
        names = numbers(each * len(zones))
        self.zones = {
            number: (zones[place % len(zones)],) for place, number in enumerate(names)
        }
        self.file = folder / "june.csv"
        rows = [f"{number},{zone}" for number, (zone,) in self.zones.items()]
        self.file.write_text("\n".join(["msisdn,zone", *rows]) + "\n")

    async def planned(
        self, ledger: Ledger, hours: Hours, message: VoiceMessage, **options: Any
    ) -> Campaign:
        """
        A campaign that calls them.
        """
        windows = Windows.parse(
            hours.text, not_on=map(date.fromisoformat, hours.not_on)
        )
        return await Campaign.plan(
            ledger,
            "june",
            message,
            read_file(self.file, keep=["zone"]),
            terms=Terms(zoning=Zoning(windows, column="zone")),
            **options,
        )
