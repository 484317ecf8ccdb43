"""The services of the documents, as real processes, and those who call them."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from conftest import KEY
from mishaps import wait_until

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


@attrs.define
class Service:
    """
    A service that runs in a process of its own.
    """

    url: str
    process: subprocess.Popen[str]

    def end(self) -> None:
        """
        Tell it to end, as a supervisor does.
        """
        self.process.send_signal(signal.SIGTERM)

    def ended(self, seconds: float = 60.0) -> tuple[int, str]:
        """
        Its exit status and what it wrote, once it has ended by itself.
        """
        written, _ = self.process.communicate(timeout=seconds)
        return self.process.returncode, written


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serving(
    base_url: str, folder: Path, *command: str, **surroundings: str
) -> Iterator[Service]:
    """
    Run the Python program *command* in *folder*; ``{port}`` in it is where it listens.
    """
    port = _free_port()
    process = subprocess.Popen(  # noqa: S603 -- our own example
        [sys.executable, *(each.format(port=port) for each in command)],
        cwd=folder,
        env={
            **os.environ,
            "VOICEPUSH_BASE_URL": base_url,
            "VOICEPUSH_SERVICE_KEY": KEY,
            "PORT": str(port),
            **surroundings,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), 60)
        assert process.poll() is None, process.communicate()[0]
        yield Service(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def on_uvicorn(
    base_url: str, app: str = "service:app", folder: Path = EXAMPLES / "fastapi_service"
) -> Iterator[Service]:
    """
    The service of the documents on uvicorn, as they say.
    """
    options = ["--timeout-graceful-shutdown", "35", "--no-access-log"]
    options += ["--factory"] * app.endswith(":timed")
    command = ("-m", "uvicorn", app, "--port", "{port}", *options)
    with serving(base_url, folder, *command) as service:
        yield service


@contextmanager
def on_aiohttp(base_url: str) -> Iterator[Service]:
    """
    That with aiohttp.web.
    """
    with serving(base_url, EXAMPLES / "aiohttp_service", "web_service.py") as service:
        yield service


@attrs.define
class Answered:
    """
    What callers were told.
    """

    #: The outcome by number, as the service told it.
    told: dict[str, str] = attrs.field(factory=dict)
    #: The HTTP status of other answers, by number.
    turned_away: dict[str, int] = attrs.field(factory=dict)
    #: Those whose request the service did not take: the connection was refused or cut.
    not_taken: set[str] = attrs.field(factory=set)

    @property
    def count(self) -> int:
        """
        How many have asked so far.
        """
        return len(self.told) + len(self.turned_away) + len(self.not_taken)

    def said(self, *outcomes: str) -> set[str]:
        """
        Those who were told one of these.
        """
        return {number for number, outcome in self.told.items() if outcome in outcomes}


async def callers(
    url: str, count: int, answered: Answered, goes_on: Callable[[], bool]
) -> None:
    """
    So many who call the service again and again, each time for another number.
    """
    numbers = (f"+999{place:09d}" for place in range(1, 100_000_000))
    # A connection for each request: one that is kept may be closed by a service that
    # ends just when it is used again.
    async with ClientSession(
        connector=TCPConnector(limit=0, force_close=True),
        timeout=ClientTimeout(total=60),
    ) as session:

        async def one() -> None:
            while goes_on():
                number = next(numbers)
                try:
                    async with session.post(
                        f"{url}/calls", json={"number": number}
                    ) as response:
                        if response.status == 200:
                            answer = await response.json()
                            answered.told[number] = answer["outcome"]
                        else:
                            answered.turned_away[number] = response.status
                except (ClientError, OSError):
                    answered.not_taken.add(number)
                    await asyncio.sleep(0.01)

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one())
