"""
The pytest plugin in projects of its users: real runs of pytest in their own folders.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

#: What every run of a user's project must bear.
_STRICT = ("-p", "no:cacheprovider", "-W", "error", "--strict-markers")

_TESTS = """
from datetime import timedelta

import pytest

from voicepush import Campaign, Client, Ledger, VoiceMessage
from voicepush.testing import VoiceApi, VoiceClock

{mark}

MESSAGE = VoiceMessage(media="welcome")


async def test_fixtures(
    voice_api: VoiceApi,
    voice_client: Client,
    voice_clock: VoiceClock,
    memory_ledger: Ledger,
) -> None:
    voice_api.next_replies(7006, "429:60", "drop")
    campaign = await Campaign.plan(memory_ledger, "june", MESSAGE, ["+999000000001"])

    summary = await voice_clock.hurry(campaign.dispatch(voice_client))

    assert summary.unknown == 1
    assert voice_api.times_rung == {{"+999000000001": 1}}
    assert voice_clock.passed >= timedelta(minutes=1)


@pytest.mark.voice_api(faults=["7101"])
async def test_marker(voice_api: VoiceApi, voice_client: Client) -> None:
    result = await voice_client.submit(MESSAGE, "+999000000001")

    assert result.code == "7101"
    assert not voice_api.calls


class TestInAClass:
    @pytest.fixture
    async def client(self, voice_api: VoiceApi):
        settings = {{"service_key": voice_api.service_key, "base_url": voice_api.url}}
        async with Client(**settings) as client:
            yield client

    async def test_own_fixtures(self, voice_api: VoiceApi, client: Client) -> None:
        await client.submit(MESSAGE, "+999000000001")

        assert len(voice_api.calls) == 1


def test_not_async(voice_api: VoiceApi) -> None:
    import urllib.request

    with urllib.request.urlopen(f"{{voice_api.url}}/simulator") as answer:
        assert answer.status == 200
"""


_SCOPES = ("function", "module", "session")


def _strict(scope: str) -> str:
    """
    The same tests, as pytest-asyncio wants them if it takes nothing for granted.
    """
    mark = f'asyncio = pytest.mark.asyncio(loop_scope="{scope}")'
    fixture = f'@pytest_asyncio.fixture(loop_scope="{scope}")'
    text = _TESTS.format(mark=f"import pytest_asyncio\n{mark}")
    return _marked(text, "@asyncio").replace("@pytest.fixture", fixture)


def _marked(text: str, mark: str) -> str:
    return re.sub(
        r"^( *)(?=async def test_)", rf"\1{mark}\n\1", text, flags=re.MULTILINE
    )


def _run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess(*_STRICT, *options, timeout=300)


def test_they_work_in_auto_mode(pytester: pytest.Pytester) -> None:
    """
    pytest-asyncio runs everything that is async, and nothing else has to be said.
    """
    pytester.makeini(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
    )
    pytester.makepyfile(_TESTS.format(mark=""))

    _run(pytester).assert_outcomes(passed=4)


def test_they_work_in_strict_mode(pytester: pytest.Pytester) -> None:
    """
    The marker is enough, also where many tests share a loop by its scope.
    """
    pytester.makeini(
        "[pytest]\nasyncio_mode = strict\nasyncio_default_fixture_loop_scope = function"
    )
    pytester.makepyfile(**{f"test_{scope}": _strict(scope) for scope in _SCOPES})

    _run(pytester).assert_outcomes(passed=4 * len(_SCOPES))


def test_they_work_with_anyio(pytester: pytest.Pytester) -> None:
    """
    Tests of anyio run on asyncio, where pytest-asyncio is not there at all.
    """
    pytester.makeini("[pytest]")
    backend = 'anyio_backend = pytest.fixture(lambda: "asyncio")'
    text = _TESTS.format(mark=f"{backend}\nanyio = pytest.mark.anyio")
    pytester.makepyfile(_marked(text, "@anyio"))

    _run(pytester, "-p", "no:asyncio").assert_outcomes(passed=4)


def test_anyio_beside_asyncio(pytester: pytest.Pytester) -> None:
    """
    Where both plugins are there, each test has what runs it.
    """
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(
        """
        import pytest
        from voicepush import VoiceMessage

        @pytest.fixture
        def anyio_backend():
            return "asyncio", {"debug": False}

        async def sends(voice_api, voice_client):
            await voice_client.submit(VoiceMessage(media="a"), "+999000000001")
            assert len(voice_api.calls) == 1

        @pytest.mark.anyio
        async def test_of_anyio(voice_api, voice_client):
            await sends(voice_api, voice_client)

        @pytest.mark.asyncio
        async def test_of_asyncio(voice_api, voice_client):
            await sends(voice_api, voice_client)
        """
    )

    _run(pytester).assert_outcomes(passed=2)


def test_what_can_not_work_is_told_in_a_line(pytester: pytest.Pytester) -> None:
    """
    Another loop than asyncio's, no plugin, a client without a loop, wrong settings.
    """
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["trio"])
        async def test_trio(voice_api): ...

        async def test_nobody_runs(voice_api): ...

        def test_not_async(voice_client): ...

        @pytest.mark.voice_api(tpz=1)
        def test_wrong_name(voice_api): ...

        @pytest.mark.voice_api(faults=["7OO6"])
        def test_wrong_word(voice_api): ...

        @pytest.mark.voice_api("7006")
        def test_no_keyword(voice_api): ...
        """
    )

    result = _run(pytester)

    result.assert_outcomes(errors=6)
    result.stdout.fnmatch_lines_random(
        [
            "voicepush runs on asyncio only; *",
            "nothing runs this async test; *",
            "voice_client needs an async test; *",
            "'tpz' is no setting of voice_api; *",
            "'7OO6' is not a reply; *",
            "the marker voice_api takes keywords only",
        ]
    )
    result.stdout.no_fnmatch_line("*During handling*")


def test_left_over_replies_are_an_error_of_tests_that_pass(
    pytester: pytest.Pytester,
) -> None:
    """
    One that failed has something better to tell, and one that was skipped nothing.
    """
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(
        """
        import pytest
        from voicepush.testing import VoiceSettings

        def test_passes(voice_api):
            voice_api.next_replies(7006)

        def test_fails(voice_api):
            voice_api.next_replies(7006)
            assert False

        def test_skipped(voice_api):
            voice_api.next_replies(7006)
            pytest.skip("not today")

        @pytest.mark.xfail(strict=True)
        def test_expected(voice_api):
            voice_api.next_replies(7006)
            assert False

        class TestAllowed:
            @pytest.fixture
            def voice_settings(self):
                return VoiceSettings(unused_replies=True)

            def test_passes(self, voice_api):
                voice_api.next_replies(7006)
        """
    )

    result = _run(pytester)

    result.assert_outcomes(passed=2, failed=1, errors=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["no request came for the scripted reply 7006; *"])


def test_tests_beside_each_other_do_not_meet(pytester: pytest.Pytester) -> None:
    """
    Each has a stand-in of its own, with its own key, port and clock.
    """
    pytester.makeini(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
    )
    pytester.makepyfile(
        """
        from datetime import timedelta

        import pytest
        from voicepush import VoiceMessage

        @pytest.mark.parametrize("number", range(12))
        async def test_alone(number, voice_api, voice_client, voice_clock):
            voice_api.next_replies(*["7006"] * (number % 3))
            message = VoiceMessage(media="a", expiry=timedelta(hours=1))
            await voice_clock.advance(timedelta(hours=number))
            recipient = f"+9990000000{number:02}"
            await voice_clock.hurry(voice_client.submit(message, recipient))
            assert len(voice_api.requests) == 1 + number % 3
            assert [each.recipient for each in voice_api.calls] == [recipient]
        """
    )

    _run(pytester, "-n", "2").assert_outcomes(passed=12)


def test_it_is_light_until_it_is_used(pytester: pytest.Pytester) -> None:
    """
    Where no fixture is used, nothing of voicepush is imported, and no HTTP.
    """
    pytester.makepyfile(
        """
        import sys

        def test_light(request):
            assert request.config.pluginmanager.hasplugin("voicepush")
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert not loaded & {"voicepush", "aiohttp", "numpy", "attrs", "msgspec"}
        """
    )
    plugins = ("-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest")

    _run(pytester, *plugins).assert_outcomes(passed=1)


def test_its_marker_and_fixtures_are_told_of(
    pytester: pytest.Pytester, pytestconfig: pytest.Config
) -> None:
    """
    ``pytest --markers`` and ``--fixtures`` say what there is.
    """
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")

    fixtures = _run(pytester, "--fixtures").stdout.str()

    assert any("voice_api(" in each for each in pytestconfig.getini("markers"))
    for name in ("voice_api", "voice_client", "voice_clock", "voice_settings"):
        assert f"{name} -- " in fixtures
    assert "memory_ledger -- " in fixtures
    assert "_voice_loop" not in fixtures


def test_an_older_plugin_of_asyncio_breaks_no_run(pytester: pytest.Pytester) -> None:
    """
    Everyone who has voicepush has this plugin, whatever else they have.
    """
    pytester.makepyfile(pytest_asyncio="def fixture(function, *, name): ...")
    pytester.makepyfile("def test_passes(): pass")
    pytester.syspathinsert()

    _run(pytester, "-p", "no:asyncio").assert_outcomes(passed=1)


def test_the_plugin_is_found_where_it_is_installed() -> None:
    """
    One file beside the package, in the wheel as in the sources.
    """
    plugin = sys.modules["pytest_voicepush"]

    assert plugin.__file__ is not None
    assert "pytest_voicepush.py" == Path(plugin.__file__).name
