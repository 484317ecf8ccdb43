"""
What many tests need: a stand-in for the API, and clients that talk to it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
)
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kinds
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from hypothesis import HealthCheck, settings
from moved_clock import MovedClock

from voicepush import Client, Ledger, VoiceMessage, open_ledger
from voicepush.simulator import Simulator

# A busy machine is no fault.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "few", settings.get_profile("unhurried"), max_examples=kinds.FEW
)
settings.load_profile("unhurried")

KEY = "test-key-8d1f"

Simulate = Callable[..., Awaitable[Simulator]]
Serve = Callable[..., Simulator]
Connect = Callable[..., Awaitable[Client]]


if TYPE_CHECKING:
    from browser import Watch
    from ledger_model import SQLStore, Store
    from nights import Wall
    from playwright.async_api import Browser


@pytest.fixture(params=["sqlite", "memory", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """
    An empty ledger of either kind.
    """
    # Not before its asserts are rewritten, see the end.
    from ledger_model import MemoryStore, PostgresStore, SQLiteStore  # noqa: PLC0415

    kinds: dict[str, Callable[[Path], Store]] = {
        "sqlite": SQLiteStore,
        "memory": MemoryStore,
        "postgres": PostgresStore,
    }
    store = kinds[request.param](tmp_path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture(params=["sqlite", "postgres"])
async def tables(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[SQLStore]:
    """
    An empty ledger of tables, which a test can change behind its back.
    """
    from ledger_model import PostgresStore, SQLiteStore  # noqa: PLC0415 -- see above

    store = (SQLiteStore if request.param == "sqlite" else PostgresStore)(tmp_path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """
    What is entered here is left at the end of the test.
    """
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def simulate(stack: AsyncExitStack) -> Simulate:
    """
    Starts a simulator with the given faults and answers.
    """

    async def start(*faults: str, **options: Any) -> Simulator:
        simulator = Simulator(service_key=KEY, faults=faults, **options)
        return await stack.enter_async_context(simulator)

    return start


@pytest.fixture
def connect(stack: AsyncExitStack) -> Connect:
    """
    Opens a client of a simulator, or of any address, that does not wait long.
    """

    async def open_client(to: Simulator | str, **settings: Any) -> Client:
        url = to if isinstance(to, str) else to.url
        settings = {"service_key": KEY, "first_wait": 0.01, **settings}
        return await stack.enter_async_context(Client(base_url=url, **settings))

    return open_client


@pytest.fixture
def serve() -> Iterator[Serve]:
    """
    Starts a simulator in a thread of its own, for tests that are not async.
    """
    with ExitStack() as stack:

        def start(*faults: str, **options: Any) -> Simulator:
            return stack.enter_context(_in_thread(faults, options))

        yield start


@contextmanager
def _in_thread(faults: tuple[str, ...], options: dict[str, Any]) -> Iterator[Simulator]:
    simulator = Simulator(service_key=KEY, faults=faults, **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulator.start(), loop).result(60)
        yield simulator
        asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def message() -> VoiceMessage:
    """
    A message like most.
    """
    return VoiceMessage(media="welcome", cli="18005550100")


def numbers(count: int, first: int = 0) -> list[str]:
    """
    So many made-up numbers; +999 is no country's code.
    """
    return [f"+999{number:09d}" for number in range(first, first + count)]


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Enters an empty folder, with a key and no other settings in the environment.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", KEY)
    others = ("NOTIFY_COMMAND", "NOTIFY_WEBHOOK", "ANSWERS_IN", "CONFIG", "PROFILE")
    for name in ("BASE_URL", "LEDGER", "SERVICE_KEY_FILE", *others):
        monkeypatch.delenv(f"VOICEPUSH_{name}", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """
    An empty ledger in a real file.
    """
    async with open_ledger(tmp_path / "test.db") as ledger:
        yield ledger


@pytest.fixture
def clock() -> MovedClock:
    """
    A clock that stands at 0.
    """
    return MovedClock()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """
    The clock on the wall, which the test sets.
    """
    # Not before its asserts are rewritten, see the end.
    from nights import Wall  # noqa: PLC0415

    wall = Wall()
    wall.patch(monkeypatch.setattr)
    return wall


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """
    A client that trusts nothing: no redirects are followed unless asked for.
    """
    async with ClientSession(headers={"key": KEY}) as session:
        yield session


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """
    One browser for all tests, which takes a second to start.
    """
    # Most tests need none.
    from browser import launched  # noqa: PLC0415

    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def watch(browser: Browser) -> AsyncIterator[Watch]:
    """
    Opens pages of the browser that are watched.
    """
    from browser import watching  # noqa: PLC0415

    async with watching(browser) as watch:
        yield watch


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A ledger as it is after a busy hour: finished campaigns, and a planned one.
    """
    from campaigns_made import make  # noqa: PLC0415

    path = tmp_path_factory.mktemp("made") / "made.db"
    await make(path)
    return path


def pytest_configure(config: pytest.Config) -> None:
    """
    Where only quick tests are asked for, each tries less.
    """
    if kinds.is_quick(config):
        settings.load_profile("few")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """
    Files that are slow as a whole need not be read to be left out.
    """
    is_left_out = kinds.is_quick(config) and collection_path.stem in kinds.FILES
    return is_left_out or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """
    Tell slow tests from quick ones, before any are left out.
    """
    kinds.mark(items, traced=config.pluginmanager.hasplugin("_cov"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """
    Tell how many worlds were gone through.
    """
    told = kinds.worlds_told(terminalreporter.getreports("passed"))
    if told is not None:
        terminalreporter.write_line(told)


# The asserts of helpers tell what they compared, as those of tests do.
pytest.register_assert_rewrite("harmless", "mishaps", "nights", "processes", "sums")
