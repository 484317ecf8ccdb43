"""
What claims a batch, and what records it.
"""

from __future__ import annotations

#: Only who works on a campaign may write; looked at in the same statement, since each
#: one more costs a change of threads.
_IS_HELD = """
    EXISTS (SELECT * FROM worker WHERE campaign = :campaign AND token = :token)
"""

#: The worker may not know of a late record, or of a receipt; they have to be looked at
#: then.
_NOT_LATE = """
    AND late = 0 AND NOT EXISTS (
        SELECT * FROM proof WHERE campaign = :campaign AND number = :number
    )
"""

#: Claims what is pending after a late record, which was looked at. Who was called
#: before, by a request that did not expire so, is not due again because of this one.
CLAIM_LEFT = f"""
    UPDATE batch
    SET state = 1, in_flight = :in_flight, claimed = :claimed, claimed_at = :now,
        claimed_by = :token, due_at = NULL,
        closes_at = CASE WHEN accepted + unknown = 0 THEN :closes_at
            WHEN closes_at IS NOT NULL THEN coalesce(:closes_at, closes_at) END
    WHERE campaign = :campaign AND number = :number AND state = 0
    AND {_IS_HELD}
"""  # noqa: S608 -- ours

#: Takes a claim of this very moment back, also after the campaign was given back;
#: a process that took it over would have recorded it first.
UNCLAIM = """
    UPDATE batch
    SET state = 0, in_flight = 0, claimed = NULL
    WHERE campaign = :campaign AND number = :number AND state = 1 AND claimed_at = :now
    AND claimed_by = :token
"""

CLAIM = f"{CLAIM_LEFT} {_NOT_LATE}"

_RECORD = """
    UPDATE batch
    SET state = :state, in_flight = 0, claimed = NULL, recorded_at = :now,
        accepted = :accepted, rejected = :rejected, expired = :expired,
        not_sent = :not_sent, unknown = :unknown, suppressed = :suppressed,
        due_at = :due_at, attempts = :attempts, outcome = :outcome, code = :code,
        description = :description, exceptions = :exceptions,
        transactions = :transactions{}
    WHERE campaign = :campaign AND number = :number
"""

#: Records what was read in the same transaction, with a late record in it or not.
RECORD_READ = f"""
    {_RECORD.format("")} AND {_IS_HELD}
    AND (state != 1 OR claimed_by = :token OR claimed_by NOT IN (
        SELECT token FROM worker WHERE campaign = :campaign
    ))
"""  # noqa: S608 -- ours

RECORD = f"{RECORD_READ} {_NOT_LATE}"

#: Who was given up may have been called after all.
RECORD_LATE = _RECORD.format(
    ", given_up = :given_up, given_up_places = :given_up_places, late = 1"
)

#: What was lost with a worker stays known until it is resolved, also when another
#: worker claims the rest of the batch meanwhile.
LOSE = "UPDATE batch SET lost = ? WHERE campaign = ? AND number = ?"

#: What those are counted as whom receipts prove to be accepted.
SHIFTED = (
    *("pending", "in_flight", "rejected", "expired", "not_sent", "unknown"),
    *("suppressed", "given_up"),
)

PROVE = f"""
    INSERT INTO proof (campaign, number, places, {", ".join(SHIFTED)})
    VALUES (:campaign, :number, :places, {", ".join(f":{name}" for name in SHIFTED)})
"""  # noqa: S608 -- ours

FORGET_PROOF = "DELETE FROM proof WHERE campaign = :campaign AND number = :number"

#: Whether someone is due again is to be asked anew of a batch.
LOOK_AGAIN = """
    UPDATE call SET looked_at = 0
    WHERE campaign = :campaign AND number = :number AND expired_as IS NOT NULL
    AND looked_at = 1 AND was_offered = 0
"""
