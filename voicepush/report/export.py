"""
Everyone in a batch as rows of a table, joined from columns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from typing import TypeAlias

import attrs
import msgspec

from voicepush import clock
from voicepush.model.call import Call, CallState
from voicepush.model.outcome import BatchResult, Outcome, Result
from voicepush.report.cells import Column, csv_line, csv_lines

#: The columns of an export. No reader of recipients takes ``sent_as`` for correlation
#: ids: those of one campaign must not be used again by another.
EXPORTED = (
    *(*Result._fields[:-1], "sent_as", "row", "as_came"),
    *("call", "call_code", "call_words", "answered_at", "ended_at", "heard_seconds"),
    "message",
)


@attrs.frozen(kw_only=True)
class Wanted:
    """
    Who is exported, and what of them.
    """

    outcomes: Collection[Outcome]
    #: Only whose call is in one of these states, if there are any.
    states: Collection[CallState] = ()
    #: Which of the columns that were kept are written, too.
    kept: Sequence[str] = ()


#: What is known of the calls of a batch, by recipient counted from 0.
CallsOf: TypeAlias = Mapping[int, Call] | None


def csv_head(kept: Sequence[str] = ()) -> str:
    """
    The header of what `csv_rows` writes.
    """
    return csv_line(names_of(kept))


def csv_rows(result: BatchResult, wanted: Wanted, calls: CallsOf = None) -> str:
    """
    Everyone in *result* who is *wanted*, as lines of CSV.

    Args:
        calls: What is known of their calls, by recipient counted from 0; None where
            nothing is known of any call of the campaign.
    """
    number, columns = columns_of(result, wanted, calls)
    if not number:
        return ""
    return csv_lines(columns, number)


def json_rows(result: BatchResult, wanted: Wanted, calls: CallsOf = None) -> str:
    """
    The same as one JSON object per line.
    """
    names = names_of(wanted.kept)
    number, columns = columns_of(result, wanted, calls)
    whole = [
        [column] * number if isinstance(column, str) else column for column in columns
    ]
    rows = [
        {
            **dict(zip(names, cells, strict=True)),
            "row": int(cells[6]) if cells[6] else None,
            "code": cells[2] or None,
            "transaction_id": cells[4] or None,
            "call": cells[8] or None,
            "call_code": cells[9] or None,
            "answered_at": cells[11] or None,
            "ended_at": cells[12] or None,
            "heard_seconds": float(cells[13]) if cells[13] else None,
        }
        for cells in zip(*whole, strict=True)
    ]
    return msgspec.json.Encoder().encode_lines(rows).decode()


def names_of(kept: Sequence[str]) -> list[str]:
    """
    What the columns are called: one that was *kept* is not taken for one of ours.
    """
    return [*EXPORTED, *(f"kept_{each}" if each in EXPORTED else each for each in kept)]


def columns_of(
    result: BatchResult, wanted: Wanted, calls: CallsOf
) -> tuple[int, list[Column]]:
    """
    How many rows there are, and their columns in the order of `EXPORTED`.
    """
    batch, recipients = result.batch, result.batch.recipients
    places: Sequence[int] = recipients.places_of_values()
    values: Sequence[str] = recipients.values
    reported = None if calls is None else _reported(result, calls)
    if (
        result.exceptions
        or wanted.states
        or result.verdict.outcome not in wanted.outcomes
    ):
        good = [result.at(place).outcome in wanted.outcomes for place in places]
        if wanted.states:
            states = [each and each.state for each in reported or [None] * len(values)]
            good = [
                is_good and state in wanted.states
                for is_good, state in zip(good, states, strict=True)
            ]
        places = list(compress(places, good))
        values = list(compress(values, good))
        reported = reported and list(compress(reported, good))
    verdict: list[Column] = [
        str(result.verdict.outcome.value),
        result.verdict.code or "",
        result.verdict.description,
    ]
    if result.exceptions:
        verdicts = [result.at(place) for place in places]
        verdict = [
            [each.outcome.value for each in verdicts],
            [each.code or "" for each in verdicts],
            [each.description for each in verdicts],
        ]
    transactions: Column = ""
    if result.transaction_ids or reported:
        transactions = [
            result.transaction_id(place) or (call.transaction_id if call else "")
            for place, call in zip(
                places, reported or [None] * len(places), strict=True
            )
        ]
    rows: Column = ""
    if recipients.rows:
        rows = [str(recipients.rows[place]) for place in places]
    as_came: Sequence[str] = values
    if recipients.as_came:
        as_came = [
            recipients.as_came.get(place) or value
            for place, value in zip(places, values, strict=True)
        ]
    ids = batch.correlation_ids
    columns: list[Column] = [
        values,
        *verdict,
        transactions,
        _at(ids, places),
        rows,
        as_came,
        *_call_columns(reported),
        batch.message.played,
    ]
    for header in wanted.kept:
        column = recipients.kept.get(header)
        columns.append(_at(column, places) if column else "")
    return len(values), columns


#: On a call of which no receipt has come.
_NOT_HEARD_OF = Call(state=CallState.ON_ITS_WAY, rank=0)


def _reported(result: BatchResult, calls: Mapping[int, Call]) -> list[Call | None]:
    """
    What is known of the call of each recipient; None where there was none.
    """
    accepted = [
        result.at(place).outcome is Outcome.ACCEPTED
        for place in result.batch.recipients.places_of_values()
    ]
    return [
        calls.get(recipient, _NOT_HEARD_OF) if was_called else None
        for recipient, was_called in enumerate(accepted)
    ]


def _call_columns(calls: Sequence[Call | None] | None) -> list[Column]:
    if calls is None:
        return [""] * 6
    return [
        [each.state.value if each else "" for each in calls],
        [each.code if each else "" for each in calls],
        [each.words if each else "" for each in calls],
        [_moment(each.answered_at if each else None) for each in calls],
        [_moment(each.ended_at if each else None) for each in calls],
        [
            "" if each is None or each.heard is None else f"{each.heard:.3f}"
            for each in calls
        ],
    ]


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else clock.moment(seconds).isoformat()


def _at(column: Sequence[str], places: Sequence[int]) -> Sequence[str]:
    if isinstance(places, range) and len(places) == len(column):
        return column
    return [column[place] for place in places]
