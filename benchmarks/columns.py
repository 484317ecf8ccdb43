"""
Lists with columns of their own against plain ones: `compare.py --group columns`.

Every lane runs once in each round, in random order, and asserts its own result: who is
read, planned and accepted, and how many destinations, with how many own correlation
ids, the sink has read.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import commands
import stalls
from lists import KINDS, OWN_ID, planned
from processes import Spent, spend
from sink import Service, serving

_HERE = Path(__file__).parent
_MILLION = 1_000_000

#: One of so many elements of a mixed answer has another code: 5 %.
_MIXED = 20
#: So many requests are under way at once.
_AT_ONCE = 32
#: How many times longer a large list is.
_LARGE = 10
#: The batches of a ledger that is asked where it stands.
_FEW, _MANY = 10, 100_000
#: So often a command that ends at once is run in each round.
_ASKED = 5

_WITH_IDS = ("ids", "repeated", "json-lines", "parquet")

#: What one run of a lane gives, by name.
Values = dict[str, float]
Lane = Callable[[], Values]


class Wanted(NamedTuple):
    """
    One row of the table: a value of a lane, against the same of another or as it is.
    """

    what: str
    lane: str
    value: str = "cpu"
    to: str | None = None
    most: float | None = None


class Options(NamedTuple):
    """
    What is run, and how.
    """

    many: int = _MILLION
    rounds: int = 5
    #: What the name of a row's lane begins with; all rows if there is nothing.
    only: tuple[str, ...] = ()
    large: bool = False
    #: Whether the sink gives correlation ids back.
    echo: bool = True
    #: The Python of an older version, whose `status` is run as well.
    older: Path | None = None


_PLAIN = "send plain"
_IDS = "send ids"

_WANTED = (
    Wanted("CSV", _PLAIN),
    Wanted("CSV with ids", _IDS, to=_PLAIN, most=1.8),
    Wanted("CSV, 1 % of the ids repeated", "send repeated", to=_PLAIN, most=2.0),
    Wanted("JSON lines with ids", "send json-lines", to=_PLAIN, most=1.8),
    Wanted("Parquet with ids", "send parquet", to=_PLAIN, most=1.8),
    Wanted("CSV of customer ids", "send customers", to=_PLAIN, most=1.8),
    Wanted("CSV, no id echoed: a connection each", "send unechoed", to=_PLAIN),
    Wanted("--country IN", "send country-IN", to=_PLAIN, most=1.6),
    Wanted("--country +91", "send country-91", to=_PLAIN, most=1.6),
    Wanted("--validity", "send validity", to=_PLAIN, most=1.6),
    Wanted("CSV, answers of 1,000 elements", "send each", to=_PLAIN),
    Wanted("the same, 5 % mixed codes", "send mixed", to="send each", most=1.4),
    Wanted("export CSV", "export csv", to=_PLAIN, most=1.0),
    Wanted("export JSON lines", "export jsonl", to=_PLAIN, most=1.0),
    Wanted("one pass by hand", "floor plain"),
    Wanted("one pass by hand with ids", "floor ids"),
    Wanted("CSV against it", _PLAIN, to="floor plain", most=1.15),
    Wanted("CSV with ids against it", _IDS, to="floor ids", most=1.6),
    Wanted("Client.send of strings", "list strings"),
    Wanted("of Destination", "list destinations", to="list strings", most=2.2),
    Wanted("of Destination with ids", "list ids", to="list strings", most=2.2),
    Wanted("of Destination, made meanwhile", "list made", to="list strings"),
    Wanted("with ids, made meanwhile", "list ids-made", to="list strings"),
    Wanted("Client.send, 1,000 elements", "list each", to="list strings"),
    Wanted("the same, 5 % mixed codes", "list mixed", to="list each", most=1.4),
    Wanted("stall of an idle loop, ms", "stalls idle", "idle"),
    Wanted("planning a list, ms", "stalls list", "planning", most=50),
    Wanted("planning objects with ids, ms", "stalls objects", "planning", most=50),
    Wanted("planning a CSV, ms", "stalls csv", "planning", most=50),
    Wanted("planning a CSV with ids, ms", "stalls csv-ids", "planning", most=50),
    Wanted("dispatching a list, ms", "stalls list", "dispatching", most=10),
    Wanted("dispatching with ids, ms", "stalls objects", "dispatching", most=10),
    Wanted("dispatching a CSV, ms", "stalls csv", "dispatching", most=10),
    Wanted("dispatching a CSV with ids, ms", "stalls csv-ids", "dispatching", most=10),
    Wanted("Client.send of a list, ms", "stalls list", "sending", most=10),
    Wanted("Client.send of objects, ms", "stalls objects", "sending", most=10),
    Wanted("campaign.results(), ms", "stalls list", "results", most=10),
    Wanted("the same with ids, ms", "stalls objects", "results", most=10),
    Wanted("a bare post p99, less service, ms", "submit bare", "p99"),
    Wanted("submit p50 alone, less linger and service, ms", "submit alone", "p50"),
    Wanted("submit p99 alone, ms", "submit alone", "p99", most=5),
    Wanted("submit p50 beside a campaign with ids, ms", "submit beside", "p50"),
    Wanted("submit p99 beside it, ms", "submit beside", "p99", most=5),
    Wanted(f"query of {_FEW} batches, ms", "query few", "ms"),
    Wanted(f"of {_MANY:,} batches", "query many", "ms", to="query few", most=1.5),
    Wanted("status of a small ledger, CPU ms", "status small", "ms"),
    Wanted(f"status of {_FEW} batches, CPU ms", "status few", "ms"),
    Wanted(f"of {_MANY:,} batches", "status many", "ms", to="status few", most=1.5),
)

_WANTED_LARGE = tuple(
    row
    for name, plain, memory in (("CSV", _PLAIN, 200), ("CSV with ids", _IDS, 400))
    for row in (
        Wanted(f"{name}, 10 x", f"{plain} large", to=plain, most=1.1),
        Wanted(f"{name}, MB", plain, "memory"),
        Wanted(f"{name}, 10 x, MB", f"{plain} large", "memory", most=memory),
    )
)

_WANTED_OLDER = (
    Wanted("the older version's", "status older", "ms"),
    Wanted("status to that", "status small", "ms", "status older", 0.7),
)


class Columns:
    """
    The lanes by name, each of which makes what it needs before it is measured.
    """

    def __init__(self, folder: Path, options: Options, stack: ExitStack) -> None:
        self._folder = folder
        self._many = options.many
        self._echo = options.echo
        serve = partial(serving, counts=True, own_ids=OWN_ID, echo=options.echo)
        sinks: Mapping[str, Mapping[str, Any]] = {
            "": {},
            "unechoed": {"echo": False},
            "each": {"each": True},
            "mixed": {"each": True, "mixed": _MIXED},
            "late": {"latency": stalls.SERVICE},
        }
        self._sinks = {
            name: stack.enter_context(serve(**settings))
            for name, settings in sinks.items()
        }
        send, many = self._send, self._many
        self.lanes: dict[str, Lane] = {
            **{f"send {kind}": partial(send, kind, many) for kind in _WITH_IDS},
            _PLAIN: partial(send, "plain", many),
            f"{_PLAIN} large": partial(send, "plain", _LARGE * many),
            f"{_IDS} large": partial(send, "ids", _LARGE * many),
            "send customers": partial(send, "customers", many),
            "send unechoed": partial(send, "plain", many, sink="unechoed"),
            "send country-IN": self._screened("national", commands.COUNTRY, "IN"),
            "send country-91": self._screened("national", commands.COUNTRY, "+91"),
            "send validity": self._screened("international", commands.VALIDITY),
            "send each": partial(send, "plain", many, sink="each"),
            "send mixed": partial(send, "plain", many, sink="mixed"),
            "export csv": partial(self._export, "csv"),
            "export jsonl": partial(self._export, "jsonl"),
            "floor plain": partial(self._floor, "plain"),
            "floor ids": partial(self._floor, "ids"),
            "list strings": partial(self._list, "send"),
            "list destinations": partial(self._list, "send_destinations"),
            "list ids": partial(self._list, "send_destinations_ids", ids=True),
            "list made": partial(self._list, "make_destinations"),
            "list ids-made": partial(self._list, "make_destinations_ids", ids=True),
            "list each": partial(self._list, "send", sink="each"),
            "list mixed": partial(self._list, "send_mixed", sink="mixed"),
            "stalls idle": partial(self._stalls, "idle"),
            "stalls list": partial(self._stalls, "list"),
            "stalls objects": partial(self._stalls, "objects"),
            "stalls csv": partial(self._stalls, "file", kind="plain"),
            "stalls csv-ids": partial(self._stalls, "file", kind="ids"),
            "submit bare": partial(self._stalls, "bare", sink="late"),
            "submit alone": partial(self._stalls, "alone", sink="late"),
            "submit beside": partial(self._stalls, "beside", kind="ids", sink="late"),
            "query few": partial(self._query, _FEW),
            "query many": partial(self._query, _MANY),
            "status few": partial(self._status, _FEW),
            "status many": partial(self._status, _MANY),
            "status small": partial(self._status_small, Path(sys.executable), "this"),
            "status older": partial(self._status_small, options.older, "older"),
        }

    # What is measured

    def _send(self, kind: str, many: int, *more: str, sink: str = "") -> Values:
        """
        `voicepush send`, as a whole process.
        """
        file, ledger = self._file(kind, many), self._new("ours.db")
        service = self._cleared(sink)
        is_mixed = sink == "mixed"
        spent = spend(
            [
                sys.executable,
                *commands.send(file, ledger, service.url, at_once=_AT_ONCE, more=more),
            ],
            self._folder,
            exits=commands.NOT_EVERYONE if is_mixed else commands.EVERYONE_ACCEPTED,
        )
        told = json.loads(spent.printed)
        _check_sent(told, many, kind, is_mixed=is_mixed)
        counted = _check_counted(service, told["planned"], ids=kind in _WITH_IDS)
        is_echoed = self._echo and sink != "unechoed"
        if is_echoed and counted["requests"] > 10 * _AT_ONCE:
            assert counted["connections"] < counted["requests"] / 2
        elif not is_echoed:
            assert counted["connections"] == counted["requests"]
        return _values(spent, many)

    def _screened(self, kind: str, *more: str) -> Lane:
        return partial(self._send, kind, self._many, *more)

    def _export(self, form: str) -> Values:
        """
        `voicepush export` of a finished campaign, into a file.
        """
        ledger, campaign = self._finished()
        output = self._new(f"exported.{form}")
        command = commands.export(campaign, ledger, output, form)
        spent = spend([sys.executable, *command], self._folder)
        with output.open("rb") as lines:
            exported = sum(1 for _ in lines) - (form == "csv")
        assert planned(self._many) == exported
        output.unlink()
        return _values(spent, self._many)

    def _floor(self, kind: str) -> Values:
        """
        The same campaign by hand, as a whole process.
        """
        file, ledger = self._file(kind, self._many), self._new("floor.db")
        service = self._cleared()
        program = [sys.executable, str(_HERE / "floors.py"), kind, str(file)]
        spent = spend([*program, service.url, str(ledger)], self._folder)
        kept = 0
        with closing(sqlite3.connect(ledger)) as database:
            for state, *columns in database.execute(
                "SELECT state, recipients, ids FROM batch"
            ):
                recipients, ids = (text.count("\n") + bool(text) for text in columns)
                assert ("settled", recipients if kind == "ids" else 0) == (state, ids)
                kept += recipients
        sent = json.loads(spent.printed)["sent"]
        assert planned(self._many) == sent == kept
        # Without own ids it gives each destination one all the same.
        _check_counted(service, sent, ids=kind == "ids")
        return _values(spent, self._many)

    def _list(self, lane: str, *, ids: bool = False, sink: str = "") -> Values:
        """
        `Client.send`, from the moment on at which its list is there.
        """
        service = self._cleared(sink)
        lanes = [str(_HERE / "lanes.py"), lane, str(self._many), service.url]
        spent = spend([sys.executable, *lanes, str(self._folder)], self._folder)
        found: Values = json.loads(spent.printed)
        _check_counted(service, self._many, ids=ids)
        return _per_million(found["cpu"], self._many) | {"memory": spent.memory}

    def _stalls(self, lane: str, *, kind: str | None = None, sink: str = "") -> Values:
        """
        How long the loop was away, or a submission took.
        """
        file = [] if kind is None else [str(self._file(kind, self._many))]
        for ledger in ("stalls.db", "beside.db"):
            self._new(ledger)
        service = self._cleared(sink)
        found = self._run_stalls(lane, self._many, service, self._folder, *file)
        counted = service.counts()["destinations"]
        assert found.pop("sent", 0) == counted
        return found

    def _query(self, many: int) -> Values:
        """
        The query for where a campaign of so many batches stands, in code.
        """
        folder = self._batches(many).parent
        return self._run_stalls("query", many, self._sinks["late"], folder)

    def _status(self, many: int) -> Values:
        """
        The command for it, as a whole process.
        """
        ledger = self._batches(many)
        return self._ask(sys.executable, stalls.campaign_of_batches(), ledger, many)

    def _status_small(self, python: Path | None, version: str) -> Values:
        """
        The same on a small finished campaign; each version makes its own ledger.
        """
        file = self._file("plain", _FEW * 1000)
        ledger = self._kept(version) / "small.ledger"
        if not ledger.exists():
            # The older one does not know the id of a request.
            command = commands.send(file, ledger, self._cleared("unechoed").url)
            spend([str(python), *command], self._folder)
        campaign = commands.campaign_of(file)
        return self._ask(str(python), campaign, ledger, planned(_FEW * 1000))

    def _ask(self, python: str, campaign: str, ledger: Path, wanted: int) -> Values:
        """
        The median of some runs, which are too short to be looked at one by one.
        """
        command = [python, *commands.status(campaign, ledger)]
        found = [spend(command, self._folder) for _ in range(_ASKED)]
        for spent in found:
            assert wanted == json.loads(spent.printed)["planned"]
        return {"ms": median(spent.cpu for spent in found) * 1000}

    # What is made before

    def _run_stalls(
        self, lane: str, many: int, service: Service, folder: Path, *file: str
    ) -> Values:
        program = [sys.executable, str(_HERE / "stalls.py"), lane, str(many)]
        spent = spend([*program, service.url, str(folder), *file], self._folder)
        found: Values = json.loads(spent.printed)
        return found

    def _cleared(self, sink: str = "") -> Service:
        service = self._sinks[sink]
        service.counts()
        return service

    def _new(self, name: str) -> Path:
        """
        A file that does not exist, nor what a ledger of that name has beside it.
        """
        for old in self._folder.glob(f"{name}*"):
            old.unlink()
        return self._folder / name

    def _kept(self, name: str) -> Path:
        folder = self._folder / "kept" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _file(self, kind: str, many: int) -> Path:
        file = self._kept("lists") / f"{kind}-{many}{KINDS[kind].ending}"
        if not file.exists():
            program = [sys.executable, str(_HERE / "lists.py"), kind, str(many)]
            unfinished = file.with_name("unfinished")
            spend([*program, str(unfinished)], self._folder)
            unfinished.rename(file)
        return file

    def _finished(self) -> tuple[Path, str]:
        """
        A ledger with a campaign that is finished, and the campaign's name.
        """
        file = self._file("plain", self._many)
        ledger = self._kept("finished") / f"finished-{self._many}.ledger"
        if not ledger.exists():
            command = commands.send(file, ledger, self._cleared().url)
            spend([sys.executable, *command], self._folder)
        return ledger, commands.campaign_of(file)

    def _batches(self, many: int) -> Path:
        folder = self._kept("batches")
        ledger = stalls.ledger_of(folder, many)
        if not ledger.exists():
            self._run_stalls("batches", many, self._sinks["late"], folder)
        return ledger


def _check_sent(told: Values, many: int, kind: str, *, is_mixed: bool) -> None:
    assert many == told["read"]
    assert many == told["planned"] + told["duplicate"] + told["invalid"]
    if kind == "repeated":  # a version may refuse whom it could not tell apart
        assert planned(many) * 0.98 < told["planned"] <= planned(many)
    else:
        assert planned(many) == told["planned"]
    assert told["planned"] == told["accepted"] + told["rejected"]
    share = told["rejected"] / told["planned"]
    assert (0.045 < share < 0.055) if is_mixed else share == 0


def _check_counted(service: Service, sent: float, *, ids: bool) -> dict[str, int]:
    counted = service.counts()
    assert (sent, sent if ids else 0) == (
        counted["destinations"],
        counted["with_own_ids"],
    )
    return counted


def _values(spent: Spent, many: int) -> Values:
    return _per_million(spent.cpu, many) | {"memory": spent.memory}


def _per_million(cpu: float, many: int) -> Values:
    return {"cpu": cpu * _MILLION / many}


# The table


def rows_of(options: Options) -> list[Wanted]:
    """
    What is asked for.
    """
    rows = [*_WANTED]
    rows += _WANTED_LARGE if options.large else ()
    rows += _WANTED_OLDER if options.older else ()
    if not options.only:
        return rows
    return [row for row in rows if row.lane.startswith(options.only)]


def run(folder: Path, options: Options) -> Iterator[str]:
    """
    Run what is asked for in interleaved rounds, and give the table.
    """
    rows = rows_of(options)
    names = list(dict.fromkeys(n for row in rows for n in (row.lane, row.to) if n))
    found: dict[str, list[Values]] = {name: [] for name in names}
    with ExitStack() as stack:
        lanes = Columns(folder, options, stack).lanes
        for _ in range(options.rounds):
            for name in random.sample(names, len(names)):
                found[name].append(lanes[name]())
                print(f"{name}: {found[name][-1]}", file=sys.stderr)
    yield from _table(rows, found)


def _table(
    rows: Sequence[Wanted], found: Mapping[str, Sequence[Values]]
) -> Iterator[str]:
    yield "| what | to | median | least - most | ratio | wanted | met |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for row in rows:
        each = [values[row.value] for values in found[row.lane]]
        middle = median(each)
        ratio = ""
        held = middle
        if row.to is not None:
            held = middle / median(values[row.value] for values in found[row.to])
            ratio = f"{held:.2f}"
        wanted = met = ""
        if row.most is not None:
            wanted = f"<= {row.most:g}"
            met = "yes" if held <= row.most else "**no**"
        cells = (row.what, row.to or "", f"{middle:.3g}")
        spread = f"{min(each):.3g} - {max(each):.3g}"
        yield f"| {' | '.join((*cells, spread, ratio, wanted, met))} |"
