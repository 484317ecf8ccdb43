"""
The pytest plugin: fixtures for tests of who uses voicepush.

pytest loads it in every run on a machine that has voicepush, so it imports nothing of
it before a fixture is used. That is also why it stands beside the package: importing
a module of the package imports the package.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voicepush import Client, Ledger
    from voicepush.testing import VoiceApi, VoiceClock, VoiceSettings
    from voicepush.testing.loops import LoopOfTest

#: How far a loop of pytest-asyncio may reach.
_SCOPES = ("function", "class", "module", "package", "session")

_WAS_CUT_SHORT = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """
    Make the marker known.
    """
    config.addinivalue_line(
        "markers",
        "voice_api(**settings): how the stand-in for the voice API behaves in this "
        "test; the fields of voicepush.testing.VoiceSettings",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """
    Remember of each test whether it came to its end.
    """
    if call.excinfo is not None:
        item.stash[_WAS_CUT_SHORT] = True


@pytest.fixture
def voice_settings() -> VoiceSettings:
    """
    How the stand-in behaves; override it for a folder, a module or a class.
    """
    from voicepush.testing import VoiceSettings

    return VoiceSettings()


@pytest.fixture
def voice_clock(_voice_loop: LoopOfTest) -> Iterator[VoiceClock]:
    """
    The clock of the client, the ledger, the stand-in and the event loop, to be moved.
    """
    from voicepush.testing import VoiceClock

    clock = VoiceClock()
    with clock.moving(_voice_loop.loop):
        yield clock


@pytest.fixture
def voice_api(
    request: pytest.FixtureRequest,
    voice_settings: VoiceSettings,
    voice_clock: VoiceClock,
    _voice_loop: LoopOfTest,
) -> Iterator[VoiceApi]:
    """
    A stand-in for the API on a socket of its own, in the event loop of the test.

    A scripted reply that no request has met is an error, if the test passed.
    """
    api = _made(request, voice_settings, voice_clock)
    with _voice_loop.entered(api):
        yield api
    if not request.node.stash.get(_WAS_CUT_SHORT, False):
        _check_replies(api)


def _made(
    request: pytest.FixtureRequest, settings: VoiceSettings, clock: VoiceClock
) -> VoiceApi:
    from voicepush.testing import VoiceApi

    try:
        for marker in reversed([*request.node.iter_markers("voice_api")]):
            if marker.args:
                pytest.fail("the marker voice_api takes keywords only", pytrace=False)
            settings = settings.changed(marker.kwargs)
        return VoiceApi(settings, clock=clock)
    except ValueError as error:
        wrong = str(error)
    pytest.fail(wrong, pytrace=False)


def _check_replies(api: VoiceApi) -> None:
    from voicepush.testing import UnusedRepliesError

    try:
        api.check_replies()
    except UnusedRepliesError as error:
        unused = str(error)
    else:
        return
    pytest.fail(unused, pytrace=False)


@pytest.fixture
def voice_client(voice_api: VoiceApi, _voice_loop: LoopOfTest) -> Iterator[Client]:
    """
    An open client of the stand-in, which does not wait long before it tries again.
    """
    from voicepush import Client
    from voicepush.settings import SettingsFields

    if _voice_loop.beside:
        pytest.fail(
            "voice_client needs an async test; where the test is not async, let what "
            "you test open a client of its own, at voice_api.url",
            pytrace=False,
        )
    settings = SettingsFields(
        service_key=voice_api.service_key, base_url=voice_api.url, first_wait=0.01
    )
    settings.update(voice_api.settings.client)
    with _voice_loop.entered(Client(**settings)) as client:
        yield client


@pytest.fixture
def memory_ledger() -> Ledger:
    """
    An empty ledger, open, that is gone when the test ends.
    """
    from voicepush.ledger.memory.ledger import MemoryLedger

    return MemoryLedger()


# Whose event loop it is


@pytest.fixture
def _voice_loop(request: pytest.FixtureRequest) -> Iterator[LoopOfTest]:
    from voicepush.testing.loops import LoopOfTest, loop_beside

    name = _loop_of(request)
    if name is None:
        with loop_beside() as beside:
            yield beside
    else:
        yield LoopOfTest(request.getfixturevalue(name))


def _loop_of(request: pytest.FixtureRequest) -> str | None:
    """
    The fixture that gives the loop in which the test runs; None if it is not async.
    """
    marker = request.node.get_closest_marker("asyncio")
    if marker is not None and _ASYNCIO:
        scope = marker.kwargs.get("loop_scope") or request.config.getini(
            "asyncio_default_test_loop_scope"
        )
        return f"_voice_loop_of_asyncio_{scope}"
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend")
        if "asyncio" not in (backend, backend[0]):
            pytest.fail(
                "voicepush runs on asyncio only; leave this test out for other "
                'backends, or let the fixture anyio_backend return "asyncio"',
                pytrace=False,
            )
        return "_voice_loop_of_anyio"
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        pytest.fail(
            "nothing runs this async test; mark it with pytest.mark.asyncio "
            "(pytest-asyncio 1.0 or newer) or pytest.mark.anyio",
            pytrace=False,
        )
    return None


@pytest.fixture
async def _voice_loop_of_anyio() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def _loops_of_asyncio() -> dict[str, Any]:
    """
    A fixture for each scope of pytest-asyncio's loops; none without pytest-asyncio.
    """
    try:
        import pytest_asyncio

        return {
            f"_voice_loop_of_asyncio_{scope}": _loop_of_asyncio(pytest_asyncio, scope)
            for scope in _SCOPES
        }
    except (ImportError, TypeError):
        # It is not there, or too old to be asked for a loop by its scope.
        return {}


def _loop_of_asyncio(plugin: Any, scope: str) -> Any:
    async def loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    return plugin.fixture(
        loop, loop_scope=scope, name=f"_voice_loop_of_asyncio_{scope}"
    )


_ASYNCIO = _loops_of_asyncio()
globals().update(_ASYNCIO)
