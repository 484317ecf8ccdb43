"""
Kills real processes at random moments, and looks after each kill whether all is well.

The test suite does so some fifty times; ``python tests/crashing.py --kills 500`` does
it as often as one likes, and prints what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import enum
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
from conftest import KEY, _in_thread, numbers

from voicepush import Outcome, open_ledger
from voicepush.cli import run
from voicepush.model import Standing, State
from voicepush.simulator import Simulator

#: 7006 befalls whole requests and single destinations, and 7100 refuses for good. None
#: of them leaves anything in doubt, so whoever is unknown is so because of a kill.
FAULTS = ("7006@10%", "mix:7006=10%,7100=5%@20%")

#: Seconds between a ring and its answer.
LATENCY = 0.03

#: No process is waited for any longer, in seconds.
_PATIENCE = 60.0

#: So many kills befall one campaign; then it may end.
_KILLS_EACH = 14

#: Every this many campaigns has a list so long that planning it takes a while.
_LONG = 3

_KILLED = -signal.SIGKILL


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
class NumberList:
    """
    A file of made-up numbers, and how it is sent.
    """

    name: str
    size: int
    batch_size: int
    concurrency: int

    @property
    def numbers(self) -> list[str]:
        """
        Everyone who is to be called.
        """
        return numbers(self.size)

    def write(self, folder: Path) -> None:
        """
        Make the file; its last rows hold nobody, and someone a second time.
        """
        rows = ["msisdn", *self.numbers, "nobody", *numbers(1)]
        (folder / f"{self.name}.csv").write_text("\n".join(rows) + "\n")


@attrs.frozen
class Look:
    """
    What the ledger and the simulator say, while no process is alive.
    """

    #: None while nothing is planned.
    standing: Standing | None = None
    #: By number, for everyone in the plan.
    outcomes: dict[str, Outcome] = attrs.field(factory=dict)
    #: The numbers that are claimed and not settled.
    in_flight: set[str] = attrs.field(factory=set)
    #: How often each number was rung.
    calls: dict[str, int] = attrs.field(factory=dict)
    phase: Phase = Phase.STARTING


def check(list_: NumberList, before: Look, now: Look) -> None:
    """
    Make sure that both promises are kept, after any kill.

    Raises:
        AssertionError: They are not.
    """
    assert max(now.calls.values(), default=1) == 1, "somebody was rung twice"
    if now.standing is None:
        assert before.standing is None, "the plan is gone"
        assert not now.calls, "called without a plan"
        assert not now.outcomes
        return
    check_sums(list_, now.standing)
    counted = Counter(now.outcomes.values())
    assert set(list_.numbers) == now.outcomes.keys()
    assert len(now.in_flight) == now.standing.in_flight
    counts = {each: getattr(now.standing, each.value) for each in Outcome}
    # Whoever is in flight may be ringing, and is shown as unknown one by one.
    counts[Outcome.UNKNOWN] += now.standing.in_flight
    assert counts == {each: counted[each] for each in Outcome}
    for number in now.calls:
        taken = now.outcomes[number] in (Outcome.ACCEPTED, Outcome.UNKNOWN)
        assert taken or number in now.in_flight, f"called and {now.outcomes[number]}"
    accepted = {
        number
        for number, outcome in now.outcomes.items()
        if outcome is Outcome.ACCEPTED
    }
    assert accepted <= now.calls.keys(), "accepted and not called"
    check_doubt(list_, before.standing, now.standing)


def check_sums(list_: NumberList, standing: Standing) -> None:
    """
    Make sure that everybody is counted, and once.
    """
    assert standing.read == list_.size + 2
    assert standing.read == (
        standing.planned + standing.invalid + standing.duplicate + standing.suppressed
    )
    assert (list_.size, 1, 1) == (
        standing.planned,
        standing.invalid,
        standing.duplicate,
    )
    counts = [
        *(standing.pending, standing.in_flight, standing.accepted, standing.rejected),
        *(standing.expired, standing.not_sent, standing.unknown),
    ]
    assert min(counts) >= 0
    assert standing.planned == sum(counts)


def check_doubt(list_: NumberList, before: Standing | None, now: Standing) -> None:
    """
    Make sure that nobody is unknown who was not in flight at a kill.
    """
    was_unknown, was_in_flight = (
        (before.unknown, before.in_flight) if before else (0, 0)
    )
    assert was_unknown <= now.unknown <= was_unknown + was_in_flight
    assert now.in_flight <= list_.concurrency * list_.batch_size
    # Whoever was in flight is so still, or has become unknown; nothing else.
    assert now.unknown in (was_unknown, was_unknown + was_in_flight)


@attrs.define
class Crashing:
    """
    Campaigns in one ledger whose processes are killed again and again.
    """

    simulator: Simulator
    #: Where the ledger and the lists are kept.
    folder: Path
    #: Campaigns are begun until there were so many kills.
    kills: int
    seed: int = 0
    #: How many kills befell each phase.
    phases: Counter[Phase] = attrs.field(init=False, factory=Counter)
    #: How many processes were started.
    processes: int = attrs.field(init=False, default=0)
    #: What became of everyone in the campaigns that have ended.
    outcomes: Counter[Outcome] = attrs.field(init=False, factory=Counter)
    #: How many were in flight at the kills, all in all.
    in_flight: int = attrs.field(init=False, default=0)
    campaigns: int = attrs.field(init=False, default=0)
    _chance: random.Random = attrs.field(init=False)

    @_chance.default
    def _seed_chance(self) -> random.Random:
        return random.Random(self.seed)  # noqa: S311 -- chance, not secrecy

    @property
    def ledger(self) -> Path:
        """
        The one file of all the campaigns.
        """
        return self.folder / "voicepush.db"

    def go(self) -> None:
        """
        Kill, look and start again, until there were enough kills and all is done.

        Raises:
            AssertionError: A promise was broken.
        """
        for number in range(self.kills):
            if self.phases.total() >= self.kills:
                break
            long = number % _LONG == 0
            self._run_campaign(
                NumberList(
                    f"list-{number}",
                    size=150_000 if long else 6_000,
                    batch_size=500 if long else 100,
                    concurrency=self._chance.randint(4, 8),
                )
            )

    def summary(self) -> str:
        """
        What was seen, in words.
        """
        phases = ", ".join(f"{self.phases[each]} {each}" for each in Phase)
        outcomes = ", ".join(
            f"{count:,} {outcome}" for outcome, count in self.outcomes.items()
        )
        return (
            f"seed {self.seed}: {self.phases.total()} kills ({phases}) of "
            f"{self.processes} processes in {self.campaigns} campaigns; "
            f"{self.outcomes.total():,} recipients: {outcomes}; "
            f"{self.in_flight:,} were in flight at the kills; nobody was rung twice"
        )

    def _run_campaign(self, list_: NumberList) -> None:
        list_.write(self.folder)
        look = Look()
        for _ in range(min(_KILLS_EACH, self.kills - self.phases.total())):
            with self._process(list_, look) as process:
                self._wait_for_the_moment(process, look)
                process.kill()
                code = process.wait()
            assert code in (_KILLED, 0, 1), self._said()
            before, look = look, self._look(list_)
            check(list_, before, look)
            if code != _KILLED:
                break
            self.phases[look.phase] += 1
            self.in_flight += len(look.in_flight - before.in_flight)
        with self._process(list_, look) as process:
            code = process.wait(_PATIENCE)
        assert code in (0, 1), self._said()
        before, look = look, self._look(list_)
        check(list_, before, look)
        self._check_end(list_, look)
        self.campaigns += 1
        self.outcomes.update(look.outcomes.values())
        self.simulator.calls.clear()
        self.simulator.requests.clear()

    def _check_end(self, list_: NumberList, look: Look) -> None:
        assert look.standing is not None
        assert State.FINISHED is look.standing.state
        assert (0, 0) == (look.standing.pending, look.standing.in_flight)
        shown = json.loads((self.folder / "shown").read_bytes())
        assert look.standing.accepted == shown["accepted"] > 0
        exported: list[str] = []
        for outcome in Outcome:
            file = self.folder / "exported.csv"
            command = ["export", list_.name, "--outcome", outcome.value]
            command += ["--ledger", str(self.ledger), "--output", str(file)]
            assert run(command) == 0
            with file.open(newline="") as lines:
                rows = list(csv.DictReader(lines))
            assert {outcome.value} >= {row["outcome"] for row in rows}
            assert getattr(look.standing, outcome.value) == len(rows)
            exported += [row["recipient"] for row in rows]
        assert list_.numbers == sorted(exported)

    @contextmanager
    def _process(
        self, list_: NumberList, look: Look
    ) -> Iterator[subprocess.Popen[bytes]]:
        """
        The next process of a campaign, which is ended at the latest here.
        """
        command = ["send", f"{list_.name}.csv", "--media", "hello"]
        if look.standing is not None and self._chance.random() < 1 / 2:
            command = ["resume", list_.name]
        self.processes += 1
        with (
            (self.folder / "said").open("wb") as said,
            (self.folder / "shown").open("wb") as shown,
        ):
            process = subprocess.Popen(  # noqa: S603 -- our own program
                [
                    *[sys.executable, "-m", "voicepush", *command, "--json"],
                    *["--base-url", self.simulator.url, "--ledger", str(self.ledger)],
                    *["--concurrency", str(list_.concurrency)],
                    *["--batch-size", str(list_.batch_size)],
                ],
                stdout=shown,
                stderr=said,
                cwd=self.folder,
                env={**os.environ, "VOICEPUSH_SERVICE_KEY": KEY},
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    def _said(self) -> str:
        return (self.folder / "said").read_text()

    def _wait_for_the_moment(
        self, process: subprocess.Popen[bytes], look: Look
    ) -> None:
        """
        Sleep until the next kill, which is meant for one phase and may hit another.
        """
        between = self._chance.uniform
        if self._chance.random() < 1 / 10:
            time.sleep(between(0.0, 0.8))
            return
        written = self._written()
        if look.standing is None:
            self._wait(process, lambda: self._written() != written)
            time.sleep(between(0.0, 0.15))
            return
        if self._chance.random() < 1 / 10:
            # While it takes over what the one before it left.
            self._wait(process, lambda: self._written() != written)
            time.sleep(between(0.0, 0.01))
            return
        some = len(self.simulator.requests) + self._chance.randint(1, 8)
        self._wait(process, lambda: len(self.simulator.requests) >= some)
        # While an answer is awaited, or about when it comes and is written down.
        early = self._chance.random() < 1 / 2
        time.sleep(between(0.0, LATENCY) if early else between(LATENCY, LATENCY + 0.01))

    def _wait(
        self, process: subprocess.Popen[bytes], happened: Callable[[], bool]
    ) -> None:
        until = time.monotonic() + _PATIENCE
        while not happened() and process.poll() is None:
            assert time.monotonic() < until, self._said()
            time.sleep(0.001)

    def _written(self) -> tuple[int, int]:
        """
        What changes whenever the ledger does.
        """
        try:
            found = self.ledger.with_name(self.ledger.name + "-wal").stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_size, found.st_mtime_ns

    def _look(self, list_: NumberList) -> Look:
        killed_at = time.monotonic()
        if not self.ledger.exists():
            return Look(calls=dict(self.simulator.calls))
        standing, batches = asyncio.run(_read(self.ledger, list_.name))
        claims = _claims(self.ledger, list_.name)
        return Look(
            standing,
            {row: outcome for batch in batches.values() for row, outcome in batch},
            {
                batches[key][place][0]
                for key, (places, _) in claims.items()
                for place in places or range(len(batches[key]))
            },
            dict(self.simulator.calls),
            self._phase(list_, standing, claims, killed_at),
        )

    def _phase(
        self,
        list_: NumberList,
        standing: Standing | None,
        claims: dict[str, tuple[list[int] | None, float]],
        killed_at: float,
    ) -> Phase:
        if standing is None:
            is_begun = _is_drafted(self.ledger, list_.name)
            return Phase.PLANNING if is_begun else Phase.STARTING
        if not claims:
            is_planned = standing.state is State.PLANNED
            return Phase.STARTING if is_planned else Phase.BETWEEN
        for record in self.simulator.requests[-100:]:
            key = record.correlation_ids[0].rpartition("-")[0]
            _, claimed_at = claims.get(key, (None, float("inf")))
            if claimed_at <= record.at and record.arrived + LATENCY < killed_at:
                return Phase.SETTLING
        return Phase.DISPATCHING


async def _read(
    ledger: Path, campaign: str
) -> tuple[Standing | None, dict[str, list[tuple[str, Outcome]]]]:
    """
    Where *campaign* stands, and by each batch's key who is in it and what came of them.
    """
    async with await open_ledger(ledger) as opened:
        standing = await opened.standing(campaign)
        batches = {
            result.batch.key: [(row.recipient, row.outcome) for row in result]
            async for result in opened.results(campaign, list(Outcome))
        }
    return standing, batches


@contextmanager
def _looking(ledger: Path) -> Iterator[sqlite3.Connection]:
    """
    The ledger for reading only: whoever else leaves last merges the log and removes it.
    """
    uri = f"{ledger.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        yield connection


def _claims(ledger: Path, campaign: str) -> dict[str, tuple[list[int] | None, float]]:
    """
    By batch, the places that are claimed and not settled (None: all), and since when.
    """
    with _looking(ledger) as connection:
        rows = connection.execute(
            "SELECT tag || '-' || number, claimed, claimed_at "
            "FROM batch JOIN campaign ON campaign.id = batch.campaign "
            "WHERE batch.state = 1 AND name = ?",
            (campaign,),
        ).fetchall()
    return {key: (places and json.loads(places), since) for key, places, since in rows}


def _is_drafted(ledger: Path, campaign: str) -> bool:
    with _looking(ledger) as connection:
        has_table = connection.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'campaign'"
        ).fetchone()[0]
        return bool(
            has_table
            and connection.execute(
                "SELECT count(*) FROM campaign WHERE name = ?", (campaign,)
            ).fetchone()[0]
        )


def main() -> None:
    """
    Kill as often as the arguments say, and print what was seen.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.monotonic()
    options = {"latency": LATENCY, "seed": arguments.seed}
    with (
        tempfile.TemporaryDirectory() as folder,
        _in_thread(FAULTS, options) as simulator,
    ):
        crashing = Crashing(simulator, Path(folder), arguments.kills, arguments.seed)
        crashing.go()
    seconds = time.monotonic() - began
    print(f"{crashing.summary()}; {seconds:.0f} s")  # noqa: T201 -- its result


if __name__ == "__main__":
    main()
