"""
Sums -> the text that Prometheus reads: the only module that uses prometheus-client.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

import attrs
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from voicepush.masking import mask_numbers
from voicepush.model.call import CallState, ReceiptCounts
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.telemetry.observed import Load
from voicepush.telemetry.sums import BOUNDS, Sums

#: What the endpoint says that its text is.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Campaigns have series of their own only while someone is at work on them, and only so
#: many: whoever plans a campaign a minute must not fill the memory of others.
_MOST_CAMPAIGNS = 20

#: Where those who were planned stand, and where those who were only read.
PLANNED = (
    *("pending", "in_flight", "accepted", "rejected", "expired", "not_sent"),
    "unknown",
)
LEFT_OUT = ("invalid", "duplicate", "suppressed")


@attrs.frozen(kw_only=True)
class Ledgered:
    """
    What a ledger tells.
    """

    campaigns: Sequence[CampaignStatus]
    receipts: ReceiptCounts
    #: In seconds since 1970, by its clock.
    now: float


@attrs.frozen(kw_only=True)
class Figures:
    """
    All that one process can tell; what it knows nothing of is left out.
    """

    #: What it has heard since it began.
    heard: Sums | None = None
    #: What it has on its way.
    load: Load | None = None
    #: On how many campaigns it works, and whether it can.
    at_work: int | None = None
    is_well: bool | None = None
    #: What its ledger tells; None where that can't be read, or was not asked.
    ledger: Ledgered | None = None
    has_ledger: bool = False


def exposition(figures: Figures) -> bytes:
    """
    *figures*, and what the process itself takes, as text.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """
        All of it.
        """
        figures = self._figures
        if figures.heard is not None:
            yield from _heard(figures.heard, sends=figures.load is not None)
        if figures.load is not None:
            yield _level(
                "voicepush_requests_active",
                "Requests that have no answer yet.",
                figures.load.requests,
            )
            yield _level(
                "voicepush_batches_waiting",
                "Batches that were begun with and have no request under way.",
                figures.load.waiting,
            )
        if figures.at_work is not None:
            yield _level(
                "voicepush_worker_campaigns",
                "Campaigns that this worker works on.",
                figures.at_work,
            )
        if figures.is_well is not None:
            yield _level(
                "voicepush_worker_well",
                "Whether this worker can use its ledger.",
                int(figures.is_well),
            )
        if figures.has_ledger:
            yield _level(
                "voicepush_ledger_up",
                "Whether the ledger can be read.",
                int(figures.ledger is not None),
            )
        if figures.ledger is not None:
            yield from _ledgered(figures.ledger)


def _heard(sums: Sums, *, sends: bool) -> Iterator[Metric]:
    if sends:
        attempts = CounterMetricFamily(
            "voicepush_attempts",
            "Requests, by what the service said of most of their destinations.",
            labels=["code", "meaning"],
        )
        for said, number in dict(sums.attempts).items():
            attempts.add_metric(list(said), number)
        yield attempts
        yield _counter(
            "voicepush_recipients",
            "Recipients of requests, by what became of them.",
            "outcome",
            {each.value: number for each, number in dict(sums.recipients).items()},
        )
        yield _durations(sums)
    else:
        yield _counter(
            "voicepush_receipts",
            "Receipts that were stored, by what they say of their call.",
            "state",
            {each.value: sums.receipts[each] for each in CallState},
        )
        yield _counter(
            "voicepush_receipt_posts",
            "Requests to the notify URL, by what was done with them.",
            "what",
            dict(sums.posts),
        )


def _durations(sums: Sums) -> Metric:
    durations = HistogramMetricFamily(
        "voicepush_request_duration_seconds",
        "How long the service took to answer a request.",
    )
    ends = [*map(str, BOUNDS), "+Inf"]
    counts = accumulate(sums.durations.counts)
    durations.add_metric(
        [], list(zip(ends, counts, strict=True)), sums.durations.seconds
    )
    return durations


def _ledgered(ledger: Ledgered) -> Iterator[Metric]:
    states = Counter(each.state for each in ledger.campaigns)
    yield _gauge(
        "voicepush_ledger_campaigns",
        "Campaigns of the ledger, by their state.",
        "state",
        {each.value: states[each] for each in CampaignState},
    )
    recipients = Counter[str]()
    calls = Counter[str]()
    for status in ledger.campaigns:
        recipients.update({name: getattr(status, name) for name in PLANNED + LEFT_OUT})
        if status.calls is not None:
            calls.update(attrs.asdict(status.calls))
    yield _gauge(
        "voicepush_ledger_recipients",
        "Recipients of all campaigns of the ledger, by where they stand.",
        "state",
        {name: recipients[name] for name in PLANNED + LEFT_OUT},
    )
    yield _gauge(
        "voicepush_ledger_calls",
        "Accepted recipients of campaigns with receipts, by what those say.",
        "state",
        {each.value: calls[each.value] for each in CallState},
    )
    yield _level(
        "voicepush_ledger_given_up",
        "Of the unknown, those whom their owner has given up.",
        sum(each.given_up for each in ledger.campaigns),
    )
    yield from _receipts(ledger.receipts)
    yield from _at_work(ledger)


def _receipts(counts: ReceiptCounts) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "voicepush_ledger_receipts",
        "Bodies that the ledger has received.",
        counts.received,
    )
    yield CounterMetricFamily(
        "voicepush_ledger_receipts_refused",
        "Requests with a wrong signature or password.",
        counts.refused,
    )
    yield _gauge(
        "voicepush_ledger_receipts_aside",
        "Receipts that are kept aside at present.",
        "why",
        {"unplaced": counts.unplaced, "unreadable": counts.unreadable},
    )
    if counts.last_at is not None:
        yield _level(
            "voicepush_ledger_last_receipt_timestamp_seconds",
            "When the last receipt came, in seconds since 1970.",
            counts.last_at,
        )


def _at_work(ledger: Ledgered) -> Iterator[Metric]:
    running = [
        each for each in ledger.campaigns if each.state is CampaignState.RUNNING
    ][-_MOST_CAMPAIGNS:]
    named = dict(_named(running))
    recipients = GaugeMetricFamily(
        "voicepush_campaign_recipients",
        "Recipients of a campaign that is running, by where they stand.",
        labels=["campaign", "state"],
    )
    for name, status in named.items():
        for state in PLANNED:
            recipients.add_metric([name, state], getattr(status, state))
    yield recipients
    yield _gauge(
        "voicepush_campaign_throughput",
        "Recipients per second of a running campaign, as it was measured lately.",
        "campaign",
        {name: each.throughput or 0.0 for name, each in named.items()},
    )
    yield _gauge(
        "voicepush_campaign_pace",
        "Destinations per second that the owner of a running campaign wants.",
        "campaign",
        {name: each.rate for name, each in named.items() if each.rate is not None},
    )
    yield _gauge(
        "voicepush_campaign_workers",
        "Processes that are at work on a running campaign.",
        "campaign",
        {name: each.workers for name, each in named.items()},
    )
    yield _gauge(
        "voicepush_campaign_waiting_seconds",
        "For how long nothing goes on in a running campaign; 0 where it does.",
        "campaign",
        {name: _waiting(each, ledger.now) for name, each in named.items()},
    )


def _waiting(status: CampaignStatus, now: float) -> float:
    if status.waiting_since is None:
        return 0.0
    return max(0.0, now - status.waiting_since.timestamp())


def _named(running: Iterable[CampaignStatus]) -> Iterator[tuple[str, CampaignStatus]]:
    """
    Each by a name of its own: two that differ only in what is masked stay apart.
    """
    known = Counter[str]()
    for status in running:
        name = mask_numbers(status.campaign)
        known[name] += 1
        yield (name if known[name] == 1 else f"{name} ({known[name]})"), status


def _level(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value)


def _gauge(name: str, says: str, by: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=[by])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


def _counter(name: str, says: str, by: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, says, labels=[by])
    for word, value in values.items():
        family.add_metric([word], value)
    return family
