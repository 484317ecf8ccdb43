"""
A file of settings with profiles: found, looked at whether it may be believed, and read.

What its keys mean is known to those who have the options.
"""

from __future__ import annotations

import difflib
import grp
import os
import pwd
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from voicepush.errors import InputError

#: What the file is called where nobody names it.
NAME = "voicepush.toml"

CONFIG_VARIABLE = "VOICEPUSH_CONFIG"
PROFILE_VARIABLE = "VOICEPUSH_PROFILE"

#: What stands at the top of a file, and is no setting: the profile that holds where
#: none is named, and the profiles.
DEFAULT_PROFILE = "profile"
PROFILES = "profiles"

#: No file of settings is longer, and a device that never ends must not be read for
#: ever.
_LONGEST = 1 << 20

_GROUP_WRITES, _OTHERS_WRITE = stat.S_IWGRP, stat.S_IWOTH


@attrs.frozen(kw_only=True)
class SettingsFile:
    """
    What stands in one file of settings.
    """

    #: As it was named, or found.
    path: Path
    #: Whether it was only found in the current folder, and named by nobody.
    was_found: bool
    #: Whether nobody else can read it.
    is_private: bool
    #: The profile that holds where none is named.
    default: str | None
    #: What holds for all profiles.
    top: Mapping[str, Any] = attrs.field(repr=False)
    profiles: Mapping[str, Mapping[str, Any]] = attrs.field(repr=False)

    @property
    def folder(self) -> Path:
        """
        From where its paths lead on.
        """
        return self.path.absolute().parent

    def chosen(self, name: str | None) -> str | None:
        """
        The profile that holds: the one of that *name*, else the file's default.

        Raises:
            InputError: There is none of that name.
        """
        name = name or self.default
        if name is not None and name not in self.profiles:
            known = ", ".join(self.profiles) or "none"
            raise InputError(
                f"{self.path} has no profile {name!r}{meant(name, self.profiles)}; "
                f"there are: {known}"
            )
        return name


def meant(name: str, known: Iterable[str]) -> str:
    """
    A question for which of *known* was meant by *name*, if it is like one of them.
    """
    alike = difflib.get_close_matches(name.replace("_", "-"), list(known), n=1)
    return f", did you mean {alike[0]!r}?" if alike else ""


def places(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """
    Where a file of settings is looked for: in the current folder, and in the user's.
    """
    folder = environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(folder):  # noqa: PTH117 -- a text
        folder = os.path.expanduser("~/.config")  # noqa: PTH111 -- no error where there is no home
    return [
        Path(NAME),
        *([Path(folder, "voicepush", NAME)] if folder[0] == "/" else []),
    ]


def read_settings_file(
    named: Path | None = None, environment: Mapping[str, str] = os.environ
) -> SettingsFile | None:
    """
    The file that was *named*, else the first that there is; None if there is none.

    Raises:
        InputError: It can't be read, is no TOML, or could be another's.
    """
    if named is not None:
        return _read(named, is_named=True)
    for path in places(environment):
        if os.path.lexists(path):
            return _read(path, was_found=not path.is_absolute())
    return None


def _read(
    path: Path, *, is_named: bool = False, was_found: bool = False
) -> SettingsFile:
    text, found = _text_of(path, is_named=is_named)
    top = _parsed(path, text)
    default, profiles = top.pop(DEFAULT_PROFILE, None), top.pop(PROFILES, {})
    if default is not None and not isinstance(default, str):
        raise InputError(f"{path}: {DEFAULT_PROFILE} must be the name of a profile")
    if not isinstance(profiles, dict):
        raise InputError(
            f"{path}: {PROFILES} must hold tables; write [{PROFILES}.NAME]"
        )
    for name, table in profiles.items():
        if not isinstance(table, dict):
            raise InputError(
                f"{path}: {PROFILES}.{name} must be a table; write [{PROFILES}.{name}]"
            )
    return SettingsFile(
        path=path,
        was_found=was_found,
        is_private=not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO),
        default=default,
        top=top,
        profiles=profiles,
    )


def _text_of(path: Path, *, is_named: bool) -> tuple[str, os.stat_result]:
    try:
        # A pipe in the place of a file that was only found would be waited for.
        wait = 0 if is_named else os.O_NONBLOCK
        with open(os.open(path, os.O_RDONLY | os.O_NOCTTY | wait), "rb") as file:  # noqa: PTH123 -- a descriptor
            found = os.fstat(file.fileno())
            _check_whose(path, found, is_named=is_named)
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    if len(content) > _LONGEST:
        raise InputError(f"{path} is too long for a file of settings")
    try:
        return content.decode().removeprefix("\ufeff"), found
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: it is no text in UTF-8") from error


def _check_whose(path: Path, found: os.stat_result, *, is_named: bool) -> None:
    """
    Refuse a file that someone else may have written.
    """
    if not stat.S_ISREG(found.st_mode):
        if is_named:
            return  # as /dev/null, or what another program writes into a pipe
        raise InputError(f"{path} is no plain file, so its settings are not taken")
    if not is_named and found.st_uid not in (os.geteuid(), 0):
        raise InputError(
            f"{path} belongs to another user, who could have your key sent elsewhere; "
            f"look at it, and if you want it name it with --config {path}"
        )
    writes = found.st_mode & (_GROUP_WRITES | _OTHERS_WRITE)
    if writes & _OTHERS_WRITE or (writes and not _is_of_one(found)):
        raise InputError(
            f"{path} can be written by others, who could have your key sent elsewhere; "
            f"chmod go-w {path}"
        )


def _is_of_one(found: os.stat_result) -> bool:
    """
    Whether its group is its owner's own, as many systems give each user one.
    """
    try:
        owner, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    is_own = owner.pw_gid == group.gr_gid and owner.pw_name == group.gr_name
    return is_own and set(group.gr_mem) <= {owner.pw_name}


def _parsed(path: Path, text: str) -> dict[str, Any]:
    # Not every command has a file to read.
    import tomllib  # noqa: PLC0415

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        last = text.rstrip("\n").count("\n") + 1
        why = str(error).replace("at end of document", f"at line {last}, the last")
        raise InputError(f"{path} is no TOML: {why}") from error
    except ValueError:  # which tomllib leaves to Python
        raise InputError(
            f"{path} is no file of settings: a number in it has too many digits"
        ) from None
    except RecursionError:
        raise InputError(
            f"{path} is no file of settings: it nests too deeply"
        ) from None
