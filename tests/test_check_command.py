"""
``voicepush check``, run as its users run it.
"""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest
from conftest import KEY, Serve
from mishaps import say
from servers import Tls, in_thread

pytestmark = pytest.mark.usefixtures("in_a_folder")


def test_it_tells_each_finding_in_a_line(serve: Serve) -> None:
    """
    Nothing is no, so it ends well, and nobody was rung.
    """
    simulator = serve()

    said = say("check", "--base-url", simulator.url)

    lines = said.out.splitlines()
    assert (0, "") == (said.code, said.err)
    assert lines[0].startswith(f"{simulator.url}, checked at 20")
    assert {"yes", "unknown"} == {line.split()[0] for line in lines[1:-1]}
    assert ", 0 no, " in lines[-1]
    assert KEY not in said.out
    assert 0 == simulator.rung
    assert [] == [*Path().iterdir()]


def test_what_differs_is_told_for_a_report(serve: Serve) -> None:
    """
    Then something is no, and the exit status says so.
    """
    simulator = serve(answer="list")

    said = say("check", "--base-url", simulator.url)

    report = said.out.partition("for a report:\n")[2].splitlines()
    assert 1 == said.code
    assert 1 == len(report)
    assert report[0].startswith("- answer: answers are JSON without `response`, a list")


def test_as_json_and_as_a_file(serve: Serve) -> None:
    """
    Both hold the same findings; the file is its owner's only, and has no key.
    """
    simulator = serve()

    said = say("check", "--base-url", simulator.url, "--json", "--save", "t.toml")

    shown = json.loads(said.out)
    profile = tomllib.loads(Path("t.toml").read_text())["profiles"]["t"]
    kept = profile["checked"]
    assert 0 == said.code
    assert shown["findings"] == kept["findings"]
    assert simulator.url == shown["base_url"] == profile["base-url"]
    assert {"yes", "no", "unknown"} == shown.keys() & {"yes", "no", "unknown"}
    assert len(shown["findings"]) == shown["yes"] + shown["no"] + shown["unknown"]
    assert kept["refuses_everything"] is shown["refuses_everything"] is False
    assert 0o600 == stat.S_IMODE(Path("t.toml").stat().st_mode)
    assert KEY not in Path("t.toml").read_text()


def test_what_is_kept_is_a_profile(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The next command takes it as it stands, with the file of the key, from any folder;
    so does a file with other profiles into which it was copied.
    """
    simulator = serve()
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")
    Path("key").write_text(KEY)
    options = ["--base-url", simulator.url, "--key-file", "key"]
    assert 0 == say("check", *options, "--save", "the tenant's.toml").code
    saved = Path("the tenant's.toml").absolute()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    call = ("call", "+999000000001", "--media", "x")

    of_the_file = say(*call, "--config", str(saved))
    lines = saved.read_text().replace("profile =", "#")
    Path("voicepush.toml").write_text(f"{lines}\n[profiles.other]\nrate = 5\n")
    of_a_copy = say(*call, "--profile", "the tenant's")
    checked = say("check", "--profile", "the tenant's", "--save", str(saved))

    assert [0, 0, 0] == [of_the_file.code, of_a_copy.code, checked.code]
    assert f"settings: profile the tenant's of {saved}" in of_the_file.err
    assert 2 == len(simulator.calls) or 2 == simulator.calls["+999000000001"]


def test_a_service_that_refuses_everything(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A wrong key has an exit status of its own.
    """
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", "another")

    said = say("check", "--base-url", serve().url)

    assert 3 == said.code
    assert "the key is refused" in said.out


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """
    So it is here, since nothing is ever sent there.
    """
    with in_thread(Tls(folder=tmp_path)) as server:
        said = say("check", "--base-url", server.url)

    assert 3 == said.code
    assert "the certificate is not trusted: self-signed" in said.out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--rate-up-to", "0"], "--rate-up-to must be from 1"),
        (["--answer-within", "soon"], "--answer-within soon is no duration"),
        (["--base-url", "http://example.org"], "must begin with https://"),
        (["--key-file", "key", "--save", "key"], "would be lost"),
        (["--save", "changed.toml"], "changed.toml holds rate, which would be lost"),
        (["--save", "two.toml"], "two.toml holds other, which would be lost"),
        (["--save", "list.csv"], "list.csv holds what is no file of settings"),
    ],
)
def test_wrong_usage(words: list[str], complaint: str) -> None:
    """
    With exit status 2, and nothing is asked.
    """
    Path("key").write_text(KEY)
    Path("changed.toml").write_text("[profiles.changed]\nbase-url = 'x'\nrate = 5\n")
    Path("two.toml").write_text("[profiles.two]\n[profiles.other]\n")
    Path("list.csv").write_text("+999000000001\n")
    base = [] if "--base-url" in words else ["--base-url", "http://127.0.0.1:9"]

    said = say("check", *base, *words)

    assert 2 == said.code
    assert complaint in said.complaint
    assert KEY == Path("key").read_text()
