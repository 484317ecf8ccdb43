"""
What an operator's machine, files, clock and colleagues do to a campaign meanwhile.

Whatever it is: nobody is rung twice, nobody is lost, one clear line tells what
happened, and resuming goes on when the cause is gone.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import KEY, Serve, numbers

from voicepush import Campaign, Ledger, VoiceMessage, open_ledger
from voicepush.cli.application import run
from voicepush.simulator import Simulator

LEDGER = Path("voicepush.db")

#: Small requests, so that a campaign takes a while.
SLOWLY = ("--batch-size", "10", "--concurrency", "4")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", KEY)
    for name in ("BASE_URL", "LEDGER", "SERVICE_KEY_FILE"):
        monkeypatch.delenv(f"VOICEPUSH_{name}", raising=False)


class Said(NamedTuple):
    """
    What a command printed, and its exit status.
    """

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """
        The one line that says what went wrong.
        """
        assert "Traceback" not in self.err
        found = [
            line
            for line in self.err.splitlines()
            if line.startswith(("voicepush: ", "stopped: "))
        ]
        assert len(found) == 1, self.err
        return found[0]


def say(*arguments: str) -> Said:
    """
    Run a command in this process.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(list(arguments))
    return Said(code, out.getvalue(), err.getvalue())


_MAIN = "from voicepush.cli.application import main; main()"


@contextmanager
def process(*arguments: str, first: str = "") -> Iterator[subprocess.Popen[str]]:
    """
    A command in a process of its own, which is ended at the latest here.

    Args:
        first: What the process does before it imports anything of voicepush.
    """
    running = subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-c", f"{first}\n{_MAIN}", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def ended(running: subprocess.Popen[str], seconds: float = 30.0) -> Said:
    """
    What a process said, once it has ended by itself.
    """
    out, err = running.communicate(timeout=seconds)
    return Said(running.returncode, out, err)


def wait_until(happened: Callable[[], object], seconds: float = 30.0) -> None:
    """
    Wait for another process, but not for ever.
    """
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


def wait_until_quiet(simulator: Simulator, seconds: float = 15.0) -> None:
    """
    Wait until no request has come for a while.
    """
    until = time.monotonic() + seconds
    before = -1
    while before != len(simulator.requests):
        assert time.monotonic() < until, "requests go on"
        before = len(simulator.requests)
        time.sleep(0.6)


def june(count: int = 400) -> list[str]:
    """
    A list of so many in june.csv.
    """
    listed = numbers(count)
    Path("june.csv").write_text("\n".join(["msisdn", *listed]) + "\n")
    return listed


def sending(simulator: Simulator, *options: str) -> list[str]:
    """
    The command that sends june.csv.
    """
    url = simulator.url
    return ["send", "june.csv", "--media", "x", "--base-url", url, *options]


def resume(simulator: Simulator, *options: str) -> Said:
    """
    Go on with june.
    """
    return say("resume", "june", "--base-url", simulator.url, *options)


def stand(campaign: str = "june", ledger: Path = LEDGER) -> dict[str, Any]:
    """
    What ``status --json`` prints; nobody is lost by it.
    """
    said = say("status", campaign, "--json", "--ledger", str(ledger))
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    parts = ("pending", "in_flight", "accepted", "rejected", "expired", "not_sent")
    assert found["planned"] == sum(found[name] for name in (*parts, "unknown"))
    left_out = ("invalid", "duplicate", "suppressed")
    assert found["read"] == found["planned"] + sum(found[name] for name in left_out)
    return found


def exported(*options: str, ledger: Path = LEDGER) -> dict[str, str]:
    """
    The outcome of each number of june, which is named once.
    """
    said = say("export", "june", "--ledger", str(ledger), *options)
    assert said.code == 0, said.err
    rows = list(csv.DictReader(io.StringIO(said.out)))
    found = {row["recipient"]: row["outcome"] for row in rows}
    assert len(rows) == len(found)
    return found


def check(simulator: Simulator, ledger: Path = LEDGER) -> dict[str, Any]:
    """
    The standing, once it is sure that nobody was rung twice or without a claim.
    """
    found = stand(ledger=ledger)
    rung = set(simulator.calls)
    outcomes = exported(ledger=ledger)
    by_outcome = Counter(outcomes.values())
    claimed = asyncio.run(_in_flight(ledger, outcomes))
    accepted = {each for each, outcome in outcomes.items() if outcome == "accepted"}
    unknown = {each for each, outcome in outcomes.items() if outcome == "unknown"}
    unknown -= claimed
    assert set(simulator.calls.values()) <= {1}
    assert (found["accepted"], found["unknown"], found["in_flight"]) == (
        by_outcome["accepted"],
        len(unknown),
        len(claimed),
    )
    assert accepted <= rung <= accepted | unknown | claimed
    return found


async def _in_flight(path: Path, outcomes: dict[str, str]) -> set[str]:
    found = set()
    async with open_ledger(path) as ledger:
        for number, outcome in outcomes.items():
            if outcome == "unknown":
                [each] = await ledger.find(number)
                if each.in_flight:
                    found.add(number)
    return found


def check_finished(simulator: Simulator, ledger: Path = LEDGER) -> dict[str, Any]:
    """
    The same, where everyone has an outcome, and whoever has none was not rung.
    """
    found = check(simulator, ledger)
    assert found["state"] == "finished"
    assert found["planned"] == found["accepted"] + found["unknown"]
    return found


def change(statement: str, *values: object, ledger: Path = LEDGER) -> None:
    """
    Change the ledger behind everyone's back.
    """
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute(statement, values)


# A full disk


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """
    A folder on a file system of its own that holds no more than *size*.
    """
    folder = Path("small").absolute()
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size},mode=1777", "voicepush", str(folder)]
    for way in (["mount"], ["sudo", "-n", "mount"]):
        with_sudo = way[:-1]
        if shutil.which(way[0]) and _does([*way, *options]):
            break
    else:
        assert not os.environ.get("CI"), "CI must be able to mount a tmpfs"
        pytest.skip("mounting a tmpfs is not permitted here")
    try:
        yield folder
    finally:
        assert _does([*with_sudo, "umount", "--lazy", str(folder)])


def _does(command: list[str]) -> bool:
    done = subprocess.run(  # noqa: S603 -- as written here
        command, capture_output=True, check=False, timeout=20
    )
    return done.returncode == 0


def fill(folder: Path, leave: int = 0) -> Path:
    """
    A file that takes all room in *folder* but *leave* bytes.
    """
    filler = folder / "filler"
    space = os.statvfs(folder)
    with filler.open("wb", buffering=0) as file:
        try:
            for _ in range(space.f_bavail - leave // space.f_frsize + 16):
                if not leave or os.statvfs(folder).f_bavail * space.f_frsize > leave:
                    file.write(b"\0" * space.f_frsize)
        except OSError:
            pass
    return filler


def test_a_full_disk_stops_it_and_room_lets_it_settle(serve: Serve) -> None:
    """
    Nothing more is sent; with room again all that was sent is settled, and goes on.
    """
    simulator = serve(latency=0.1)
    listed = june(1_500)

    with small_disk("3m") as disk:
        ledger = disk / "june.db"
        where = ("--ledger", str(ledger))
        with process(*sending(simulator, *where, *SLOWLY)) as running:
            wait_until(lambda: len(simulator.requests) > 20)
            filler = fill(disk)
            wait_until_quiet(simulator)
            filler.unlink()
            said = ended(running)
        stopped = check(simulator, ledger)
        again = resume(simulator, *where)
        found = check_finished(simulator, ledger)

    assert 5 == said.code
    assert "the disk is full; make room" in said.complaint
    assert "paused" == stopped["state"]
    assert "full" in stopped["reason"]
    assert (0, 0) == (stopped["in_flight"], stopped["unknown"])
    assert stopped["pending"] > 500
    assert 0 == again.code
    assert 1_500 == found["accepted"]
    assert Counter(listed) == simulator.calls


def test_a_disk_that_stays_full_leaves_unknown_what_was_under_way(serve: Serve) -> None:
    """
    The process gives up with one line; what it could not settle is never sent again.
    """
    simulator = serve(latency=0.1)
    june(1_500)
    options = (*SLOWLY, "--drain", "1s")

    with small_disk("3m") as disk:
        ledger = disk / "june.db"
        where = ("--ledger", str(ledger))
        with process(*sending(simulator, *where, *options)) as running:
            wait_until(lambda: len(simulator.requests) > 20)
            filler = fill(disk)
            said = ended(running)
        while_full = say("status", "june", *where)
        filler.unlink()
        stopped = check(simulator, ledger)
        again = resume(simulator, *where)
        found = check_finished(simulator, ledger)

    assert 5 == said.code
    assert "full" in said.complaint
    assert "Traceback" not in while_full.err
    assert (0, 0) == (while_full.code, len(while_full.err))
    assert stopped["in_flight"] <= 40
    assert (stopped["in_flight"] > 0) == again.code
    assert stopped["in_flight"] == found["unknown"]
    assert 1_500 == found["accepted"] + found["unknown"]


def test_planning_on_a_full_disk_plans_nothing(serve: Serve) -> None:
    """
    One line, and no campaign; with room, the same command rings everyone.
    """
    simulator = serve()
    listed = june(20_000)

    with small_disk("4m") as disk:
        filler = fill(disk, leave=200_000)
        where = ("--ledger", str(disk / "june.db"))
        with process(*sending(simulator, *where)) as running:
            said = ended(running)
        filler.unlink()
        left = say("status", *where)
        again = say(*sending(simulator, *where))
        found = check_finished(simulator, disk / "june.db")

    assert 5 == said.code
    assert "the disk is full; make room" in said.complaint
    assert "no campaign yet\n" == left.out
    assert 0 == again.code
    assert 20_000 == found["accepted"]
    assert Counter(listed) == simulator.calls


@pytest.mark.parametrize(("limit", "planned"), [(60_000, False), (400_000, True)])
def test_a_file_that_may_not_grow(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, limit: int, planned: bool
) -> None:
    """
    A limit on the size of files is met like a full disk, planning and dispatching.
    """
    # The child could not write what a coverage tool has measured of it, either.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
    simulator = serve(latency=0.02)
    june(2_000 if planned else 20_000)
    bound = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, -1))"
    options = (*SLOWLY, "--drain", "1s") if planned else ()

    with process(*sending(simulator, *options), first=bound) as running:
        said = ended(running)
    rung = len(simulator.calls)
    if planned:
        check(simulator)
    again = say(*sending(simulator))
    found = check_finished(simulator)

    assert 5 == said.code
    assert "full" in said.complaint
    assert planned == (rung > 0)
    assert again.code in (0, 1)
    # Those whose settlement found no room, and those that left before that was known.
    assert found["unknown"] <= 2 * 40 * planned


def test_room_right_after_a_failed_plan_is_enough(serve: Serve) -> None:
    """
    A service whose plan met a full disk can plan again at once, in the same process.
    """
    simulator = serve()
    june(20_000)

    with small_disk("4m") as disk:
        filler = fill(disk, leave=200_000)
        where = ("--ledger", str(disk / "june.db"))
        said = say(*sending(simulator, *where))
        filler.unlink()
        again = say(*sending(simulator, *where))

    assert 5 == said.code
    assert (0, False) == (again.code, "voicepush: " in again.err)


@pytest.mark.parametrize("writing", ["rejects", "export"])
def test_no_room_for_a_list_is_one_line(serve: Serve, writing: str) -> None:
    """
    What can't be written beside the ledger is told in a line, too.
    """
    simulator = serve()
    listed = june(20_000)
    Path("bad.txt").write_text("\n".join(["nobody"] * 20_000))

    with small_disk("1m") as disk:
        fill(disk)
        file = str(disk / "file.csv")
        if writing == "export":
            say(*sending(simulator))
            command = ["export", "june", "--output", file]
        else:
            command = ["send", "bad.txt", "--media", "x", "--rejects", file]
            command += ["--base-url", simulator.url]
        with process(*command) as running:
            said = ended(running)

    assert 2 == said.code
    assert file in said.complaint
    assert set(simulator.calls) <= set(listed)


# A ledger that is deleted, replaced or locked away


def _delete() -> None:
    LEDGER.unlink()


def _move() -> None:
    LEDGER.rename("elsewhere.db")


def _replace_by_text() -> None:
    Path("new").write_text("something else\n" * 1_000)
    Path("new").replace(LEDGER)


def _replace_by_a_ledger() -> None:
    asyncio.run(_plan("other.db", "july"))
    Path("other.db").replace(LEDGER)


async def _plan(path: str, name: str) -> None:
    async with open_ledger(path) as ledger:
        await Campaign.plan(
            ledger, name, VoiceMessage(media="x"), numbers(10_000, 5_000)
        )


@pytest.mark.parametrize(
    "mishap", [_delete, _move, _replace_by_text, _replace_by_a_ledger]
)
def test_a_ledger_that_goes_away_is_rescued(
    serve: Serve, mishap: Callable[[], None]
) -> None:
    """
    It stops, keeps what it held, and goes on once that is moved back.
    """
    simulator = serve(latency=0.1)
    listed = june(1_000)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        mishap()
        said = ended(running)
    rung = len(simulator.calls)
    rescued = Path(f"{LEDGER}.rescued")
    mode = rescued.stat().st_mode & 0o777
    rescued.replace(LEDGER)
    stopped = check(simulator)
    again = resume(simulator)
    found = check_finished(simulator)

    assert 5 == said.code
    assert "deleted or replaced" in said.complaint
    assert "voicepush.db.rescued" in said.complaint
    assert 0o600 == mode
    assert 0 < rung < 500
    assert (0, 0) == (stopped["in_flight"], stopped["unknown"])
    assert 0 == again.code
    assert 1_000 == found["accepted"]
    assert Counter(listed) == simulator.calls


def test_a_ledger_that_takes_the_place_stays_whole(serve: Serve) -> None:
    """
    What the process leaves behind does not get into the file that took its place.
    """
    simulator = serve(latency=0.1)
    june(1_000)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        _replace_by_a_ledger()
        ended(running)
    said = say("status", "--json")

    assert 0 == said.code
    assert ["july"] == [each["campaign"] for each in json.loads(said.out)]
    assert 10_000 == stand("july")["pending"]


def test_a_ledger_that_takes_the_place_can_be_used_at_once(serve: Serve) -> None:
    """
    Also while the process that lost its own still waits for answers.
    """
    simulator = serve(latency=0.1)
    june(1_000)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        simulator.latency = 4.0
        time.sleep(0.4)  # until all that is under way takes so long
        _replace_by_a_ledger()
        time.sleep(1.5)  # until it has noticed
        drains = running.poll() is None
        looked = say("status", "--json")
        steered = say("rate", "july", "5")
        ended(running)

    assert drains
    assert (0, 0) == (looked.code, steered.code)
    assert ["july"] == [each["campaign"] for each in json.loads(looked.out)]
    assert 10_000 == stand("july")["pending"]


def test_a_copy_put_in_the_place_of_a_deleted_ledger_stays_whole(serve: Serve) -> None:
    """
    What the process leaves behind does not get into a copy that is restored later.
    """
    simulator = serve(latency=0.1)
    june(1_000)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        LEDGER.unlink()
        ended(running)
    _replace_by_a_ledger()
    said = say("status", "--json")

    assert 0 == said.code
    assert ["july"] == [each["campaign"] for each in json.loads(said.out)]


def test_sending_again_without_the_rescued_is_refused(serve: Serve) -> None:
    """
    The same command must not plan anew whom it has rung before the ledger went away.
    """
    simulator = serve(latency=0.1)
    june(500)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        LEDGER.unlink()
        ended(running)
    again = say(*sending(simulator))

    assert {1} == set(simulator.calls.values())
    assert 5 == again.code
    assert "voicepush.db.rescued" in again.complaint


def test_a_folder_that_goes_away_is_not_said_to_be_rescued(serve: Serve) -> None:
    """
    Where nothing can be saved, the line does not say that it was.
    """
    simulator = serve(latency=0.1)
    june(500)
    folder = Path("folder")
    folder.mkdir()
    where = ("--ledger", "folder/june.db")

    with process(*sending(simulator, *SLOWLY, *where)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        shutil.rmtree(folder)
        said = ended(running)

    assert 5 == said.code
    assert "deleted" in said.complaint
    assert "is saved as" not in said.complaint
    assert {1} == set(simulator.calls.values())
    assert len(simulator.calls) < 500


def test_a_ledger_made_read_only_meanwhile(serve: Serve) -> None:
    """
    Who has it open goes on; whoever may not write it then is told so.
    """
    simulator = serve(latency=0.1)
    june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        LEDGER.chmod(0o400)
        said = ended(running)
    again = resume(simulator)
    found = check_finished(simulator)

    assert (0, "") == (said.code, "".join(re.findall("voicepush: .*", said.err)))
    assert 400 == found["accepted"]
    if os.geteuid() == 0:
        assert 0 == again.code
    else:
        assert 2 == again.code
        assert "owner and mode" in again.complaint


# A source that changes


@pytest.mark.parametrize(
    ("mishap", "way"),
    [("changed", "resume"), ("deleted", "send"), ("deleted", "resume")],
)
def test_the_plan_stays_what_it_was(serve: Serve, mishap: str, way: str) -> None:
    """
    Whatever becomes of the file, exactly those who were planned are rung.
    """
    simulator = serve(latency=0.1)
    listed = june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        running.send_signal(signal.SIGINT)
        ended(running)
    if mishap == "changed":
        Path("june.csv").write_text("msisdn\n" + "\n".join(numbers(600, 9_000)))
    else:
        Path("june.csv").unlink()
    said = resume(simulator) if way == "resume" else say(*sending(simulator))
    found = check_finished(simulator)

    assert 0 == said.code
    assert 400 == found["accepted"]
    assert Counter(listed) == simulator.calls


def test_going_on_keeps_the_refused_rows(serve: Serve) -> None:
    """
    The same command again does not empty the file of refused rows.
    """
    simulator = serve()
    Path("june.csv").write_text("msisdn\nnobody\n" + "\n".join(numbers(20)))
    command = sending(simulator, "--rejects", "bad.csv")

    say(*command)
    first = Path("bad.csv").read_text()
    say(*command)

    assert 2 == first.count("\n")
    assert first == Path("bad.csv").read_text()


# A clock that jumps

#: Lets a process live by a clock that is off by what the file "clock" says.
_MOVED = """
import time, pathlib
true = time.time
def moved():
    try:
        return true() + float(pathlib.Path("clock").read_text() or 0)
    except OSError:
        return true()
time.time = moved
"""


@pytest.mark.parametrize(("hours", "expiry"), [(-1, "5h"), (1, None), (1, "5h")])
def test_a_clock_that_jumps_changes_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, hours: int, expiry: str | None
) -> None:
    """
    It goes on, keeps the campaign against others, and rings everyone once.
    """
    simulator = serve(latency=0.1)
    listed = june(800)
    options = ("--expiry", expiry) if expiry else ()

    with process(*sending(simulator, *SLOWLY, *options), first=_MOVED) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        Path("clock").write_text(str(3600 * hours))
        true = time.time
        monkeypatch.setattr(time, "time", lambda: true() + 3600 * hours)
        before = len(simulator.requests)
        time.sleep(1.3)  # until it has given its next sign
        seen = stand()
        refused = resume(simulator)
        after = len(simulator.requests)
        said = ended(running)
    found = check_finished(simulator)

    assert "running" == seen["state"]
    assert 4 == refused.code
    assert f"process {running.pid}" in refused.complaint
    assert after > before
    assert 0 == said.code
    assert 800 == found["accepted"]
    assert Counter(listed) == simulator.calls


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_jump_does_not_make_a_living_dispatcher_look_dead(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """
    Not even until its next sign: its process runs on this very machine.
    """
    simulator = serve(latency=0.1)
    june(200)

    with process(*sending(simulator, *SLOWLY), first=_MOVED) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        # It gives no sign before the other has looked.
        running.send_signal(signal.SIGSTOP)
        Path("clock").write_text(str(3600 * hours))
        true = time.time
        monkeypatch.setattr(time, "time", lambda: true() + 3600 * hours)
        refused = resume(simulator)
        running.send_signal(signal.SIGCONT)
        ended(running)
    found = check_finished(simulator)

    assert 4 == refused.code
    assert 200 == found["accepted"]


def test_a_clock_set_back_lets_nobody_be_rung_late(serve: Serve) -> None:
    """
    No attempt starts after the true expiry, whatever the clock is set to meanwhile.
    """
    simulator = serve(latency=0.05)
    june(1_200)
    options = (*SLOWLY, "--expiry", "2s", "--rate", "300")
    began = time.time()

    with process(*sending(simulator, *options), first=_MOVED) as running:
        wait_until(lambda: len(simulator.requests) > 4)
        Path("clock").write_text("-3600")
        said = ended(running)
    found = check(simulator)
    planned_by = min(each.at for each in simulator.requests)
    late = [each.code for each in simulator.requests if each.at > planned_by + 2]

    assert 1 == said.code
    assert [] == late
    assert planned_by < began + 15
    # The answers to the last attempts are waited for until then, and no longer.
    assert found["unknown"] <= 20
    assert 1_200 == found["accepted"] + found["expired"] + found["unknown"]
    assert found["expired"] > 100


# Another program's lock


@contextmanager
def locked(ledger: Path = LEDGER) -> Iterator[None]:
    """
    Another program writes into the ledger for a long time.
    """
    with (
        looking(ledger),
        closing(sqlite3.connect(ledger, isolation_level=None)) as connection,
    ):
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def looking(ledger: Path = LEDGER) -> Iterator[sqlite3.Connection]:
    """
    A connection that can only read, and so leaves the log to whom it belongs.
    """
    uri = f"{ledger.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield connection


def test_a_short_lock_is_waited_for(serve: Serve) -> None:
    """
    A second is nothing; the campaign goes on, and whoever looks is answered.
    """
    simulator = serve(latency=0.05)
    june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        with locked():
            time.sleep(1.0)
        said = ended(running)
    found = check_finished(simulator)

    assert 0 == said.code
    assert 400 == found["accepted"]


def test_a_long_lock_is_named(serve: Serve) -> None:
    """
    It stops, says whose fault it is, and goes on when the lock is gone.
    """
    simulator = serve(latency=0.05)
    june(400)
    impatient = "import voicepush.ledger.sqlite.connection as c; c.LOCK_PATIENCE = 0.1"
    options = (*SLOWLY, "--drain", "1s")

    with process(*sending(simulator, *options), first=impatient) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        with locked():
            said = ended(running)
    stopped = check(simulator)
    again = resume(simulator)
    found = check_finished(simulator)

    assert 5 == said.code
    assert "another program holds its lock" in said.complaint
    assert stopped["pending"] > 0
    assert again.code == (1 if stopped["in_flight"] else 0)
    assert stopped["in_flight"] == found["unknown"]


@pytest.mark.parametrize("command", ["send", "resume", "pause", "cancel", "rate"])
def test_a_locked_ledger_is_one_line(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """
    Each command that has to write says that it can't, and why.
    """
    simulator = serve()
    june(20)
    simulator.next_replies("7001")
    say(*sending(simulator))
    monkeypatch.setattr("voicepush.ledger.sqlite.connection.LOCK_PATIENCE", 0.1)
    commands = {
        "send": ["send", "june.csv", "--media", "x", "--base-url", simulator.url],
        "resume": ["resume", "june", "--base-url", simulator.url],
        "pause": ["pause", "june"],
        "cancel": ["cancel", "june", "--yes"],
        "rate": ["rate", "june", "10"],
    }

    with locked():
        said = say(*commands[command])

    # Nobody dispatches it, lock or no lock.
    assert (2 if command == "pause" else 5) == said.code
    if command != "pause":
        assert "another program holds its lock" in said.complaint
    assert not simulator.calls


@pytest.mark.parametrize(
    "command", [["status"], ["lookup", numbers(1)[0]], ["export", "june"]]
)
def test_whoever_only_looks_needs_no_lock(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """
    Who was called can be told at any moment, also while another program writes.
    """
    simulator = serve()
    june(20)
    say(*sending(simulator))
    monkeypatch.setattr("voicepush.ledger.sqlite.connection.LOCK_PATIENCE", 0.1)

    with locked():
        said = say(*command)

    assert (0, "") == (said.code, said.err)
    assert said.out


# A damaged ledger


def _overwrite(begin: float, end: float, filling: bytes = b"\xff") -> None:
    """
    Put rubbish between two fractions of the ledger.
    """
    size = LEDGER.stat().st_size
    with LEDGER.open("r+b") as file:
        file.seek(int(size * begin))
        file.write(filling * int(size * (end - begin)))


_DAMAGES: dict[str, Callable[[], None]] = {
    "header": lambda: _overwrite(0.0, 0.001),
    "beginning": lambda: _overwrite(0.02, 0.3),
    "middle": lambda: _overwrite(0.4, 0.6),
    "zeros": lambda: _overwrite(0.3, 0.95, b"\0"),
    "lines": lambda: _overwrite(0.4, 0.6, b"\n"),
    "cut": lambda: os.truncate(LEDGER, LEDGER.stat().st_size // 2),
    "stub": lambda: os.truncate(LEDGER, 1_000),
}


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """
    Fails, instead of waiting for an answer that never comes.
    """

    def fail(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A ledger that is planned and not dispatched.
    """
    path = tmp_path_factory.mktemp("whole") / "whole.db"
    asyncio.run(_plan(str(path), "june"))
    return path


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_ledger_is_told(serve: Serve, whole: Path, damage: str) -> None:
    """
    One line whatever one asks it, no traceback, and nobody is rung who isn't listed.
    """
    simulator = serve()
    shutil.copy(whole, LEDGER)
    _DAMAGES[damage]()
    number = numbers(1, 9_000)[0]
    commands = [
        ["status"],
        ["lookup", number],
        ["export", "june"],
        ["resume", "june", "--base-url", simulator.url],
        ["settle", "june"],
    ]

    said = []
    for command in commands:
        with in_time(15):
            said.append(say(*command))
    told = [each.err for each in said if each.code]

    assert told
    for each in told:
        assert "Traceback" not in each
        assert re.search("damaged|not a voicepush ledger|no campaign", each)
    assert set(simulator.calls) <= set(numbers(10_000, 5_000))
    assert set(simulator.calls.values()) <= {1}


# Two at once


def test_two_at_the_same_moment(serve: Serve) -> None:
    """
    One works; the other exits 4 and names it.
    """
    simulator = serve(latency=0.1)
    listed = june(1_000)
    command = sending(simulator, *SLOWLY)

    with process(*command) as one, process(*command) as other:
        said = {each.pid: ended(each) for each in (one, other)}
    found = check_finished(simulator)
    codes = {each.code: pid for pid, each in said.items()}

    assert {0, 4} == set(codes)
    assert f"process {codes[0]} on" in said[codes[4]].complaint
    assert 1_000 == found["accepted"]
    assert Counter(listed) == simulator.calls


def test_two_while_the_first_still_plans(serve: Serve) -> None:
    """
    The second exits 4 and names the planner; the plan is the first one's.
    """
    simulator = serve()
    os.mkfifo("june.csv")
    listed = numbers(30_000)
    lines = [f"{each}\n" for each in listed]
    command = sending(simulator)

    with process(*command) as running:
        with Path("june.csv").open("w") as file:
            file.writelines(lines[:20_000])
            file.flush()
            wait_until(lambda: LEDGER.exists() and _rows("campaign"))
            refused = say(*command)
            file.writelines(lines[20_000:])
        said = ended(running)
    found = check_finished(simulator)

    assert 4 == refused.code
    assert f"process {running.pid} on" in refused.complaint
    assert 0 == said.code
    assert Counter(listed) == simulator.calls
    assert 30_000 == found["accepted"]


def test_a_planner_whose_pipe_is_silent_keeps_its_plan(serve: Serve) -> None:
    """
    It gives signs of life while it waits for the next rows.
    """
    simulator = serve()
    os.mkfifo("june.csv")
    listed = numbers(20_000)
    lines = [f"{each}\n" for each in listed]

    with process(*sending(simulator)) as running:
        with Path("june.csv").open("w") as file:
            file.writelines(lines[:10_000])
            file.flush()
            wait_until(lambda: LEDGER.exists() and _rows("campaign"))
            # As if nothing had come for long.
            change("UPDATE campaign SET beat_at = beat_at - 1000")
            until = time.monotonic() + 3
            while _beat_age() > 500 and time.monotonic() < until:
                time.sleep(0.1)
            age = _beat_age()
            file.writelines(lines[10_000:])
        said = ended(running)

    assert age < 10
    assert 0 == said.code
    assert Counter(listed) == simulator.calls


def _rows(table: str) -> int:
    with closing(sqlite3.connect(LEDGER)) as connection:
        try:
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        except sqlite3.OperationalError:
            return 0
        return int(found)


def _beat_age() -> float:
    with closing(sqlite3.connect(LEDGER)) as connection:
        [beat_at] = connection.execute("SELECT beat_at FROM campaign").fetchone()
    return time.monotonic() - float(beat_at)


async def test_planned_by_another_in_between(tmp_path: Path) -> None:
    """
    Who finds the same campaign planned by another a moment ago goes on with it.
    """
    message = VoiceMessage(media="x")

    class Overtaken:
        """
        A ledger in which another finishes the plan just before ours begins.
        """

        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        async def draft(self, plan: Any) -> Any:
            await Campaign.plan(self._ledger, "june", message, numbers(10))
            return await self._ledger.draft(plan)

    async with open_ledger(tmp_path / "test.db") as ledger:
        overtaken: Any = Overtaken(ledger)
        campaign = await Campaign.plan(overtaken, "june", message, numbers(10))
        standing = await campaign.standing()

    assert 10 == standing.planned


def stop_between_writes(running: subprocess.Popen[str]) -> None:
    """
    Stop a process in a moment in which it does not hold the ledger's lock.

    While one that holds it sleeps, nobody can write, and nobody can take over.
    """

    def stops() -> bool:
        running.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WNOWAIT)
        with closing(
            sqlite3.connect(LEDGER, timeout=0, isolation_level=None)
        ) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                running.send_signal(signal.SIGCONT)
                return False
        return True

    wait_until(stops)


def test_a_stopped_dispatcher_is_taken_over(serve: Serve) -> None:
    """
    When it wakes up, it says that the campaign is another's, and rings nobody more.
    """
    simulator = serve(latency=0.1)
    june(600)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        stop_between_writes(running)
        # Nobody waits: what it is known by is made older instead.
        change("UPDATE campaign SET beat_at = beat_at - 60")
        seen = stand()
        taken = resume(simulator)
        running.send_signal(signal.SIGCONT)
        said = ended(running)
    found = check_finished(simulator)

    assert "paused" == seen["state"]
    assert f"process {running.pid}" in seen["reason"]
    assert taken.code == (1 if found["unknown"] else 0)
    assert 4 == said.code
    assert "taken over" in said.complaint
    assert found["unknown"] <= 40
    assert 600 == found["accepted"] + found["unknown"]


def test_a_stopped_dispatcher_wakes_while_another_works(serve: Serve) -> None:
    """
    It leaves the other alone, whose campaign it is now.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as first:
        wait_until(lambda: len(simulator.requests) > 10)
        stop_between_writes(first)
        change("UPDATE campaign SET beat_at = beat_at - 60")
        before = len(simulator.requests)
        command = ["resume", "june", "--base-url", simulator.url, "--concurrency", "4"]
        with process(*command) as second:
            wait_until(lambda: len(simulator.requests) > before + 10)
            first.send_signal(signal.SIGCONT)
            said = ended(first)
            seen = stand()
            taken = ended(second)
    found = check_finished(simulator)

    assert 4 == said.code
    assert "taken over" in said.complaint
    assert "running" == seen["state"]
    assert taken.code == (1 if found["unknown"] else 0)
    assert 800 == found["accepted"] + found["unknown"]


# A messy file


def test_a_messy_file_is_counted_exactly(serve: Serve) -> None:
    """
    Each of 6,005 rows is planned, or named with its number and its reason.
    """
    simulator = serve()
    rows: list[str] = []
    expected: dict[int, tuple[str, str, str]] = {}
    planned: list[str] = []

    def add(text: str, kind: str = "", reason: str = "") -> None:
        rows.append(text)
        if kind:
            # The header is row 1.
            expected[len(rows) + 1] = (text, kind, reason)

    suppressed = numbers(50, 100_000)
    for n in range(1, 1_001):
        spellings = (f"+999{n:09d}", f"00999 {n:09d}", f"'+999{n:09d}")
        add(spellings[n % 3])
        planned.append(f"+999{n:09d}")
        add(f"+999 {n:09d}", "duplicate", "duplicate of an earlier row")
        add(f"(+999) {n:09d}", "duplicate", "duplicate of an earlier row")
        if n % 20 == 0:
            listed = suppressed[n // 20 - 1]
            add(listed, "suppressed", "on the suppression list")
            add(f"00{listed[1:]}", "suppressed", "on the suppression list")
        if n % 10 == 0:
            add("+12345", "invalid", "too short for E.164")
            add("+1234567890123456", "invalid", "too long for E.164")
            add(
                "9.19812E+11",
                "invalid",
                "looks like a number that a spreadsheet rounded; store it as text",
            )
            add(
                "0207 946 0000",
                "invalid",
                "does not begin with + or 00; give its country (--country), or say "
                "that all begin with their calling code (--international)",
            )
            add("call me", "invalid", "not a phone number")
            add("  ", "invalid", "empty")
    while len(rows) < 6_005:
        n = 200_000 + len(rows)
        add(f"+999-{n:09d}")
        planned.append(f"+999{n:09d}")
    Path("june.csv").write_text(
        "name,msisdn\n" + "".join(f"person,{row}\n" for row in rows)
    )
    Path("no.txt").write_text("\n".join(f"00{each[1:]}" for each in suppressed))

    said = say(
        *sending(simulator, "--rejects", "bad.csv", "--suppress", "no.txt"), "--json"
    )
    found = check_finished(simulator)
    with Path("bad.csv").open(newline="") as file:
        refused = {
            # What a spreadsheet would run has a quote before it.
            int(row["row"]): (
                row["recipient"].removeprefix("'"),
                row["kind"],
                row["reason"],
            )
            for row in csv.DictReader(file)
        }
    kinds_expected = Counter(kind for _, kind, _ in expected.values())

    assert 0 == said.code
    assert found == json.loads(said.out)
    assert (6_005, len(planned)) == (found["read"], found["planned"])
    assert kinds_expected == Counter(
        {name: found[name] for name in ("invalid", "duplicate", "suppressed")}
    )
    assert expected == refused
    assert Counter(planned) == simulator.calls


# Steering


def test_pause_from_another_process(serve: Serve) -> None:
    """
    It settles what is under way and ends; resume finishes.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        looks = [stand() for _ in range(5)]
        paused = say("pause", "june")
        said = ended(running)
    stopped = check(simulator)
    twice = say("pause", "june")
    again = resume(simulator)
    found = check_finished(simulator)

    assert {"running"} == {each["state"] for each in looks}
    assert 0 == paused.code
    assert "june: paused" in paused.out
    assert 1 == said.code
    assert "paused by its owner" in said.complaint
    assert "paused" == stopped["state"]
    assert (0, 0) == (stopped["in_flight"], stopped["unknown"])
    assert 2 == twice.code
    assert "no process is dispatching it" in twice.complaint
    assert 0 == again.code
    assert 800 == found["accepted"]


def test_cancel_from_another_process(serve: Serve) -> None:
    """
    Whoever is pending is not sent, for good.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        asked = say("cancel", "june")
        cancelled = say("cancel", "june", "--yes")
        said = ended(running)
    found = check(simulator)
    rung = len(simulator.calls)
    again = resume(simulator)

    assert 2 == asked.code
    assert "--yes" in asked.complaint
    assert 0 == cancelled.code
    assert "june: cancelled" in cancelled.out
    assert 1 == said.code
    assert "cancelled" == found["state"]
    assert (0, 0) == (found["pending"], found["in_flight"])
    assert 800 == found["accepted"] + found["not_sent"]
    assert found["not_sent"] > 0
    assert 2 == again.code
    assert "was cancelled" in again.complaint
    assert rung == len(simulator.calls)


def test_a_paused_campaign_can_be_cancelled(serve: Serve) -> None:
    """
    Nobody dispatches it, and cancelling does not need anybody to.
    """
    simulator = serve(latency=0.1)
    june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        running.kill()
        running.wait()
    said = say("cancel", "june", "--yes")
    found = check(simulator)

    assert 0 == said.code
    assert ("cancelled", 0, 0) == (
        found["state"],
        found["pending"],
        found["in_flight"],
    )
    assert 2 == resume(simulator).code


def test_a_cancellation_outlives_the_dispatcher(serve: Serve) -> None:
    """
    If the dispatcher dies before it hears of it, the campaign is cancelled as well.
    """
    simulator = serve(latency=0.1)
    june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        running.send_signal(signal.SIGSTOP)
        with process("cancel", "june", "--yes") as cancelling:
            wait_until(lambda: _wish() == "cancel")
            running.kill()
            running.wait()
            said = ended(cancelling)
    again = resume(simulator)
    rung = len(simulator.calls)

    assert 0 == said.code
    assert "june: cancelled" in said.out
    assert 2 == again.code
    assert rung < 400


def _wish() -> str | None:
    with closing(sqlite3.connect(LEDGER)) as connection:
        found = connection.execute("SELECT wish FROM campaign").fetchone()
    return None if found is None else found[0]


def test_rate_from_another_process(serve: Serve) -> None:
    """
    The pace changes while it runs, up and down.
    """
    simulator = serve()
    june(1_200)

    with process(*sending(simulator, *SLOWLY, "--rate", "100")) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        slow = _pace(simulator, 1.0)
        up = say("rate", "june", "400")
        time.sleep(1.2)
        fast = _pace(simulator, 1.0)
        down = say("rate", "june", "50")
        time.sleep(1.2)
        slowest = _pace(simulator, 1.0)
        wrong = say("rate", "june", "0")
        say("rate", "june", "100000")
        said = ended(running)
    found = check_finished(simulator)

    assert (0, 0, 2, 0) == (up.code, down.code, wrong.code, said.code)
    assert 60 <= slow <= 150
    assert 280 <= fast <= 500
    assert slowest <= 90
    assert 1_200 == found["accepted"]


def _pace(simulator: Simulator, seconds: float) -> float:
    """
    Destinations per second, as the service sees them.
    """
    before = simulator.rung
    time.sleep(seconds)
    return (simulator.rung - before) / seconds


def test_watching_shows_progress_until_the_end(serve: Serve) -> None:
    """
    It ends by itself with the final standing, and the sums hold at every look.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        with process("status", "june", "--watch") as watching:
            looks: list[dict[str, Any]] = []
            while running.poll() is None and len(looks) < 1_000:
                looks.append(stand())
            watched = ended(watching)
        ended(running)
    check_finished(simulator)
    accepted = [each["accepted"] for each in looks]

    assert "running" == looks[0]["state"]
    assert len(set(accepted)) > 3
    assert sorted(accepted) == accepted
    assert 0 == watched.code
    assert "june: running" in watched.err
    assert "campaign june: finished" in watched.out


# Questions


@pytest.mark.parametrize(
    "spelling",
    [
        "+999000000003",
        "999000000003",
        "00999000000003",
        "+999 (000) 000-003",
        "tel:+999.000.000.003",
        " +999-000-000-003 ",
    ],
)
def test_lookup_takes_any_spelling(serve: Serve, spelling: str) -> None:
    """
    A number is found as anyone writes it.
    """
    simulator = serve()
    june(20)
    say(*sending(simulator))

    said = say("lookup", spelling)
    unknown = say("lookup", "+999000000999")

    assert 0 == said.code
    assert "+999000000003: accepted in campaign june" in said.out
    assert (1, "") == (unknown.code, unknown.out)


def test_lookup_finds_customer_ids_with_any_character(serve: Serve) -> None:
    """
    Quotes and backslashes do not hide anyone.
    """
    simulator = serve()
    ids = ['O"Brien', "back\\slash", "naïve", "plain"]
    lines = [json.dumps({"customerid": each}) for each in ids]
    Path("june.jsonl").write_text("\n".join(lines) + "\n")
    say("send", "june.jsonl", "--media", "x", "--base-url", simulator.url)

    codes = {each: say("lookup", each).code for each in ids}

    assert Counter(ids) == simulator.calls
    assert dict.fromkeys(ids, 0) == codes


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_exports_name_each_number_once(serve: Serve, form: str) -> None:
    """
    By outcome or all together, on standard output or in a file.
    """
    simulator = serve("mix:7102=30%@1/2", "drop@1/5")
    listed = june(400)
    say(*sending(simulator, *SLOWLY))
    found = check(simulator)
    parts = ("accepted", "rejected", "unknown", "pending")
    read: Callable[[str], list[str]] = {
        "csv": lambda text: [
            row["recipient"] for row in csv.DictReader(io.StringIO(text))
        ],
        "jsonl": lambda text: [
            json.loads(line)["recipient"] for line in text.splitlines()
        ],
    }[form]

    by_outcome = {
        name: read(say("export", "june", "--outcome", name, "--format", form).out)
        for name in parts
    }
    everyone = say("export", "june", "--format", form, "--output", "all")
    written = read(Path("all").read_text())

    assert {name: found[name] for name in parts} == {
        name: len(each) for name, each in by_outcome.items()
    }
    assert Counter(listed) == sum(map(Counter, by_outcome.values()), Counter())
    assert 0 == everyone.code
    assert listed == written
    assert 0o600 == Path("all").stat().st_mode & 0o777


def test_pending_are_only_those_who_were_not_tried(serve: Serve) -> None:
    """
    An export of the pending has no one in it who may have been rung.
    """
    simulator = serve()
    simulator.next_replies("hang", "hang")
    june(100)

    with process(*sending(simulator, "--batch-size", "10", "--concurrency", "2")) as it:
        wait_until(lambda: len(simulator.calls) == 20)
        pending = exported("--outcome", "pending")
        found = stand()
        it.kill()
        it.wait()
    check(simulator)

    assert 20 == found["in_flight"]
    assert found["pending"] == len(pending)
    assert not set(pending) & set(simulator.calls)


# What is to become of the unknown


def test_settle_shows_and_resends_only_on_demand(serve: Serve) -> None:
    """
    The evidence is shown; without --yes nothing is done; then, and only then, resume
    rings those whose answer was lost a second time.
    """
    simulator = serve()
    simulator.next_replies("drop", "drop")
    listed = june(100)
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1"))
    check_finished(simulator)

    shown = say("settle", "june")
    refused = say("settle", "june", "--resend")
    resume(simulator)
    untouched = check_finished(simulator)
    decided = say("settle", "june", "--resend", "--yes")
    waiting = stand()
    again = resume(simulator)
    found = stand()

    assert "20 unknown in 2 requests" in shown.out
    assert "closed the connection without an answer" in shown.out
    assert 2 == refused.code
    assert "--yes" in refused.complaint
    assert 20 == untouched["unknown"]
    assert 0 == decided.code
    assert ("paused", 20, 0) == (
        waiting["state"],
        waiting["pending"],
        waiting["unknown"],
    )
    assert 0 == again.code
    assert 100 == found["accepted"]
    assert Counter(listed) + Counter(listed[:20]) == simulator.calls


def test_settle_gives_up(serve: Serve) -> None:
    """
    They stay unknown, are shown no more, and are never sent again.
    """
    simulator = serve()
    simulator.next_replies("drop", "drop")
    june(100)
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1"))

    decided = say("settle", "june", "--give-up", "--yes")
    shown = say("settle", "june")
    both = say("settle", "june", "--give-up", "--resend")
    again = resume(simulator)
    found = check_finished(simulator)

    assert 0 == decided.code
    assert "0 unknown in 0 requests" in shown.out
    assert 2 == both.code
    assert 1 == again.code
    assert (80, 20, 20) == (found["accepted"], found["unknown"], found["given_up"])


def test_settle_knows_of_those_a_dead_process_left(serve: Serve) -> None:
    """
    Right after kill -9 they are shown, without anything being sent first.
    """
    simulator = serve()
    simulator.next_replies("hang", "hang")
    june(100)

    with process(*sending(simulator, "--batch-size", "10", "--concurrency", "2")) as it:
        wait_until(lambda: len(simulator.calls) == 20)
        it.kill()
        it.wait()
    shown = say("settle", "june")
    decided = say("settle", "june", "--give-up", "--yes")
    found = check(simulator)

    assert "20 unknown in 2 requests" in shown.out
    assert 0 == decided.code
    assert 20 == found["unknown"]


def test_what_a_cancelled_campaign_left_can_be_given_up(serve: Serve) -> None:
    """
    Cancelling leaves the unknown as they are, and their owner still has the word.
    """
    simulator = serve()
    simulator.next_replies("drop", "7001")
    june(100)
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1"))
    say("cancel", "june", "--yes")

    decided = say("settle", "june", "--give-up", "--yes")
    found = check(simulator)

    assert 0 == decided.code
    assert ("cancelled", 10, 10) == (
        found["state"],
        found["unknown"],
        found["given_up"],
    )


def test_unknown_are_resent_where_that_was_decided(serve: Serve) -> None:
    """
    --on-unknown resend takes the risk of a second call for those, and nobody else.
    """
    simulator = serve()
    simulator.next_replies("drop")
    listed = june(50)

    said = say(
        *sending(simulator, "--batch-size", "10", "--concurrency", "1"),
        *("--on-unknown", "resend"),
    )
    found = stand()

    assert 0 == said.code
    assert 50 == found["accepted"]
    assert Counter(listed) + Counter(listed[:10]) == simulator.calls


def test_an_internal_error_is_final_where_that_was_decided(serve: Serve) -> None:
    """
    --no-retry-internal-error leaves them unknown after one request, also on resuming.
    """
    simulator = serve()
    simulator.next_replies(7006)
    june(50)

    said = say(
        *sending(simulator, "--batch-size", "10", "--concurrency", "1"),
        "--no-retry-internal-error",
    )
    resume(simulator)
    found = check_finished(simulator)

    assert 1 == said.code
    assert (40, 10) == (found["accepted"], found["unknown"])
    assert 5 == len(simulator.requests)


# A service that fails all along


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [("7104", "rejected", "7104"), ("drop", "unknown", "closed the connection")],
)
def test_a_run_of_failures_pauses_it(
    serve: Serve, fault: str, outcome: str, words: str
) -> None:
    """
    After some twenty requests it stops by itself instead of burning the whole list.
    """
    simulator = serve(fault)
    june(2_000)

    said = say(*sending(simulator, *SLOWLY))
    found = check(simulator)
    requests = len(simulator.requests)
    simulator.faults = ()
    again = resume(simulator)
    last = check(simulator)

    assert 1 == said.code
    assert "of the last 20 batches failed" in said.complaint
    assert words in said.complaint
    assert "paused" == found["state"]
    assert words in found["reason"]
    assert 20 <= requests <= 30
    assert requests * 10 == found[outcome]
    assert 2_000 - requests * 10 == found["pending"]
    assert 1 == again.code
    assert 2_000 - requests * 10 == last["accepted"]
