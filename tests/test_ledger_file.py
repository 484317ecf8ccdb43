"""
A ledger that is deleted, replaced, locked away or damaged meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import Serve, numbers
from mishaps import (
    LEDGER,
    SLOWLY,
    check,
    check_finished,
    ended,
    june,
    process,
    resume,
    say,
    sending,
    stand,
    wait_until,
)

from voicepush import Campaign, VoiceMessage, open_ledger

pytestmark = pytest.mark.usefixtures("in_a_folder")

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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
        ["resolve", "june"],
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
