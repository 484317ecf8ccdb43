"""
Kills real processes at random moments, and looks after each kill whether all is well.

The test suite does so some fifty times; ``python tests/crashing.py --kills 200`` does
it as often as one likes, and prints what it saw. What is counted is values, those to
be rung: a destination of three counts three.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from conftest import KEY, _in_thread
from crash_lists import HALVINGS, KINDS, TOO_LARGE, MadeList
from crash_looks import Look, Phase, _is_drafted, _see, _Seen, check

from voicepush import Outcome
from voicepush.cli.application import run
from voicepush.model.status import CampaignState
from voicepush.simulator import Simulator

#: Seconds between a ring and its answer.
LATENCY = 0.03

#: No process is waited for any longer, in seconds.
_PATIENCE = 60.0

#: At most so many kills befall one campaign; then it may end.
_MOST_KILLS = 14

#: Only so many of them may come while it is planned, or there would be no others.
_EARLY_KILLS = 2

#: A half is waited for during so many requests.
_SOON = 30

_KILLED = -signal.SIGKILL


@attrs.define
class Crashing:
    """
    Campaigns in one ledger whose processes are killed again and again.
    """

    #: Where the ledger and the lists are kept.
    folder: Path
    #: Campaigns are begun until there were so many kills.
    kills: int
    seed: int = 0
    #: How many kills befell each kind of list, by its name, in each phase.
    seen: dict[str, Counter[Phase]] = attrs.field(init=False, factory=dict)
    #: How many processes were started.
    processes: int = attrs.field(init=False, default=0)
    #: What became of everyone in the campaigns that have ended.
    outcomes: Counter[Outcome] = attrs.field(init=False, factory=Counter)
    #: How many requests had each reply.
    replies: Counter[str] = attrs.field(init=False, factory=Counter)
    #: How many were in flight at the kills, all in all.
    in_flight: int = attrs.field(init=False, default=0)
    #: At how many kills a part of a batch was in flight, and another part pending.
    parted: int = attrs.field(init=False, default=0)
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

    @property
    def phases(self) -> Counter[Phase]:
        """
        How many kills befell each phase.
        """
        return sum(self.seen.values(), Counter())

    def go(self) -> None:
        """
        Kill, look and start again, until there were enough kills and all is done.

        Raises:
            AssertionError: A promise was broken.
        """
        for number in range(self.kills):
            if self.phases.total() >= self.kills:
                break
            list_ = MadeList(
                f"list-{number}",
                KINDS[number % len(KINDS)],
                concurrency=self._chance.randint(4, 8),
            )
            options = {
                "latency": LATENCY,
                "seed": self.seed + number,
                "tps": list_.kind.tps,
                "answer": list_.kind.answer,
            }
            with _in_thread(list_.kind.faults, options) as simulator:
                list_.write(self.folder)
                _Campaign(self, list_, simulator).go()

    def summary(self) -> str:
        """
        What was seen, in words.
        """
        kinds = [*self.seen.items(), ("all", self.phases)]
        lines = [f"{name}: {_in_words(phases)}" for name, phases in kinds]
        outcomes = ", ".join(
            f"{number:,} {outcome}" for outcome, number in self.outcomes.items()
        )
        replies = ", ".join(
            f"{number:,} of {reply}" for reply, number in self.replies.most_common()
        )
        lines.append(
            f"seed {self.seed}: {self.processes} processes in {self.campaigns} "
            f"campaigns; {self.outcomes.total():,} recipients: {outcomes}; "
            f"replies: {replies}; {self.in_flight:,} were in flight at the kills, "
            f"{self.parted} times in a part of a batch; "
            "nobody was rung twice"
        )
        return "\n".join(lines)


def _in_words(phases: Counter[Phase]) -> str:
    return f"{phases.total()} kills, " + ", ".join(
        f"{phases[each]} {each}" for each in Phase
    )


@attrs.define
class _Campaign:
    """
    One of them, with a simulator of its own.
    """

    crashing: Crashing
    list_: MadeList
    simulator: Simulator
    #: What was seen last.
    look: Look = attrs.field(init=False, factory=Look)

    @property
    def folder(self) -> Path:
        return self.crashing.folder

    @property
    def chance(self) -> random.Random:
        return self.crashing._chance

    def go(self) -> None:
        """
        Kill some of its processes, and let the last one end.
        """
        crashing, kind = self.crashing, self.list_.kind
        phases = crashing.seen.setdefault(kind.name, Counter())
        for kill in range(self._kills()):
            with self._process() as process:
                self._wait_for_the_moment(process, early=kill < _EARLY_KILLS)
                process.kill()
                code = process.wait()
            assert code in (_KILLED, 0, 1), self._said()
            before = self._look_again()
            if code != _KILLED:
                break
            phases[self.look.phase] += 1
            crashing.in_flight += len(self.look.in_flight - before.in_flight)
            crashing.parted += self.look.parted
        with self._process() as process:
            code = process.wait(_PATIENCE)
        assert code in (0, 1), self._said()
        self._look_again()
        self._check_end()
        crashing.campaigns += 1
        crashing.outcomes.update(row.outcome for row in self.look.results.values())
        crashing.replies.update(self.simulator.replies)

    def _kills(self) -> int:
        # So few that every kind has its turn.
        most = min(_MOST_KILLS, max(1, self.crashing.kills // len(KINDS)))
        return min(most, self.crashing.kills - self.crashing.phases.total())

    def _look_again(self) -> Look:
        """
        Look, and check; gives what was seen before.
        """
        before, self.look = self.look, self._look()
        check(self.list_, before, self.look)
        return before

    def _check_end(self) -> None:
        status, name = self.look.status, self.list_.name
        assert status is not None
        assert CampaignState.FINISHED is status.state
        assert (0, 0) == (status.pending, status.in_flight)
        shown = json.loads((self.folder / "shown").read_bytes())
        assert status.accepted == shown["accepted"] > 0
        exported: list[str] = []
        for outcome in Outcome:
            file = self.folder / "exported.csv"
            command = ["export", name, "--outcome", outcome.value]
            command += ["--ledger", str(self.crashing.ledger), "--output", str(file)]
            assert run(command) == 0
            with file.open(newline="") as lines:
                rows = list(csv.DictReader(lines))
            assert {outcome.value} >= {row["outcome"] for row in rows}
            assert getattr(status, outcome.value) == len(rows)
            exported += [row["recipient"] for row in rows]
        assert sorted(self.list_.own_ids) == sorted(exported)

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        """
        The next process of the campaign, which is ended at the latest here.
        """
        list_ = self.list_
        command = ["send", list_.file, "--media", "hello"]
        if self.look.status is not None and self.chance.random() < 1 / 2:
            command = ["resume", list_.name]
        self.crashing.processes += 1
        with (
            (self.folder / "said").open("wb") as said,
            (self.folder / "shown").open("wb") as shown,
        ):
            process = subprocess.Popen(  # noqa: S603 -- our own program
                [
                    *[sys.executable, "-m", "voicepush", *command, "--json"],
                    *["--base-url", self.simulator.url],
                    *["--ledger", str(self.crashing.ledger)],
                    *["--concurrency", str(list_.concurrency)],
                    *["--batch-size", str(list_.kind.batch_size)],
                    *list_.kind.options,
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
        self, process: subprocess.Popen[bytes], *, early: bool
    ) -> None:
        """
        Sleep until the next kill, which is meant for one phase and may hit another.

        Args:
            early: Whether it may come before anything is planned.
        """
        between = self.chance.uniform
        if self.chance.random() < 1 / 10:
            time.sleep(between(0.0, 0.8))
            return
        written = self._written()
        if self.look.status is None and early:
            self._wait(process, lambda: self._written() != written)
            time.sleep(between(0.0, 0.06))
            return
        if self.chance.random() < 1 / 10:
            # While it takes over what the one before it left.
            self._wait(process, lambda: self._written() != written)
            time.sleep(between(0.0, 0.01))
            return
        before = len(self.simulator.requests)
        if self.list_.kind.faults is HALVINGS:
            # While the first half is under way, or later, when the second one may be.
            self._wait(process, lambda: self._is_halved(before))
            time.sleep(between(0.0, (1 + 3 * self.chance.randint(0, 1)) * LATENCY))
            return
        some = before + self.chance.randint(1, 8)
        self._wait(process, lambda: len(self.simulator.requests) >= some)
        # While an answer is awaited, or about when it comes and is written down.
        awaited = self.chance.random() < 1 / 2
        least, most = (0.0, LATENCY) if awaited else (LATENCY, LATENCY + 0.01)
        time.sleep(between(least, most))

    def _is_halved(self, after: int) -> bool:
        """
        Whether a half has come since the request at *after*, or none soon will.
        """
        requests = self.simulator.requests[after:]
        too_large: dict[str, int] = {}
        for ids, reply in ((each.correlation_ids, each.reply) for each in requests):
            if len(ids) < too_large.get(ids[0], 0):
                return True
            if reply in TOO_LARGE:
                too_large[ids[0]] = len(ids)
        return len(requests) > _SOON

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
        ledger = self.crashing.ledger
        try:
            found = ledger.with_name(ledger.name + "-wal").stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_size, found.st_mtime_ns

    def _look(self) -> Look:
        killed_at = time.monotonic()
        calls = dict(self.simulator.calls)
        if not self.crashing.ledger.exists():
            return Look(calls=calls)
        seen = asyncio.run(_see(self.crashing.ledger, self.list_.name, self.look))
        if seen.status is None:
            is_begun = _is_drafted(self.crashing.ledger, self.list_.name)
            phase = Phase.PLANNING if is_begun else Phase.STARTING
            return Look(calls=calls, phase=phase)
        return Look(
            seen.status,
            seen.results,
            seen.in_flight,
            seen.unknown,
            calls,
            self._phase(seen, killed_at),
            seen.parted,
        )

    def _phase(self, seen: _Seen, killed_at: float) -> Phase:
        assert seen.status is not None
        if not seen.in_flight:
            is_planned = seen.status.state is CampaignState.PLANNED
            return Phase.STARTING if is_planned else Phase.BETWEEN
        for record in self.simulator.requests[-100:]:
            claimed_at = seen.claimed_at.get(record.correlation_ids[0], float("inf"))
            if claimed_at <= record.at and record.arrived + LATENCY < killed_at:
                return Phase.SETTLING
        return Phase.DISPATCHING


def main() -> None:
    """
    Kill as often as the arguments say, and print what was seen.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        crashing = Crashing(Path(folder), arguments.kills, arguments.seed)
        crashing.go()
    seconds = time.monotonic() - began
    print(f"{crashing.summary()}; {seconds:.0f} s")  # noqa: T201 -- its result


if __name__ == "__main__":
    main()
