"""
What holds: an argument, before the environment, before a profile, before the top of the
file, before the default.
"""

from __future__ import annotations

import json
import os
import re
import stat
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Serve, numbers
from mishaps import Said, say
from test_keys import ALL, KEYS

from voicepush.cli.configured import _EITHER
from voicepush.cli.keys import Key

pytestmark = pytest.mark.usefixtures("in_a_folder")

FILE = Path("voicepush.toml")
LIST = Path("june.csv")


def write(*lines: str, mode: int = 0o600) -> None:
    """
    A file of settings in the current folder.
    """
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    FILE.chmod(mode)


def held(*command: str) -> dict[str, tuple[Any, str, str | None]]:
    """
    What is in force for a command: value, kind of place, place.
    """
    said = say("config", *command, "--json")
    assert 0 == said.code, said.err
    return {
        each["option"]: (each["value"], each["from"], each["where"])
        for each in json.loads(said.out)["values"]
        if each["command"] is None
    }


def complaint(*command: str) -> str:
    """
    The one line with which a command is refused.
    """
    said = say(*command)
    assert (2, "") == (said.code, said.out)
    return said.complaint


# Precedence


def subsets(*names: str) -> list[set[str]]:
    """
    All sets of *names*.
    """
    return [
        set(each)
        for size in range(len(names) + 1)
        for each in combinations(names, size)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("places", subsets("argument", "environment", "profile", "top"))
@pytest.mark.parametrize(
    ("option", "variable", "value"),
    [
        ("base-url", "VOICEPUSH_BASE_URL", "https://{}.imiconnect.io"),
        ("notify-webhook", "VOICEPUSH_NOTIFY_WEBHOOK", "https://{}.example.org"),
        ("ledger", "VOICEPUSH_LEDGER", "/{}.db"),
        ("media", None, "{}"),
        ("suppress", None, "/{}.csv"),
    ],
)
def test_the_stronger_place_holds(
    option: str, variable: str | None, value: str, places: set[str]
) -> None:
    """
    Wherever else it stands.
    """
    if variable is None:
        places = places - {"environment"}
    line = {
        place: f"{option} = {json.dumps(value.format(place))}"
        if place in places
        else ""
        for place in ("top", "profile")
    }
    write(line["top"], "[profiles.june]", line["profile"])
    typed = [f"--{option}", value.format("argument")] if "argument" in places else []
    with pytest.MonkeyPatch.context() as patch:
        if variable is not None and "environment" in places:
            patch.setenv(variable, value.format("environment"))
        found = held("send", *typed, "--profile", "june").get(option)

    for place, whence in (
        ("argument", ("argument", None)),
        ("environment", ("environment", variable)),
        ("profile", ("file", "profile june of voicepush.toml")),
        ("top", ("file", "voicepush.toml")),
    ):
        if place in places:
            expected = value.format(place)
            is_list = option == "suppress"
            assert ([expected] if is_list else expected, *whence) == found
            return
    assert found in (None, ("voicepush.db", "default", None))


@pytest.mark.parametrize("places", subsets("profile table", "profile", "table", "top"))
def test_the_table_of_a_command_holds_before_the_rest(places: set[str]) -> None:
    """
    And a profile before what stands at the top.
    """
    order = ["profile table", "profile", "table", "top"]
    rates = {place: f"rate = {number}" for number, place in enumerate(order, 1)}
    lines = {place: rates[place] if place in places else "" for place in order}
    write(
        *(lines["top"], "[call]", lines["table"]),
        *("[profiles.june]", lines["profile"]),
        *("[profiles.june.call]", lines["profile table"]),
    )

    found = held("call", "+999", "--profile", "june").get("rate")
    strongest = next(
        (number for number, each in enumerate(order, 1) if each in places), None
    )

    assert strongest == (found and found[0])


def test_a_profile_of_the_file_or_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The file names one that holds where nobody else does.
    """
    write('profile = "a"', *(f"[profiles.{name}]\nmedia = '{name}'" for name in "abc"))

    of_file = held("send")["media"]
    monkeypatch.setenv("VOICEPUSH_PROFILE", "b")
    of_environment = held("send")["media"]
    typed = held("send", "--profile", "c")["media"]
    before = say("--profile", "c", "config", "--json")
    monkeypatch.setenv("VOICEPUSH_PROFILE", "")

    assert ["a", "b", "c"] == [each[0] for each in (of_file, of_environment, typed)]
    assert "c" == json.loads(before.out)["profile"]
    assert "a" == held("send")["media"][0]


def test_a_file_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    By an argument before the environment, and no other is read.
    """
    write('media = "found"')
    Path("a.toml").write_text('callflow = "a"')
    Path("b.toml").write_text('callflow = "b"')

    monkeypatch.setenv("VOICEPUSH_CONFIG", "a.toml")
    of_environment = held("send")
    typed = held("send", "--config", "b.toml")
    none = held("send", "--config", os.devnull)
    monkeypatch.setenv("VOICEPUSH_CONFIG", "")

    assert ("a", "b") == (of_environment["callflow"][0], typed["callflow"][0])
    assert "media" not in {**of_environment, **typed, **none}
    assert "found" == held("send")["media"][0]


def test_one_of_two_holds() -> None:
    """
    A call flow that is typed replaces the media of the file, and so on; two in one
    place are an error as if both were typed.
    """
    write('media = "top"', "[profiles.june]", 'callflow = "june"')

    assert {"callflow"} == {"media", "callflow"} & {*held("send", "--profile", "june")}
    assert {"media"} == {"media", "callflow"} & {*held("send")}
    typed = held("send", "--profile", "june", "--media", "typed")
    assert {"media"} == {"media", "callflow"} & {*typed}

    write('media = "top"', 'callflow = "top"')
    assert "voicepush.toml: only one of media and callflow can hold" in complaint(
        "config", "send"
    )


def sample(key: Key) -> tuple[str, object]:
    """
    A value as TOML, and as it is shown.
    """
    if key.is_flag:
        return "true", True
    if key.is_number:
        return "7", 7
    path = str(Path("some").absolute()) if key.is_path else "some"
    return ('["some"]', [path]) if key.is_list else ('"some"', path)


@pytest.mark.slow
@pytest.mark.parametrize("command", dict.fromkeys(name for name, _ in ALL))
def test_each_command_takes_each_key_that_it_has(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    From the top of a file; what only it has, from its table.
    """
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")
    hidden = {"cli", "callback-data", "notify-webhook", "callflow"}
    hidden |= {"notify-command", "call"}
    # The commands about who must not be called have no options that count here.
    options = {
        option
        for name, options in ALL
        if name == command != "suppress"
        for option in options
        if KEYS.is_of_all(command, option) or command in KEYS.owners(option)
    }
    words = [command, "5"] if command == "rate" else [command]
    words += ["--call", "+999"] if command == "check" else []
    # What holds beside anything goes together, since each look takes its time.
    alone = options & {name for pair in _EITHER for name in pair}
    together = [options - alone - hidden, *({each} for each in alone - hidden)]
    for some in filter(None, together):
        top: list[str] = []
        table: list[str] = []
        expected: dict[str, tuple[object, str]] = {}
        for option in sorted(some):
            is_general = KEYS.is_of_all(command, option)
            known = KEYS.of_all if is_general else KEYS.own(command)
            text, value = sample(known[option])
            expected[option] = (value, "file")
            (top if is_general else table).append(f"{option} = {text}")
        write(*top, *([f"[{command}]", *table] if table else []))

        found = held(*words)

        assert expected == {option: found[option][:2] for option in expected}


@pytest.mark.slow
@pytest.mark.parametrize("command", dict.fromkeys(name for name, _ in ALL))
def test_each_command_takes_a_profile(command: str) -> None:
    """
    And says so in its help.
    """
    said = say(command, "-h")

    assert 0 == said.code
    assert "--profile" in said.out or command == "suppress"
    write("[profiles.june]")
    words = {"suppress": ["suppress", "list"], "rate": ["rate", "june", "5"]}
    found = complaint(*words.get(command, [command]), "--profile", "jun")
    assert "no profile 'jun', did you mean 'june'" in found


@pytest.mark.parametrize("command", ["demo", "simulate"])
def test_what_plays_reads_no_file(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Made-up numbers need no settings of anyone.
    """
    write("this is no TOML")

    wrong = {"demo": ["--recipients", "0"], "simulate": ["--port", "-1"]}
    assert "must be" in complaint(command, *wrong[command])
    assert "is no TOML" in complaint("status")
    for option in (["--profile", "june"], ["--config", "s.toml"]):
        found = complaint(command, *option)
        assert f"{command} takes nothing from a file of settings; leave" in found
    monkeypatch.setenv("VOICEPUSH_PROFILE", "june")
    assert "must be" in complaint(command, *wrong[command])


def test_help_and_version_read_no_file() -> None:
    """
    They help where the file is what is wrong.
    """
    write("this is no TOML")

    assert [0, 0, 0] == [
        say(*each).code for each in (["--version"], ["-h"], ["send", "-h"])
    ]


def test_commands_of_commands_take_it_too() -> None:
    """
    As far as they have such an option, and it is not another thing there.
    """
    write("ledger = '/june.db'", "country = 'IN'", "column = 'msisdn'")

    added, imported = (
        held("suppress", "add", "+999"),
        held("suppress", "import", "a.csv"),
    )

    assert ("/june.db", "IN") == (added["ledger"][0], added["country"][0])
    assert "IN" == imported["country"][0]
    assert "column" not in imported
    assert "there is no ledger at /june.db" in complaint("suppress", "list")


# What is wrong


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["rat = 80"], "rat is no key, did you mean 'rate'?"),
        (["base_url = 'x'"], "base_url is no key, did you mean 'base-url'?"),
        (["xyz = 80"], "xyz is no key"),
        (["receipt = 80"], "receipt is no key, did you mean 'receipts'?"),
        (["[profiles.june]", "medai = 'x'"], "profiles.june.medai is no key, did you"),
        (
            ["[profiles.june]", "profile = 'x'"],
            "belongs to the top of the file, before",
        ),
        (["[poll]", "profile = 'x'"], "poll.profile belongs to the top of the file"),
        (["dry-run = true"], "dry-run can't be kept in a file: --dry-run is said each"),
        (["[poll]", "json = true"], "poll.json can't be kept in a file"),
        (
            ["listen = ':1'"],
            "belongs into the table of a command: [check] or [worker] or",
        ),
        (["after = '1h'"], "after can't be kept"),
        (["[poll]", "rtae = 1"], "poll.rtae is no key, did you mean 'rate'?"),
        (["poll = 1"], "poll must be a table; write [poll]"),
        (
            ["[profiles.june]", "poll = 1"],
            "must be a table; write [profiles.june.poll]",
        ),
        (["media = ['a']"], "media takes one value, and not a list"),
        (["[media]"], "media takes one value, and not a table"),
        (["media = true"], "media takes one value, and not true or false"),
        (["rate = true"], "rate takes one value, and not true or false"),
        (["validity = 'yes'"], "validity must be true or false"),
        (["validity = 1"], "validity must be true or false"),
        (["suppress = true"], "suppress must be a list of texts"),
        (["suppress = [['a']]"], "suppress must be a list of texts"),
        (["[notify]", "ulr = 'x'"], "notify.ulr is no key, did you mean 'notify-url'?"),
        (["notify = 1"], "notify is no key"),
        (
            ["notify-url = 'x'", "[notify]", "url = 'x'"],
            "notify.url stands there twice",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(lines: list[str], why: str) -> None:
    """
    By every command, whether it has such an option or not, and in every profile.
    """
    write(*lines)

    assert f"voicepush: voicepush.toml: {why}" in complaint("status") or (
        why in complaint("status")
        and "voicepush: voicepush.toml: " in complaint("status")
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "rate = 'fast'",
            'for rate from voicepush.toml: unable to convert "fast" into',
        ),
        ("concurrency = 'all'", 'voicepush.toml: unable to convert "all" into int'),
        ("priority = 9", "--priority '9' is none of low, medium, high"),
        ("expiry = 'soon'", "(--expiry: voicepush.toml)"),
        ("rate = -1", "rate must be above 0, not -1.0 (--rate: voicepush.toml)"),
        ("rate = nan", "rate must be above 0, not nan"),
        ("batch-size = 0", "(--batch-size: voicepush.toml)"),
        ("base-url = 'x'", "(--base-url: voicepush.toml)"),
        ("patience = 'x'", "--patience x is no duration"),
        ("at-most = 'x'", "--at-most x can't be understood"),
        ("suppress = 'gone.csv'", "gone.csv"),
    ],
)
def test_a_wrong_value_is_told_as_if_it_was_typed(line: str, why: str) -> None:
    """
    And from where it is.
    """
    write(line)
    LIST.write_text("msisdn\n+999000000001\n")
    base = [] if "base-url" in line else ["--base-url", "http://127.0.0.1:1"]

    said = say("send", str(LIST), *base, "--media", "x")

    assert 2 == said.code
    assert why in said.complaint
    assert "voicepush.toml" in said.complaint or "gone.csv" in said.complaint


def test_times_are_taken_as_toml_has_them() -> None:
    """
    As if they were typed.
    """
    write("expiry = 2030-01-01T10:00:00+05:30")

    assert "2030-01-01T10:00:00+05:30" == held("send")["expiry"][0]


def test_an_empty_list_turns_off_what_stands_at_the_top() -> None:
    """
    For one profile.
    """
    write("suppress = ['gone.csv']", "[profiles.all]", "suppress = []")
    LIST.write_text("msisdn\n+999000000001\n")
    command = ["send", str(LIST), "--media", "x", "--dry-run"]
    command += ["--base-url", "http://127.0.0.1:1"]

    assert 2 == say(*command).code
    assert 0 == say(*command, "--profile", "all").code


# Paths


def test_paths_lead_on_from_the_file() -> None:
    """
    Wherever the command is called from; a home is a home.
    """
    folder = Path("there")
    folder.mkdir()
    (folder / "s.toml").write_text(
        "ledger = 'june.db'\nsuppress = ['a.csv', '/b.csv']\nkey-file = '~/key'"
    )
    found = held("send", "--config", "there/s.toml", "--base-url", "https://x.example")

    assert str(folder.absolute() / "june.db") == found["ledger"][0]
    assert [str(folder.absolute() / "a.csv"), "/b.csv"] == found["suppress"][0]
    assert "key-file" not in found  # since the environment has a key


@pytest.mark.parametrize(
    ("command", "leads_to"),
    [
        ("./tell.sh", "HERE/tell.sh"),
        ("scripts/tell.sh 'a b' c", "HERE/scripts/tell.sh …"),
        ("tell.sh", "tell.sh"),
        ("/bin/tell.sh x", "/bin/tell.sh …"),
        ("'", "'"),
        ("", ""),
    ],
)
def test_a_program_leads_on_from_the_file(command: str, leads_to: str) -> None:
    """
    Where it is a path; else it is looked for as always.
    """
    write(f"notify-command = {json.dumps(command)}")

    found = held("send", "--config", str(FILE))["notify-command"][0]

    assert leads_to.replace("HERE", str(Path.cwd())) == found


def test_an_address_is_no_path() -> None:
    """
    A ledger may be in a database.
    """
    write("ledger = 'postgresql://me@127.0.0.1/calls'")

    assert "postgresql://me@127.0.0.1/calls" == held("status")["ledger"][0]


def test_an_address_that_is_none_is_no_secret() -> None:
    """
    It is refused where it is opened, and nowhere before.
    """
    write("ledger = 'postgresql://[::1/calls'", mode=0o644)

    assert 0 == say("config", "--config", str(FILE)).code


def test_no_output_overwrites_the_file() -> None:
    """
    It is an input.
    """
    write("key-file = 'key'", "[receipts]", "secret-file = 'hub'")
    LIST.write_text("msisdn\n+999000000001\n")
    for option in ("--output", "--html"):
        command = "export" if option == "--output" else "report"
        for name in ("key", "hub"):
            Path(name).write_text("a secret")
            found = complaint(command, "june", option, name)
            assert f"{option} {name} is the " in found
            assert "-file of voicepush.toml, which would be lost" in found
            assert "a secret" == Path(name).read_text()

    rejects = complaint("send", str(LIST), "--rejects", str(FILE))
    save = complaint("check", "--save", str(FILE), "--base-url", "http://127.0.0.1:1")

    assert "--rejects voicepush.toml is the file of settings, which would" in rejects
    assert "--save voicepush.toml is the file of settings, which would" in save


# Secrets


def key_used(serve: Serve, *lines: str, options: tuple[str, ...] = ()) -> Said:
    """
    What comes of a campaign with such a file, against a stand-in that wants ``KEY``.
    """
    simulator = serve()
    write(f'base-url = "{simulator.url}"', 'media = "x"', *lines)
    LIST.write_text("\n".join(["msisdn", *numbers(3)]))
    return say("send", str(LIST), *options)


def test_a_key_in_a_private_file(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is used where nothing stronger says another.
    """
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")

    assert 0 == key_used(serve, f'service-key = "{KEY}"').code


def test_a_key_file_of_a_profile(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Its path leads on from the file, and it goes before a key at the top.
    """
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")
    Path("key").write_text(KEY)

    said = key_used(
        serve,
        *('profile = "june"', 'service-key = "another"'),
        *("[profiles.june]", 'key-file = "key"'),
    )

    assert 0 == said.code


@pytest.mark.parametrize("line", ['service-key = "wrong"', 'key-file = "wrong"'])
def test_a_key_of_the_environment_goes_before(line: str, serve: Serve) -> None:
    """
    Also before a file that would hold one.
    """
    Path("wrong").write_text("wrong")

    assert 0 == key_used(serve, line).code


def test_an_empty_variable_is_none(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As where a service's key was left out.
    """
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", "")

    assert 0 == key_used(serve, f'service-key = "{KEY}"').code


def test_a_key_file_that_is_typed_goes_before(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Before every other.
    """
    Path("key").write_text(KEY)
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", "wrong")

    said = key_used(serve, 'service-key = "wrong"', options=("--key-file", "key"))

    assert 0 == said.code


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        'service-key = "k"',
        '[notify]\nwebhook = "https://hooks.example.org/T0/B0/x"',
        'ledger = "postgresql://me:secret@127.0.0.1/calls"',
        '[profiles.june]\nservice-key = "k"',
        '[profiles.june.poll]\nledger = "postgresql://127.0.0.1/calls?password=secret"',
    ],
)
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o604, 0o644, 0o610])
def test_a_secret_must_be_readable_by_its_owner_only(line: str, mode: int) -> None:
    """
    Whoever is meant to see it; also in a profile that does not hold.
    """
    write(line, mode=mode)
    assert mode == stat.S_IMODE(FILE.stat().st_mode)

    said = say("config")

    if mode & 0o77:
        assert 2 == said.code
        assert "is a secret, which others can read: chmod 600 voicepush" in said.err
    else:
        assert 0 == said.code
    assert not re.search(r"secret@|=secret|T0|\"k\"", said.out + said.err)


# Callers


def test_only_allowed_callers_are_shown(serve: Serve) -> None:
    """
    By send, call and check, whoever names another; the numbers are masked.
    """
    simulator = serve()
    write(
        f'base-url = "{simulator.url}"',
        'media = "x"',
        *("[profiles.june]", 'allowed-cli = ["18005550100", 18005550101]'),
    )
    LIST.write_text("\n".join(["msisdn", *numbers(3)]))
    wrong = ["--cli", "18005550177", "--profile", "june"]

    for command in (["send", str(LIST)], ["call", "+999"], ["check", "--call", "+999"]):
        assert (
            "voicepush: --cli 180****0177 is not among the allowed-cli of profile june "
            "of voicepush.toml: 180****0100, 180****0101" in complaint(*command, *wrong)
        )
    assert [] == simulator.requests
    for allowed in ("18005550100", "18005550101"):
        command = ["call", numbers(1)[0], "--profile", "june", "--cli", allowed]
        assert 0 == say(*command).code


def test_a_caller_of_the_file_must_be_allowed_too() -> None:
    """
    Nobody checks what nobody typed otherwise.
    """
    write('cli = "18005550177"', "[profiles.june]", "allowed-cli = []")

    found = complaint("config", "send", "--profile", "june")
    assert "--cli 180****0177 is not among the allowed-cli of profile june" in found
    assert found.endswith(": none (--cli: voicepush.toml)")


# Where a value is of no use


def test_a_check_that_rings_nobody_has_no_use_for_a_message(serve: Serve) -> None:
    """
    Nothing of the file makes it wrong.
    """
    simulator = serve()
    write(
        *(f'base-url = "{simulator.url}"', 'media = "x"', 'cli = "18005550100"'),
        *('secret-file = "gone"', "[check]", 'receipts = "http://127.0.0.1/x"'),
    )

    assert say("check").code in (0, 1)
    assert "--secret-file" in complaint("check", "--call", numbers(1)[0])


def test_a_second_round_has_no_use_for_columns() -> None:
    """
    It reads no file.
    """
    write('country = "IN"', 'column = "2"', 'keep = ["name"]', 'media = "x"')

    assert "no ledger at voicepush.db" in complaint(
        "send", "--from-campaign", "june", "--base-url", "http://127.0.0.1:1"
    )


@pytest.mark.slow
@pytest.mark.parametrize("key", KEYS.of_all)
def test_no_key_makes_a_second_round_or_a_check_wrong(key: str) -> None:
    """
    Whatever says how to read a list, or what to play to whom, is left out there.
    """
    write(f"{key} = {sample(KEYS.of_all[key])[0]}")

    second = say("send", "--from-campaign", "june", "--base-url", "http://127.0.0.1:1")
    checked = say("check", "--rate-up-to", "0", "--base-url", "http://127.0.0.1:1")

    assert "says how to read a file" not in second.err
    assert "of no use without --call" not in checked.err


def test_a_worker_has_no_use_for_a_rate() -> None:
    """
    It is the campaign's.
    """
    write("rate = 5")

    assert "needs a ledger in PostgreSQL" in complaint("worker")
    assert "rate" not in held("worker")
