"""
How a campaign went: what happened when, and why.
"""

from __future__ import annotations

from collections import Counter

from voicepush.ledger.lasting import lasting
from voicepush.ledger.packing import count_exceptions
from voicepush.ledger.sql.history import minutes_of
from voicepush.ledger.sql.holding import published_row
from voicepush.ledger.sql.rows import batch_result, rows_numbered
from voicepush.ledger.sql.store import Connection, Row
from voicepush.model.call import CallState
from voicepush.model.outcome import Outcome, Verdict, count_reason
from voicepush.model.overview import CallsAt, Timeline

#: Those that are told: nobody who waits, is under way or was left out.
_OUTCOMES = (
    *(Outcome.ACCEPTED, Outcome.REJECTED, Outcome.EXPIRED),
    *(Outcome.NOT_SENT, Outcome.UNKNOWN),
)

#: The columns are the second, and then how many have each of the outcomes.
_BY_SECOND = f"""
    SELECT at, {", ".join(f"sum({name})" for name in _OUTCOMES)} FROM outcome_time
    WHERE campaign = ? GROUP BY at ORDER BY at
"""  # noqa: S608 -- our names

_CALLS = """
    SELECT at, state, code, number FROM call_time
    WHERE campaign = ? AND number > 0 ORDER BY at, state, code
"""

_PICKED_UP = """
    SELECT seconds, number FROM picked_up WHERE campaign = ? ORDER BY seconds
"""


def timeline_of(connection: Connection, name: str) -> Timeline:
    """
    What happened when in the campaign called *name*.
    """
    campaign = (published_row(connection, name)["id"],)
    changes = {
        int(at): dict(zip(_OUTCOMES, numbers, strict=True))
        for at, *numbers in connection.execute(_BY_SECOND, campaign)
    }
    return Timeline(
        outcomes=lasting(changes),
        calls=[
            CallsAt(10.0 * at, CallState(state), code, number)
            for at, state, code, number in connection.execute(_CALLS, campaign)
        ],
        picked_up_after=dict(connection.execute(_PICKED_UP, campaign).fetchall()),
        minutes=minutes_of(connection, *campaign),
    )


#: Batches of which all recipients have the same verdict, and what that is.
_OF_ONE_KIND = """
    SELECT outcome, code, description, sum(size) FROM batch
    WHERE campaign = ? AND exceptions IS NULL
    AND outcome NOT IN ('pending', 'suppressed')
    AND NOT EXISTS (SELECT 1 FROM proof WHERE proof.campaign = batch.campaign
                    AND proof.number = batch.number)
    GROUP BY outcome, code, description
"""

#: The others, without their recipients where those need not be looked at: of batches
#: with one recipient a destination, and without proofs.
_MIXED = """
    SELECT batch.number, size, outcome, code, description, exceptions,
        proof.campaign IS NOT NULL AS is_proven,
        EXISTS (SELECT 1 FROM recipients WHERE recipients.campaign = batch.campaign
                AND recipients.number = batch.number AND widths IS NOT NULL) AS is_wide
    FROM batch LEFT JOIN proof
    ON proof.campaign = batch.campaign AND proof.number = batch.number
    WHERE batch.campaign = ?
    AND (exceptions IS NOT NULL OR proof.campaign IS NOT NULL)
"""


def reasons_of(connection: Connection, name: str) -> Counter[Verdict]:
    """
    How many recipients of the campaign called *name* have which verdict.
    """
    campaign = published_row(connection, name)["id"]
    found: Counter[Verdict] = Counter()
    for outcome, *said, number in connection.execute(_OF_ONE_KIND, (campaign,)):
        count_reason(found, Verdict(Outcome(outcome), *said), number)
    for row in connection.execute(_MIXED, (campaign,)).fetchall():
        for verdict, number in _reasons_in(connection, campaign, row).items():
            if verdict.outcome in _OUTCOMES:
                count_reason(found, verdict, number)
    return +found


def _reasons_in(connection: Connection, campaign: int, row: Row) -> Counter[Verdict]:
    if row["is_proven"] or row["is_wide"]:
        (whole,) = rows_numbered(connection, campaign, row["number"])
        return batch_result(whole).reasons()
    found = count_exceptions(row["exceptions"])
    rule = Verdict(Outcome(row["outcome"]), row["code"], row["description"])
    found[rule] += row["size"] - found.total()
    return found
