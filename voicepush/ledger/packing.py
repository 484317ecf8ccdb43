"""
What a batch looks like at rest: recipients packed, verdicts as exceptions to a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from voicepush.model.batch import Batch
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination, Recipient

_LINES = "lines"
_JSON = "json"


def pack_recipients(batch: Batch) -> tuple[str, bytes]:
    """
    The recipients of *batch* as the name of a form, and the bytes of that form.

    Bare msisdns, the rule, are one line each, which also makes them easy to search.
    """
    recipients = batch.destinations
    if batch.plain:
        lines = "\n".join(recipients)  # type: ignore[arg-type]  # all texts
        if lines.count("\n") == len(recipients) - 1:
            return _LINES, lines.encode()
    return _JSON, msgspec.json.encode([_plain(recipient) for recipient in recipients])


def unpack_batch(message: VoiceMessage, key: str, form: str, packed: bytes) -> Batch:
    """
    The batch whose recipients `pack_recipients` packed.
    """
    if form == _LINES:
        return Batch(message, key, packed.decode().split("\n"), plain=True)
    recipients = [
        each
        if isinstance(each, str)
        else Destination(each[0], customer_id=each[1], correlation_id=each[2])
        for each in msgspec.json.decode(packed)
    ]
    return Batch(message, key, recipients)


def _plain(recipient: Recipient) -> str | list[Any]:
    if isinstance(recipient, str):
        return recipient
    return [recipient.msisdn, recipient.customer_id, recipient.correlation_id]


def pack_rows(rows: Sequence[int] | None) -> bytes | None:
    """
    *rows* as runs: how far each is from the end of the one before, and how long it is.

    The rows of a file are mostly one run, with gaps where someone was refused.
    """
    if rows is None:
        return None
    runs: list[int] = []
    end = 0
    if isinstance(rows, range) and rows.step == 1:
        runs = [rows.start, len(rows)]
    else:
        for row in rows:
            if runs and row == end:
                runs[-1] += 1
            else:
                runs += [row - end, 1]
            end = row + 1
    return msgspec.json.encode(runs)


def unpack_rows(packed: bytes | None) -> Sequence[int] | None:
    """
    The rows that `pack_rows` packed.
    """
    if packed is None:
        return None
    runs, end = msgspec.json.decode(packed, type=list[int]), 0
    found: list[int] = []
    for gap, length in zip(runs[::2], runs[1::2], strict=True):
        found.extend(range(end + gap, end + gap + length))
        end += gap + length
    return found


def pack_as_came(as_came: Mapping[int, str] | None) -> bytes | None:
    """
    What the source said, by place, of those whose numbers were written otherwise.
    """
    return msgspec.json.encode(as_came) if as_came else None


def unpack_as_came(packed: bytes | None) -> dict[int, str] | None:
    """
    What `pack_as_came` packed.
    """
    return None if packed is None else msgspec.json.decode(packed, type=dict[int, str])


def pack_places(places: Iterable[int]) -> str | None:
    """
    *places* in order; None if there are none.
    """
    packed = sorted(places)
    return msgspec.json.encode(packed).decode() if packed else None


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


def unpack_exceptions(packed: bytes | None) -> dict[int, Verdict]:
    """
    The exceptions that `pack_exceptions` packed.
    """
    if packed is None:
        return {}
    return {
        place: verdict
        for outcome, code, description, places in msgspec.json.decode(packed)
        for verdict in [Verdict(Outcome(outcome), code, description)]
        for place in places
    }


def pack_transactions(transaction_ids: Sequence[str]) -> str | None:
    """
    *transaction_ids*, of which there are none, one, or one per place.
    """
    return msgspec.json.encode(transaction_ids).decode() if transaction_ids else None


def unpack_transactions(packed: str | None) -> tuple[str, ...]:
    """
    The ids that `pack_transactions` packed.
    """
    return () if packed is None else tuple(msgspec.json.decode(packed))


def replaced(
    result: BatchResult, old: Outcome, new: Verdict, places: Sequence[int] | None = None
) -> BatchResult:
    """
    *result* with *new* in place of the outcome *old*, at *places* or wherever it is.
    """
    verdicts = [result.at(place) for place in range(len(result.batch))]
    for place in result.places(old) if places is None else places:
        if verdicts[place].outcome is old:
            verdicts[place] = new
    return BatchResult.of_places(
        result.batch, verdicts, result.transaction_ids, attempts=result.attempts
    )
