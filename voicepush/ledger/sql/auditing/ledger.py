"""
All campaigns of a store, at one moment.
"""

from __future__ import annotations

from voicepush.ledger.sql.auditing.batches import BatchAudit
from voicepush.ledger.sql.auditing.calls import audit_calls, audit_receipts
from voicepush.ledger.sql.auditing.index import audit_index
from voicepush.ledger.sql.store import DRAFT, Connection, Row
from voicepush.model.audit import PARTS, Audit, AuditedCampaign, Findings

#: What is told over time, besides the tally.
_OVER_TIME = ("accepted", "rejected", "expired", "not_sent", "unknown")


def audited(connection: Connection, *, deep: bool, about: str | None = None) -> Audit:
    """
    What is in the store, held against itself.

    Args:
        deep: Look at the whole index, and into all bodies.
        about: Only that campaign, and what belongs to none.
    """
    findings = Findings()
    rows = connection.execute(
        "SELECT * FROM campaign WHERE state != ? ORDER BY id", (DRAFT,)
    ).fetchall()
    campaigns = [
        _campaign(connection, row, findings, deep=deep)
        for row in rows
        if about in (None, row["name"])
    ]
    if len({row["tag"] for row in rows}) < len(rows):
        findings.add("campaigns", "two of them make the same correlation ids")
    audit_receipts(connection, findings, deep=deep)
    for table in ("suppressed_number", "suppressed_id"):
        (alone,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE NOT EXISTS ("  # noqa: S608 -- ours
            "SELECT * FROM suppression WHERE id = deed)"
        ).fetchone()
        if alone:
            findings.add("suppression", f"{alone} on the list have no reason there")
    return Audit(campaigns, findings.listed, findings.number)


def _campaign(
    connection: Connection, row: Row, findings: Findings, *, deep: bool
) -> AuditedCampaign:
    campaign, name = row["id"], row["name"]
    batches = BatchAudit(campaign, name, findings)
    batches.look(connection)
    counts = batches.counts
    counts["planned"] = sum(counts[part] for part in PARTS)
    tally = connection.execute(
        "SELECT * FROM tally WHERE campaign = ?", (campaign,)
    ).fetchone()
    if tally is None:
        findings.add(name, "it has no tally")
    else:
        for each in (*PARTS, "planned", "suppressed", "given_up"):
            findings.compare(name, each, kept=tally[each], counted=counts[each])
    left_out = row["invalid"] + row["duplicate"] + row["suppressed"]
    findings.compare(
        name,
        "read",
        kept=row["read"],
        counted=counts["planned"] + counts["suppressed"] + left_out,
    )
    times = connection.execute(
        f"SELECT {', '.join(f'coalesce(sum({each}), 0)' for each in _OVER_TIME)} "  # noqa: S608 -- ours
        "FROM outcome_time WHERE campaign = ?",
        (campaign,),
    ).fetchone()
    for each, number in zip(_OVER_TIME, times, strict=True):
        findings.compare(name, f"{each} over time", kept=number, counted=counts[each])
    return AuditedCampaign(
        campaign=name,
        batches=batches.batches,
        counts={each: counts[each] for each in (*PARTS, "planned", "suppressed")},
        read=row["read"],
        invalid=row["invalid"],
        duplicate=row["duplicate"],
        suppressed=row["suppressed"] + counts["suppressed"],
        calls=audit_calls(connection, campaign, name, findings),
        looked_up=audit_index(connection, campaign, name, findings, deep=deep),
    )
