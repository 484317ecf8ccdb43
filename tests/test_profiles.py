"""
A file of settings: where it is found, whether it is believed, and what is wrong in it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush import InputError, profiles
from voicepush.profiles import NAME, meant, places, read_settings_file

pytestmark = pytest.mark.usefixtures("in_a_folder")


def write(text: str, name: str = NAME, mode: int = 0o644) -> Path:
    """
    A file of settings in the current folder.
    """
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def refused(path: Path | None = None) -> str:
    """
    Why the file is not taken.
    """
    with pytest.raises(InputError) as caught:
        read_settings_file(path)
    return str(caught.value)


def test_no_file_is_fine() -> None:
    """
    Most have none.
    """
    assert read_settings_file() is None


def test_the_folder_goes_before_the_users_own() -> None:
    """
    Only one of them is read.
    """
    own = Path("config/voicepush")
    own.mkdir(parents=True)
    write("rate = 1", str(own / NAME))

    users = read_settings_file()
    write("rate = 2")
    ours = read_settings_file()

    assert users is not None
    assert ({"rate": 1}, False) == (users.top, users.was_found)
    assert ours is not None
    assert ({"rate": 2}, True) == (ours.top, ours.was_found)
    assert Path.cwd() == ours.folder


@pytest.mark.parametrize(
    ("environment", "second"),
    [
        ({"XDG_CONFIG_HOME": "/etc/xdg"}, ["/etc/xdg/voicepush/voicepush.toml"]),
        (
            {"XDG_CONFIG_HOME": "not/absolute"},
            ["/home/of/someone/.config/voicepush/voicepush.toml"],
        ),
        ({}, ["/home/of/someone/.config/voicepush/voicepush.toml"]),
    ],
)
def test_where_the_users_own_is(
    environment: dict[str, str], second: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Where the XDG specification says; a relative folder is none.
    """
    monkeypatch.setenv("HOME", "/home/of/someone")

    assert [NAME, *second] == [str(path) for path in places(environment)]


def test_without_a_home_only_the_folder_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    As for some services.
    """
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)

    assert [Path(NAME)] == places({})


def test_a_file_that_is_named_must_be_there() -> None:
    """
    What is named is meant.
    """
    assert "other.toml can't be read: No such file" in refused(Path("other.toml"))
    assert ". can't be read: Is a directory" in refused(Path())


def test_a_link_that_leads_nowhere_is_told_of() -> None:
    """
    Someone has meant it to be there.
    """
    Path(NAME).symlink_to("gone.toml")

    assert f"{NAME} can't be read" in refused()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = 1\nrate = ", "Invalid value (at line 2, the last)"),
        ("rate = x", "Invalid value (at line 1, column 8)"),
        ("rate = 80\nrate = 90", "Cannot overwrite a value (at"),
        ("a = 1\n[profiles.june\n", "line 2"),
        pytest.param(f"a = {'[' * 5_000}", "nests too deeply", id="deep"),
        pytest.param(f"a = {'9' * 5_000}", "has too many digits", id="digits"),
        ("profile = 1", "profile must be the name of a profile"),
        ("profiles = 1", "must hold tables; write [profiles.NAME]"),
        ("[profiles]\njune = 1", "profiles.june must be a table"),
    ],
)
def test_bad_toml_is_told_with_its_line(text: str, why: str) -> None:
    """
    And with the file.
    """
    write(text)

    assert why in refused()
    assert refused().startswith(NAME)


def test_what_is_no_text_is_told_with_its_line() -> None:
    """
    An editor has written another encoding.
    """
    Path(NAME).write_bytes(b"rate = 1\n# caf\xe9\n")
    Path(NAME).chmod(0o600)

    assert f"{NAME}, line 2: it is no text in UTF-8" == refused()


def test_a_mark_at_the_beginning_is_no_text() -> None:
    """
    As some editors write it.
    """
    Path(NAME).write_bytes(b"\xef\xbb\xbfrate = 1")
    Path(NAME).chmod(0o600)
    found = read_settings_file()

    assert found is not None
    assert {"rate": 1} == found.top


def test_a_file_without_an_end_is_not_read_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    A bound on what is read.
    """
    monkeypatch.setattr(profiles, "_LONGEST", 10)
    write("# long enough")

    assert "too long" in refused()
    assert "too long" in refused(Path("/dev/zero"))


def test_a_device_that_is_named_is_read() -> None:
    """
    /dev/null is how one says that there are no settings.
    """
    found = read_settings_file(Path(os.devnull))

    assert found is not None
    assert ({}, {}) == (found.top, found.profiles)


def test_a_pipe_that_was_only_found_is_not_waited_for() -> None:
    """
    One that is named, such as <(program), is.
    """
    os.mkfifo(NAME)

    assert "no plain file" in refused()

    reading, writing = os.pipe()
    os.write(writing, b"rate = 5")
    os.close(writing)
    found = read_settings_file(Path(f"/dev/fd/{reading}"))
    os.close(reading)

    assert found is not None
    assert {"rate": 5} == found.top
    assert found.is_private


@given(mode=st.integers(0, 0o777).map(lambda mode: mode | stat.S_IRUSR))
def test_only_its_owner_may_have_written_it(mode: int) -> None:
    """
    Whatever its mode: nobody else may write, and it is private where none else can
    do anything.
    """
    write("rate = 1", mode=0o600)
    os.chown(NAME, -1, os.getgid())
    Path(NAME).chmod(mode)
    try:
        found = read_settings_file()
    except InputError as error:
        assert mode & 0o022
        assert "chmod go-w" in str(error)  # noqa: PT017
    else:
        assert found is not None
        assert not mode & 0o002
        assert found.is_private is (not mode & 0o077)


@pytest.mark.parametrize(
    ("group", "members", "is_own"),
    [
        ("someone", [], True),
        ("someone", ["someone"], True),
        ("someone", ["someone", "other"], False),
        ("staff", [], False),
    ],
)
def test_a_group_of_ones_own_is_nobody_else(
    group: str, members: list[str], *, is_own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Many systems give each user such a group, and let files be written by it.
    """

    class Of:
        """
        An entry of one of the databases.
        """

        def __init__(self, **values: Any) -> None:
            self.__dict__.update(values)

    monkeypatch.setattr("pwd.getpwuid", lambda _: Of(pw_name="someone", pw_gid=7))
    monkeypatch.setattr(
        "grp.getgrgid",
        lambda _: Of(gr_name=group, gr_gid=7, gr_mem=members),
    )
    write("rate = 1", mode=0o664)

    if is_own:
        assert read_settings_file() is not None
    else:
        assert "can be written by others" in refused()


def test_an_unknown_group_is_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As in a container without a database of users.
    """

    def unknown(_: int) -> object:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    write("rate = 1", mode=0o664)

    assert "can be written by others" in refused()


def test_a_file_of_another_user_has_to_be_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    It lies in a folder that all can write to, or came with the folder.
    """
    write("rate = 1")
    monkeypatch.setattr(os, "geteuid", lambda: Path(NAME).stat().st_uid + 1)
    is_roots = Path(NAME).stat().st_uid == 0
    if is_roots:  # root is believed, so let it belong to someone else
        os.chown(NAME, 12_345, -1)

    assert "belongs to another user" in refused()
    assert read_settings_file(Path(NAME)) is not None


def test_an_unknown_profile_is_told_with_those_there_are() -> None:
    """
    Also where the file itself names it.
    """
    write("[profiles.june]\n[profiles.july]\n")
    found = read_settings_file()

    assert found is not None
    assert found.chosen(None) is None
    assert "june" == found.chosen("june")
    with pytest.raises(InputError, match=r"'jun', did you mean 'june'\?; .*june, july"):
        found.chosen("jun")

    write('profile = "x"')
    found = read_settings_file()

    assert found is not None
    with pytest.raises(InputError, match="no profile 'x'; there are: none"):
        found.chosen(None)


def test_what_was_meant_is_asked_only_where_it_is_alike() -> None:
    """
    A wrong guess helps nobody.
    """
    assert ", did you mean 'base-url'?" == meant("base_url", ["base-url", "rate"])
    assert "" == meant("xyz", ["base-url", "rate"])
