"""
Opt-outs taken by ``voicepush receipts``, run as its users run it.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mishaps import Said, ended, locked, process, say

pytestmark = pytest.mark.usefixtures("in_a_folder", "without_secrets")

TOKEN = "0123456789abcdef"
NUMBER = "+999000000001"


@pytest.fixture
def without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nothing of the receiver's is in the environment; the token is in a file.
    """
    for name in ("HUB_SECRET", "BASIC_PASSWORD", "OPT_OUT_TOKEN"):
        monkeypatch.delenv(f"VOICEPUSH_{name}", raising=False)
    Path("token").write_text(f"{TOKEN}\n")
    Path("token").chmod(0o600)


@contextmanager
def receiving(
    *options: str, first: str = ""
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """
    The command in a process of its own, and the address that it has printed.
    """
    with process(
        "receipts", "--listen", "127.0.0.1:0", *options, first=first
    ) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline().strip()


def post(url: str, token: str = TOKEN, number: str = NUMBER) -> tuple[int, str]:
    """
    The status of one opt-out, and what is said.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    with closing(
        http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    ) as line:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
        body = json.dumps({"number": number, "category": "no ads"})
        line.request("POST", "/opt-out", body, headers)
        answer = line.getresponse()
        said = answer.read()
    return answer.status, json.loads(said)["status"] if said else ""


def stop(running: subprocess.Popen[str]) -> Said:
    """
    What it says when it is asked to end.
    """
    running.send_signal(signal.SIGTERM)
    return ended(running)


def test_who_presses_a_key_is_on_the_list() -> None:
    """
    Of every campaign of the ledger, from then on; the history says by what.
    """
    with receiving("--opt-out-token-file", "token") as (running, url):
        answers = [post(url), post(url, number="999000000001"), post(url, "x" * 16)]
        looked = say("lookup", NUMBER)
        said = stop(running)
    history = say("suppress", "list", "--history")

    assert [200, 200, 401] == [status for status, _ in answers]
    assert "was on the list already" == answers[1][1]
    assert "on the suppression list of the ledger: no ads" in looked.err
    assert url.endswith("/receipts")
    assert f"opt-outs are taken at {url.removesuffix('/receipts')}/opt-out" in said.err
    assert "1 opted out by key-press" in said.err
    assert "refused 1 requests" in said.err
    assert "category: no ads; reason: opt-out by key-press" in history.out
    assert NUMBER not in said.err
    assert TOKEN not in said.err


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As well; without any there is no such address, and nothing is said of it.
    """
    with receiving() as (running, url):
        none = post_nowhere(url)
        quiet = stop(running)
    monkeypatch.setenv("VOICEPUSH_OPT_OUT_TOKEN", TOKEN)
    with receiving() as (_, url):
        taken, _ = post(url)

    assert (404, 200) == (none, taken)
    assert "opt" not in quiet.err


def post_nowhere(url: str) -> int:
    """
    The status where nobody takes opt-outs.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    with closing(
        http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    ) as line:
        line.request("POST", "/opt-out", b"{}")
        return line.getresponse().status


def test_a_locked_ledger_is_said_and_asked_for_again() -> None:
    """
    The call flow gets 503, and the operator one line; then all is well again.
    """
    impatient = "import voicepush.ledger.sqlite.connection as c; c.LOCK_PATIENCE = 0.1"
    options = ("--opt-out-token-file", "token")
    with receiving(*options, first=impatient) as (running, url):
        with locked():
            failed = [post(url) for _ in range(2)]
        stored = post(url)
        said = stop(running)

    assert [503, 503, 200] == [status for status, _ in (*failed, stored)]
    assert 1 == said.err.count("an opt-out could not be stored")
    assert "1 opted out by key-press" in said.err


def test_who_is_answered_200_is_on_the_list_after_a_kill() -> None:
    """
    Wherever the process was.
    """
    with receiving("--opt-out-token-file", "token") as (running, url):
        people = [f"+9990000{number:05d}" for number in range(20)]
        statuses = [post(url, number=each)[0] for each in people]
        running.kill()
        running.wait()
    listed = say("suppress", "list", "--show-numbers")

    assert [200] * 20 == statuses
    assert set(people) == {line.split()[0] for line in listed.out.splitlines()}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--opt-out-token-file", "none"], "none can't be read"),
        (["--opt-out-token-file", "empty"], "empty is empty"),
        (["--opt-out-token-file", "short"], "16 characters or more"),
        (["--opt-out-token-file", "spaced"], "openssl rand -hex 16"),
        (["--opt-out-token-file", "open"], "others can read it; chmod 600 open"),
        (["--opt-out-token-file", "group"], "others can read it; chmod 600 group"),
        (
            ["--opt-out-token-file", "token", "--path", "/opt-out"],
            "must be like /receipts",
        ),
        (["--opt-out-token", "x"], "--opt-out-token"),
    ],
)
def test_wrong_usage_is_one_clear_line(options: list[str], words: str) -> None:
    """
    With exit status 2, and nothing is served.
    """
    files = {
        "empty": ("\n", 0o600),
        "short": ("short", 0o600),
        "spaced": ("not one word but four", 0o600),
        "open": (TOKEN, 0o604),
        "group": (TOKEN, 0o640),
    }
    for name, (text, mode) in files.items():
        Path(name).write_text(text)
        Path(name).chmod(mode)
    said = say("receipts", "--listen", "127.0.0.1:0", *options)

    assert 2 == said.code
    assert words in said.complaint


def test_an_empty_variable_is_not_taken_for_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The address would be missing, and people would press a key in vain.
    """
    monkeypatch.setenv("VOICEPUSH_OPT_OUT_TOKEN", "")
    said = say("receipts", "--listen", "127.0.0.1:0")

    assert 2 == said.code
    assert "VOICEPUSH_OPT_OUT_TOKEN is empty" in said.complaint


def test_a_pipe_is_as_good_as_a_file() -> None:
    """
    Such as the shell makes of ``<(pass show token)``: nobody else can open it.
    """
    read, write = os.pipe()
    os.write(write, TOKEN.encode())
    os.close(write)
    try:
        said = say(
            *("receipts", "--listen", "192.0.2.1:0"),
            *("--opt-out-token-file", f"/dev/fd/{read}"),
        )
    finally:
        os.close(read)

    assert "can't listen at 192.0.2.1" in said.complaint
