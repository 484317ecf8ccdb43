"""
The same command again: what holds from then on, and what is refused.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest
from conftest import Serve, numbers
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
    stand,
    wait_until,
)

from voicepush import Campaign, InputError, Ledger, VoiceMessage, open_ledger, read_file
from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

ONE_BY_ONE = ("--batch-size", "10", "--concurrency", "1")


def planned(simulator: Simulator, *options: str, count: int = 50) -> list[str]:
    """
    June, planned and stopped before anyone was rung: its key was refused.
    """
    listed = june(count)
    simulator.next_replies("7001")
    said = say(*sending(simulator, *ONE_BY_ONE, *options))
    assert 3 == said.code
    assert not simulator.calls
    return listed


def test_7006_is_not_tried_again_from_then_on(serve: Serve) -> None:
    """
    --no-retry-internal-error holds for a campaign that is planned already.
    """
    simulator = serve()
    planned(simulator)
    simulator.next_replies("7006")

    said = say(*sending(simulator, *ONE_BY_ONE, "--no-retry-internal-error"))
    found = check_finished(simulator)
    resumed = resume(simulator)

    assert (1, 1) == (said.code, resumed.code)
    assert (40, 10) == (found["accepted"], found["unknown"])


def test_resume_takes_the_decisions_too(serve: Serve) -> None:
    """
    What resume is told holds; what it is not told stays as it was decided before.
    """
    simulator = serve()
    planned(simulator)
    simulator.next_replies("7006", "7001")
    resume(simulator, "--no-retry-internal-error", "--concurrency", "1")
    simulator.next_replies("7006")

    resume(simulator, "--concurrency", "1")
    found = check_finished(simulator)

    assert (30, 20) == (found["accepted"], found["unknown"])


@pytest.mark.parametrize("command", ["send", "resume"])
def test_the_unknown_are_resent_from_then_on(serve: Serve, command: str) -> None:
    """
    --on-unknown resend holds for a campaign that is planned already.
    """
    simulator = serve()
    listed = planned(simulator)
    simulator.next_replies("drop")
    options = ("--on-unknown", "resend")

    if command == "send":
        said = say(*sending(simulator, *ONE_BY_ONE, *options))
    else:
        said = resume(simulator, "--concurrency", "1", *options)

    assert 0 == said.code
    assert 50 == stand()["accepted"]
    assert Counter(listed) + Counter(listed[:10]) == simulator.calls


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("", "--expiry 3h", "without --expiry, not with --expiry 3h"),
        ("--expiry 2h", "--expiry 3h", "with --expiry 2h, not with --expiry 3h"),
        ("", "--country IN", "without --country, not with --country IN"),
        ("", "--validity", "without --validity, not with --validity yes"),
        ("--column 1", "--column msisdn", "--column 1, not with --column msisdn"),
        ("", "--encoding cp1252", "--encoding cp1252"),
        ("", "--batch-size 20", "with --batch-size 10, not with --batch-size 20"),
        ("", "--priority high", "without --priority, not with --priority high"),
        ("--cli 18005550100", "--cli 18005550111", "--cli 180****0100, not with"),
    ],
)
def test_other_settings_are_refused(
    serve: Serve, first: str, second: str, words: str
) -> None:
    """
    What would change who is called, or how, is refused with both values named.
    """
    simulator = serve()
    planned(simulator, *first.split())

    said = say(*sending(simulator, *second.split()))

    assert 2 == said.code
    assert words in said.complaint
    assert "--campaign" in said.complaint
    assert not simulator.calls


@pytest.mark.parametrize("same_name", [True, False])
def test_another_suppression_list_is_refused(serve: Serve, *, same_name: bool) -> None:
    """
    Nobody on a list that came later is rung: the command stops and names both.
    """
    simulator = serve()
    Path("no.txt").write_text(f"{numbers(1, 900)[0]}\n")
    listed = planned(simulator, "--suppress", "no.txt")
    other = Path("no.txt" if same_name else "other.txt")
    other.write_text("\n".join(listed[:20]))

    refused = say(*sending(simulator, *ONE_BY_ONE, "--suppress", str(other)))
    rung = Counter(simulator.calls)
    Path("no.txt").write_text(f"{numbers(1, 900)[0]}\n")
    same = say(*sending(simulator, *ONE_BY_ONE, "--suppress", "no.txt"))

    assert 2 == refused.code
    assert 2 == refused.complaint.count("(contents ")
    assert not rung
    assert 0 == same.code
    assert Counter(listed) == simulator.calls


def test_what_is_left_out_is_not_compared(serve: Serve) -> None:
    """
    The shorter command goes on, and so does the same one, whose expiry stays.
    """
    simulator = serve()
    listed = planned(simulator, "--expiry", "2h", "--cli", "18005550100")
    before = stand()["expiry"]
    simulator.next_replies("7001")

    same = say(*sending(simulator, *ONE_BY_ONE, "--expiry", "2h"))
    shorter = say("send", "june.csv", "--media", "x", "--base-url", simulator.url)

    assert (3, 0) == (same.code, shorter.code)
    assert before == stand()["expiry"]
    assert Counter(listed) == simulator.calls


def test_that_another_holds_it_is_said_first(serve: Serve) -> None:
    """
    Exit status 4, whatever else is wrong, and nothing of the campaign is changed.
    """
    simulator = serve(latency=0.1)
    june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        june(500)
        refused = say(
            *sending(simulator, "--expiry", "9h", "--rate", "1", "--on-unknown"),
            "resend",
        )
        resumed = resume(simulator, "--rate", "1")
        rate = stand()["rate"]
        said = ended(running)
    check_finished(simulator)

    assert (4, 4, 0) == (refused.code, resumed.code, said.code)
    assert f"process {running.pid}" in refused.complaint
    assert rate is None


# Another list


def test_another_list_under_an_old_name_is_refused(serve: Serve) -> None:
    """
    A file that holds something else by now is no campaign to go on with.
    """
    simulator = serve()
    listed = planned(simulator)
    before = Path("june.csv").read_text()
    Path("june.csv").write_text(before + f"{numbers(1, 900)[0]}\n")

    refused = say(*sending(simulator, *ONE_BY_ONE))
    rung = Counter(simulator.calls)
    resumed = resume(simulator)

    assert 2 == refused.code
    assert "holds another list than then" in refused.complaint
    assert "--campaign" in refused.complaint
    assert "voicepush resume june" in refused.complaint
    assert not rung
    assert 0 == resumed.code
    assert Counter(listed) == simulator.calls


def test_a_list_that_was_written_anew_is_the_same(serve: Serve) -> None:
    """
    Where only its time differs, its bytes decide.
    """
    simulator = serve()
    listed = planned(simulator)
    os.utime("june.csv", (1, 1))

    said = say(*sending(simulator, *ONE_BY_ONE))

    assert 0 == said.code
    assert Counter(listed) == simulator.calls


def test_a_list_that_is_gone_was_planned(serve: Serve) -> None:
    """
    Going on needs no file, and says that there is none.
    """
    simulator = serve()
    listed = planned(simulator)
    Path("june.csv").unlink()

    said = say(*sending(simulator, *ONE_BY_ONE))

    assert 0 == said.code
    assert "june.csv is gone; going on with what was planned" in said.err
    assert Counter(listed) == simulator.calls


def send_on_standard_input(simulator: Simulator, text: str) -> int:
    """
    The exit status of sending what another program says.
    """
    command = ["send", "-", "--media", "x", "--base-url", simulator.url]
    return subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-m", "voicepush", *command],
        input=text.encode(),
        capture_output=True,
        check=False,
        timeout=60,
    ).returncode


def test_standard_input_is_read_again(serve: Serve) -> None:
    """
    The same again rings nobody again, and another list is refused.
    """
    simulator = serve()
    first, second = ("\n".join(numbers(20, at)) for at in (0, 500))

    codes = [send_on_standard_input(simulator, text) for text in (first, first, second)]

    assert [0, 0, 2] == codes
    assert Counter(numbers(20)) == simulator.calls


async def test_a_file_in_code_is_compared(tmp_path: Path) -> None:
    """
    What `read_file` read is held against what was planned, in code as well.
    """
    message = VoiceMessage(media="x")
    path = tmp_path / "list.csv"
    async with open_ledger(tmp_path / "a.db") as ledger:
        path.write_text("\n".join(numbers(9)))
        await Campaign.plan(ledger, "june", message, read_file(path))
        await Campaign.plan(ledger, "june", message, read_file(path))
        path.write_text("\n".join(numbers(8)))
        with pytest.raises(InputError, match="another list"):
            await Campaign.plan(ledger, "june", message, read_file(path))


# Interrupted plans


async def test_a_plan_that_is_cancelled_at_once_does_not_keep_the_name(
    tmp_path: Path,
) -> None:
    """
    Whenever it is cancelled, the same process can plan it in the next moment.
    """
    message = VoiceMessage(media="x")

    async def again(ledger: Ledger) -> None:
        for turns in range(8):
            planning = asyncio.create_task(
                Campaign.plan(ledger, "june", message, numbers(10))
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            planning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await planning

    async with open_ledger(tmp_path / "a.db") as ledger:
        await again(ledger)
        campaign = await Campaign.plan(ledger, "june", message, numbers(10))

        assert 10 == (await campaign.status()).planned


@pytest.mark.parametrize("name", ["june.csv", "-"])
def test_the_first_signal_ends_planning_from_a_silent_pipe(
    serve: Serve, name: str
) -> None:
    """
    Exit status 130, without waiting for the pipe, and nothing is planned.
    """
    simulator = serve()
    reading, writing = os.pipe()
    if name != "-":
        os.mkfifo(name)
    command = ["send", name, "--media", "x", "--base-url", simulator.url]
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-m", "voicepush", *command],
        stdin=reading,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            if name != "-":
                os.close(writing)
                writing = os.open(name, os.O_WRONLY)
            os.write(writing, f"{numbers(1)[0]}\n".encode())
            wait_until(_is_planning)
            running.send_signal(2)
            _, err = running.communicate(timeout=60)
        finally:
            running.kill()
            os.close(writing)
            os.close(reading)
    left = say("status")

    assert (130, "stopping: nothing new is planned\n") == (running.returncode, err)
    assert "no campaign yet\n" == left.out


def _is_planning() -> bool:
    if not Path("voicepush.db-wal").exists():
        return False
    uri = "file:voicepush.db?mode=ro"
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(uri, uri=True)) as connection,
    ):
        found = connection.execute("SELECT count(*) FROM campaign").fetchone()
        return bool(found[0])
    return False


@pytest.mark.parametrize("text", ["", "msisdn\n", "msisdn\nnobody\n12\n"])
def test_a_list_with_nobody_plans_nothing(serve: Serve, text: str) -> None:
    """
    Exit status 2, the counts are named, refused rows are told, the name stays free.
    """
    simulator = serve()
    Path("june.csv").write_text(text)
    invalid = text.count("\n", 7)

    said = say(*sending(simulator, "--rejects", "bad.csv"))
    left = say("status")
    rejects = Path("bad.csv")
    told = rejects.read_text().count("\n") - 1 if rejects.exists() else 0
    listed = june(10)
    again = say(*sending(simulator))

    assert 2 == said.code
    assert "nobody to call" in said.complaint
    assert f"{invalid} are invalid" in said.complaint
    assert "no campaign yet\n" == left.out
    assert invalid == told
    assert 0 == again.code
    assert Counter(listed) == simulator.calls
    check(simulator)
