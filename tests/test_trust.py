"""
A file of settings that was only found, in a folder that may have come from elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import KEY
from mishaps import say

pytestmark = pytest.mark.usefixtures("in_a_folder")

FILE = Path("voicepush.toml")
FOREIGN = 'base-url = "https://api.imiconnect.io.example.org"'


def write(*lines: str) -> None:
    """
    A file of settings in the current folder.
    """
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    FILE.chmod(0o600)


def refusal(*options: str) -> str | None:
    """
    Why the file is not taken by a command that would send; None if it is.
    """
    said = say(*options, "config", "resume", "june")
    assert said.code in (0, 2)
    assert said.code == 0 or said.complaint.startswith(
        "voicepush: voicepush.toml names"
    )
    return said.complaint if said.code else None


def test_a_key_is_not_sent_where_a_found_file_says() -> None:
    """
    One line says what would go where, and what to do.
    """
    write(FOREIGN)

    found = refusal()

    assert found is not None
    assert "the key from VOICEPUSH_SERVICE_KEY would go (base-url)" in found
    assert "--config voicepush.toml (or VOICEPUSH_CONFIG)" in found


def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The environment names the file.
    """
    monkeypatch.setenv("VOICEPUSH_CONFIG", str(FILE))


def of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is the user's own.
    """
    del monkeypatch
    Path("config/voicepush").mkdir(parents=True)
    FILE.rename(Path("config/voicepush/voicepush.toml"))


def without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    There is no key that could be sent.
    """
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")


def with_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The environment says where to send.
    """
    monkeypatch.setenv("VOICEPUSH_BASE_URL", "https://proxy.example.org")


@pytest.mark.parametrize("how", [named, of_the_user, without_a_key, with_an_address])
def test_what_its_owner_has_said_is_done(
    how: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A file that is named is trusted, and so is an address that is not the file's.
    """
    write(FOREIGN)
    how(monkeypatch)

    assert refusal() is None


@pytest.mark.parametrize(
    ("address", "is_harmless"),
    [
        ("https://api.imiconnect.io", True),
        ("https://API-US.imiconnect.IO/", True),
        ("https://api.imiconnect.in", True),
        ("https://api.us1.webexconnect.io", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("no address", True),  # which is refused all the same
        ("http://api.imiconnect.io", False),
        ("https://imiconnect.io.example.org", False),
        ("https://notimiconnect.io", False),
        ("https://api.imiconnect.io@example.org", False),
        ("https://example.org/api.imiconnect.io", False),
        ("https://10.0.0.1", False),
    ],
)
def test_a_key_may_go_to_the_vendor_and_to_this_machine(
    address: str, *, is_harmless: bool
) -> None:
    """
    The vendor knows every key.
    """
    write(f'base-url = "{address}"')

    assert is_harmless is (refusal() is None)


def test_a_key_of_the_file_itself_may_go_where_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Also from a file beside it, but from no other folder, whatever leads there.
    """
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")
    elsewhere = Path("elsewhere")
    elsewhere.mkdir()
    (elsewhere / "key").write_text(KEY)
    work = Path("work")
    work.mkdir()
    monkeypatch.chdir(work)
    Path("key").write_text(KEY)
    Path("link").symlink_to("../elsewhere/key")

    trusted = {}
    for line in (
        'service-key = "k"',
        'key-file = "key"',
        'key-file = "../elsewhere/key"',
        'key-file = "link"',
        f'key-file = "{os.path.abspath("../elsewhere/key")}"',  # noqa: PTH100 -- a text
    ):
        write(FOREIGN, line)
        trusted[line] = refusal() is None
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY_FILE", "key")

    assert [True, True, False, False, False] == [*trusted.values()]
    assert refusal() is not None


def test_no_program_of_a_found_file_is_run() -> None:
    """
    Unless the file is named.
    """
    write('notify-command = "touch ran"')

    found = refusal()

    assert found is not None
    assert "a program to run (notify-command)" in found
    assert refusal("--config", str(FILE)) is None
    assert say("status").complaint.endswith("name it with --ledger")


@pytest.mark.parametrize(
    ("ledger", "is_near"),
    [
        ("june.db", True),
        ("postgresql:///calls", True),
        ("postgresql://me@127.0.0.1/calls", True),
        ("postgresql://me@127.0.0.1:5432/calls?schema=june", True),
        ("postgresql://localhost/calls", True),
        ("postgresql://me@db.example.org/calls", False),
        ("postgresql://me@127.0.0.1,db.example.org/calls", False),
        ("postgresql:///calls?host=db.example.org", False),
        ("postgresql:///calls?hostaddr=10.0.0.1", False),
        ("postgresql:///calls?service=theirs", False),
    ],
)
def test_no_database_elsewhere_is_asked(ledger: str, *, is_near: bool) -> None:
    """
    It would get the numbers, and a password from the environment.
    """
    write(f'ledger = "{ledger}"')

    assert is_near is (refusal() is None)
    assert refusal("--config", str(FILE)) is None


def test_the_whole_picture_tells_of_a_refusal() -> None:
    """
    `config` shows what there is, and that it would not be taken.
    """
    write(FOREIGN)

    said = say("config")

    assert 0 == said.code
    assert "https://api.imiconnect.io.example.org" in said.out
    assert said.err.startswith("refused: voicepush.toml names the address")
