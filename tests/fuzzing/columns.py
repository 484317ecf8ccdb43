"""
What is packed comes back as it was, and what was mangled since is refused.

An input's first line says ``recipients``, and then come people as JSON; or it names a
column of a ledger, and then come the bytes that stand in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from voicepush import Kind, LedgerError, Outcome, Recipients
from voicepush.ledger import packing
from voicepush.ledger.packing import PackedRecipients
from voicepush.model.outcome import Verdict
from voicepush.model.recipients import MOST_PER_REQUEST


class _Given(msgspec.Struct):
    """
    Recipients, and what became of them.
    """

    values: list[str]
    kind: Kind = Kind.MSISDN
    rows: list[int] | None = None
    ids: list[str] | None = None
    widths: list[int] | None = None
    as_came: dict[int, str] = {}
    kept: dict[str, list[str]] = {}
    origins: list[int] | None = None
    outcomes: list[tuple[Outcome, str | None, str]] = []
    transactions: list[str] = []


def _text(unpack: Callable[[str | None], object]) -> Callable[[bytes], object]:
    return lambda data: unpack(data.decode("utf-8", "replace"))


#: How each column is read, and packed again.
_COLUMNS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], Any]]] = {
    "texts": (packing.unpack_texts, packing._pack_texts),
    "rows": (packing.unpack_rows, packing.pack_rows),
    "kept": (packing.unpack_kept, msgspec.json.encode),
    "exceptions": (packing.unpack_exceptions, packing.pack_exceptions),
    "counts": (packing.count_exceptions, bytes),
    "places": (_text(packing.unpack_places), packing.pack_places),
    "transactions": (_text(packing.unpack_transactions), packing.pack_transactions),
    "lost": (_text(packing.unpack_lost), packing.pack_lost),
}

#: No row of a source, and no batch, has a number that is larger.
_LARGEST = 2**62


def check(data: bytes) -> None:
    """
    Pack and unpack what *data* says.
    """
    name, _, rest = data.partition(b"\n")
    column = name.decode("ascii", "replace")
    if column == "recipients":
        _check_round_trip(rest)
    elif column in _COLUMNS:
        _check_mangled(column, rest)


def _check_round_trip(text: bytes) -> None:
    try:
        given = msgspec.json.decode(text, type=_Given)
    except (ValueError, RecursionError):
        return
    if not _is_possible(given):
        return
    people = Recipients(
        given.kind,
        given.values,
        given.rows,
        given.ids,
        given.widths,
        given.as_came,
        given.kept,
        given.origins,
    )
    packed = packing.pack_recipients(people)
    for each in (packed, _archived(packed)):
        assert _columns(people) == _columns(packing.unpack_recipients(each))

    verdicts = {place: Verdict(*each) for place, each in enumerate(given.outcomes)}
    exceptions = packing.pack_exceptions(verdicts)
    assert verdicts == packing.unpack_exceptions(exceptions)
    if exceptions is not None:
        assert len(verdicts) == packing.count_exceptions(exceptions).total()
    transactions = packing.pack_transactions(given.transactions)
    for text_of in (transactions, packing.zipped_text(transactions)):
        assert tuple(given.transactions) == packing.unpack_transactions(text_of)


def _archived(packed: PackedRecipients) -> PackedRecipients:
    """
    The same in little room, as a campaign has it that is over.
    """
    columns = {
        name: packing.zipped(getattr(packed, name))
        for name in ("packed", "ids", "as_came", "kept")
    }
    return PackedRecipients(**{**packed._asdict(), **columns})


def _is_possible(given: _Given) -> bool:
    """
    Whether a source could give that.
    """
    many = len(given.values) if given.widths is None else len(given.widths)
    columns = (given.rows, given.ids, given.origins, *given.kept.values())
    numbers = (*(given.rows or ()), *(given.origins or ()))
    return (
        many <= MOST_PER_REQUEST
        and all(each is None or len(each) == many for each in columns)
        and all(abs(each) < _LARGEST for each in numbers)
        and (
            given.widths is None
            or (
                (all(each > 0 for each in given.widths))
                and sum(given.widths) == len(given.values)
            )
        )
    )


def _columns(people: Recipients) -> tuple[object, ...]:
    def plain(column: Sequence[object] | None) -> list[object] | None:
        return None if column is None else list(column)

    return (
        people.kind,
        *map(plain, (people.values, people.rows, people.correlation_ids)),
        plain(people.widths),
        plain(people.origins),
        dict(people.as_came),
        {header: plain(column) for header, column in people.kept.items()},
    )


def _check_mangled(column: str, data: bytes) -> None:
    """
    Either it is refused, or it says the same when it was packed again.
    """
    unpack, pack = _COLUMNS[column]
    try:
        found = unpack(data)
    except LedgerError:
        return
    if column == "counts":
        assert sum(found.values()) == len(data) or found is not None
        return
    if column == "rows":
        assert MOST_PER_REQUEST >= len(found)
        if any(abs(each) >= _LARGEST for each in found):
            return
    again = pack(found)
    if isinstance(again, str) and column != "texts":
        again = again.encode()
    if again is not None:
        assert _plain(found) == _plain(unpack(again))


def _plain(found: object) -> object:
    return list(found) if isinstance(found, range) else found
