"""
Which tests are slow, so that the others can be run before every commit.

A single test is marked where it stands; here is what is slow as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

#: Fixtures that start a browser, or a process with a ledger of a busy hour.
FIXTURES = frozenset({"browser", "made", "watch"})

#: The one file whose tests ask PostgreSQL in the quick suite, too: all stores are held
#: against the same contract there.
CONTRACT = "test_ledger_contract"

#: Files that go again and again where others have been: processes are killed, disks
#: filled, pages looked at, everything tried in any order. Coverage leaves them out: it
#: doubles what they take, and they reach nothing that no other test does.
UNTRACED = frozenset(
    {
        "test_attack_stopped",
        "test_clock_changes",
        "test_cluster_crashes",
        "test_concurrency",
        "test_crashes",
        "test_disk",
        "test_kill_at_closing",
        "test_ledger_machine",
        "test_opt_outs_hold",
        "test_page_faults",
        "test_postgres_crashes",
        "test_receipts_acceptance",
        "test_receipts_crashes",
        "test_report_in_browser",
        "test_screenshots",
        "test_worlds_in_postgres",
    }
)

#: Files that are slow as a whole: these, and those that need a server, processes, or
#: seconds on a real clock.
FILES = UNTRACED | {
    "test_attack_cluster",
    "test_bundle",
    "test_checking_call",
    "test_closing",
    "test_docs_code",
    "test_docs_commands",
    "test_docs_site",
    "test_due_again_races",
    "test_ledger_file",
    "test_log_format",
    "test_metrics_endpoint",
    "test_moving",
    "test_notify_late",
    "test_opt_out_command",
    "test_plugin",
    "test_polling",
    "test_postgres",
    "test_postgres_connections",
    "test_postgres_fail_over",
    "test_postgres_migrations",
    "test_postgres_rights",
    "test_postgres_suppression",
    "test_receipts_command",
    "test_report_page",
    "test_retiring",
    "test_same_again",
    "test_second_round_ringing",
    "test_service_acceptance",
    "test_shared_clients",
    "test_shared_pacing",
    "test_shared_rate",
    "test_source_file",
    "test_steering",
    "test_terminal",
    "test_testing_docs",
    "test_trial",
    "test_windows_steering",
    "test_worker_command",
    "test_worlds",
    "test_worlds_in_files",
    "test_worlds_planted",
}

#: What asks for the quick ones.
QUICK = "not slow"

#: So many examples of any input are tried there; all tests try more.
FEW = 25

#: What a test calls the number of simulated worlds that it has gone through.
WORLDS = "worlds"


def is_quick(config: pytest.Config) -> bool:
    """
    Whether only the quick ones are asked for.
    """
    return bool(config.option.markexpr == QUICK)


def mark(items: list[pytest.Item], *, traced: bool) -> None:
    """
    Mark the slow ones among *items*, and let files of them come first: who begins the
    longest ones last waits for them alone.

    Args:
        traced: Whether coverage is measured.
    """
    items.sort(key=lambda item: _file(item) not in FILES)
    for item in items:
        if _is_slow(item):
            item.add_marker("slow")
        if traced and _file(item) in UNTRACED:
            item.add_marker("no_cover")


def worlds_told(reports: Iterable[pytest.TestReport]) -> str | None:
    """
    How many simulated worlds were gone through, and how fast, if any were.
    """
    found = [
        (worlds, report.duration)
        for report in reports
        for name, worlds in report.user_properties
        if name == WORLDS and isinstance(worlds, int)
    ]
    if not found:
        return None
    worlds = sum(many for many, _ in found)
    seconds = sum(each for _, each in found)
    return f"{worlds:,} simulated worlds, {worlds / seconds:.1f} a second"


def _file(item: pytest.Item) -> str:
    return Path(item.path).stem


def _is_slow(item: pytest.Item) -> bool:
    name = _file(item)
    if name in FILES or FIXTURES & {*getattr(item, "fixturenames", ())}:
        return True
    call = getattr(item, "callspec", None)
    return name != CONTRACT and call is not None and "postgres" in call.params.values()
