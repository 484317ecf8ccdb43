"""
The command line, run as its users run it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from conftest import KEY, Serve, numbers
from mishaps import ended, process, wait_until

from voicepush.cli.application import run

Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("in_a_folder")


def write(name: str, lines: list[str], **options: Any) -> str:
    """
    A file of *lines* in the current folder.
    """
    Path(name).write_text("\n".join(lines) + "\n", **options)
    return name


def status(campaign: str, capsys: Capture) -> dict[str, Any]:
    """
    What ``status --json`` prints.
    """
    capsys.readouterr()
    assert run(["status", campaign, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


# The main job


def test_send_prints_what_came_of_it(serve: Serve, capsys: Capture) -> None:
    """
    Results go to stdout, talk to stderr, and the status is 0 when all are accepted.
    """
    simulator = serve()
    write("june.csv", ["msisdn", *numbers(1_500)])

    code = run(["send", "june.csv", "--media", "hello", "--base-url", simulator.url])
    said = capsys.readouterr()

    assert 0 == code
    assert "campaign june: finished" in said.out
    assert re.search(r"accepted +1,500", said.out)
    assert "1,500 of 1,500 planned" in said.err
    assert Counter(numbers(1_500)) == simulator.calls


def test_sending_again_goes_on(serve: Serve, capsys: Capture) -> None:
    """
    The same command again rings nobody twice, and needs the file no more.
    """
    simulator = serve("drop@1/5")
    write("june.csv", ["msisdn", *numbers(100)])
    command = ["send", "june.csv", "--media", "hello", "--base-url", simulator.url]
    command += ["--batch-size", "10", "--json"]

    first, second = run(command), run(command)
    Path("june.csv").unlink()
    third = run(["resume", "june", "--base-url", simulator.url])
    found = status("june", capsys)

    assert [1, 1, 1] == [first, second, third]
    assert (80, 20) == (found["accepted"], found["unknown"])
    assert {1} == set(simulator.calls.values())


def test_the_json_has_the_promised_keys(serve: Serve, capsys: Capture) -> None:
    """
    Both send --json and status --json print the same object.
    """
    simulator = serve()
    write("june.csv", ["msisdn", *numbers(3), "x", *numbers(1)])

    code = run(
        ["send", "june.csv", "--callflow", "7", "--base-url", simulator.url, "--json"]
    )
    sent = json.loads(capsys.readouterr().out)

    assert 0 == code
    assert sent == status("june", capsys)
    assert {
        "campaign": "june",
        "calls": None,
        "asked": 0,
        "state": "finished",
        "reason": None,
        "read": 5,
        "planned": 3,
        "pending": 0,
        "in_flight": 0,
        "accepted": 3,
        "rejected": 0,
        "expired": 0,
        "not_sent": 0,
        "unknown": 0,
        "invalid": 1,
        "duplicate": 1,
        "suppressed": 0,
        "given_up": 0,
        "expiry": None,
        "rate": None,
        "throughput": None,
        "workers": 0,
        "waiting": None,
        "waiting_since": None,
        "will_expire": None,
        "follows": None,
        "due_again": 0,
    } == sent


def test_every_option_of_a_message_arrives(serve: Serve, capsys: Capture) -> None:
    """
    The simulator, which refuses what it does not know, takes a message with all.
    """
    simulator = serve()
    write("a.txt", numbers(2))

    code = run(
        [
            *["send", "a.txt", "--media", "hello", "--cli", "18005550100"],
            *["--expiry", "1h30m", "--priority", "high", "--callback-data", "x"],
            *["--notify-url", "https://example.org/receipts", "--campaign", "all"],
            *["--base-url", simulator.url, "--concurrency", "2", "--rate", "100"],
            *["--ledger", "other.db"],
        ]
    )

    assert 0 == code
    assert 2 == len(simulator.calls)
    assert "campaign all: finished" in capsys.readouterr().out
    assert Path("other.db").exists()


def test_always_7006_ends_with_the_expiry(serve: Serve, capsys: Capture) -> None:
    """
    Nobody is asked after the expiry, and the status says that not all were accepted.
    """
    simulator = serve("7006")
    write("june.csv", ["msisdn", *numbers(2_000)])

    code = run(
        [
            *["send", "june.csv", "--media", "hello", "--expiry", "1.5s", "--json"],
            *["--base-url", simulator.url],
        ]
    )
    found = json.loads(capsys.readouterr().out)
    until = datetime.fromisoformat(found["expiry"]).timestamp()

    assert 1 == code
    assert 2_000 == found["expired"] + found["not_sent"]
    # Far less than the service is waited for where there is no expiry.
    assert time.time() < until + 10
    # What left in time may be read by a busy simulator a moment later.
    assert max(request.at for request in simulator.requests) < until + 0.5


def test_a_wrong_key_ends_at_once(serve: Serve, capsys: Capture) -> None:
    """
    Exit status 3, nothing marked as sent, and the way on is named.
    """
    simulator = serve("7001", latency=0.05)
    write("june.csv", ["msisdn", *numbers(1_000)])
    command = ["send", "june.csv", "--media", "hello", "--base-url", simulator.url]

    code = run([*command, "--concurrency", "4", "--batch-size", "10", "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)

    assert 3 == code
    assert 0 == found["accepted"] + found["unknown"]
    assert "7001" in found["reason"]
    assert len(simulator.requests) <= 4
    assert "voicepush resume june" in said.err


def test_suppressed_numbers_are_not_called(serve: Serve, capsys: Capture) -> None:
    """
    Numbers of the suppression files are left out, however they are written there.
    """
    simulator = serve()
    write("june.csv", ["msisdn", *numbers(10)])
    write("no.txt", [numbers(10)[3].replace("+", "00")])

    code = run(
        [
            *["send", "june.csv", "--media", "x", "--base-url", simulator.url],
            *["--suppress", "no.txt"],
        ]
    )

    assert 0 == code
    assert 9 == len(simulator.calls)
    assert 1 == status("june", capsys)["suppressed"]


def test_standard_input_is_read(serve: Serve, capsys: Capture) -> None:
    """
    A dash reads the numbers from a pipe.
    """
    simulator = serve()

    done = subprocess.run(  # noqa: S603 -- our own program
        [
            *[sys.executable, "-m", "voicepush", "send", "-", "--media", "x"],
            *["--base-url", simulator.url, "--json"],
        ],
        input="\n".join(numbers(7)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode
    assert "standard-input" == json.loads(done.stdout)["campaign"]
    assert 7 == len(simulator.calls)
    assert "" == capsys.readouterr().out


def test_a_dry_run_plans_and_sends_nothing(serve: Serve, capsys: Capture) -> None:
    """
    It prints the counts, a forecast and the first request, with masked numbers.
    """
    simulator = serve()
    write("june.csv", ["msisdn", *numbers(1_000), "x"])
    command = ["send", "june.csv", "--media", "hello", "--base-url", simulator.url]

    code = run([*command, "--dry-run", "--rate", "10", "--expiry", "50s"])
    said = capsys.readouterr().out

    assert 0 == code
    assert "would plan 1,000" in said
    assert "1 invalid" in said
    assert re.search(r"(49\d|50\d) of 1,000 will expire unsent", said)
    assert '"media":"hello"' in said
    assert numbers(1)[0] not in said
    assert not simulator.requests
    assert not Path("voicepush.db").exists()


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["send"], "FILE"),
        (["send", "none.csv", "--media", "x"], "none.csv"),
        (["send", "a.txt"], "say what is played"),
        (["send", "a.txt", "--media", "x", "--callflow", "y"], "not both"),
        (["send", "a.txt", "--media", "x", "--expiry", "soon"], "'soon' is not a time"),
        (["send", "a.txt", "--media", "x", "--expiry", "9999999999d"], "out of reach"),
        (["send", "a.txt", "--media", "x", "--priority", "top"], "priority"),
        (["send", "a.txt", "--media", "x", "--column", "tel"], "tel"),
        (["send", "a.txt", "--media", "x", "--colour", "red"], "--colour"),
        (["send", "a.txt", "--media", "x", "--rate", "0"], "rate must be above 0"),
        (["send", "a.txt", "--media", "x", "--batch-size", "1001"], "1 to 1000"),
        (["send", "a.txt", "--media", "x", "--base-url", "http://a.b"], "https://"),
        (["resume", "june"], "no ledger at voicepush.db"),
        (["status"], "no ledger at voicepush.db"),
        (["simulate", "--answer", "loud"], "'loud'"),
        (["simulate", "--fault", "loud"], "'loud' is not a reply"),
        (["fly"], "fly"),
    ],
)
def test_wrong_usage_is_one_clear_line(
    arguments: list[str], words: str, capsys: Capture
) -> None:
    """
    Status 2, one line that says what is wrong, no traceback, nothing on stdout.
    """
    write("a.txt", numbers(3))
    base = ["--base-url", "http://127.0.0.1:1"]
    needs_base = arguments[0] in ("send", "resume") and "--base-url" not in arguments

    code = run([*arguments, *(base if needs_base else [])])
    said = capsys.readouterr()

    assert 2 == code
    assert words in said.err
    assert "Traceback" not in said.err
    assert 1 == said.err.count("\n")
    assert "" == said.out


def test_key_and_address_are_asked_for(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Without key or base URL the text names the variables that hold them.
    """
    write("a.txt", numbers(1))
    assert run(["send", "a.txt", "--media", "x"]) == 2
    assert "base URL" in capsys.readouterr().err
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")
    assert run(["send", "a.txt", "--media", "x", "--base-url", "https://a.b"]) == 2

    assert "VOICEPUSH_SERVICE_KEY" in capsys.readouterr().err


def test_the_key_can_come_from_a_file(serve: Serve) -> None:
    """
    --key-file names a file that holds it.
    """
    simulator = serve()
    write("a.txt", numbers(1))
    write("key", [KEY])
    command = ["send", "a.txt", "--media", "x", "--base-url", simulator.url]

    os.environ["VOICEPUSH_SERVICE_KEY"] = "another"
    assert run([*command, "--key-file", "key"]) == 0


def test_where_an_error_came_from_is_shown_on_request(
    capsys: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    """
    -v shows the traceback.
    """
    caplog.set_level("DEBUG", logger="voicepush")
    assert run(["-v", "status"]) == 2

    assert "no ledger" in capsys.readouterr().err
    assert any(record.exc_info for record in caplog.records)


def test_status_of_all(serve: Serve, capsys: Capture) -> None:
    """
    Without a name, each campaign has a line, or an object in a list.
    """
    simulator = serve()
    for name in ("june", "july"):
        write(f"{name}.txt", numbers(2))
        run(["send", f"{name}.txt", "--media", "x", "--base-url", simulator.url])
    capsys.readouterr()
    run(["status"])
    lines = capsys.readouterr().out.splitlines()
    run(["status", "--json"])
    found = json.loads(capsys.readouterr().out)

    assert ["june", "july"] == [line.split(":")[0] for line in lines]
    assert ["june", "july"] == [each["campaign"] for each in found]


# Processes


@pytest.mark.slow
def test_an_interrupt_settles_first(serve: Serve, capsys: Capture) -> None:
    """
    SIGINT stops claiming, records what is under way, and ends with 130.
    """
    simulator = serve(latency=0.2)
    write("june.csv", ["msisdn", *numbers(2_000)])
    command = ["send", "june.csv", "--media", "x", "--base-url", simulator.url]

    with process(*command, "--batch-size", "10", "--concurrency", "2") as running:
        wait_until(lambda: simulator.requests)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    found = status("june", capsys)

    assert 130 == running.returncode
    assert "recorded first" in err
    assert "Traceback" not in err
    assert "campaign june: paused" in out
    assert "interrupted" in found["reason"]
    assert (0, 0) == (found["in_flight"], found["unknown"])
    assert simulator.rung == found["accepted"]
    assert found["pending"] > 1_000


@pytest.mark.slow
def test_a_second_interrupt_leaves_at_once(serve: Serve, capsys: Capture) -> None:
    """
    What was in flight then is shown as such, and unknown after resuming.
    """
    simulator = serve()
    simulator.next_replies("hang", "hang")
    write("june.csv", ["msisdn", *numbers(100)])
    command = ["send", "june.csv", "--media", "x", "--base-url", simulator.url]

    with process(*command, "--batch-size", "10", "--concurrency", "2") as running:
        wait_until(lambda: len(simulator.requests) == 2)
        running.send_signal(signal.SIGTERM)
        # Two that come before it has heard the first are one.
        assert running.stderr is not None
        said = iter(running.stderr.readline, "")
        assert any("again to leave now" in line for line in said)
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=60)
    left = status("june", capsys)
    code = run(["resume", "june", "--base-url", simulator.url, "--json"])
    found = status("june", capsys)

    assert 130 == running.returncode
    assert "Traceback" not in err
    assert 20 == left["in_flight"]
    assert 1 == code
    assert (80, 20) == (found["accepted"], found["unknown"])
    assert {1} == set(simulator.calls.values())


@pytest.mark.slow
def test_a_second_process_is_refused(serve: Serve, capsys: Capture) -> None:
    """
    Status 4, and the holder is named; after kill -9 of it, resuming takes over.
    """
    simulator = serve()
    simulator.next_replies("hang")
    write("june.csv", ["msisdn", *numbers(100)])
    command = ["send", "june.csv", "--media", "x", "--base-url", simulator.url]

    with process(*command, "--batch-size", "10") as running:
        wait_until(lambda: len(simulator.calls) == 100)
        refused = run(["resume", "june", "--base-url", simulator.url])
        said = capsys.readouterr().err
        running.kill()
        running.wait()
        killed = status("june", capsys)
        code = run(["resume", "june", "--base-url", simulator.url])
    found = status("june", capsys)

    assert 4 == refused
    assert f"process {running.pid}" in said
    assert "paused" == killed["state"]
    assert "is gone" in killed["reason"]
    assert 1 == code
    assert killed["in_flight"] == found["unknown"]
    assert 100 == found["accepted"] + found["unknown"]
    assert {1} == set(simulator.calls.values())


@pytest.mark.slow
def test_simulate_serves_and_counts() -> None:
    """
    The stand-in prints its address, and its counts when it is stopped.
    """
    with process("simulate", "--port", "0", "--fault", "7006@1/2") as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        with urlopen(f"{url}/simulator") as answer:  # noqa: S310 -- loopback
            assert json.load(answer)["requests"] == 0
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)

    assert 0 == running.returncode
    assert 0 == json.loads(out)["rung"]
    assert "Traceback" not in err


def test_a_taken_port_is_told(serve: Serve, capsys: Capture) -> None:
    """
    A port that is in use is wrong input, not a traceback.
    """
    port = serve().url.rsplit(":", 1)[1]

    assert run(["simulate", "--port", port]) == 2
    assert f"port {port} can't be used" in capsys.readouterr().err


@pytest.mark.slow
def test_the_demo_agrees_with_its_stand_in(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    A whole campaign with faults; its status follows from its own summary, and so does
    the report that remains of it, as text where pictures can't be drawn.
    """
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    code = run(["demo", "--recipients", "1500", "--rate", "100000", "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)

    assert (0 if found["accepted"] == 1500 else 1) == code
    assert "no number was rung twice" in said.err
    assert "not agree" not in said.err
    assert found["calls"]["on_its_way"] == 0 < found["calls"]["reached"]
    (report,) = tmp_path.glob("voicepush-*/report.txt")
    assert f"a report of it is {report}" in said.err
    assert "pip install 'voicepush[report]'" in said.err
    assert f"of 1,500 people on the list {found['accepted']:,} were" in (
        report.read_text().lower()
    )


@pytest.mark.slow
def test_the_demo_keeps_its_files_where_it_is_told(capsys: Capture) -> None:
    """
    --keep leaves ledger, list and report behind to look at.
    """
    run(["demo", "--recipients", "300", "--rate", "100000", "--keep", "kept"])

    assert Path("kept/voicepush.db").exists()
    assert Path("kept/recipients.csv").exists()
    assert "<svg" in Path("kept/report.html").read_text()
    assert run(["status", "demo", "--ledger", "kept/voicepush.db"]) == 0
    assert "300" in capsys.readouterr().out


@pytest.mark.slow
def test_the_demo_can_be_watched_until_it_is_interrupted() -> None:
    """
    --dashboard serves it live, says where, and ends with the campaign's exit status.
    """
    command = ["demo", "--recipients", "300", "--keep", "kept", "--dashboard"]
    with process(*command) as running:
        assert running.stderr is not None
        told = ""
        while "stays until Ctrl-C" not in told:
            told += running.stderr.readline()
        found = re.search(r"watch it at (http://127\.0\.0\.1:\d+/)", told)
        assert found is not None
        with urlopen(found[1]) as page:  # noqa: S310 -- ours
            shown = page.read().decode()
        running.send_signal(signal.SIGINT)
        said = ended(running)

    assert 'data-campaign="demo"' in shown
    assert said.code in (0, 1)
    assert "report.html" in told


def test_every_command_has_help(capsys: Capture) -> None:
    """
    --help lists every command, each with a sentence, and every option of send.
    """
    run(["--help"])
    top = capsys.readouterr().out
    run(["send", "--help"])
    sending = capsys.readouterr().out

    for command in ("send", "resume", "status", "simulate", "demo"):
        assert re.search(rf"\b{command}\b +\w+", top)
    for option in (
        *("media", "callflow", "cli", "expiry", "priority", "notify-url"),
        *("callback-data", "column", "ledger", "campaign", "base-url", "concurrency"),
        *("rate", "batch-size", "suppress", "dry-run", "json", "encoding"),
    ):
        assert f"--{option}" in sending
