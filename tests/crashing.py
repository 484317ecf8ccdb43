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
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from itertools import count, islice
from pathlib import Path

import attrs
from conftest import KEY, _in_thread, numbers

from voicepush import Ledger, Outcome, open_ledger
from voicepush.cli.application import run
from voicepush.model.outcome import Result
from voicepush.model.status import Standing, State
from voicepush.simulator import Simulator

#: 7006 befalls whole requests and single destinations, and 7100 refuses for good. None
#: of them leaves anything in doubt, so whoever is unknown is so because of a kill.
FAULTS = ("7006@10%", "mix:7006=10%,7100=5%@20%")

#: Requests that are too large are halved, and partly sent when the kill comes.
HALVINGS = ("7009@10%", "7022@5%", *FAULTS)
TOO_LARGE = ("7009", "7022")

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
class Row:
    """
    A line of a file, and what has to become of it.
    """

    line: str
    #: Who is to be called.
    values: tuple[str, ...] = ()
    own_id: str = ""
    #: How many values are refused.
    invalid: int = 0
    duplicate: int = 0


@attrs.frozen
class Kind:
    """
    A kind of list, and the weather in which it is sent.
    """

    name: str
    #: Rows without end, all of different people.
    rows: Callable[[], Iterator[Row]]
    #: The last rows, which hold nobody, and someone a second time.
    last: tuple[Row, ...]
    #: The first line, for CSV; JSON lines have none.
    header: str | None = None
    #: How many rows it has, the last ones apart.
    size: int = 4_000
    batch_size: int = 60
    faults: tuple[str, ...] = FAULTS
    #: The most destinations that the service takes within a second.
    tps: int | None = None
    #: What is said to the command.
    options: tuple[str, ...] = ()
    #: The shape of ordinary answers: one element, or one for each destination.
    answer: str = "one"


def _numbers() -> Iterator[Row]:
    for place in count():
        (number,) = numbers(1, place)
        yield Row(number, (number,))


def _numbers_with_ids() -> Iterator[Row]:
    for place in count():
        (number,) = numbers(1, place)
        own_id = f"ticket-{place}"
        yield Row(f"{number},{own_id}", (number,), own_id)


def _customers() -> Iterator[Row]:
    for place in count():
        yield Row(f"customer-{place},Somebody", (f"customer-{place}",))


def _several(*, with_ids: bool) -> Iterator[Row]:
    for place in count():
        own_id = f"household-{place}" if with_ids else ""
        yield _row("msisdn", numbers(1 + place % 4, 4 * place), own_id)


def _mix() -> Iterator[Row]:
    for place in count():
        (number,) = numbers(1, 4 * place)
        match place % 6:
            case 0:
                yield Row(json.dumps(number), (number,))
            case 1:
                yield _row("msisdn", numbers(2 + place % 3, 4 * place))
            case 2:
                yield _row("customerid", [f"customer-{place}"], f"order-{place}")
            case 3:
                yield _row("msisdn", [number], f"order-{place}")
            case 4:
                yield _row("msisdn", numbers(3, 4 * place), f"order-{place}")
            case _:
                yield _row("customerid", [f"customer-{place}", f"other-{place}"])


def _repeats() -> Iterator[Row]:
    """
    A mix in which some come again, or come with an id that was used before.
    """
    for place, row in enumerate(_mix()):
        yield row
        fresh = f"+998{place:09d}"
        match place % 30:
            case 3:  # this row's own id with other people
                entry = {"msisdn": [fresh, fresh[:-1]], "correlationid": row.own_id}
                yield Row(json.dumps(entry), invalid=2)
            case 4:  # as it was, id and all
                yield Row(row.line, invalid=3)
            case 10:  # one of them again, with someone new
                entry = {"msisdn": [row.values[0], fresh], "correlationid": fresh}
                yield Row(json.dumps(entry), (fresh,), fresh, duplicate=1)
            case 13:
                yield Row(row.line, duplicate=len(row.values))
            case 17:
                entry = {"customerid": [*row.values, " "]}
                yield Row(json.dumps(entry), duplicate=2, invalid=1)
            case 22:
                yield Row(json.dumps({"msisdn": []}), invalid=1)
            case _:
                pass


def _row(field: str, values: list[str], own_id: str = "") -> Row:
    entry: dict[str, str | list[str]] = {field: values}
    if own_id:
        entry["correlationid"] = own_id
    return Row(json.dumps(entry), tuple(values), own_id)


_NOBODY = Row("nobody", invalid=1)
_AGAIN = Row(numbers(1)[0], duplicate=1)
_LAST = (_NOBODY, _AGAIN)
_LAST_OF_JSON = tuple(attrs.evolve(row, line=json.dumps(row.line)) for row in _LAST)

#: Gone through in this order, over and over.
KINDS = (
    Kind("many numbers", _numbers, _LAST, "msisdn", size=150_000, batch_size=500),
    Kind(
        "own ids",
        _numbers_with_ids,
        (Row("nobody,nothing", invalid=1), Row(f"{_AGAIN.line},again", duplicate=1)),
        "msisdn,correlationid",
        answer="each",
    ),
    Kind(
        "customer ids",
        _customers,
        (Row(",Nobody", invalid=1), Row("customer-0,Again", duplicate=1)),
        "customerid,name",
    ),
    Kind("several", lambda: _several(with_ids=False), _LAST_OF_JSON, size=1_600),
    Kind(
        "several with own ids",
        lambda: _several(with_ids=True),
        _LAST_OF_JSON,
        size=1_600,
        answer="each",
    ),
    Kind("mix", _mix, _LAST_OF_JSON, size=2_000, answer="each"),
    Kind("repeats", _repeats, _LAST_OF_JSON, size=2_000),
    Kind("halvings", _numbers, _LAST, "msisdn", size=6_000, faults=HALVINGS),
    Kind(
        "halvings of a mix",
        _mix,
        _LAST_OF_JSON,
        size=3_000,
        faults=HALVINGS,
        answer="each",
    ),
    Kind(
        "throttled",
        _numbers,
        _LAST,
        "msisdn",
        size=6_000,
        tps=1_000,
        options=("--rate", "1500"),
    ),
)


@attrs.frozen(slots=False)
class MadeList:
    """
    A file of made-up people, and how it is sent.
    """

    name: str
    kind: Kind
    concurrency: int

    @cached_property
    def rows(self) -> list[Row]:
        """
        What is in the file.
        """
        return [*islice(self.kind.rows(), self.kind.size), *self.kind.last]

    @cached_property
    def own_ids(self) -> dict[str, str]:
        """
        Everyone who is to be called, each with the id that its owner gave.
        """
        return {value: row.own_id for row in self.rows for value in row.values}

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """
        How many are planned, invalid and duplicate.
        """
        return (
            len(self.own_ids),
            sum(row.invalid for row in self.rows),
            sum(row.duplicate for row in self.rows),
        )

    @property
    def file(self) -> str:
        """
        What the file is called.
        """
        return f"{self.name}.{'jsonl' if self.kind.header is None else 'csv'}"

    def write(self, folder: Path) -> None:
        """
        Make the file.
        """
        head = [] if self.kind.header is None else [self.kind.header]
        lines = [*head, *(row.line for row in self.rows)]
        (folder / self.file).write_text("\n".join(lines) + "\n")


@attrs.frozen
class Look:
    """
    What the ledger and the simulator say, while no process is alive.
    """

    #: None while nothing is planned.
    standing: Standing | None = None
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
    if now.standing is None:
        assert before.standing is None, "the plan is gone"
        assert not now.calls, "called without a plan"
        assert not now.results
        return
    check_sums(list_, now.standing)
    assert list_.own_ids.keys() == now.results.keys()
    outcomes = {value: result.outcome for value, result in now.results.items()}
    counted = Counter(outcomes.values())
    counts = {each: getattr(now.standing, each.value) for each in Outcome}
    # Whoever is in flight may be ringing, and is shown as unknown one by one.
    counts[Outcome.UNKNOWN] += now.standing.in_flight
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


def check_sums(list_: MadeList, standing: Standing) -> None:
    """
    Make sure that everybody is counted, and once.
    """
    assert standing.read == sum(list_.counts)
    assert standing.read == (
        standing.planned + standing.invalid + standing.duplicate + standing.suppressed
    )
    assert list_.counts == (standing.planned, standing.invalid, standing.duplicate)
    counts = [
        *(standing.pending, standing.in_flight, standing.accepted, standing.rejected),
        *(standing.expired, standing.not_sent, standing.unknown),
    ]
    assert min(counts) >= 0
    assert standing.planned == sum(counts)


def check_doubt(list_: MadeList, before: Look, now: Look) -> None:
    """
    Make sure that nobody is unknown who was not in flight at a kill.
    """
    assert now.standing is not None
    # Whoever was in flight is so still, or has become unknown; nothing else.
    assert now.unknown in (before.unknown, before.unknown | before.in_flight)
    assert now.standing.unknown == len(now.unknown)
    assert now.standing.in_flight == len(now.in_flight)
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
        standing, name = self.look.standing, self.list_.name
        assert standing is not None
        assert State.FINISHED is standing.state
        assert (0, 0) == (standing.pending, standing.in_flight)
        shown = json.loads((self.folder / "shown").read_bytes())
        assert standing.accepted == shown["accepted"] > 0
        exported: list[str] = []
        for outcome in Outcome:
            file = self.folder / "exported.csv"
            command = ["export", name, "--outcome", outcome.value]
            command += ["--ledger", str(self.crashing.ledger), "--output", str(file)]
            assert run(command) == 0
            with file.open(newline="") as lines:
                rows = list(csv.DictReader(lines))
            assert {outcome.value} >= {row["outcome"] for row in rows}
            assert getattr(standing, outcome.value) == len(rows)
            exported += [row["recipient"] for row in rows]
        assert sorted(self.list_.own_ids) == sorted(exported)

    @contextmanager
    def _process(self) -> Iterator[subprocess.Popen[bytes]]:
        """
        The next process of the campaign, which is ended at the latest here.
        """
        list_ = self.list_
        command = ["send", list_.file, "--media", "hello"]
        if self.look.standing is not None and self.chance.random() < 1 / 2:
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
        if self.look.standing is None and early:
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
        if seen.standing is None:
            is_begun = _is_drafted(self.crashing.ledger, self.list_.name)
            phase = Phase.PLANNING if is_begun else Phase.STARTING
            return Look(calls=calls, phase=phase)
        return Look(
            seen.standing,
            seen.results,
            seen.in_flight,
            seen.unknown,
            calls,
            self._phase(seen, killed_at),
            seen.parted,
        )

    def _phase(self, seen: _Seen, killed_at: float) -> Phase:
        assert seen.standing is not None
        if not seen.in_flight:
            is_planned = seen.standing.state is State.PLANNED
            return Phase.STARTING if is_planned else Phase.BETWEEN
        for record in self.simulator.requests[-100:]:
            claimed_at = seen.claimed_at.get(record.correlation_ids[0], float("inf"))
            if claimed_at <= record.at and record.arrived + LATENCY < killed_at:
                return Phase.SETTLING
        return Phase.DISPATCHING


@attrs.frozen
class _Seen:
    """
    What a ledger tells of a campaign.
    """

    standing: Standing | None
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
        standing = await ledger.standing(campaign)
        batches = [list(each) async for each in ledger.results(campaign, list(Outcome))]
        results = {result.recipient: result for rows in batches for result in rows}
        assert len(results) == sum(map(len, batches)), "somebody is there twice"
        if standing is None:
            return _Seen(None, results, set(), set(), {}, parted=False)
        doubtful = {
            value
            for value, result in results.items()
            if result.outcome is Outcome.UNKNOWN
        }
        unknown = before.unknown
        if standing.unknown > len(unknown):
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
    return _Seen(standing, results, in_flight, unknown, claimed_at, parted)


async def _claimed_at(ledger: Ledger, campaign: str, value: str) -> float:
    """
    When *value*, who is in flight, was claimed, in seconds since 1970.
    """
    (found,) = [each for each in await ledger.find(value) if campaign == each.campaign]
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
