"""
An owner is told how a campaign goes: when it ends, pauses itself, or will be late.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import KEY, Serve
from hearing import WRITES_DOWN, Hook, by_command, events, script, told
from mishaps import (
    SLOWLY,
    ended,
    june,
    locked,
    process,
    resume,
    say,
    sending,
    stand,
    wait_until,
)
from servers import in_thread
from test_terminal import piped

from voicepush.cli.program import Program

pytestmark = pytest.mark.usefixtures("in_a_folder")


@contextmanager
def hooked(**options: Any) -> Iterator[Hook]:
    """
    A hook in a thread of its own.
    """
    with in_thread(Hook(**options)) as hook:
        yield cast("Hook", hook)


# The end of a campaign.


def test_the_payload_is_what_status_prints(serve: Serve) -> None:
    """
    Program and webhook get the same bytes, those of ``status --json``.
    """
    june(30)
    with hooked() as hook:
        said = say(
            *sending(serve(), *by_command()), "--notify-webhook", f"{hook.url}/mine"
        )
    printed = say("status", "june", "--json").out
    [posted] = hook.posted

    assert 0 == said.code
    assert ["finished"] == events() == hook.events
    assert printed == Path("told-finished.json").read_text()
    assert printed.encode() == posted.body
    assert "notify" not in said.err


@pytest.mark.parametrize(
    "name",
    [
        "\"><script>alert('1')</script>",
        "june\nfinished: 7 of 7\x1b[2J\u202e\u2028",
        "$(touch x); `touch x` && touch x | touch x",
        "zoë ☎ 電話",
        "--help",
    ],
)
def test_a_hostile_name_is_only_a_name(serve: Serve, name: str) -> None:
    """
    It comes whole, and moves neither a shell nor a terminal.
    """
    june(3)
    text = f'{WRITES_DOWN}; printf %s "$VOICEPUSH_CAMPAIGN" > name'
    with hooked() as hook:
        options = [*by_command(text), "--notify-webhook", hook.url]
        said = say(*sending(serve(), *options, f"--campaign={name}"))
    [posted] = hook.posted

    assert 0 == said.code, said.err
    assert name == told("finished")["campaign"]
    assert name.encode() == Path("name").read_bytes()
    assert Path("told-finished.json").read_bytes() == posted.body
    assert {"\n"} >= set(filter(lambda each: not each.isprintable(), said.err))
    assert not any(each in posted.body for each in (b"\x1b", "\u202e".encode()))
    assert not Path("x").exists()


@pytest.mark.slow
def test_both_are_told_of_a_cancelled_campaign(serve: Serve) -> None:
    """
    The process that dispatches it tells, whoever has cancelled it.
    """
    simulator = serve(latency=0.1)
    june(800)

    with hooked() as hook:
        options = [*SLOWLY, *by_command(), "--notify-webhook", hook.url]
        with process(*sending(simulator, *options)) as running:
            wait_until(lambda: len(simulator.requests) > 5)
            say("cancel", "june", "--yes")
            said = ended(running)

    assert 1 == said.code
    assert ["cancelled"] == events() == hook.events
    assert stand() == told("cancelled")


@pytest.mark.parametrize(
    ("fault", "code", "reason"), [("7001", 3, "7001"), ("7004", 1, "of the last 20")]
)
def test_a_campaign_that_pauses_itself(
    serve: Serve, fault: str, code: int, reason: str
) -> None:
    """
    Where the service refuses everything, and after a run of failures.
    """
    june(800)

    said = say(*sending(serve(fault), *SLOWLY, *by_command()))

    assert code == said.code
    assert ["paused"] == events()
    assert reason in told("paused")["reason"]
    assert stand() == told("paused")


@pytest.mark.slow
def test_a_ledger_that_fails_is_told_of(serve: Serve) -> None:
    """
    As a pause, with the reason, also where the ledger itself can't be told of it.
    """
    simulator = serve(latency=0.1)
    june(800)
    impatient = "import voicepush.ledger.sqlite.connection as c; c.LOCK_PATIENCE = 0.1"
    options = (*SLOWLY, "--drain", "1s", *by_command())

    with process(*sending(simulator, *options), first=impatient) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        with locked():
            said = ended(running)

    assert 5 == said.code
    assert ["paused"] == events()
    assert "paused" == told("paused")["state"]
    assert told("paused")["reason"] in said.complaint


# Its owner's doing.


@pytest.mark.slow
def test_an_owner_who_pauses_it_is_told_nothing(serve: Serve) -> None:
    """
    Who says ``voicepush pause`` knows it; going on to the end is told of.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY, *by_command())) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        say("pause", "june")
        said = ended(running)
    before = events()
    again = resume(simulator, *by_command())

    assert 1 == said.code
    assert [] == before
    assert 0 == again.code
    assert ["finished"] == events()


@pytest.mark.slow
def test_an_owner_who_interrupts_it_is_told_nothing(serve: Serve) -> None:
    """
    Nor who says Ctrl-C.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY, *by_command())) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        running.send_signal(signal.SIGINT)
        said = ended(running)

    assert 130 == said.code
    assert "paused" == stand()["state"]
    assert [] == events()


@pytest.mark.slow
def test_a_second_signal_leaves_at_once(serve: Serve) -> None:
    """
    Nobody is told anything then, and nobody waited for.
    """
    simulator = serve("hang")
    june(40)

    with process(*sending(simulator, *SLOWLY, *by_command())) as running:
        wait_until(lambda: len(simulator.requests) == 4)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        while "again to leave now" not in running.stderr.readline():
            pass
        running.send_signal(signal.SIGINT)
        said = ended(running)

    assert 130 == said.code
    assert [] == events()


@pytest.mark.slow
def test_a_signal_ends_the_wait_for_a_program(serve: Serve) -> None:
    """
    What came of the campaign stays what the exit status says.
    """
    june(3)
    text = f"{WRITES_DOWN}; echo $$ > parent; sleep 60"

    with process(*sending(serve(), *by_command(text))) as running:
        wait_until(lambda: Path("parent").exists() and Path("parent").read_text())
        running.send_signal(signal.SIGINT)
        said = ended(running)

    assert 0 == said.code
    assert "event finished: it was left before it had heard all" in said.err
    assert not Path(f"/proc/{Path('parent').read_text().strip()}").exists()


@pytest.mark.slow
def test_a_reader_that_has_gone_keeps_nobody_from_being_told(serve: Serve) -> None:
    """
    The exit status is that of a program whose output nobody reads.
    """
    june(3)
    url = serve().url
    command = f"v send june.csv --media x --base-url {url} --notify-command"

    done = piped(f"{command} {by_command()[1]} | true")

    assert done.returncode in (0, 141)
    assert ["finished"] == events()


def test_a_long_wait_is_told(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Who looks at a terminal that does nothing is told what for.
    """
    monkeypatch.setattr("voicepush.cli.notifying._WORTH_A_WORD", 0.01)
    june(3)

    said = say(*sending(serve(), *by_command(f"sleep 0.3; {WRITES_DOWN}")))

    assert 0 == said.code
    assert "waiting until everyone is notified; Ctrl-C leaves now" in said.err
    assert ["finished"] == events()


# What goes wrong.


@pytest.mark.slow
def test_a_failure_is_one_line_and_changes_nothing(serve: Serve) -> None:
    """
    The exit status stays, and so does the ledger; what may be secret is not shown.
    """
    simulator = serve()
    june(3)
    with hooked(answers=[404]) as hook:
        where = f"{hook.url}/path-of-mine?token=of-mine"
        options = [*by_command("exit 7"), "--notify-webhook", where, "--verbose"]
        said = say(*sending(simulator, *options))
    lines = [line for line in said.err.splitlines() if "notify" in line]

    assert 0 == said.code
    name = f"--notify-command {Path('tell.sh').absolute()}"
    assert {
        f"{name}, event finished: it ended with exit status 7",
        f"--notify-webhook {hook.url}, event finished: HTTP 404",
    } == set(lines)
    assert not any(each in said.err for each in ("mine", KEY))
    history = say("status", "june", "--history").out
    assert "notify" not in history


@pytest.mark.parametrize("command", ["send", "resume"])
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("command", "no-such-program hush", "no program 'no-such-program'"),
        ("command", "", "--notify-command is empty"),
        ("webhook", "http://h.example/hush", "must begin with https://"),
        ("webhook", "https://me:hush@h.example", "no user name"),
    ],
)
def test_who_can_not_be_told_is_refused_first(
    serve: Serve, command: str, option: str, value: str, words: str
) -> None:
    """
    In one line, before anything is planned or sent.
    """
    simulator = serve()
    june(3)
    given = (f"--notify-{option}", value)

    said = (
        say(*sending(simulator, *given))
        if command == "send"
        else resume(simulator, *given)
    )

    assert 2 == said.code
    assert 1 == said.err.count("\n")
    assert words in said.complaint
    assert "hush" not in said.err
    assert not Path("voicepush.db").exists()
    assert [] == simulator.requests


def test_the_environment_may_name_them(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    For send and resume; the same campaign may tell others later, or nobody.
    """
    simulator = serve()
    june(3)
    with hooked() as hook:
        monkeypatch.setenv("VOICEPUSH_NOTIFY_COMMAND", by_command()[1])
        monkeypatch.setenv("VOICEPUSH_NOTIFY_WEBHOOK", hook.url)
        codes = [say(*sending(simulator)).code, resume(simulator).code]
        monkeypatch.delenv("VOICEPUSH_NOTIFY_COMMAND")
        monkeypatch.delenv("VOICEPUSH_NOTIFY_WEBHOOK")
        codes.append(say(*sending(simulator)).code)

    assert [0, 0, 0] == codes
    assert ["finished"] * 2 == events() == hook.events


def test_a_dry_run_tells_nobody(serve: Serve) -> None:
    """
    Nothing has ended.
    """
    june(3)

    said = say(*sending(serve(), "--dry-run", *by_command()))

    assert 0 == said.code
    assert [] == events()


# The document's examples.

PAGE = (Path(__file__).parent.parent / "docs" / "notifications.md").read_text()


def example(language: str) -> str:
    """
    The document's program in that language.
    """
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.mark.slow
def test_the_script_that_mails(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It hands a mail to the program that sends mails, for each event.
    """
    programs = Path("programs").absolute()
    programs.mkdir()
    code = f'exec {sys.executable} -m voicepush "$@"'
    script(code, "programs/voicepush")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    june(3)
    script('echo "$@" >> mails; cat >> mails', "programs/mail")
    command = script(example("sh").partition("\n")[2])
    said = say(*sending(serve(), "--notify-command", command))
    late = Program.found(command).tell("late", "june", b"{}")
    failure = asyncio.run(late)
    mails = Path("mails").read_text()

    assert 0 == said.code
    assert failure is None
    assert "notify-command" not in said.err
    assert "-s voicepush: june finished boss@example.org\ncampaign june: fin" in mails
    assert "-s voicepush: june late boss@example.org\ncampaign june: fin" in mails


def test_the_relay_to_a_chat(serve: Serve, unused_tcp_port: int) -> None:
    """
    It makes words of what it is told, and posts them.
    """
    june(3)
    text = example("python").replace("8091", str(unused_tcp_port))
    with hooked() as chat:
        relay = subprocess.Popen(  # noqa: S603 -- our own example
            [sys.executable, "-c", text],
            env={**os.environ, "CHAT_WEBHOOK": chat.url},
            stderr=subprocess.PIPE,
        )
        url = f"http://127.0.0.1:{unused_tcp_port}/"
        try:
            wait_until(lambda: is_listening(unused_tcp_port))
            said = say(*sending(serve(), "--notify-webhook", url))
        finally:
            relay.kill()
            relay.communicate()
    [posted] = [json.loads(each.body) for each in chat.posted]

    assert 0 == said.code
    assert "notify" not in said.err
    assert {"text": "june: finished, 3 of 3 accepted"} == posted


def is_listening(port: int) -> bool:
    """
    Whether someone takes connections there.
    """
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0
