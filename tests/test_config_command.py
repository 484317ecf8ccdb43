"""
`voicepush config` shows what is in force, and hides what is secret.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Serve
from mishaps import ended, june, process, say, stand

pytestmark = pytest.mark.usefixtures("in_a_folder")

FILE = Path("voicepush.toml")


def write(*lines: str) -> None:
    """
    A file of settings in the current folder.
    """
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    FILE.chmod(0o600)


def shown(*arguments: str) -> list[dict[str, Any]]:
    """
    The values that it prints as JSON.
    """
    said = say("config", *arguments, "--json")
    assert 0 == said.code, said.err
    found: list[dict[str, Any]] = json.loads(said.out)["values"]
    return found


def test_without_a_file_defaults_and_the_environment_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Each with its place.
    """
    monkeypatch.setenv("VOICEPUSH_LEDGER", "of-the-environment.db")
    monkeypatch.setenv("VOICEPUSH_REUSE_CONNECTIONS", "never")
    monkeypatch.setenv("VOICEPUSH_HUB_SECRET", "hush")

    said = say("config")
    lines = {" ".join(line.split()) for line in said.out.splitlines()}

    assert (0, "") == (said.code, said.err)
    assert "no file of settings" in lines
    assert "concurrency 32 default" in lines
    assert "poll concurrency 4 default" in lines
    assert "ledger of-the-environment.db VOICEPUSH_LEDGER" in lines
    assert "reuse-connections never VOICEPUSH_REUSE_CONNECTIONS" in lines
    assert "service-key (hidden) VOICEPUSH_SERVICE_KEY" in lines
    assert "secret-file (hidden) VOICEPUSH_HUB_SECRET" in lines
    assert "hush" not in said.out
    assert KEY not in said.out


def test_what_only_one_command_has_is_shown_with_it() -> None:
    """
    And what is another thing there.
    """
    write(
        "rate = 80",
        "keep = ['name']",
        "[receipts]",
        "keep = '30d'",
        "[call]",
        "rate = 1",
    )

    found = {(each["command"], each["option"]): each for each in shown()}

    assert (80, "voicepush.toml") == (
        found[None, "rate"]["value"],
        found[None, "rate"]["where"],
    )
    assert 1 == found["call", "rate"]["value"]
    assert (5.0, "default") == (
        found["poll", "rate"]["value"],
        found["poll", "rate"]["from"],
    )
    assert ["name"] == found[None, "keep"]["value"]
    assert ("30d", "[receipts], voicepush.toml") == (
        found["receipts", "keep"]["value"],
        found["receipts", "keep"]["where"],
    )
    assert len(found) == len(shown())


def test_which_file_and_profile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Also that there are profiles, and none of them holds.
    """
    write("[profiles.june]", "[profiles.july]")

    none = say("config")
    june_ = say("config", "--profile", "june")
    as_json = json.loads(say("config", "--profile", "june", "--json").out)

    assert none.out.startswith("voicepush.toml (found), no profile of june, july\n")
    assert june_.out.startswith("voicepush.toml (found), profile june (argument)\n")
    assert ("voicepush.toml", "june") == (as_json["file"], as_json["profile"])
    assert (None, "argument") == (as_json["file_from"], as_json["profile_from"])
    write('profile = "june"', "[profiles.june]")
    monkeypatch.setenv("VOICEPUSH_CONFIG", "voicepush.toml")
    assert say("config").out.startswith(
        "voicepush.toml (VOICEPUSH_CONFIG), profile june (by the file)\n"
    )
    write("rate = 1")
    assert say("config").out.startswith("voicepush.toml (VOICEPUSH_CONFIG)\n")


def test_a_ledger_that_is_typed() -> None:
    """
    Before the command or behind it.
    """
    write("ledger = 'of-the-file.db'")

    for words in (
        ["--ledger", "a.db", "config"],
        ["config", "--ledger", "a.db"],
        ["config", "status", "--ledger", "a.db"],
    ):
        said = json.loads(say(*words, "--json").out)["values"]
        found = [each for each in said if each["option"] == "ledger"]
        assert [("a.db", "argument")] == [
            (each["value"], each["from"]) for each in found
        ]


def test_a_command_with_its_arguments() -> None:
    """
    What would hold for it; nothing is done, and nothing needed.
    """
    write("rate = 80", "validity = true", "country = 'IN'")

    said = say("config", *["send", "june.csv", "--rate", "5", "--no-validity"])
    lines = {" ".join(line.split()) for line in said.out.splitlines()}

    assert (0, "") == (said.code, said.err)
    assert {
        "rate 5 argument",
        "validity no argument",
        "country IN voicepush.toml",
    } <= lines
    assert not Path("voicepush.db").exists()
    assert 0 == say("config", "resume").code
    assert 0 == say("config", *["suppress", "list"]).code
    assert "Unknown command" in say("config", "sned").complaint
    assert "Unknown option: --rat" in say("config", "resume", "--rat").complaint


def test_secrets_are_not_shown() -> None:
    """
    Nor whole numbers, nor what may hold a secret.
    """
    secret = "5ecret"
    write(
        f'service-key = "{secret}"',
        f'ledger = "postgresql://me:{secret}@127.0.0.1/calls?password={secret}"',
        f'notify-url = "https://example.org/receipts?token={secret}"',
        f'callback-data = "{secret}{secret}"',
        'cli = "18005550100"',
        'allowed-cli = ["18005550100", "18005550101"]',
        f'[notify]\nwebhook = "https://hooks.example.org/{secret}"',
    )
    os.environ.pop("VOICEPUSH_SERVICE_KEY")

    for words in (["config"], ["config", "send"], ["config", "--json"]):
        said = say(*words)
        assert 0 == said.code
        assert secret not in said.out + said.err
        assert "18005550100" not in said.out
    values = {each["option"]: each["value"] for each in shown("send")}

    assert {
        "service-key": "(hidden)",
        "ledger": "postgresql://me@127.0.0.1/calls?…",
        "notify-url": "https://example.org/receipts?…",
        "notify-webhook": "https://hooks.example.org/…",
        "callback-data": "5ec*****cret",
        "cli": "180****0100",
        "allowed-cli": ["180****0100", "180****0101"],
    }.items() <= values.items()


@pytest.mark.parametrize(
    ("command", "is_shown_as"),
    [("./tell.sh", "./tell.sh"), ("./tell.sh --token x", "./tell.sh …")],
)
def test_a_program_is_shown_without_its_arguments(
    command: str, is_shown_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As everywhere: they may be secret.
    """
    monkeypatch.setenv("VOICEPUSH_NOTIFY_COMMAND", command)

    values = {each["option"]: each["value"] for each in shown("send")}

    assert is_shown_as == values["notify-command"]


@pytest.mark.parametrize("address", ["http://[::1", "https://user:pass@example.org/p"])
def test_an_address_is_shown_without_what_may_be_secret(address: str) -> None:
    """
    One that can't be taken apart is not shown at all.
    """
    write(f'base-url = "{address}"')

    said = say("config")

    assert "pass" not in said.out
    assert ("(hidden)" in said.out.replace("service-key          (hidden)", "")) is (
        "[" in address
    ) or "user@example.org/p" in said.out


# The same campaign again


def test_what_a_file_gives_is_given(serve: Serve) -> None:
    """
    A campaign is planned with it, and its plan says from where.
    """
    simulator = serve()
    june(5)
    write(
        *('profile = "june"', "[profiles.june]", f'base-url = "{simulator.url}"'),
        *('media = "x"', 'expiry = "2h"', 'column = "msisdn"'),
    )

    first, again = say("send", "june.csv"), say("send", "june.csv")

    assert [0, 0] == [first.code, again.code]
    assert 5 == sum(simulator.calls.values())
    assert "settings: profile june of voicepush.toml" in first.err
    report = json.loads(say("report", "june", "--json").out)
    assert "profile june of voicepush.toml" in json.dumps(report)


@pytest.mark.parametrize(
    ("line", "kept", "now"),
    [
        ('media = "y"', "--media x", "--media y"),
        ('media = "x"\nexpiry = "3h"', "--expiry 2h", "--expiry 3h"),
        ('media = "x"\ncountry = "IN"', "without --country", "--country IN"),
    ],
)
def test_a_profile_that_changed_is_told_of(
    line: str, kept: str, now: str, serve: Serve
) -> None:
    """
    The message names what differs, and the profile; `resume` goes on.
    """
    simulator = serve("7001")
    june(5)
    base = f'[profiles.june]\nbase-url = "{simulator.url}"'
    write(base, 'media = "x"', 'expiry = "2h"')
    assert 3 == say("send", "june.csv", "--profile", "june").code
    write(base, line)

    said = say("send", "june.csv", "--profile", "june")

    assert 2 == said.code
    assert f"is planned already, with {kept}" in said.complaint or (
        f"is planned already, {kept}" in said.complaint
    )
    assert f"not with {now}; leave that out" in said.complaint
    assert "or say voicepush resume june" in said.complaint
    assert ": profile june of voicepush.toml)" in said.complaint
    assert 3 == say("resume", "june", "--profile", "june").code


def test_another_profile_with_the_same_goes_on(serve: Serve) -> None:
    """
    Only what differs is refused, and not what it is called.
    """
    simulator = serve()
    june(5)
    write(
        *(f'base-url = "{simulator.url}"', 'media = "x"'),
        *("[profiles.a]", "rate = 50", "[profiles.b]", "rate = 60"),
    )

    assert 0 == say("send", "june.csv", "--profile", "a").code
    assert 0 == say("send", "june.csv", "--profile", "b").code
    assert 60.0 == stand()["rate"]


@pytest.mark.slow
def test_in_a_process_of_its_own(serve: Serve) -> None:
    """
    As its users run it.
    """
    simulator = serve()
    june(5)
    write("[profiles.june]", f'base-url = "{simulator.url}"', 'media = "x"')

    with process("send", "--profile", "june", "june.csv") as sending:
        ended(sending)

    assert 5 == sum(simulator.calls.values())


# The docs


def test_the_example_of_the_docs_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As it stands there.
    """
    page = Path(__file__).parent.parent / "docs" / "configuration.md"
    example = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    FILE.write_text(example, encoding="utf-8")
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")

    sales = {each["option"]: each["value"] for each in shown("send", "june.csv")}
    outage = {
        each["option"]: each["value"] for each in shown("poll", "--profile", "outage")
    }

    assert (200, "2h", "999*****0100") == (sales["rate"], sales["expiry"], sales["cli"])
    assert "https://calls.example.org/receipts" == sales["notify-url"]
    assert str(Path("sales.key").absolute()) == sales["key-file"]
    assert (2, "https://api-us.imiconnect.io") == (outage["rate"], outage["base-url"])
