"""
What an operator sees, through a terminal or a pipe, and how signals are heard.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from conftest import Serve, numbers
from mishaps import SLOWLY, ended, june, process, say, sending, stand, wait_until
from test_report import STATUS

from voicepush.campaign.campaign import Campaign
from voicepush.cli import terminal
from voicepush.model.outcome import Outcome, Summary, Verdict
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.report.json import dump_shown
from voicepush.report.text import (
    as_line,
    as_text,
    duration,
    pace_of,
    reasons_of,
    why_waiting,
)

CODE = [sys.executable, "-m", "voicepush"]

pytestmark = pytest.mark.usefixtures("in_a_folder")


def piped(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """
    A line of shell in which ``voicepush`` is ours, and its parts fail it.
    """
    program = " ".join(CODE)
    return subprocess.run(  # noqa: S603 -- our own program
        ["/bin/bash", "-o", "pipefail", "-c", f'v() {{ {program} "$@"; }}; {command}'],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


#: A service on this machine, to which one may call at any hour.
HERE = "--base-url http://127.0.0.1:9"

# Results on stdout.


@pytest.mark.parametrize(
    "command",
    ["v export june | head -1", f"v send june.csv --media x --dry-run {HERE} | true"],
)
def test_a_reader_that_has_gone_ends_it_quietly(serve: Serve, command: str) -> None:
    """
    The exit status is 141, as of a program that SIGPIPE ends, and nothing is said.
    """
    june(20_000)
    say(*sending(serve()))

    done = piped(command)

    assert 141 == done.returncode
    assert "" == done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "status june",
        "status june --json",
        "export june",
        "export june --output /dev/full",
    ],
)
def test_a_full_disk_is_one_line(serve: Serve, command: str) -> None:
    """
    What can't be written is told, with status 2.
    """
    june(10)
    say(*sending(serve()))

    done = piped(f"v {command} > /dev/full")

    assert 2 == done.returncode
    assert 1 == done.stderr.count("\n")
    assert "can't be written: No space left on device" in done.stderr


def test_a_name_that_stdout_can_not_hold_is_escaped(serve: Serve) -> None:
    """
    Text and JSON have escapes in ASCII, and exports stay UTF-8.
    """
    Path("jüne.csv").write_text("customerid\nzoë\n")
    url = serve().url
    ascii_only = {"PYTHONIOENCODING": "ascii"}

    sent = piped(f"v send jüne.csv --media x --base-url {url}", **ascii_only)
    text = piped("v status", **ascii_only)
    told = piped("v status jüne --json", **ascii_only)
    listed = piped("v export jüne", **ascii_only)

    assert 0 == sent.returncode, sent.stderr
    assert "j\\xfcne: finished" in text.stdout
    assert told.stdout.isascii()
    assert "jüne" == json.loads(told.stdout)["campaign"]
    assert "zoë,accepted" in listed.stdout


def test_talk_that_nobody_hears_stops_nothing(serve: Serve) -> None:
    """
    A campaign goes on to its end although the reader of stderr has gone.
    """
    simulator = serve()
    june(20)
    url = simulator.url

    piped(f"v send june.csv --media x --base-url {url} 2> >(true) >/dev/null; sleep 0")

    assert 20 == stand()["accepted"]


# Texts from outside.


def test_a_description_forges_no_line() -> None:
    """
    What the API says is shown in one line, without what moves a terminal.
    """
    forged = "no\n  accepted        20,000\x1b[2J\x9b2K\u202e\u2028\rx"
    verdict = Verdict(Outcome.REJECTED, "7004", forged)
    summary = Summary(rejected=3)
    summary.reasons[verdict] = 3
    status = attrs.evolve(STATUS, reason=forged, campaign=f"june{forged}")
    lines = as_text(status).split("\n")

    reason, *_ = reasons_of(summary, STATUS)

    assert "no   accepted        20,000 [2J 2K x" in reason
    assert reason.isprintable()
    assert as_line(status).isprintable()
    assert all(line.isprintable() for line in lines)
    assert 1 == sum(line.lstrip().startswith("accepted") for line in lines)
    told = dump_shown({"reason": forged}, "utf-8")
    assert told.isprintable()
    assert {"reason": forged} == json.loads(told)


def test_errors_are_shown_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Nor does a name that someone gave a file forge one.
    """
    said = say("status", "june", "--ledger", "a\nvoicepush: done\x1b[2J")

    assert 2 == said.code
    assert 1 == said.err.count("\n")
    assert "\x1b" not in said.err
    assert "" == capsys.readouterr().out


# Wrong usage.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sned", "a.csv"), 'Did you mean "send"?'),
        (("send", "a.csv", "--dryrun"), "Did you mean --dry-run?"),
        (("send", "a.csv", "b.csv", "--media", "x"), "too many arguments: b.csv"),
        (("simulate", "--port", "99999"), "--port must be from 0 to 65535, not 99999"),
        (("simulate", "--port", "-1"), "--port must be from 0 to 65535, not -1"),
        (("demo", "--recipients", "0"), "--recipients must be at least 1"),
        (("lookup", "\udcff"), "must be text that UTF-8 can hold"),
        (("status", "--ledger", "loop"), "Too many levels of symbolic links"),
        (("send", "loop", "--media", "x", "--dry-run"), "Too many levels"),
        (("send", "a.csv", "--media", "x", "--key-file", "loop"), "(--key-file)"),
        (("send", "a.csv", "--media", "x"), "--base-url"),
    ],
)
def test_wrong_usage_says_what_to_do(arguments: tuple[str, ...], words: str) -> None:
    """
    One line names the option, or what was meant.
    """
    Path("a.csv").write_text("\n".join(["msisdn", *numbers(3)]))
    Path("loop").symlink_to("loop")

    said = say(*arguments)

    assert 2 == said.code
    assert words in said.complaint


@pytest.mark.parametrize(
    ("given", "sent"), [("1", "1"), ("HIGH", "3"), ("Medium", "2"), ("3", "3")]
)
def test_priority_is_a_number_or_a_word(given: str, sent: str) -> None:
    """
    As the API's document writes it, or as people say it.
    """
    june(1)

    command = ["send", "june.csv", "--media", "x", "--dry-run", *HERE.split()]
    said = say(*command, "--priority", given)

    assert f'"priority":"{sent}"' in said.out


def test_an_expiry_is_told_as_understood(serve: Serve) -> None:
    """
    When planning, and one in the past is refused then.
    """
    june(3)
    sent = say(*sending(serve(), "--expiry", "2 hours"))
    past = say(*sending(serve(), "--campaign", "b", "--expiry", "2020-01-01T00:00Z"))

    assert re.search(
        r"expires \d{4}-\d\d-\d\d \d\d:\d\d [+-]\d{4} \(in (2 h|1 h 59 min)\)", sent.err
    )
    assert 2 == past.code
    assert re.search(r"--expiry .* ago", past.complaint)


def test_the_ledger_may_stand_first(serve: Serve) -> None:
    """
    --ledger is taken before the command and behind it.
    """
    june(3)
    say(*sending(serve()), "--ledger", "other.db")

    first = say("--ledger", "other.db", "status", "june")
    last = say("status", "june", "--ledger", "other.db")

    assert (0, last.out) == (first.code, first.out)


def test_completion_can_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    --install-completion writes it where the shell looks.
    """
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.setenv("SHELL", "/bin/bash")

    assert 0 == say("--install-completion").code
    found = [each for each in Path().rglob("voicepush") if each.is_file()]
    assert any("dry-run" in each.read_text() for each in found)


def test_a_wrong_path_hints_at_the_address(serve: Serve) -> None:
    """
    Where nothing is served, the option that names the address is said.
    """
    june(3)

    said = say(*sending(serve("404")))

    assert 3 == said.code
    assert "is the address right? Give --base-url" in said.err


# A dry run.


def test_a_dry_run_needs_neither_key_nor_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    It reads a list of any length and shows the first request as it would leave.
    """
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")
    june(2_500)
    anywhere = ("--any-hour", "a test")
    options = ("--media", "x", "--dry-run", "--expiry", "2h")
    command = ("send", "june.csv", *options, *anywhere)

    said = say(*command, "--batch-size", "400", "--json")
    found = json.loads(said.out)
    first = found["request"]

    assert 0 == said.code
    assert ("june", 2_500, 2_500, 7) == tuple(
        found[name] for name in ("campaign", "read", "planned", "requests")
    )
    assert str(Path("june.csv").resolve()) == found["file"]
    assert found["expiry"] is not None
    assert 400 == first["destinations"]
    assert first["bytes"] > 400 * len('{"msisdn":["+999000000000"]},')
    assert first["begins"].startswith('{"deliverychannel":"voice"')
    ids_aside = re.sub(r'"correlationid":"[^"]*', "", first["begins"])
    assert not re.search(r"\d{7}", ids_aside)
    assert ["june.csv"] == [each.name for each in Path().iterdir()]


def test_a_dry_run_is_told_in_words() -> None:
    """
    File, campaign, expiry, counts and the first request each have their line.
    """
    june(30)

    said = say(
        *[
            "send",
            "june.csv",
            "--media",
            "x",
            "--dry-run",
            *HERE.split(),
            "--rate",
            "40",
            "--expiry",
            "2h",
        ]
    ).out

    for words in (
        f"campaign june, from {Path('june.csv').resolve()}",
        "would plan 30 in 3 requests of up to 10",
        "expires ",
        "at 40/s, 30 take 1 s",
        "the first request has 10 destinations in ",
    ):
        assert words in said


# Progress.


def waits(since: datetime) -> CampaignStatus:
    """
    A campaign that does not go on.
    """
    return attrs.evolve(
        STATUS,
        state=CampaignState.RUNNING,
        throughput=0.0,
        waiting="the service asks to wait 60 s\x1b[2J",
        waiting_since=since,
    )


def test_why_nothing_goes_on() -> None:
    """
    Text, line and pace say why and since when, and give no false time.
    """
    since = datetime.now(UTC) - timedelta(seconds=3)
    status = waits(since)
    clock = f"{since.astimezone():%H:%M:%S}"
    said = f"{clock}: the service asks to wait 60 s"

    assert re.search(rf"nothing goes on since .*{said}", as_text(status))
    assert re.search(rf"nothing goes on since .*{said}", as_line(status))
    assert "0/s, time left unknown" == pace_of(status, 500)
    assert "" == why_waiting(STATUS)
    assert "nothing goes on since 2020-01-0" in why_waiting(
        waits(datetime(2020, 1, 2, tzinfo=UTC))
    )


def test_the_time_left_follows_the_rate_in_force() -> None:
    """
    What the dispatcher measured lately counts, not the mean since the start.
    """
    status = attrs.evolve(STATUS, throughput=100.0)
    ahead = status.planned - status.done

    assert f"100/s, {duration(ahead / 100)} left" == pace_of(status, 7)


class Told(Campaign):
    """
    A campaign that stands where it is told to stand.
    """

    def __init__(self, *statuses: CampaignStatus) -> None:
        self._standings = list(statuses)

    async def status(self) -> CampaignStatus:
        """
        The next of them, and then the last.
        """
        return self._standings.pop(0) if self._standings[1:] else self._standings[0]


async def test_a_change_of_why_is_told_at_once() -> None:
    """
    A log has a line as soon as nothing goes on, before the next one is due.
    """
    running = attrs.evolve(STATUS, state=CampaignState.RUNNING)
    stuck = waits(datetime.now(UTC))
    show: AsyncIterator[str] = terminal._show_lines(Told(running, stuck))

    first, second = await anext(show), await anext(show)

    assert "nothing goes on" not in first
    assert "nothing goes on" in second


def on_a_terminal(columns: int, command: list[str]) -> str:
    """
    What *command* shows on a terminal of so many columns.
    """
    pid, master = pty.fork()
    if pid == 0:  # pragma: no cover -- another process
        os.execv(command[0], command)  # noqa: S606 -- our own program
    size = struct.pack("HHHH", 24, columns, 0, 0)
    fcntl.ioctl(master, termios.TIOCSWINSZ, size)
    shown = b""
    with closing(os.fdopen(master, "rb", buffering=0)) as file:
        while True:
            try:
                chunk = file.read(65536)
            except OSError:  # the other side is closed
                break
            if not chunk:
                break
            shown += chunk
    os.waitpid(pid, 0)
    return shown.decode()


def test_the_bar_fits_sixty_columns(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each frame is one line, also with a long name.
    """
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    june(600)
    simulator = serve(latency=0.02)

    shown = on_a_terminal(
        60,
        [
            *(*CODE, *sending(simulator, "--rate", "400", "--batch-size", "20")),
            *("--campaign", "a-very-long-name-of-a-campaign-in-june"),
        ],
    )
    frames = [
        re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame)
        for frame in re.split(r"\r\x1b\[2K|\r\n", shown)
    ]
    bars = [frame for frame in frames if "━" in frame]

    assert bars
    assert {60} == set(map(len, bars))
    assert all(re.search(r"%.*/s", bar) for bar in bars)
    assert 600 == stand("a-very-long-name-of-a-campaign-in-june")["accepted"]


# Signals.


def test_a_hangup_settles_first(serve: Serve) -> None:
    """
    SIGHUP, also several of them, records what is under way and ends with 130.
    """
    simulator = serve(latency=0.3)
    june(2_000)
    # Whatever these tests were started by.
    heard = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"

    with process(*sending(simulator, *SLOWLY), first=heard) as running:
        wait_until(lambda: simulator.requests)
        running.send_signal(signal.SIGHUP)
        running.send_signal(signal.SIGHUP)
        said = ended(running)
    found = stand()

    assert 130 == said.code
    assert "recorded first" in said.err
    assert (0, 0) == (found["in_flight"], found["unknown"])
    assert simulator.rung == found["accepted"]


def test_a_hangup_does_not_end_what_nohup_started(serve: Serve) -> None:
    """
    Where SIGHUP is ignored it stays so.
    """
    simulator = serve(latency=0.05)
    june(400)
    nohup = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"

    with process(*sending(simulator, *SLOWLY), first=nohup) as running:
        wait_until(lambda: simulator.requests)
        running.send_signal(signal.SIGHUP)
        said = ended(running)

    assert 0 == said.code, said.err
    assert 400 == stand()["accepted"]


def test_one_interrupt_ends_a_dry_run_of_a_silent_pipe() -> None:
    """
    Ctrl-C is heard although the list says nothing.
    """
    with subprocess.Popen(  # noqa: S603 -- our own program
        [*CODE, "send", "-", "--media", "x", "--dry-run"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write(b"+999000000001\n")
        running.stdin.flush()
        pipe = running.stdin.fileno()
        # Once its reader has taken the line, it waits for the next.
        wait_until(lambda: not any(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4)))
        running.send_signal(signal.SIGINT)
        assert 130 == running.wait(10)
        assert b"" == running.stderr.read()
