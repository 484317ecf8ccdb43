"""
``voicepush receipts``, run as its users run it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import pytest
from conftest import numbers
from mishaps import LEDGER, Said, ended, locked, process, say, wait_until
from receiving import head, receipt

from voicepush import ReceiptCounts, open_ledger
from voicepush.cli.receipts import _kept, zone_called

pytestmark = pytest.mark.usefixtures("in_a_folder", "without_secrets")

Running = subprocess.Popen[str]


@pytest.fixture
def without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nothing of the receiver's is in the environment.
    """
    for name in ("HUB_SECRET", "BASIC_PASSWORD"):
        monkeypatch.delenv(f"VOICEPUSH_{name}", raising=False)


@contextmanager
def receiving(*options: str) -> Iterator[tuple[Running, str]]:
    """
    The command in a process of its own, and the address that it has printed.
    """
    with process("receipts", "--listen", "127.0.0.1:0", *options) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline().strip()


@contextmanager
def connected(url: str) -> Iterator[http.client.HTTPConnection]:
    """
    A connection to the server of *url*.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    with closing(
        http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    ) as connection:
        yield connection


def post(url: str, body: bytes, **headers: str) -> int:
    """
    The status of one post.
    """
    with connected(url) as connection:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", urlsplit(url).path, body, named)
        return connection.getresponse().status


def stop(running: Running) -> Said:
    """
    What it says when it is asked to end.
    """
    running.send_signal(signal.SIGTERM)
    return ended(running)


def counted(path: Path = LEDGER) -> ReceiptCounts:
    """
    What the ledger says.
    """

    async def look() -> ReceiptCounts:
        async with open_ledger(path) as ledger:
            return await ledger.receipt_counts()

    return asyncio.run(look())


def test_it_takes_receipts_into_a_new_ledger() -> None:
    """
    It prints its address, says loudly that everyone may post, and at the end what came.
    """
    with receiving("--ledger", "new.db") as (running, url):
        statuses = [post(url, receipt(number)) for number in range(3)]
        statuses.append(post(url, b"no receipt"))
        with connected(url) as connection:
            connection.request("GET", "/healthz")
            health = json.loads(connection.getresponse().read())
        said = stop(running)

    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/receipts")
    assert ([200] * 4, 4) == (statuses, health["stored"])
    assert (0, "") == (said.code, said.out)
    assert "everyone who can reach this address" in said.err
    assert "stored 4 receipts (3 of no known call, 1 not understood)" in said.err
    assert "refused 0 requests" in said.err
    assert numbers(3)[1] not in said.err
    assert 4 == counted(Path("new.db")).received


def test_a_secret_and_a_password_come_from_files() -> None:
    """
    Without the end of their lines; who has neither is refused, counted and not told of.
    """
    Path("secret").write_bytes(b"hub secret\r\n")
    Path("password").write_bytes(b"pass word\n")
    files = ("--secret-file", "secret", "--basic-password-file", "password")
    body = receipt()
    right = {
        "x_hub_signature": hmac.new(b"hub secret", body, hashlib.sha512).hexdigest(),
        "authorization": f"Basic {base64.b64encode(b'user:pass word').decode()}",
    }
    with receiving(*files, "--basic", "user", "--path", "/a/b") as (running, url):
        status = post(url, body, **right)
        refused = [post(url, body, **{name: value}) for name, value in right.items()]
        said = stop(running)

    assert url.endswith("/a/b")
    assert (200, [401, 401]) == (status, refused)
    assert "stored 1 receipts" in said.err
    assert "refused 2 requests" in said.err
    assert "everyone who can reach" not in said.err
    assert "wrong password, or none" in said.err
    assert 2 == counted().refused


def test_a_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A password as well; SHA-1 has to be allowed.
    """
    monkeypatch.setenv("VOICEPUSH_HUB_SECRET", "hub")
    monkeypatch.setenv("VOICEPUSH_BASIC_PASSWORD", "pass")
    body = receipt()
    digest = hmac.new(b"hub", body, hashlib.sha1).hexdigest()
    right = {
        "x_hub_signature": f"sha1={digest}",
        "authorization": f"Basic {base64.b64encode(b'user:pass').decode()}",
    }
    with receiving("--basic", "user") as (_, url):
        old = post(url, body, **right)
    with receiving("--basic", "user", "--allow-sha1") as (_, url):
        allowed = post(url, body, **right)

    assert (401, 200) == (old, allowed)


def is_let_in(where: tuple[str, int]) -> bool:
    """
    Whether someone takes connections there.
    """
    with closing(socket.socket()) as trying:
        return trying.connect_ex(where) == 0


def test_it_ends_when_what_is_under_way_is_stored() -> None:
    """
    A request that waits for the ledger and one in the middle of its body are answered;
    nobody else is let in.
    """
    body = receipt(2)
    with receiving() as (running, url):
        parts = urlsplit(url)
        where = (parts.hostname or "", parts.port or 0)
        with (
            closing(socket.create_connection(where, 20)) as one,
            closing(socket.create_connection(where, 20)) as other,
        ):
            with locked():
                first = receipt(1)
                one.sendall(head(f"Content-Length: {len(first)}") + first)
                other.sendall(head(f"Content-Length: {len(body)}") + body[:10])
                # Who comes later is answered, so those two were let in.
                with urlopen(f"http://{where[0]}:{where[1]}/healthz") as healthy:
                    assert 200 == healthy.status
                running.send_signal(signal.SIGTERM)
                wait_until(lambda: not is_let_in(where))
                other.sendall(body[10:])
                time.sleep(0.1)
            answers = [each.recv(12) for each in (one, other)]
        said = ended(running)

    assert [b"HTTP/1.1 200"] * 2 == answers
    assert (0, 2) == (said.code, counted().received)
    assert "stored 2 receipts" in said.err


def test_a_locked_ledger_is_said_and_asked_for_again() -> None:
    """
    The platform gets 503, and the operator one line; then all is well again.
    """
    impatient = "import voicepush.ledger.sqlite.connection as c; c.LOCK_PATIENCE = 0.1"
    with process("receipts", "--listen", "127.0.0.1:0", first=impatient) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        with locked():
            failed = [post(url, receipt()) for _ in range(2)]
        stored = post(url, receipt())
        said = stop(running)

    assert ([503, 503], 200) == (failed, stored)
    assert 1 == said.err.count("receipts can't be stored")
    assert 1 == said.err.count("receipts can be stored again")
    assert "stored 1 receipts" in said.err


def test_with_verbose_each_request_has_a_line() -> None:
    """
    And without, none has; what the log says is said once.
    """
    with receiving("-v") as (running, url):
        post(url, receipt(), x_hub_signature="x")
        said = stop(running)
    with receiving() as (running, url):
        post(url, receipt())
        quiet = stop(running)

    assert 1 == said.err.count("POST 200")
    assert numbers(2)[1] not in said.err
    assert "POST" not in quiet.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--listen", "8090"], "127.0.0.1:8090"),
        (["--listen", "127.0.0.1:65536"], "no address with a port"),
        (["--listen", "::1:80"], "[::1]:8090"),
        (["--listen", "127.0.0.1:-1"], "no address"),
        (["--listen", "192.0.2.1:0"], "can't listen at 192.0.2.1"),
        (["--path", "receipts"], "must be like /receipts"),
        (["--keep", "5"], "--keep 5 is no duration"),
        (["--keep", "0d"], "--keep 0d"),
        (["--tenant-zone", "Mars/Base"], "Asia/Kolkata or +05:30"),
        (["--tenant-zone", "+5:99"], "Asia/Kolkata or +05:30"),
        (["--tenant-zone", ".."], "Asia/Kolkata or +05:30"),
        (["--tenant-zone", "Europe"], "Asia/Kolkata or +05:30"),
        (["--secret-file", "none"], "--secret-file none can't be read"),
        (["--secret-file", "."], "Is a directory"),
        (["--secret-file", "empty"], "--secret-file empty is empty"),
        (["--secret-file", "/dev/zero"], "too long"),
        (["--basic", "user"], "VOICEPUSH_BASIC_PASSWORD"),
        (["--basic", "a:b", "--basic-password-file", "some"], "colon"),
        (["--basic-password-file", "some"], "--basic"),
        (["--allow-sha1"], "--secret-file"),
        (["secret"], "too many arguments"),
        (["--secret", "x"], "--secret"),
    ],
)
def test_wrong_usage_is_one_clear_line(options: list[str], words: str) -> None:
    """
    With exit status 2.
    """
    Path("empty").write_text("\n")
    Path("some").write_text("some\n")
    if "--listen" not in options:
        options = ["--listen", "127.0.0.1:0", *options]
    said = say("receipts", *options)

    assert 2 == said.code
    assert words in said.complaint


@pytest.mark.parametrize("name", ["HUB_SECRET", "BASIC_PASSWORD"])
def test_an_empty_variable_is_not_taken_for_none(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """
    It would let everyone in who was to be kept out.
    """
    monkeypatch.setenv(f"VOICEPUSH_{name}", "")
    said = say("receipts", "--listen", "127.0.0.1:0")

    assert 2 == said.code
    assert f"VOICEPUSH_{name} is empty" in said.complaint


def test_a_port_in_use_is_one_clear_line() -> None:
    """
    With a way on.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = say("receipts", "--listen", f"127.0.0.1:{port}")

    assert 2 == said.code
    assert f"can't listen at 127.0.0.1, port {port}: " in said.complaint
    assert "port 0 takes any" in said.complaint


@pytest.mark.parametrize("ledger", ["none/voicepush.db", "list.csv"])
def test_a_ledger_that_cannot_be_opened_is_named(ledger: str) -> None:
    """
    With exit status 5.
    """
    Path("list.csv").write_text("msisdn\n")
    said = say("receipts", "--listen", "127.0.0.1:0", "--ledger", ledger)

    assert 5 == said.code
    assert ledger in said.complaint


def test_it_listens_at_an_ipv6_address() -> None:
    """
    Which is printed as it may be typed.
    """
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with process("receipts", "--listen", "[::1]:0") as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()

        assert url.startswith("http://[::1]:")
        assert 200 == post(url, receipt())


def test_zones_and_durations_are_read_as_they_are_typed() -> None:
    """
    A zone by its name or by its offset; bodies may be kept for ever.
    """
    assert ZoneInfo("Asia/Kolkata") == zone_called("Asia/Kolkata")
    assert UTC.utcoffset(None) == zone_called("UTC").utcoffset(None)
    for text in ("+05:30", "+5:30", "+0530", "+530"):
        assert timezone(timedelta(hours=5, minutes=30)) == zone_called(text)
    assert timezone(timedelta(hours=-3)) == zone_called("-3")
    assert timedelta(days=90) == _kept("90d")
    assert _kept("forever") is None
