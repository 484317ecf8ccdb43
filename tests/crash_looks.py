"""
What is left after a kill, as the ledger tells it, and whether both promises hold.
"""

from __future__ import annotations

import enum
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import attrs
from crash_lists import MadeList
from sums import check_sums

from voicepush import Ledger, Outcome, open_ledger
from voicepush.model.outcome import Result
from voicepush.model.status import CampaignStatus


class Phase(enum.StrEnum):
    """
    What a process was about when it was killed, as far as it left traces.
    """

    STARTING = "starting"  #: nothing of this process is in the ledger
    PLANNING = "planning"  #: a draft is left
    BETWEEN = "between"  #: it dispatched, and nobody was in flight
    DISPATCHING = "dispatching"  #: an answer was awaited
    SETTLING = "settling"  #: an answer had left that is not in the ledger


@attrs.frozen
class Look:
    """
    What the ledger and the simulator say, while no process is alive.
    """

    #: None while nothing is planned.
    status: CampaignStatus | None = None
    #: By value, for everyone in the plan.
    results: dict[str, Result] = attrs.field(factory=dict)
    #: Who is claimed and not settled.
    in_flight: set[str] = attrs.field(factory=set)
    #: Who is unknown for good.
    unknown: set[str] = attrs.field(factory=set)
    #: How often each was rung.
    calls: dict[str, int] = attrs.field(factory=dict)
    phase: Phase = Phase.STARTING
    #: Whether only a part of a batch is in flight, while another part is pending.
    parted: bool = False


def check(list_: MadeList, before: Look, now: Look) -> None:
    """
    Make sure that both promises are kept, after any kill.

    Raises:
        AssertionError: They are not.
    """
    assert max(now.calls.values(), default=1) == 1, "somebody was rung twice"
    if now.status is None:
        assert before.status is None, "the plan is gone"
        assert not now.calls, "called without a plan"
        assert not now.results
        return
    check_counts(list_, now.status)
    assert list_.own_ids.keys() == now.results.keys()
    outcomes = {value: result.outcome for value, result in now.results.items()}
    counted = Counter(outcomes.values())
    counts = {each: getattr(now.status, each.value) for each in Outcome}
    # Whoever is in flight may be ringing, and is shown as unknown one by one.
    counts[Outcome.UNKNOWN] += now.status.in_flight
    assert counts == {each: counted[each] for each in Outcome}
    for value in now.calls:
        taken = outcomes[value] in (Outcome.ACCEPTED, Outcome.UNKNOWN)
        assert taken or value in now.in_flight, f"called and {outcomes[value]}"
    accepted = {
        value for value, outcome in outcomes.items() if outcome is Outcome.ACCEPTED
    }
    assert accepted <= now.calls.keys(), "accepted and not called"
    check_doubt(list_, before, now)
    check_ids(list_, now.results.values())


def check_counts(list_: MadeList, status: CampaignStatus) -> None:
    """
    Make sure that everybody is counted, and once.
    """
    assert status.read == sum(list_.counts)
    assert list_.counts == (status.planned, status.invalid, status.duplicate)
    counts = [
        *(status.pending, status.in_flight, status.accepted, status.rejected),
        *(status.expired, status.not_sent, status.unknown),
    ]
    assert min(counts) >= 0
    check_sums(status)


def check_doubt(list_: MadeList, before: Look, now: Look) -> None:
    """
    Make sure that nobody is unknown who was not in flight at a kill.
    """
    assert now.status is not None
    # Whoever was in flight is so still, or has become unknown; nothing else.
    assert now.unknown in (before.unknown, before.unknown | before.in_flight)
    assert now.status.unknown == len(now.unknown)
    assert now.status.in_flight == len(now.in_flight)
    assert not now.unknown & now.in_flight
    assert len(now.in_flight) <= list_.concurrency * list_.kind.batch_size


def check_ids(list_: MadeList, results: Iterable[Result]) -> None:
    """
    Make sure that own ids are kept, and that ids tell all others apart.
    """
    ours = set()
    for result in results:
        if own_id := list_.own_ids[result.recipient]:
            assert own_id == result.correlation_id
        else:
            ours.add(result.correlation_id)
    rows = [row for row in list_.rows if row.values and not row.own_id]
    assert len(rows) == len(ours)


@attrs.frozen
class _Seen:
    """
    What a ledger tells of a campaign.
    """

    status: CampaignStatus | None
    results: dict[str, Result]
    in_flight: set[str]
    unknown: set[str]
    #: When those in flight were claimed, by correlation id.
    claimed_at: dict[str, float]
    parted: bool


async def _see(path: Path, campaign: str, before: Look) -> _Seen:
    """
    Where *campaign* stands, and what became of each in it.

    The ledger shows those in flight among the unknown. Who of them was there *before*
    is unknown for good, and so is everyone then in flight, if there are more by now.
    """
    async with open_ledger(path) as ledger:
        status = await ledger.status(campaign)
        batches = [list(each) async for each in ledger.results(campaign, list(Outcome))]
        results = {result.recipient: result for rows in batches for result in rows}
        assert len(results) == sum(map(len, batches)), "somebody is there twice"
        if status is None:
            return _Seen(None, results, set(), set(), {}, parted=False)
        doubtful = {
            value
            for value, result in results.items()
            if result.outcome is Outcome.UNKNOWN
        }
        unknown = before.unknown
        if status.unknown > len(unknown):
            unknown = unknown | before.in_flight
        assert unknown <= doubtful, "somebody was unknown and is no more"
        in_flight = doubtful - unknown
        claimed_at: dict[str, float] = {}
        parted = False
        for rows in batches:
            under_way = [row for row in rows if row.recipient in in_flight]
            if under_way:
                since = await _claimed_at(ledger, campaign, under_way[0].recipient)
                claimed_at |= dict.fromkeys(
                    (row.correlation_id for row in under_way), since
                )
                parted = parted or any(row.outcome is Outcome.PENDING for row in rows)
    return _Seen(status, results, in_flight, unknown, claimed_at, parted)


async def _claimed_at(ledger: Ledger, campaign: str, value: str) -> float:
    """
    When *value*, who is in flight, was claimed, in seconds since 1970.
    """
    (found,) = [
        each for each in await ledger.lookup(value) if campaign == each.campaign
    ]
    assert found.in_flight, "unknown, and was never in flight"
    assert found.claimed is not None
    return found.claimed.timestamp()


def _is_drafted(ledger: Path, campaign: str) -> bool:
    """
    Whether a campaign that nobody else can see is in the file.
    """
    # For reading only: whoever else leaves last merges the log and removes it.
    uri = f"{ledger.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        try:
            found = connection.execute(
                "SELECT * FROM campaign WHERE name = ?", (campaign,)
            ).fetchone()
        except sqlite3.OperationalError:
            return False  # not even the tables are there
    return found is not None
