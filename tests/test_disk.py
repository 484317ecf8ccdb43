"""
A disk that is full, and files that may not grow: it stops, and room lets it go on.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Serve
from mishaps import (
    SLOWLY,
    check,
    check_finished,
    ended,
    june,
    process,
    resume,
    say,
    sending,
    wait_until,
    wait_until_quiet,
)

pytestmark = pytest.mark.usefixtures("in_a_folder")


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
        command, capture_output=True, check=False, timeout=60
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
        filler = fill(disk, leave=250_000)
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
def test_a_file_that_may_not_grow(serve: Serve, limit: int, planned: bool) -> None:
    """
    A limit on the size of files is met like a full disk, planning and dispatching.
    """
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
        filler = fill(disk, leave=300_000)
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
