"""
Writes the tables of what is measured: by OpenTelemetry, and at ``--metrics-listen``.

``python docs/measured.py`` prints them; docs/telemetry.md holds the same text, and a
test says when that is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

from voicepush.model.batch import BatchId
from voicepush.model.call import Calls, ReceiptCounts, Received
from voicepush.model.events import AttemptMade, BatchRecorded, ReceiptsApplied
from voicepush.model.outcome import Outcome
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.sending.load import Load
from voicepush.telemetry.exposition import Figures, Ledgered, exposition
from voicepush.telemetry.names import METRICS
from voicepush.telemetry.sums import Sums

_STATUS = CampaignStatus(
    campaign="june",
    state=CampaignState.RUNNING,
    reason=None,
    read=0,
    planned=0,
    pending=0,
    in_flight=0,
    accepted=0,
    rejected=0,
    expired=0,
    not_sent=0,
    unknown=0,
    invalid=0,
    duplicate=0,
    suppressed=0,
    rate=80.0,
    calls=Calls(),
)


def lines() -> Iterator[str]:
    """
    The tables, line by line.
    """
    yield "| metric | unit | what it is | by |"
    yield "| --- | --- | --- | --- |"
    for each in METRICS:
        by = ", ".join(f"`{name}`" for name in each.by)
        yield f"| `{each.name}` | `{each.unit}` | {each.says} | {by} |"
    yield ""
    yield "| metric | kind | what it is | by | of |"
    yield "| --- | --- | --- | --- | --- |"
    for command, figures in _figures():
        text = exposition(figures).decode()
        for family in text_string_to_metric_families(text):
            if not family.name.startswith("voicepush_"):
                continue
            labels = {name for each in family.samples for name in each.labels} - {"le"}
            by = ", ".join(f"`{name}`" for name in sorted(labels))
            total = "_total" if family.type == "counter" else ""
            told = f"{family.documentation} | {by} | {command} |"
            yield f"| `{family.name}{total}` | {family.type} | {told}"


def _figures() -> Iterator[tuple[str, Figures]]:
    attempt = AttemptMade(
        batch=BatchId("june", 0),
        attempt=1,
        destinations=1,
        bytes=1,
        status=200,
        began=0.0,
        seconds=0.1,
        code="1001",
        meaning="accepted",
        verdicts={},
    )
    sent, received = Sums(), Sums()
    sent(attempt)
    sent(
        BatchRecorded(
            batch=attempt.batch,
            recipients=1,
            outcomes={Outcome.ACCEPTED: 1},
            attempts=[attempt],
            began=0.0,
            seconds=0.1,
        )
    )
    received(ReceiptsApplied(stored=1, refused=0, received=Received(), seconds=0.1))
    ledger = Ledgered(campaigns=[_STATUS], receipts=ReceiptCounts(last_at=1.0), now=1.0)
    yield "`worker`", Figures(heard=sent, load=Load(), at_work=0, is_well=True)
    yield "`receipts`", Figures(heard=received)
    yield "`receipts`, `dashboard`", Figures(has_ledger=True, ledger=ledger)


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 -- it is to be read
