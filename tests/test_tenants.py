"""
How tenants differ: by tokens in place of a key, and by what the prompt id is called.
"""

from __future__ import annotations

import json
import signal
import tomllib
from pathlib import Path

import pytest
from conftest import KEY, Connect, Serve, Simulate, numbers
from mishaps import process, say
from test_tokens import SECRET, SERVICE_ID

from voicepush import InputError, Outcome, PromptField, Settings, VoiceMessage
from voicepush.environment import from_environment

NUMBER = "+999000000001"


@pytest.fixture
def secret_file(in_a_folder: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    A file with the secret, in a folder whose environment holds no key.
    """
    del in_a_folder
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")
    file = Path("secret")
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    return file


class TestTokensOnTheCommandLine:
    """
    A service's id and a file with its secret stand wherever the key's file may.
    """

    def test_options(self, serve: Serve, secret_file: Path) -> None:
        """
        A call by a token; the secret is nowhere in what is said.
        """
        simulator = serve(token=(SERVICE_ID, SECRET))

        said = say(
            *("call", NUMBER, "--media", "x", "--base-url", simulator.url),
            *("--service-id", SERVICE_ID, "--service-secret-file", str(secret_file)),
        )

        assert (0, {NUMBER: 1}) == (said.code, simulator.calls)
        assert SECRET not in said.out + said.err

    def test_a_profile(self, serve: Serve, secret_file: Path) -> None:
        """
        A file of settings holds both; the secret's file leads on from its folder.
        """
        simulator = serve(token=(SERVICE_ID, SECRET))
        Path("voicepush.toml").write_text(
            f'base-url = "{simulator.url}"\nservice-id = "{SERVICE_ID}"\n'
            f'service-secret-file = "{secret_file}"\nmedia = "x"\n'
        )

        assert 0 == say("call", NUMBER).code
        assert {NUMBER: 1} == simulator.calls

    def test_a_key_rules_a_kept_token_out(
        self, serve: Serve, secret_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        What stands in the environment goes before what a file keeps, whichever of the
        two it is.
        """
        simulator = serve(token=("another", SECRET))
        Path("voicepush.toml").write_text(
            f'service-id = "{SERVICE_ID}"\nservice-secret-file = "{secret_file}"\n'
        )
        monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", KEY)

        said = say("call", NUMBER, "--media", "x", "--base-url", simulator.url)

        assert (0, {NUMBER: 1}) == (said.code, simulator.calls)

    def test_both(self, secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Typed beside a key, they are refused in one line.
        """
        monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", KEY)

        said = say(
            *("call", NUMBER, "--media", "x", "--base-url", "http://127.0.0.1:1"),
            *("--service-id", SERVICE_ID, "--service-secret-file", str(secret_file)),
        )

        assert 2 == said.code
        assert "leave one of them out" in said.complaint

    def test_what_a_check_keeps(self, serve: Serve, secret_file: Path) -> None:
        """
        The profile names the service and the secret's file, and holds no secret.
        """
        simulator = serve(token=(SERVICE_ID, SECRET))

        said = say(
            *("check", "--base-url", simulator.url, "--save", "tenant.toml"),
            *("--service-id", SERVICE_ID, "--service-secret-file", str(secret_file)),
        )
        kept = tomllib.loads(Path("tenant.toml").read_text())["profiles"]["tenant"]
        called = say("call", NUMBER, "--media", "x", "--config", "tenant.toml")

        assert (0, 0) == (said.code, called.code)
        assert SERVICE_ID == kept["service-id"]
        assert str(secret_file.absolute()) == kept["service-secret-file"]
        assert SECRET not in Path("tenant.toml").read_text()

    def test_a_stranger_can_have_no_token(self, secret_file: Path) -> None:
        """
        A file that was only found may not send one to an address of its own.
        """
        Path("voicepush.toml").write_text('base-url = "https://example.org"\n')

        said = say(
            *("call", NUMBER, "--media", "x"),
            *("--service-id", SERVICE_ID, "--service-secret-file", str(secret_file)),
        )

        assert 2 == said.code
        assert "only found in this folder" in said.complaint

    def test_the_secret_is_not_overwritten(self, secret_file: Path) -> None:
        """
        No output may have its name.
        """
        said = say(
            *("check", "--base-url", "http://127.0.0.1:1", "--save", str(secret_file)),
            *("--service-id", SERVICE_ID, "--service-secret-file", str(secret_file)),
        )

        assert 2 == said.code
        assert "secret" in said.complaint
        assert SECRET == secret_file.read_text().strip()


class TestPromptField:
    """
    What the API calls the prompt id.
    """

    @pytest.mark.parametrize("name", PromptField)
    async def test_over_a_socket(
        self, simulate: Simulate, connect: Connect, name: PromptField
    ) -> None:
        """
        The spelling of the settings is the one in the request; the stand-in refuses
        the other.
        """
        simulator = await simulate(prompt_field=name)
        message = VoiceMessage(media="welcome")
        right = await connect(simulator, prompt_field=name)
        wrong = await connect(
            simulator, prompt_field=next(each for each in PromptField if each != name)
        )

        summary = await right.send(message, numbers(1500))
        refused = await wrong.submit(message, NUMBER)

        assert 1500 == summary.accepted
        assert {"welcome"} == {each.played for each in simulator.requests if each.size}
        assert (Outcome.REJECTED, "7004") == (refused.outcome, refused.code)

    async def test_a_call_flow_is_called_the_same(
        self, simulate: Simulate, connect: Connect
    ) -> None:
        """
        Only the prompt id is spelt otherwise.
        """
        simulator = await simulate(prompt_field="promptid")
        client = await connect(simulator, prompt_field="promptid")

        result = await client.submit(VoiceMessage(callflow="flow"), NUMBER)

        assert Outcome.ACCEPTED is result.outcome

    def test_another_is_refused(self) -> None:
        """
        With those that are known.
        """
        with pytest.raises(InputError, match="one of media, promptid, not 'prompt'"):
            Settings(
                service_key=KEY, base_url="https://a.example", prompt_field="prompt"
            )

    def test_the_environment(self) -> None:
        """
        Says it where no argument does.
        """
        named = {"VOICEPUSH_PROMPT_FIELD": "promptid", "VOICEPUSH_SERVICE_KEY": KEY}
        base_url = "https://a.example"

        found = from_environment(named, base_url=base_url)
        given = from_environment(named, base_url=base_url, prompt_field="media")

        assert PromptField.PROMPTID is found.prompt_field
        assert PromptField.MEDIA is given.prompt_field

    def test_a_campaign(self, serve: Serve, in_a_folder: None) -> None:
        """
        By an option, or kept in a profile; a rehearsal shows it.
        """
        del in_a_folder
        simulator = serve(prompt_field="promptid")
        Path("june.csv").write_text("\n".join(numbers(30)))
        Path("voicepush.toml").write_text(
            f'base-url = "{simulator.url}"\nprompt-field = "promptid"\nmedia = "w"\n'
        )

        rehearsed = say("send", "june.csv", "--dry-run", "--json")
        sent = say("send", "june.csv")
        refused = say("call", NUMBER, "--prompt-field", "media")

        assert (
            '"voice":{"promptid":"w"}' in json.loads(rehearsed.out)["request"]["begins"]
        )
        assert (0, 1) == (sent.code, refused.code)
        assert 30 == len(simulator.calls)

    def test_a_check_that_rings(self, serve: Serve, in_a_folder: None) -> None:
        """
        Its call is spelt so, too.
        """
        del in_a_folder
        simulator = serve(prompt_field="promptid")

        said = say(
            *("check", "--base-url", simulator.url, "--call", NUMBER, "--media", "x"),
            *("--prompt-field", "promptid", "--json"),
        )

        findings = {
            each["about"]: each["holds"] for each in json.loads(said.out)["findings"]
        }
        assert "yes" == findings["call"]
        assert {NUMBER: 1} == simulator.calls


class TestStandIn:
    """
    What the stand-in is told of its tenant.
    """

    @pytest.mark.slow
    def test_as_a_command(self, secret_file: Path) -> None:
        """
        It takes the tokens of a service, and another spelling of the prompt's field.
        """
        tokens = ["--service-id", SERVICE_ID, "--service-secret-file", str(secret_file)]
        tenant = ["--prompt-field", "promptid", *tokens]
        with process("simulate", "--port", "0", *tenant) as running:
            assert running.stdout is not None
            url = running.stdout.readline().strip()
            said = say("call", NUMBER, "--media", "x", "--base-url", url, *tenant)
            running.send_signal(signal.SIGTERM)
            counted, _ = running.communicate()

        assert 0 == said.code
        assert 1 == json.loads(counted)["rung"]

    @pytest.mark.parametrize(
        ("words", "complaint"),
        [
            (["--prompt-field", "prompt"], "none of media, promptid"),
            (["--service-id", "x"], "belong together"),
            (["--service-secret-file", "empty"], "is empty"),
        ],
    )
    def test_wrong_usage(
        self, in_a_folder: None, words: list[str], complaint: str
    ) -> None:
        """
        One line says what is wrong.
        """
        del in_a_folder
        Path("empty").write_text("")

        said = say("simulate", "--port", "0", *words)

        assert 2 == said.code
        assert complaint in said.complaint
