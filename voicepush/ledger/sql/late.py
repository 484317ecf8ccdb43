"""
Records of a worker that was taken for dead, and proofs by receipts: what they mean for
the worker of a batch, which may not know of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from voicepush.ledger import decisions
from voicepush.ledger.late_record import LateRecord
from voicepush.ledger.packing import pack_lost, pack_places, unpack_lost, unpack_places
from voicepush.ledger.sql.rows import (
    SENDING,
    batch_result,
    in_flight,
    record_of,
    recorded,
    rows_numbered,
)
from voicepush.ledger.sql.statements import (
    CLAIM_LEFT,
    FORGET_PROOF,
    LOOK_AGAIN,
    LOSE,
    PROVE,
    RECORD_LATE,
    RECORD_READ,
    SHIFTED,
    UNCLAIM,
)
from voicepush.ledger.sql.store import Connection, Row
from voicepush.ledger.sql.tokens import may_wake, process_of
from voicepush.model.claim import Claimed
from voicepush.model.outcome import BatchResult
from voicepush.model.status import CampaignState


def record_late(
    connection: Connection, record: Mapping[str, Any], late: BatchResult
) -> None:
    """
    Add what is not known yet, unless another worker has the batch under way.

    Args:
        record: The columns of *late*, as `record_of` gives them.
    """
    campaign, token = record["campaign"], record["token"]
    for row in rows_numbered(connection, campaign, record["number"]):
        if row["state"] == SENDING and row["claimed_by"] != token:
            return  # that one will say more
        known = batch_result(row)
        known = decisions.lost(known, in_flight(row, known))
        is_latest = row["claimed_by"] in (None, token)
        known = decisions.merged(known, late, is_latest=is_latest)
        write_late(
            connection, row, known, record_of(known, campaign, token, row["due_at"])
        )
        go_on(connection, campaign)


def go_on(connection: Connection, campaign: int) -> None:
    """
    Let a finished campaign be paused in which a late record has shown that someone was
    not sent: nobody is left in one that is finished.
    """
    connection.execute(
        "UPDATE campaign SET state = ?, reason = ? WHERE id = ? AND state = ? "
        "AND EXISTS (SELECT 1 FROM tally WHERE tally.campaign = ? AND not_sent > 0)",
        (
            *(CampaignState.PAUSED, "some are left; resume goes on", campaign),
            *(CampaignState.FINISHED, campaign),
        ),
    )


def record_unrecorded(
    connection: Connection, campaign: int, late: LateRecord
) -> BatchResult | None:
    """
    Add what *late* says that is not known yet; gives what is known then, None if
    another worker has the batch under way.
    """
    for row in rows_numbered(connection, campaign, late.batch.number):
        known = batch_result(row)
        is_theirs = row["claimed_by"] == late.token
        if not late.fits(known.batch):
            return known
        if row["state"] == SENDING and not is_theirs:
            return None  # that one will say more
        # An attempt that is counted already may be an earlier one.
        is_latest = is_theirs and late.attempts >= known.attempts
        told = late.told(known.batch, is_latest=is_latest)
        known = decisions.lost(known, in_flight(row, known))
        known = decisions.merged(known, told, is_latest=is_latest)
        record = record_of(known, campaign, late.token, row["due_at"])
        write_late(connection, row, known, record)
        return known
    return None


def write(
    connection: Connection,
    row: Row,
    known: BatchResult,
    record: Mapping[str, Any],
) -> None:
    """
    Write what is *known* of the batch in *row*, which was read in this transaction.

    Args:
        record: The columns of *known*, as `record_of` gives them.
    """
    if row["proven"] is None:
        connection.execute(RECORD_READ, {**record, "now": connection.now()})
    else:
        write_late(connection, row, known, record)


def write_late(
    connection: Connection,
    row: Row,
    known: BatchResult,
    record: Mapping[str, Any],
) -> None:
    """
    The same where its worker may not know of it, or there is none.
    """
    given_up = decisions.still_given_up(known, unpack_places(row["given_up_places"]))
    columns = {
        **record,
        "now": connection.now(),
        "given_up": known.batch.weigh(given_up),
        "given_up_places": pack_places(given_up) if given_up else None,
    }
    connection.execute(RECORD_LATE, columns)
    # What receipts prove stands in its row from now on.
    connection.execute(FORGET_PROOF, columns)
    # It may name the request whose expiry they have told of.
    connection.execute(LOOK_AGAIN, columns)


def claim_left(
    connection: Connection, claim: Mapping[str, Any], places: Sequence[int]
) -> Claimed | None:
    """
    Claim those of *places* whom a late record or receipts have left pending, if there
    were any and nobody has the batch under way.

    Args:
        claim: The columns of the claim that was tried.
    """
    for row in rows_numbered(connection, claim["campaign"], claim["number"]):
        if row["state"] == SENDING or not (row["late"] or row["proven"]):
            return None
        known = batch_result(row)
        left, left_out = decisions.claimable(known, places)
        if left:
            columns = {
                **claim,
                "in_flight": known.batch.weigh(left),
                "claimed": pack_places(left),
            }
            connection.execute(CLAIM_LEFT, columns)
        return Claimed(claim["token"], left, left_out)
    return None


def record_after_late(
    connection: Connection, record: Mapping[str, Any], told: BatchResult
) -> None:
    """
    Record of what the batch's worker has *told* all that does not contradict a late
    record or a receipt, unless another worker has the batch under way.

    Args:
        record: The columns of *told*, as `record_of` gives them.
    """
    campaign, token = record["campaign"], record["token"]
    for row in rows_numbered(connection, campaign, record["number"]):
        if row["state"] == SENDING and row["claimed_by"] != token:
            return  # that one will say more
        known = decisions.heard(batch_result(row), told)
        columns = record_of(known, campaign, token, record["due_at"])
        write(connection, row, known, columns)


def unclaim(connection: Connection, claim: Mapping[str, Any]) -> None:
    """
    Take a claim of this very moment back.

    Args:
        claim: Its columns.
    """
    connection.execute(UNCLAIM, claim)
    # Whom receipts prove to be accepted are counted as something else now.
    prove(connection, claim["campaign"], claim["number"], ())


def prove(
    connection: Connection, campaign: int, number: int, places: Iterable[int]
) -> None:
    """
    Receipts prove that those at *places* of a batch are accepted, too.
    """
    for row in rows_numbered(connection, campaign, number):
        known = recorded(row)
        proven = decisions.unproven(known, unpack_places(row["proven"]).union(places))
        if row["proven"] is not None:
            batch = {"campaign": campaign, "number": number}
            connection.execute(FORGET_PROOF, batch)
        if not proven:
            continue
        given_up = unpack_places(row["given_up_places"])
        shifted = decisions.shifted(known, in_flight(row, known), given_up, proven)
        columns = {
            **dict.fromkeys(SHIFTED, 0),
            **shifted,
            "campaign": campaign,
            "number": number,
            "places": pack_places(proven),
        }
        connection.execute(PROVE, columns)


def lose(
    connection: Connection,
    campaign: int,
    row: Row,
    places: Collection[int],
) -> None:
    """
    Remember who had claimed *places*, for the day on which they are resolved: others of
    the batch may be claimed by others meanwhile.
    """
    lost = unpack_lost(row["lost"])
    token = row["claimed_by"] or ""
    lost[token] = lost.get(token, frozenset()).union(places)
    connection.execute(LOSE, (pack_lost(lost), campaign, row["number"]))


def may_be_sent(row: Row, places: frozenset[int]) -> tuple[frozenset[int], str | None]:
    """
    Those of *places* that a worker may still send, since it was stopped between its
    claim and its request, and the process of that worker in words.
    """
    found: frozenset[int] = frozenset()
    process = None
    for token, lost in unpack_lost(row["lost"]).items():
        if lost & places and may_wake(token):
            found |= lost & places
            process = process_of(token)
    return found, process
