"""The command that serves the stand-in for the API, and what it reports."""

import asyncio
import json
import signal
from pathlib import Path

import pytest
from aiohttp import ClientSession
from mishaps import process
from simulating import PATH, message
from simulator_receiver import receiving

from voicepush.cli.application import run


@pytest.mark.slow
async def test_the_command_rings_back(tmp_path: Path) -> None:
    """
    With the address of a receiver the stand-in of the command line posts receipts.
    """
    secret = tmp_path / "secret"
    secret.write_text("hub-5c1e\n")
    async with receiving(503) as receiver, ClientSession() as session:
        options = [
            *["--notify-url", receiver.url, "--ring", "expired@50%"],
            *[
                "--ring",
                "busy@50%",
                "--ring-seconds",
                "0",
                "--dial-rate",
                "1000",
                "--retry-seconds",
                "0.01",
            ],
            *["--hub-secret-file", str(secret), "--receipt-fault", "twice:0"],
        ]
        with process("simulate", "--port", "0", *options) as running:
            assert running.stdout is not None
            url = (await asyncio.to_thread(running.stdout.readline)).strip()
            async with session.post(
                url + PATH, json=message(20), headers={"key": "demo"}
            ) as response:
                assert 200 == response.status
            async with asyncio.timeout(10):
                counts = {"pending": 1}
                while counts["pending"]:
                    async with session.get(url + "/simulator/receipts") as response:
                        counts = await response.json()
            running.send_signal(signal.SIGTERM)
            out, err = await asyncio.to_thread(running.communicate)

    summary = json.loads(out)
    assert (0, "") == (running.returncode, "".join(err.splitlines()[1:]))
    assert counts == summary["receipts"]
    assert len(receiver.posts) == counts["sent"] == counts["made"] + 1
    assert counts["delivered"] == counts["made"]
    assert {"expired", "not_reached"} == {
        state for state, count in summary["calls"].items() if count
    }
    assert {"7005", "7407", "7408", "7409", "7401"} == set(receiver.codes)
    assert all("x-hub-signature" in posted.headers for posted in receiver.posts)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--notify-url", "https://example.com"], "does not lead to this machine"),
        (["--ring", "loud"], "'loud' is not a ring"),
        (["--ring", "busy@70%", "--ring", "agent@70%"], "add up to 140%"),
        (["--receipt-fault", "loud"], "'loud' is not a receipt fault"),
        (["--receipt-fault", "forged@1%"], "needs a hub_secret"),
        (["--hub-secret-file", "nowhere"], "nowhere can't be read: No such file"),
        (["--hub-secret-file", "empty"], "empty is empty"),
        (["--dial-rate", "0"], "dial_rate must be more than 0"),
    ],
)
def test_wrong_options_are_one_clear_line(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    What the stand-in can't do is wrong usage, told in one line.
    """
    monkeypatch.chdir(tmp_path)
    Path("empty").write_text("\n")

    code = run(["simulate", "--port", "0", *options])
    said = capsys.readouterr()

    assert (2, "", 1) == (code, said.out, said.err.count("\n"))
    assert words in said.err
