"""
A file of settings in the light of the options: what is wrong in it, and what holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any

import attrs

from voicepush.cli.keys import (
    ALLOWED_CLI,
    CHECKED,
    NEVER,
    SERVICE_KEY,
    SHORTENED,
    TABLES,
    Key,
    Keys,
)
from voicepush.errors import InputError
from voicepush.ledger import is_address
from voicepush.profiles import DEFAULT_PROFILE, PROFILES, SettingsFile, meant
from voicepush.settings import has_password

#: What is no option.
_BESIDES = {
    SERVICE_KEY: Key(SERVICE_KEY),
    ALLOWED_CLI: Key(ALLOWED_CLI, is_list=True),
}


@attrs.frozen
class Section:
    """
    A profile, or what stands at the top of the file.
    """

    #: Where it stands, in words.
    name: str
    #: By the option's name.
    values: Mapping[str, Any] = attrs.field(repr=False)
    #: The tables of commands, by the command's name.
    tables: Mapping[str, Mapping[str, Any]] = attrs.field(repr=False)


@attrs.frozen
class Layer:
    """
    What holds before the layers that follow.
    """

    #: Where it stands, in words.
    name: str
    values: Mapping[str, Any] = attrs.field(repr=False)


def sections_of(
    file: SettingsFile, profile: str | None, keys: Keys
) -> tuple[Section, ...]:
    """
    What holds of *file*: the profile, then the top.

    All of it is looked at, so that a slip is found where it was made.

    Raises:
        InputError: Something in it can't be; the text says where and what.
    """
    reader = _Reader(file, keys)
    top = reader.section("", str(file.path), file.top)
    profiles = {
        name: reader.section(
            f"{PROFILES}.{name}.", f"profile {name} of {file.path}", table
        )
        for name, table in file.profiles.items()
    }
    return (top,) if profile is None else (profiles[profile], top)


def layers_of(
    sections: tuple[Section, ...], command: str, keys: Keys, name: str
) -> Iterator[Layer]:
    """
    Where the option *name* of *command* may stand, the first that has it holds.
    """
    for section in sections:
        if command in section.tables:
            yield Layer(f"[{command}], {section.name}", section.tables[command])
        if keys.is_of_all(command, name) or name in _BESIDES:
            yield Layer(section.name, section.values)


@attrs.frozen
class _Reader:
    """
    Looks at one file.
    """

    _file: SettingsFile
    _keys: Keys

    def section(self, prefix: str, name: str, found: Mapping[str, Any]) -> Section:
        """
        What stands below *prefix*.
        """
        values: dict[str, Any] = {}
        tables: dict[str, Mapping[str, Any]] = {}
        known = {**self._keys.of_all, **_BESIDES}
        for key, value in found.items():
            where = prefix + key
            if key == CHECKED:
                continue  # what `check` has seen, and no setting
            if key == SHORTENED and isinstance(value, dict):
                for short, each in value.items():
                    self._put(
                        values, f"{SHORTENED}-{short}", each, f"{where}.{short}", known
                    )
            elif key in TABLES:
                tables[key] = self._table(key, value, where)
            else:
                self._put(values, key, value, where, known)
        return Section(name, values, tables)

    def _table(self, command: str, found: Any, where: str) -> Mapping[str, Any]:
        if not isinstance(found, dict):
            raise self._wrong(where, f"must be a table; write [{where}]")
        values: dict[str, Any] = {}
        for key, value in found.items():
            self._put(
                values, key, value, f"{where}.{key}", self._keys.of(command), command
            )
        return values

    def _put(
        self,
        values: dict[str, Any],
        name: str,
        value: Any,
        where: str,
        known: Mapping[str, Key],
        command: str | None = None,
    ) -> None:
        key = known.get(name)
        if key is None:
            raise self._wrong(where, self._why_not(name, known, command))
        if name in values:
            raise self._wrong(where, "stands there twice")
        self._check(key, value, where)
        values[name] = value

    def _why_not(self, name: str, known: Mapping[str, Key], command: str | None) -> str:
        if name in (DEFAULT_PROFILE, PROFILES):
            return "belongs to the top of the file, before the first [table]"
        if name in NEVER:
            return f"can't be kept in a file: --{name} is said each time"
        if command is None and (owners := self._keys.owners(name)):
            tables = " or ".join(f"[{each}]" for each in owners)
            return f"belongs into the table of a command: {tables}"
        return f"is no key{meant(name, [*known, *([] if command else TABLES)])}"

    def _check(self, key: Key, value: Any, where: str) -> None:
        """
        Refuse a value of another kind than the option takes.
        """
        if key.is_list:
            each = value if isinstance(value, list) else [value]
            if not all(map(_is_plain, each)):
                raise self._wrong(where, 'must be a list of texts, as ["…", "…"]')
        elif key.is_flag:
            if not isinstance(value, bool):
                raise self._wrong(where, "must be true or false")
        elif not _is_plain(value):
            what = {list: "a list", dict: "a table", bool: "true or false"}
            raise self._wrong(where, f"takes one value, and not {what[type(value)]}")
        if not self._file.is_private and _is_secret(key.name, value):
            raise self._wrong(
                where,
                f"is a secret, which others can read: chmod 600 {self._file.path}",
            )

    def _wrong(self, where: str, why: str) -> InputError:
        return InputError(f"{self._file.path}: {where} {why}")


def _is_plain(value: object) -> bool:
    """
    Whether it can be typed.
    """
    is_time = isinstance(value, (datetime, date, time))
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, str) or is_number or is_time


def _is_secret(name: str, value: object) -> bool:
    """
    Whether no one else may read that.
    """
    if name != "ledger":
        return name in (SERVICE_KEY, "notify-webhook")
    try:
        return isinstance(value, str) and is_address(value) and has_password(value)
    except ValueError:
        return False  # it is no address, which is told where it is opened
