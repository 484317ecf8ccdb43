"""
Rows become values, and values rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

import msgspec

from voicepush import clock
from voicepush.ledger import decisions
from voicepush.ledger.opening import load_windows
from voicepush.ledger.packing import (
    COLUMNS,
    TO_SEND,
    PackedRecipients,
    pack_exceptions,
    pack_places,
    pack_transactions,
    unpack_exceptions,
    unpack_places,
    unpack_recipients,
    unpack_transactions,
)
from voicepush.ledger.plan import Cap, Command, Control, Follows, Plan, Stage, Trial
from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.call import Call
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Result, Verdict
from voicepush.model.status import Lookup, UnknownBatch

READY, SENDING, RECORDED = range(3)


#: So many batches are read at once.
TOGETHER = 64


#: The outcomes that have a column of their own.
COUNTED = {
    outcome.value: outcome for outcome in Outcome if outcome is not Outcome.PENDING
}


#: Where the message does not matter.
_without_message = cache(partial(Group, VoiceMessage(media="-")))


#: Whom receipts prove to be accepted, where the batch's row does not say so itself.
_PROVEN = """
    SELECT places FROM proof
    WHERE proof.campaign = batch.campaign AND proof.number = batch.number
"""

IS_PROVEN = f"EXISTS ({_PROVEN})"

_FIRST = (
    *("campaign.name", "campaign.tag", "campaign.follows"),
    "campaign.archived_at",
    *("batch.number", "message_group"),
    *("batch.state", "in_flight", "accepted", "unknown", "given_up", "attempts"),
    *("claimed_at", "recorded_at", "claimed", "claimed_by", "due_at", "closes_at"),
    "lost",
    *("given_up_places", "late", f"({_PROVEN}) AS proven"),
    *("outcome", "code", "description", "exceptions", "transactions"),
)


#: Where in a row the columns of its recipients stand, as many of them as were read.
_RECIPIENTS = slice(len(_FIRST), len(_FIRST) + len(COLUMNS))


def _select(columns: Sequence[str]) -> str:
    """
    A query for batches with these *columns* of their recipients, which come last.
    """
    return f"""
        SELECT {", ".join((*_FIRST, *columns))}
        FROM batch JOIN recipients USING (campaign, number)
        JOIN campaign ON campaign.id = batch.campaign
    """  # noqa: S608 -- our names


#: Batches with what is needed to send them, and with all that is known of them.
SELECT_BATCH = _select(TO_SEND)


SELECT_WITH_SOURCE = _select(COLUMNS)


#: Not those of attempts that are over.
_RECEIPTS = """
    FROM call WHERE call.campaign = batch.campaign AND call.number = batch.number
    AND rank >= 0
"""


#: Batches with what receipts say for or against who is unknown.
SELECT_WITH_RECEIPTS = _select(
    (
        *COLUMNS,
        f"(SELECT count(*) {_RECEIPTS}) AS receipts",
        f"(SELECT max(received_at) {_RECEIPTS}) AS last_receipt",
    )
)


#: Batches with all that stands in them.
SELECT_WHOLE = _select(
    (*COLUMNS, "size", "rejected", "expired", "not_sent", "batch.suppressed")
)


async def rows_of(
    store: Store,
    where: str,
    parameters: tuple[object, ...],
    select: str = SELECT_BATCH,
) -> AsyncIterator[Row]:
    """
    The batches for which *where* holds, in order, read some at a time.
    """
    after = -1

    def work(connection: Connection) -> list[Row]:
        return connection.execute(
            f"{select} WHERE {where} AND batch.number > ? "
            "ORDER BY batch.number LIMIT ?",
            (*parameters, after, TOGETHER),
        ).fetchall()

    while rows := await store.do(work, writes=False):
        for row in rows:
            yield row
        after = rows[-1]["number"]


def rows_numbered(connection: Connection, campaign: int, number: int) -> list[Row]:
    """
    The batch of *campaign* with that *number*, if there is one.
    """
    return connection.execute(
        f"{SELECT_BATCH} WHERE batch.campaign = ? AND batch.number = ?",
        (campaign, number),
    ).fetchall()


def record_of(
    result: BatchResult, campaign: int, token: str, due_at: float | None = None
) -> dict[str, Any]:
    """
    The columns of what became of a batch so far, without the moment of that.
    """
    counts = result.counts()
    return {
        "campaign": campaign,
        "token": token,
        "number": result.batch.id.number,
        "state": READY if counts[Outcome.PENDING] else RECORDED,
        "due_at": due_at if counts[Outcome.PENDING] else None,
        **{name: counts[outcome] for name, outcome in COUNTED.items()},
        "attempts": result.attempts,
        "outcome": result.verdict.outcome.value,
        "code": result.verdict.code,
        "description": result.verdict.description,
        "exceptions": pack_exceptions(result.exceptions),
        "transactions": pack_transactions(result.transaction_ids),
    }


def claim_of(
    batch: Batch, places: Sequence[int], campaign: int, token: str
) -> dict[str, Any]:
    """
    The columns of a claim of those at *places*, as long as it is not made.
    """
    whole = len(places) == len(batch)
    return {
        "campaign": campaign,
        "token": token,
        "number": batch.id.number,
        "in_flight": batch.size if whole else batch.weigh(places),
        "claimed": None if whole else pack_places(places),
        "now": None,
        "closes_at": None,
    }


def batch_result(
    row: Row, group_of: Callable[[int], Group] = _without_message
) -> BatchResult:
    """
    The batch in *row* with what is recorded of it, and with what receipts prove.

    Args:
        group_of: Gives its group, by the number of that.
    """
    known = recorded(row, group_of)
    if row["proven"] is None:
        return known
    return decisions.proven(known, unpack_places(row["proven"]))


def recorded(
    row: Row, group_of: Callable[[int], Group] = _without_message
) -> BatchResult:
    """
    The same without what receipts prove.
    """
    return BatchResult(
        Batch(
            BatchId(row["tag"], row["number"]),
            unpack_recipients(
                PackedRecipients(*row[len(_FIRST) : len(_FIRST) + len(COLUMNS)])
            ),
            group_of(row["message_group"]),
        ),
        Verdict(Outcome(row["outcome"]), row["code"], row["description"]),
        unpack_exceptions(row["exceptions"]),
        unpack_transactions(row["transactions"]),
        row["attempts"],
    )


def in_flight(row: Row, known: BatchResult) -> frozenset[int]:
    """
    The places that are claimed and not recorded, as far as they are pending in *known*.
    """
    if row["state"] != SENDING:
        return frozenset()
    pending = frozenset(known.places(Outcome.PENDING))
    return (
        pending if row["claimed"] is None else unpack_places(row["claimed"]) & pending
    )


#: Gives what is known of the call of a recipient, counted from 0 in its batch, and the
#: bodies of its receipts.
CallOf: TypeAlias = Callable[[int], tuple[Call | None, tuple[bytes, ...]]]


def lookups_in(row: Row, value: str, call_of: CallOf) -> list[Lookup]:
    """
    What the batch in *row* says of *value*.
    """
    batch = recorded(row).batch
    values, ids = batch.recipients.values, batch.correlation_ids
    found = [
        recipient
        for recipient, place in enumerate(batch.recipients.places_of_values())
        if value in (values[recipient], ids[place])
    ]
    return lookups_at(row, found, call_of)


def lookups_at(row: Row, recipients: Iterable[int], call_of: CallOf) -> list[Lookup]:
    """
    What the batch in *row* says of *recipients*, counted from 0 in it.
    """
    known = batch_result(row)
    under_way = in_flight(row, known)
    given_up = decisions.still_given_up(known, unpack_places(row["given_up_places"]))
    result = decisions.shown(known, under_way)
    values, ids = result.batch.recipients.values, result.batch.correlation_ids
    places = result.batch.recipients.places_of_values()
    follows = follows_of(row)
    found = []
    for recipient in recipients:
        place = places[recipient]
        call, receipts = call_of(recipient)
        each = Result(
            *(values[recipient], *result.at(place)),
            result.transaction_id(place) or (call and call.transaction_id) or None,
            ids[place],
        )
        found.append(
            Lookup(
                campaign=row["name"],
                result=each,
                in_flight=place in under_way,
                given_up=place in given_up,
                batch=str(result.batch.id),
                attempts=row["attempts"],
                claimed=clock.moment(row["claimed_at"]),
                recorded=clock.moment(row["recorded_at"]),
                follows=follows.campaign if follows else None,
                kept=result.batch.recipients.kept_at(place),
                call=call,
                receipts=receipts,
                archived=clock.moment(row["archived_at"]),
            )
        )
    return found


def called_in(row: Row, expired: Collection[int]) -> list[str]:
    """
    Those in the batch in *row* who were called, or may have been.

    Args:
        expired: The recipients whose call has expired before it was offered.
    """
    known = batch_result(row)
    result = decisions.shown(known, in_flight(row, known))
    recipients = result.batch.recipients
    return [
        recipients.values[recipient]
        for recipient, place in enumerate(recipients.places_of_values())
        if decisions.was_called(result.at(place))
        and recipient not in expired
        and recipients.values[recipient]  # who was forgotten has none
    ]


def unresolved_of(row: Row, result: BatchResult) -> list[int]:
    """
    The places of the batch in *row* that are unknown and not given up.
    """
    return decisions.unresolved(result, unpack_places(row["given_up_places"]))


def unknown_batch_of(row: Row) -> UnknownBatch | None:
    """
    The unknown of the batch in *row*, with what speaks for either side; None if there
    are none left.
    """
    result = batch_result(row)
    unresolved = unresolved_of(row, result)
    verdicts = Counter(map(result.at, unresolved))
    reasons = [
        " ".join(filter(None, (verdict.code, verdict.description)))
        for verdict, _ in verdicts.most_common()
    ]
    if not unresolved:
        return None
    return UnknownBatch(
        batch=str(result.batch.id),
        unknown=result.batch.weigh(unresolved),
        accepted=result.counts()[Outcome.ACCEPTED],
        size=result.batch.size,
        claimed=clock.moment(row["claimed_at"]),
        reasons=tuple(reasons),
        receipts=row["receipts"],
        last_receipt=clock.moment(row["last_receipt"]),
    )


def plan_of(row: Row) -> Plan:
    """
    What the campaign in *row* is.
    """
    return Plan(
        campaign=row["name"],
        message=row["message"],
        source=row["source"],
        tag=row["tag"],
        expires_at=row["expires_at"],
        rate=row["rate"],
        retry_internal_error=bool(row["retry_internal_error"]),
        resend_unknown=bool(row["resend_unknown"]),
        given=msgspec.json.decode(row["given"], type=dict[str, str]),
        follows=follows_of(row),
        caps=()
        if row["caps"] is None
        else msgspec.json.decode(row["caps"], type=tuple[Cap, ...]),
        windows=load_windows(row["windows"]),
        any_hour=row["any_hour"],
        starts_at=row["starts_at"],
        stops_at=row["stops_at"],
        trial=None
        if row["trial"] is None
        else msgspec.json.decode(row["trial"], type=Trial),
        tried_at=row["tried_at"],
        stage=row["stage"] and Stage(row["stage"]),
    )


def control_of(row: Row) -> Control:
    """
    What is wanted of the worker of the campaign in *row*.
    """
    command = row["command"]
    windows = load_windows(row["windows"])
    return Control(command and Command(command), row["rate"], windows)


def follows_of(row: Row) -> Follows | None:
    """
    Whose calls the campaign in *row* follows up.
    """
    packed = row["follows"]
    return None if packed is None else msgspec.json.decode(packed, type=Follows)
