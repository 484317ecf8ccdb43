"""
Receipts of the call: taken as a campaign's are, and kept only until they are judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import attrs
import msgspec

from voicepush import clock
from voicepush.checking.calling import transactions
from voicepush.checking.findings import Finding, no, unknown, yes
from voicepush.checking.probing import Asked
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.model.call import Receipt, Received, Report
from voicepush.receipts.call_state import EVENTS

#: These come without a correlation id: a mistake of the platform that is known.
_NAMELESS = ("7410", "7411", "7412")

#: Of every call that rings these are reported, and of the last line one.
_OF_EVERY_CALL = ("7407", "7408", "7409")
_OF_THE_PHONE = ("7519", "7401", "7402", "7404", "7406")

_SOURCE = "receipts"


class Hearing(MemoryLedger):
    """
    A ledger that remembers what was posted, and counts what was refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.receipts: list[Receipt] = []
        self.refused = 0
        self._news = asyncio.Event()

    async def receive(
        self, receipts: Sequence[Receipt], *, refused: int = 0
    ) -> Received:
        """
        Remember *receipts*.
        """
        self.receipts += receipts
        self.refused += refused
        self._news.set()
        return await super().receive(receipts, refused=refused)

    def of(self, asked: Asked) -> list[Heard]:
        """
        What was reported of the call of *asked*.
        """
        names = {*asked.request.ids, asked.request.request_id}
        theirs = transactions(asked)
        return [
            Heard(receipt, report)
            for receipt in self.receipts
            for report in receipt.reports
            if report.correlation_id in names or _is_of(report, theirs)
        ]

    async def wait(
        self, is_over: Callable[[], bool], longest: float, afterwards: float
    ) -> None:
        """
        Wait until *is_over* and then for *afterwards*, but no longer than *longest*.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(longest):
                while not is_over():
                    self._news.clear()
                    await self._news.wait()
                await clock.sleep(afterwards)


def _is_of(report: Report, transaction_ids: Sequence[str]) -> bool:
    # A request of several may have numbers behind its id: X_1, X_2.
    return any(
        report.transaction_id == each or report.transaction_id.startswith(f"{each}_")
        for each in transaction_ids
    )


@attrs.frozen
class Heard:
    """
    One receipt of the call.
    """

    receipt: Receipt
    report: Report

    @property
    def name(self) -> str:
        """
        Which it is, as the console names it, with its code.
        """
        return _name(self.report.call.code)


def _name(code: str) -> str:
    event = EVENTS.get(code)
    return code if event is None else f"{event.status} {code}"


def of_the_receipts(
    heard: Sequence[Heard], refused: int, *, sent_at: float, signed: bool
) -> Iterator[Finding]:
    """
    What the receipts of the call show.

    Args:
        refused: How many requests had another signature, or none.
        sent_at: When the call was sent, in seconds since 1970.
        signed: Whether signatures were asked for.
    """
    yield _arrival(heard, refused, sent_at)
    yield _signature(heard, refused, signed=signed)
    if not heard:
        for about in ("receipt ids", "receipt times", "receipt types"):
            yield unknown(about, "no receipt of the call came")
        return
    yield _ids(heard)
    yield _times(heard)
    yield _types(heard)


def _arrival(heard: Sequence[Heard], refused: int, sent_at: float) -> Finding:
    if not heard:
        words = "none of the call came"
        if refused:
            words += f"; {refused} requests were refused"
        return no("receipts", words, _SOURCE)
    each = [
        f"{one.name} after {max(0.0, one.receipt.received_at - sent_at):,.1f} s"
        for one in heard
    ]
    return yes("receipts", ", ".join(each), _SOURCE)


def _signature(heard: Sequence[Heard], refused: int, *, signed: bool) -> Finding:
    about = "receipt signature"
    if not signed:
        return unknown(about, "not looked at; --secret-file names the hub secret")
    if refused:
        words = f"{refused} requests had another signature, or none, and were refused"
        return no(about, words, _SOURCE)
    if not heard:
        return unknown(about, "no receipt of the call came")
    return yes(about, "all are signed with this secret", _SOURCE)


def _ids(heard: Sequence[Heard]) -> Finding:
    named = [each for each in heard if each.report.call.code not in _NAMELESS]
    bare = [each.name for each in named if not each.report.correlation_id]
    if bare:
        words = f"no correlation id in {', '.join(_once(bare))}"
        return no("receipt ids", words, _SOURCE)
    words = f"the correlation id comes back in all {len(named)} that should have it"
    return yes("receipt ids", words, _SOURCE)


def _times(heard: Sequence[Heard]) -> Finding:
    stamps = [_stamp_of(each.receipt.body) for each in heard]
    if any(stamp is None for stamp in stamps):
        return no("receipt times", "some have no time stamp", _SOURCE)
    if any(stamp is not None and stamp.tzinfo is None for stamp in stamps):
        words = "without an offset; give receipts the --tenant-zone"
        return no("receipt times", words, _SOURCE)
    return yes("receipt times", "all have an offset", _SOURCE)


def _stamp_of(body: bytes) -> datetime | None:
    """
    The time stamp of a receipt as it stands there.
    """
    try:
        stamp = _found(msgspec.json.decode(body), "timestamp")
        return datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
    except (ValueError, RecursionError):
        return None


def _found(thing: Any, name: str) -> Any:
    if isinstance(thing, list):
        thing = dict(enumerate(thing))
    if not isinstance(thing, dict):
        return None
    for key, value in thing.items():
        inner = value if str(key).lower() == name else _found(value, name)
        if isinstance(inner, str):
            return inner
    return None


def _types(heard: Sequence[Heard]) -> Finding:
    codes = {each.report.call.code for each in heard}
    missing = [_name(code) for code in _OF_EVERY_CALL if code not in codes]
    if not codes.intersection(_OF_THE_PHONE):
        missing.append("ANSWERED or REJECTED")
    came = ", ".join(_once([each.name for each in heard]))
    if missing:
        words = (
            f"{came} came, and not {', '.join(missing)}; are all receipts of Voice "
            "selected in the console?"
        )
        return no("receipt types", words, _SOURCE)
    return yes("receipt types", f"{came} came", _SOURCE)


def _once(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))
