"""
``--metrics-listen``: what Prometheus reads of commands that serve.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from cluster_crashing import new_database
from conftest import KEY, Serve, numbers
from mishaps import ended, june, process, say, sending, wait_until
from prometheus_client.parser import text_string_to_metric_families
from receiving import receipt

from voicepush import (
    CampaignState,
    CampaignStatus,
    ReceiptCounts,
)
from voicepush.telemetry.exposition import Figures, Ledgered, exposition

pytestmark = pytest.mark.usefixtures("in_a_folder")

ANYWHERE = ("--any-hour", "a test", "--at-most", "none")
AT = ("--metrics-listen", "127.0.0.1:0")

Samples = dict[tuple[str, str], float]


def samples(text: str) -> Samples:
    """
    What Prometheus's own parser makes of *text*: values by name, and by labels.
    """
    return {
        (each.name, " ".join(each.labels.values())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def scraped(url: str) -> tuple[str, Samples]:
    """
    What is read at *url*.
    """
    with urlopen(url, timeout=20) as answer:  # noqa: S310 -- ours
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    return text, samples(text)


@contextmanager
def serving(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """
    A command that serves, and where its metrics are.
    """
    with process(*command, *AT) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if found := re.fullmatch(r"metrics are at (\S+)\n", line):
                yield running, found[1]
                return
        raise AssertionError(ended(running))


def test_receipts(serve: Serve) -> None:
    """
    Receipts by what they say, and where everyone in the ledger stands.
    """
    listed = june(30)
    say(*sending(serve(), *ANYWHERE))
    with serving("receipts", "--listen", "127.0.0.1:0") as (running, url):
        assert running.stdout is not None
        to = running.stdout.readline().strip()
        for body in (
            receipt(1, "7519"),
            receipt(2, "7410"),
            b"no receipt, from " + listed[3].encode(),
        ):
            with urlopen(Request(to, body), timeout=20) as answer:  # noqa: S310 -- ours
                assert 200 == answer.status
        text, found = scraped(url)

    expected = {
        ("voicepush_receipts_total", "reached"): 1,
        ("voicepush_receipts_total", "not_reached"): 1,
        ("voicepush_receipt_posts_total", "stored"): 3,
        ("voicepush_receipt_posts_total", "unreadable"): 1,
        ("voicepush_ledger_up", ""): 1,
        ("voicepush_ledger_campaigns", "finished"): 1,
        ("voicepush_ledger_campaigns", "running"): 0,
        ("voicepush_ledger_recipients", "accepted"): 30,
        ("voicepush_ledger_recipients", "unknown"): 0,
        ("voicepush_ledger_receipts_total", ""): 3,
    }
    assert expected.items() <= found.items()
    assert not any(each[1:] in text for each in listed)
    assert KEY not in text


def test_dashboard(serve: Serve) -> None:
    """
    What the ledger holds, the unknown included, and nothing that was heard; nothing for
    the page of a stranger whose name leads here.
    """
    june(30)
    simulator = serve()
    simulator.next_replies("504")
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1", *ANYWHERE))
    with serving("dashboard", "--listen", "127.0.0.1:0") as (_, url):
        _, found = scraped(url)
        with pytest.raises(HTTPError, match="403"):
            urlopen(Request(url, headers={"Host": "a-stranger.example"}), timeout=20)  # noqa: S310 -- ours

    expected = {
        ("voicepush_ledger_recipients", "unknown"): 10,
        ("voicepush_ledger_recipients", "accepted"): 20,
        ("voicepush_ledger_given_up", ""): 0,
    }
    assert expected.items() <= found.items()
    assert not any(name.startswith("voicepush_receipt") for name, _ in found)


def test_worker(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What it has done and has on its way.
    """
    monkeypatch.setenv("VOICEPUSH_LEDGER", new_database())
    listed = june(40)
    simulator = serve()
    simulator.next_replies("7102")
    with serving("worker", "--base-url", simulator.url) as (_, url):
        _, before = scraped(url)
        command = ["send", "june.csv", "--media", "x", "--batch-size", "10"]
        say(*command, *ANYWHERE, "--detach")
        wait_until(
            lambda: (
                json.loads(say("status", "june", "--json").out)["state"] == "finished"
            )
        )
        text, found = scraped(url)

    assert 0 == before["voicepush_worker_campaigns", ""]
    assert ("voicepush_attempts_total", "1001 accepted") not in before
    expected: dict[tuple[str, str], Any] = {
        ("voicepush_attempts_total", "1001 accepted"): 3,
        ("voicepush_attempts_total", "7102 rejected"): 1,
        ("voicepush_recipients_total", "accepted"): 30,
        ("voicepush_recipients_total", "rejected"): 10,
        ("voicepush_request_duration_seconds_count", ""): 4,
        ("voicepush_request_duration_seconds_bucket", "+Inf"): 4,
        ("voicepush_requests_active", ""): 0,
        ("voicepush_batches_waiting", ""): 0,
        ("voicepush_worker_well", ""): 1,
    }
    assert expected.items() <= found.items()
    assert not any(each[1:] in text for each in listed)


def test_a_ledger_that_is_gone() -> None:
    """
    Only that it can't be read is told of it.
    """
    found = samples(exposition(Figures(has_ledger=True)).decode())

    assert 0 == found["voicepush_ledger_up", ""]
    assert ("voicepush_ledger_recipients", "accepted") not in found


def status_of(name: str, state: CampaignState, pending: int) -> CampaignStatus:
    """
    A campaign of which nobody is done.
    """
    counts = ("in_flight", "accepted", "rejected", "expired", "not_sent", "unknown")
    none: Any = dict.fromkeys([*counts, "invalid", "duplicate", "suppressed"], 0)
    return CampaignStatus(
        campaign=name,
        state=state,
        reason=None,
        read=pending,
        planned=pending,
        pending=pending,
        rate=80.0,
        **none,
    )


def test_only_a_few_campaigns_have_series_of_their_own() -> None:
    """
    Those that are running, the newest, under masked names that stay apart; all of them
    are in the sums.
    """
    [one, two] = numbers(2)
    names = [*map(str, range(40)), f"to {one}", f"to {two[:-1]}1"]
    running = [status_of(each, CampaignState.RUNNING, 5) for each in names]
    over = [status_of(f"over {n}", CampaignState.FINISHED, 1) for n in range(3)]
    ledger = Ledgered(
        campaigns=[*over, *running], receipts=ReceiptCounts(), now=1_700_000_000.0
    )
    text = exposition(Figures(ledger=ledger, has_ledger=True)).decode()
    found = samples(text)

    told = {labels for name, labels in found if name == "voicepush_campaign_pace"}
    assert 20 == len(told)
    assert "39" in told
    assert "0" not in told
    assert 42 * 5 + 3 == found["voicepush_ledger_recipients", "pending"]
    assert one[1:] not in text


@pytest.mark.parametrize("command", ["receipts", "dashboard"])
def test_without_its_library(command: str) -> None:
    """
    One line says what to install, and nothing is served.
    """
    first = "import sys; sys.modules['prometheus_client'] = None"
    with process(command, *AT, first=first) as running:
        said = ended(running)

    assert 2 == said.code
    assert "pip install 'voicepush[prometheus]'" in said.complaint
    assert not Path("voicepush.db").exists()


def test_a_wrong_address() -> None:
    """
    It is named with the option that it belongs to.
    """
    said = say("receipts", "--metrics-listen", "here")

    assert 2 == said.code
    assert "--metrics-listen 'here' is no address with a port" in said.complaint


def test_whoever_can_reach_it_is_told(serve: Serve) -> None:
    """
    An address that is not this machine's own asks for a word of warning.
    """
    june(1)
    say(*sending(serve(), *ANYWHERE))
    command = ["dashboard", "--listen", "127.0.0.1:0", "--metrics-listen", "0.0.0.0:0"]
    with process(*command) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.terminate()
        said = ended(running)

    assert "everyone who can reach this address can read the sums" in said.err
