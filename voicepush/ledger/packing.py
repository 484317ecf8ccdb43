"""
What a batch looks like at rest: recipients packed, verdicts as exceptions to a rule.
"""

from __future__ import annotations

import zlib
from base64 import b85decode, b85encode
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import wraps
from itertools import accumulate, islice
from operator import sub
from typing import NamedTuple, ParamSpec, TypeAlias, TypeVar, overload

import msgspec

from voicepush.errors import LedgerError
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.recipients import MOST_PER_REQUEST, Kind, Recipients

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _checked(unpack: Callable[_P, _T]) -> Callable[_P, _T]:
    """
    *unpack*, which raises `LedgerError` for whatever else than was packed: who was
    called must not be guessed from a column that is damaged.
    """

    @wraps(unpack)
    def unpacked(*arguments: _P.args, **more: _P.kwargs) -> _T:
        try:
            return unpack(*arguments, **more)
        except (ValueError, zlib.error, OverflowError) as error:
            raise LedgerError(
                "what the ledger keeps of a batch is damaged; see "
                "voicepush check-ledger, and go on from a backup"
            ) from error

    return unpacked


class PackedRecipients(NamedTuple):
    """
    The columns of a table that hold `Recipients`; None where there is no such column.

    Sending needs but the first `TO_SEND` of them.
    """

    kind: str
    #: The values, one per line; a JSON array in bytes where a value has a line feed.
    packed: str | bytes
    #: The owner's correlation ids, likewise.
    ids: str | bytes | None = None
    #: How many values each destination has, as a JSON array.
    widths: bytes | None = None
    #: The rows of the source, see `pack_rows`.
    rows: bytes | None = None
    #: What the source said, by place, as a JSON object.
    as_came: bytes | None = None
    #: The columns that the owner keeps, by header, as a JSON object of arrays.
    kept: bytes | None = None
    #: Which earlier calls they follow up, packed as rows are.
    origins: bytes | None = None


#: Rows that stand alone begin with it, as no JSON does; then so many bytes tell the
#: first one.
_STEPS = b"+"
_FIRST = 8

#: The names of those columns, and of those among them that sending needs.
COLUMNS = PackedRecipients._fields


TO_SEND = COLUMNS[:4]


def pack_recipients(recipients: Recipients) -> PackedRecipients:
    """
    *recipients* column by column.
    """
    ids, widths = recipients.correlation_ids, recipients.widths
    as_came, kept = recipients.as_came, recipients.kept
    return PackedRecipients(
        recipients.kind.value,
        _pack_texts(recipients.values),
        None if ids is None else _pack_texts(ids),
        None if widths is None else msgspec.json.encode(widths),
        pack_rows(recipients.rows),
        msgspec.json.encode(as_came) if as_came else None,
        msgspec.json.encode(kept) if kept else None,
        pack_rows(recipients.origins),
    )


@_checked
def unpack_recipients(packed: PackedRecipients) -> Recipients:
    """
    The recipients that `pack_recipients` packed.

    Raises:
        LedgerError: A column is damaged.
    """
    kind, values, ids, widths, rows, as_came, kept, origins = packed
    decode = msgspec.json.decode
    return Recipients(
        Kind(kind),
        unpack_texts(values),
        unpack_rows(rows),
        None if ids is None else unpack_texts(ids),
        None if widths is None else decode(widths, type=list[int]),
        {} if as_came is None else decode(unzipped(as_came), type=dict[int, str]),
        unpack_kept(kept),
        unpack_rows(origins),
    )


@_checked
def unpack_kept(packed: bytes | None) -> dict[str, list[str]]:
    """
    The columns that an owner keeps, as they were before they were packed.
    """
    if packed is None:
        return {}
    return msgspec.json.decode(unzipped(packed), type=dict[str, list[str]])


class Lines(str):
    """
    Texts, one per line.
    """

    __slots__ = ()


def _pack_texts(texts: Sequence[str]) -> Lines | bytes:
    """
    *texts* as lines; as a JSON array where they can't be told apart so.
    """
    lines = "\n".join(texts)
    if lines.count("\n") == len(texts) - 1:
        return Lines(lines)
    return msgspec.json.encode(texts)


@_checked
def unpack_texts(packed: str | bytes) -> list[str]:
    """
    A column of texts as it was before it was packed.
    """
    packed = unzipped(packed)
    if isinstance(packed, str):
        return packed.split("\n")
    return msgspec.json.decode(packed, type=list[str])


#: Begins a column of an archived campaign, and what it was before; nothing else that
#: is packed begins so.
_ZIPPED, _ZIPPED_LINES, _ZIPPED_TEXT = b"zlib\nB", b"zlib\nL", "z"


def zipped(packed: str | bytes | None) -> str | bytes | None:
    """
    A column of a table in little room, where that is less; it is read as before.
    """
    if packed is None or (isinstance(packed, bytes) and packed.startswith(b"zlib\n")):
        return packed
    if isinstance(packed, str):
        small = _ZIPPED_LINES + zlib.compress(packed.encode(), 9)
        return small if len(small) < len(packed.encode()) else Lines(packed)
    small = _ZIPPED + zlib.compress(packed, 9)
    return small if len(small) < len(packed) else packed


@overload
def unzipped(packed: bytes) -> bytes: ...


@overload
def unzipped(packed: str | bytes) -> str | bytes: ...


def unzipped(packed: str | bytes) -> str | bytes:
    """
    The column that may have been zipped.
    """
    if isinstance(packed, bytes):
        if packed.startswith(_ZIPPED):
            return zlib.decompress(packed[len(_ZIPPED) :])
        if packed.startswith(_ZIPPED_LINES):
            return zlib.decompress(packed[len(_ZIPPED_LINES) :]).decode()
    return packed


def zipped_text(text: str | None) -> str | None:
    """
    The same for a column that holds a JSON array as a text.
    """
    if text is None or text.startswith(_ZIPPED_TEXT):
        return text
    small = _ZIPPED_TEXT + b85encode(zlib.compress(text.encode(), 9)).decode()
    return small if len(small) < len(text) else text


def unzipped_text(text: str) -> str:
    """
    The text that may have been zipped.
    """
    if text.startswith(_ZIPPED_TEXT):
        return zlib.decompress(b85decode(text[1:])).decode()
    return text


def pack_rows(rows: Sequence[int] | None) -> bytes | None:
    """
    *rows* as runs: how far each is from the end of the one before, and how long it is.

    The rows of a file are mostly one run, with gaps where someone was refused. Those
    of one group among others are mostly alone; then it is the first one, and a byte for
    how far each is from the one before.
    """
    if rows is None:
        return None
    if isinstance(rows, range) and rows.step == 1:
        return msgspec.json.encode([rows.start, len(rows)])
    steps = _steps(rows)
    if 2 * steps.count(1) < len(steps):
        return _STEPS + rows[0].to_bytes(_FIRST, signed=True) + steps
    runs: list[int] = []
    end = 0
    for row in rows:
        if runs and row == end:
            runs[-1] += 1
        else:
            runs += [row - end, 1]
        end = row + 1
    return msgspec.json.encode(runs)


def _steps(rows: Sequence[int]) -> bytes:
    """
    How far each of *rows* is from the one before, where that fits into bytes.
    """
    try:
        return bytes(map(sub, islice(rows, 1, None), rows))
    except ValueError:
        return b""


@_checked
def unpack_rows(packed: bytes | None) -> Sequence[int] | None:
    """
    The rows that `pack_rows` packed.

    Raises:
        LedgerError: They are damaged, or more than a batch has.
    """
    if packed is None:
        return None
    if packed.startswith(_STEPS):
        begin = len(_STEPS) + _FIRST
        if not begin <= len(packed) < begin + MOST_PER_REQUEST:
            raise ValueError("there are too few or too many steps")
        first = int.from_bytes(packed[len(_STEPS) : begin], signed=True)
        return list(accumulate(packed[begin:], initial=first))
    runs, end = msgspec.json.decode(packed, type=list[int]), 0
    lengths = runs[1::2]
    if sum(lengths) > MOST_PER_REQUEST or min(lengths, default=0) < 0:
        raise ValueError("there are too many rows, or fewer than none")
    if len(runs) == 2:  # noqa: PLR2004 -- one run, which takes no room
        return range(runs[0], sum(runs))
    found: list[int] = []
    for gap, length in zip(runs[::2], lengths, strict=True):
        found.extend(range(end + gap, end + gap + length))
        end += gap + length
    return found


def pack_places(places: Iterable[int]) -> str | None:
    """
    *places* in order; None if there are none.
    """
    packed = sorted(places)
    return msgspec.json.encode(packed).decode() if packed else None


@_checked
def unpack_places(packed: str | None) -> frozenset[int]:
    """
    The places that `pack_places` packed.
    """
    if packed is None:
        return frozenset()
    return frozenset(msgspec.json.decode(packed, type=list[int]))


def pack_exceptions(exceptions: Mapping[int, Verdict]) -> bytes | None:
    """
    *exceptions* grouped by verdict, since many places share few reasons.
    """
    if not exceptions:
        return None
    groups: dict[Verdict, list[int]] = {}
    for place, verdict in exceptions.items():
        groups.setdefault(verdict, []).append(place)
    return msgspec.json.encode(
        [[*verdict, places] for verdict, places in groups.items()]
    )


#: The parts of a verdict, and the places that have it.
_Exceptions: TypeAlias = list[tuple[Outcome, str | None, str, list[int]]]

_exceptions_in = msgspec.json.Decoder(_Exceptions).decode


@_checked
def unpack_exceptions(packed: bytes | None) -> dict[int, Verdict]:
    """
    The exceptions that `pack_exceptions` packed.
    """
    if packed is None:
        return {}
    return {
        place: verdict
        for outcome, code, description, places in _exceptions_in(unzipped(packed))
        for verdict in [Verdict(outcome, code, description)]
        for place in places
    }


@_checked
def count_exceptions(packed: bytes) -> Counter[Verdict]:
    """
    How many places have which verdict, by what `pack_exceptions` packed.
    """
    found: Counter[Verdict] = Counter()
    for outcome, code, description, places in _exceptions_in(unzipped(packed)):
        found[Verdict(outcome, code, description)] += len(places)
    return found


def pack_transactions(transaction_ids: Sequence[str]) -> str | None:
    """
    *transaction_ids*, of which there are none, one, or one per place.
    """
    return msgspec.json.encode(transaction_ids).decode() if transaction_ids else None


@_checked
def unpack_transactions(packed: str | None) -> tuple[str, ...]:
    """
    The ids that `pack_transactions` packed.
    """
    if packed is None:
        return ()
    return tuple(msgspec.json.decode(unzipped_text(packed), type=list[str]))


def pack_lost(lost: Mapping[str, Collection[int]]) -> str | None:
    """
    The places that were *lost*, by the token of the worker that had claimed them.
    """
    if not lost:
        return None
    by_token = {token: sorted(places) for token, places in lost.items()}
    return msgspec.json.encode(by_token).decode()


@_checked
def unpack_lost(packed: str | None) -> dict[str, frozenset[int]]:
    """
    What `pack_lost` packed.
    """
    if packed is None:
        return {}
    return msgspec.json.decode(packed, type=dict[str, frozenset[int]])
