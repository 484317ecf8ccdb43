"""
The command that shows what is in force, and from where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit, urlunsplit

import attrs
from cyclopts import Argument, MissingArgumentError, Parameter

from voicepush.cli.configured import InForce, in_force
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.held import Held, Place
from voicepush.cli.keys import (
    ALLOWED_CLI,
    REUSE,
    SERVICE_KEY,
    TABLES,
    Key,
    key_of,
    options_of,
)
from voicepush.cli.options import Json
from voicepush.cli.terminal import say, tell, tell_json
from voicepush.cli.trust import check_trust
from voicepush.errors import InputError
from voicepush.ledger import is_address
from voicepush.masking import mask, mask_numbers, shown

_HIDDEN = "(hidden)"


@attrs.frozen
class Row:
    """
    One value, as it is shown.
    """

    #: The command for which it holds; all that have the option without one.
    command: str | None
    option: str
    value: object
    place: Place
    where: str

    @property
    def name(self) -> str:
        """
        The option, with its command where only that has it.
        """
        return self.option if self.command is None else f"{self.command} {self.option}"

    @property
    def text(self) -> str:
        """
        The value in words.
        """
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        if isinstance(self.value, list):
            return ", ".join(map(str, self.value)) or "none"
        return str(self.value)

    def as_object(self) -> dict[str, object]:
        """
        The same for JSON.
        """
        return {
            "command": self.command,
            "option": self.option,
            "value": self.value,
            "from": str(self.place),
            "where": self.where or None,
        }


def config(
    *command: Annotated[str, Parameter(allow_leading_hyphen=True)],
    ledger: Annotated[str | None, Parameter(show=False)] = None,
    json: Json = False,
) -> int:
    """
    Show what is in force, and from where: argument, environment, file or default.

    Parameters
    ----------
    command
        A command with its arguments, as send june.csv --rate 80: show what would hold
        for it, and do nothing.
    ledger
        As for other commands.
    json
        Print one JSON object.
    """
    now = in_force()
    assert now is not None  # noqa: S101 -- it is a command
    now.tells = False
    if command:
        named = () if ledger is None else ("--ledger", ledger)
        rows = [*_of_command(now, (*command, *named))]
    else:
        rows = [*_of_all(now, ledger)]
    if json:
        tell_json(
            {
                "file": now.file and str(now.file.path),
                "file_from": now.file_from,
                "profile": now.profile,
                "profile_from": now.profile_from,
                "values": [row.as_object() for row in rows],
            }
        )
    else:
        tell("\n".join(_lines(now, rows)))
    return EVERYONE_ACCEPTED


def _lines(now: InForce, rows: list[Row]) -> Iterator[str]:
    yield _head(now)
    names = max((len(row.name) for row in rows), default=0) + 2
    texts = max((len(row.text) for row in rows), default=0) + 2
    for row in rows:
        whence = row.where or row.place
        yield shown(f"{row.name:{names}}{row.text:{min(texts, 40)}}  {whence}").rstrip()


def _head(now: InForce) -> str:
    """
    Which file holds, which profile of it, and who has said so.
    """
    if now.file is None:
        return "no file of settings"
    file = f"{now.file.path} ({now.file_from or 'found'})"
    if now.profile is not None:
        return f"{file}, profile {now.profile} ({now.profile_from or 'by the file'})"
    known = ", ".join(now.file.profiles)
    return f"{file}, no profile of {known}" if known else file


def _of_command(now: InForce, command: tuple[str, ...]) -> Iterator[Row]:
    """
    What holds for one command with its arguments.
    """
    # Nothing is done, so nothing is needed.
    root = now.keys.root
    with suppress(MissingArgumentError):
        root.parse_args(command)
    (name, *_), apps, _ = root.parse_commands(command)
    known = {*now.values, *now.keys.of_all}
    known |= {*now.keys.own(name)} if name in TABLES else set()
    options = options_of(apps[-1].assemble_argument_collection())
    yield from _rows(
        None, now.values, {each: options[each] for each in known & {*options}}
    )


def _of_all(now: InForce, ledger: str | None) -> Iterator[Row]:
    """
    What holds for all commands, and what only for one.
    """
    options, values = {}, {}
    for command in ("send", *TABLES):
        arguments = now.keys.root[command].assemble_argument_collection()
        options[command] = options_of(arguments)
        values[command] = now.find(command, options[command])
        if ledger is not None:
            values[command]["ledger"] = Held([ledger], Place.ARGUMENT)
    if now.file is not None:
        try:
            check_trust(now.file, values["send"])
        except InputError as error:
            say(f"refused: {error}")
    found = dict(values["send"])
    for name in now.keys.of_all:
        owner = now.keys.owner(name)
        if name in values[owner]:
            found[name] = values[owner][name]
    kept = {name: options[now.keys.owner(name)][name] for name in now.keys.of_all}
    yield from _rows(None, found, kept)
    for command in TABLES:
        own = {
            name: each
            for name, each in options[command].items()
            if name in now.keys.own(command)
            or values[command].get(name, found.get(name)) != found.get(name)
        }
        yield from _rows(command, values[command], own)


def _rows(
    command: str | None, values: Mapping[str, Held], options: Mapping[str, Argument]
) -> Iterator[Row]:
    besides = (
        [] if command else [n for n in (SERVICE_KEY, ALLOWED_CLI, REUSE) if n in values]
    )
    for name in sorted([*options, *besides]):
        option = options.get(name)
        held = values.get(name)
        if held is not None:
            is_list = name == ALLOWED_CLI
            key = Key(name, is_list=is_list) if option is None else key_of(option)
            yield Row(command, name, _value(key, held), held.place, held.where)
        elif option is not None and option.field_info.default not in (
            None,
            option.field_info.empty,
        ):
            yield Row(command, name, option.field_info.default, Place.DEFAULT, "")


def _value(key: Key, held: Held) -> object:
    """
    What may be shown of a value.
    """
    if isinstance(held.texts, bool):
        return held.texts
    texts = [_shown(key.name, text) for text in held] or [_HIDDEN]
    if key.is_list:
        return texts
    return _number(texts[0]) if key.is_number else texts[0]


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _shown(name: str, text: str) -> str:
    if name == SERVICE_KEY:
        return _HIDDEN
    if name in ("cli", ALLOWED_CLI, "callback-data"):
        return mask(text)
    if name == "notify-command":
        program, _, rest = text.partition(" ")
        return f"{program} …" if rest else program
    if "://" in text or is_address(text):
        return _without_secrets(text, whole=name != "notify-webhook")
    return mask_numbers(text)


def _without_secrets(address: str, *, whole: bool) -> str:
    """
    An address without what may be secret in it.
    """
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return _HIDDEN
    user = parts.username and f"{parts.username}@"
    path = parts.path if whole else ("/…" if parts.path.strip("/") else parts.path)
    query = "…" if parts.query else ""
    return urlunsplit((parts.scheme, f"{user or ''}{host}", path, query, ""))
