"""
The batches of a campaign: what is packed in each, and what is counted of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from voicepush.ledger import decisions
from voicepush.ledger.packing import unpack_places
from voicepush.ledger.sql.rows import (
    COUNTED,
    RECORDED,
    SELECT_WHOLE,
    SENDING,
    TOGETHER,
    in_flight,
    recorded,
)
from voicepush.ledger.sql.statements import SHIFTED
from voicepush.ledger.sql.store import Connection, Row
from voicepush.model.audit import Findings
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.recipients import Recipients


class BatchAudit:
    """
    Looks at the batches of the campaign called *name*, and counts their people anew.
    """

    def __init__(self, campaign: int, name: str, findings: Findings) -> None:
        self._campaign = campaign
        self._name = name
        self._findings = findings
        self.batches = 0
        #: How many are counted as what, receipts included.
        self.counts: Counter[str] = Counter()

    def look(self, connection: Connection) -> None:
        """
        Look at all of them.
        """
        after = -1
        while rows := connection.execute(
            f"{SELECT_WHOLE} WHERE batch.campaign = ? AND batch.number > ? "
            "ORDER BY batch.number LIMIT ?",
            (self._campaign, after, TOGETHER),
        ).fetchall():
            between = (self._campaign, rows[0]["number"], rows[-1]["number"])
            proofs = {
                row["number"]: row for row in connection.execute(_PROOFS, between)
            }
            called: dict[int, list[int]] = {}
            for number, recipient in connection.execute(_CALLED, between):
                called.setdefault(number, []).append(recipient)
            for row in rows:
                number = row["number"]
                self._look_at(row, proofs.get(number), called.get(number, ()))
            after = rows[-1]["number"]
        self._look_for_parts(connection)

    def _look_at(self, row: Row, proof: Row | None, called: Collection[int]) -> None:
        where = f"{self._name}, batch {row['number']}"
        self.batches += 1
        try:
            known = recorded(row)
            given_up = unpack_places(row["given_up_places"])
            under_way = in_flight(row, known)
            proven = unpack_places(row["proven"])
            wrong = _misfits(known, given_up | under_way | proven)
        except Exception as error:  # noqa: BLE001 -- whatever damage brings
            self._findings.add(where, f"can't be read: {type(error).__name__}")
            return
        for what in wrong:
            self._findings.add(where, what)
        if wrong:
            return
        batch = known.batch
        compare = self._findings.compare
        compare(where, "size", kept=row["size"], counted=batch.size)
        counts = Counter({each.value: n for each, n in known.counts().items()})
        counts["in_flight"] = batch.weigh(sorted(under_way))
        counts["pending"] -= counts["in_flight"]
        still = decisions.still_given_up(known, given_up)
        counts["given_up"] = batch.weigh(still)
        for name in (*COUNTED, "in_flight", "given_up"):
            compare(where, name, kept=row[name], counted=counts[name])
        if row["state"] == RECORDED and counts["pending"]:
            self._findings.add(
                where, f"{counts['pending']} are pending, and nobody would be given it"
            )
        if row["state"] == SENDING and not row["claimed_by"]:
            self._findings.add(where, "it is claimed by nobody")
        if proof is not None:
            shifted = decisions.shifted(known, under_way, given_up, proven)
            for name in SHIFTED:
                compare(
                    where, f"proven {name}", kept=proof[name], counted=shifted[name]
                )
            counts.subtract(shifted)
            counts["accepted"] += sum(shifted.values()) - shifted["given_up"]
        self._look_at_called(where, decisions.proven(known, proven), called)
        self.counts.update(counts)

    def _look_at_called(
        self, where: str, known: BatchResult, called: Collection[int]
    ) -> None:
        """
        Who has a receipt was called, and so is accepted.
        """
        if not called:
            return
        owners = known.batch.recipients.places_of_values()
        for recipient in called:
            if not 0 <= recipient < known.batch.size:
                self._findings.add(
                    where, f"a call of recipient {recipient}, whom it has not"
                )
            elif known.at(owners[recipient]).outcome is not Outcome.ACCEPTED:
                self._findings.add(
                    where, f"recipient {recipient} has a receipt and is not accepted"
                )

    def _look_for_parts(self, connection: Connection) -> None:
        """
        A batch has recipients, and all else in tables of batches has a batch.
        """
        for table in ("recipients", "proof", "poll", "call"):
            (alone,) = connection.execute(
                f"SELECT count(*) FROM {table} WHERE campaign = ? AND NOT EXISTS ("  # noqa: S608 -- ours
                f"SELECT * FROM batch WHERE batch.campaign = {table}.campaign "
                f"AND batch.number = {table}.number)",
                (self._campaign,),
            ).fetchone()
            if alone:
                self._findings.add(self._name, f"{alone} rows of {table} have no batch")
        (batches,) = connection.execute(
            "SELECT count(*) FROM batch WHERE campaign = ?", (self._campaign,)
        ).fetchone()
        if batches != self.batches:
            self._findings.add(
                self._name, f"{batches - self.batches} batches have no recipients"
            )
        for (group,) in connection.execute(_WITHOUT_GROUP, (self._campaign,)):
            self._findings.add(
                self._name, f"its batches name a message {group} that is not there"
            )


_PROOFS = "SELECT * FROM proof WHERE campaign = ? AND number BETWEEN ? AND ?"

_CALLED = """
    SELECT number, recipient FROM call
    WHERE campaign = ? AND number BETWEEN ? AND ? AND rank >= 0
"""

_WITHOUT_GROUP = """
    SELECT DISTINCT message_group FROM batch WHERE campaign = ? AND NOT EXISTS (
        SELECT * FROM message_group WHERE message_group.campaign = batch.campaign
        AND message_group.number = batch.message_group
    )
"""


def _misfits(known: BatchResult, places: Collection[int]) -> list[str]:
    """
    What does not fit together in a batch, in words.

    Args:
        places: All that is named besides those with a verdict of their own.
    """
    recipients = known.batch.recipients
    many = len(recipients)
    found = [
        f"it has {number} {what} for {many} destinations"
        for what, number in _lengths(recipients).items()
        if number != many
    ]
    if recipients.widths and sum(recipients.widths) != recipients.size:
        found.append(f"widths do not come to its {recipients.size} recipients")
    if len(known.transaction_ids) not in (0, 1, many):
        found.append(f"it has {len(known.transaction_ids)} transaction ids")
    if any(
        not 0 <= place < many
        for place in (*known.exceptions, *recipients.as_came, *places)
    ):
        found.append("a place is named that it has not")
    return found


def _lengths(recipients: Recipients) -> Mapping[str, int]:
    columns: dict[str, Any] = {
        "correlation ids": recipients.correlation_ids,
        "rows": recipients.rows,
        "earlier calls": recipients.origins,
        **{
            f"kept values of column {at}": each
            for at, each in enumerate(recipients.kept.values(), 1)
        },
    }
    return {name: len(each) for name, each in columns.items() if each is not None}
