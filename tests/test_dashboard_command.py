"""
``voicepush dashboard``, and ``voicepush receipts --dashboard``, as users run them.
"""

from __future__ import annotations

import asyncio
import http.client
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from conftest import numbers
from dashboards import TOKEN, dump, fields
from mishaps import LEDGER, ended, process, say, stand
from receiving import receipt
from test_receipts_command import Running, post

from voicepush import Campaign, VoiceMessage, open_ledger

pytestmark = pytest.mark.usefixtures("in_a_folder", "without_token")


@pytest.fixture
def without_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nothing of the dashboard's is in the environment.
    """
    monkeypatch.delenv("VOICEPUSH_DASHBOARD_TOKEN", raising=False)


@pytest.fixture
def planned(in_a_folder: None) -> None:  # noqa: ARG001 -- it goes first
    """
    The ledger holds june.
    """

    async def plan() -> None:
        async with open_ledger(LEDGER) as ledger:
            await Campaign.plan(ledger, "june", VoiceMessage(media="x"), numbers(30))

    asyncio.run(plan())


@contextmanager
def showing(*arguments: str) -> Iterator[tuple[Running, str]]:
    """
    A command that serves in a process of its own, and the address that it has printed.
    """
    command, *options = arguments
    with process(command, "--listen", "127.0.0.1:0", *options) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline().strip()


@contextmanager
def asked(url: str, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    """
    The answer of the server of *url*.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=60
    )
    with closing(connection):
        connection.request("GET", path, headers=headers)
        yield connection.getresponse()


@pytest.mark.slow
@pytest.mark.usefixtures("planned")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_shows_a_ledger_until_it_is_asked_to_end(number: signal.Signals) -> None:
    """
    Which it does at once, whoever watches; the ledger is as it was.
    """
    before, status = dump(LEDGER), stand()
    with showing("dashboard") as (running, url):
        with asked(url, "/campaign?name=june") as answer:
            found = fields(answer.read().decode())
        with asked(url, "/events?name=june") as answer:
            assert b"retry: 1000\n" == answer.readline()
            began = time.monotonic()
            running.send_signal(number)
            said = ended(running)
            took = time.monotonic() - began

    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/")
    assert found.items() <= {**status, "done": 0}.items()
    assert (0, "", "") == (said.code, said.out, said.err)
    assert took < 3.0  # a second, but the machine may be busy
    assert before == dump(LEDGER)


@pytest.mark.slow
@pytest.mark.usefixtures("planned")
def test_a_token_is_asked_for_where_one_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    It comes from a file, or from the environment.
    """
    Path("token").write_text(f"{TOKEN}\n")
    for options, variable in ((["--token-file", "token"], ""), ([], TOKEN)):
        if variable:
            monkeypatch.setenv("VOICEPUSH_DASHBOARD_TOKEN", variable)
        with showing("dashboard", *options) as (_, url):
            with asked(url, "/") as answer:
                assert 401 == answer.status
            with asked(url, "/", Authorization=f"Bearer {TOKEN}") as answer:
                assert 200 == answer.status


@pytest.mark.slow
@pytest.mark.usefixtures("planned")
def test_another_address_is_served_with_a_token_only() -> None:
    """
    And it is said that the token travels in the clear.
    """
    Path("token").write_text(TOKEN)
    options = ["--listen", "0.0.0.0:0", "--token-file", "token"]
    with process("dashboard", *options) as running:
        assert running.stdout is not None
        port = urlsplit(running.stdout.readline().strip()).port
        with asked(f"http://127.0.0.1:{port}", "/") as answer:
            status = answer.status
        running.send_signal(signal.SIGTERM)
        said = ended(running)

    assert (401, 0) == (status, said.code)
    assert "travel in the clear" in said.err


@pytest.mark.slow
@pytest.mark.usefixtures("planned")
def test_whole_numbers_are_shown_on_demand() -> None:
    """
    Masked otherwise.
    """
    for options, shown in (([], "+99******0000"), (["--show-numbers"], numbers(1)[0])):
        with showing("dashboard", *options) as (_, url):
            parts = urlsplit(url)
            with closing(
                http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
            ) as connection:
                connection.request("POST", "/lookup", "value=%2B999000000000")
                assert shown in connection.getresponse().read().decode()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "there is no ledger at voicepush.db; name it with --ledger"),
        (["--ledger", "none/x.db"], "there is no ledger at none/x.db"),
        (["--listen", "0.0.0.0:8070"], "a token is needed: put 16 characters"),
        (["--listen", "example.org:0"], "VOICEPUSH_DASHBOARD_TOKEN"),
        (["--listen", "[::]:0"], "--token-file"),
        (["--listen", "8070"], "127.0.0.1:8090"),
        (["--token-file", "none"], "--token-file none can't be read"),
        (["--token-file", "short"], "16 characters or more"),
        (["--token-file", "empty"], "--token-file empty is empty"),
        (["june"], "too many arguments"),
    ],
)
def test_wrong_usage_is_one_clear_line(options: list[str], words: str) -> None:
    """
    With exit status 2, and nothing is made.
    """
    Path("short").write_text("short")
    Path("empty").write_text("\n")
    if options[:1] in (["--token-file"], ["june"]):
        asyncio.run(_make_ledger())
    before = sorted(Path().iterdir())
    said = say("dashboard", *options)

    assert 2 == said.code
    assert words in said.complaint
    assert before == sorted(Path().iterdir())


async def _make_ledger() -> None:
    async with open_ledger(LEDGER):
        pass


@pytest.mark.usefixtures("planned")
def test_a_port_in_use_is_one_clear_line() -> None:
    """
    With a way on.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = say("dashboard", "--listen", f"127.0.0.1:{port}")

    assert 2 == said.code
    assert "port 0 takes any" in said.complaint


# On the receiver's port


@pytest.mark.slow
def test_the_receiver_shows_it_as_well() -> None:
    """
    To who has the token; receipts go on as before, and streams end with it.
    """
    Path("token").write_text(TOKEN)
    options = ["--dashboard", "--dashboard-token-file", "token"]
    with showing("receipts", *options) as (running, url):
        assert 200 == post(url, receipt())
        with asked(url, "/dashboard/") as answer:
            assert 401 == answer.status
        right = {"Authorization": f"Bearer {TOKEN}"}
        with asked(url, "/dashboard/", **right) as answer:
            found = answer.read().decode()
        with asked(url, "/dashboard/events", **right) as answer:
            assert b"retry: 1000\n" == answer.readline()
            running.send_signal(signal.SIGTERM)
            said = ended(running)

    assert {"receipts.received": 1, "receipts.unplaced": 1} == fields(found)
    assert 0 == said.code
    assert "the dashboard is at http://127.0.0.1:" in said.err
    assert "stored 1 receipts" in said.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dashboard"], "a reverse proxy publishes this port"),
        (["--dashboard", "--dashboard-token-file", "none"], "none can't be read"),
        (["--dashboard", "--dashboard-token-file", "short"], "16 characters or more"),
        (["--dashboard-token-file", "token"], "of no use without --dashboard"),
        (
            [
                "--dashboard",
                "--dashboard-token-file",
                "token",
                "--path",
                "/dashboard/x",
            ],
            "name another path",
        ),
    ],
)
def test_wrong_usage_of_both_is_one_clear_line(options: list[str], words: str) -> None:
    """
    With exit status 2.
    """
    Path("short").write_text("short")
    Path("token").write_text(TOKEN)
    said = say("receipts", "--listen", "127.0.0.1:0", *options)

    assert 2 == said.code
    assert words in said.complaint
