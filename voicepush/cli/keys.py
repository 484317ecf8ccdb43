"""
Which options may be kept in a file of settings, and where they stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import get_args, get_origin

import attrs
from cyclopts import App, Argument

#: The secret itself, which is no option since it would show in `ps`.
SERVICE_KEY = "service-key"

#: The values that --cli may have.
ALLOWED_CLI = "allowed-cli"

#: What only the environment says.
REUSE = "reuse-connections"

#: What is said once, by whoever starts the command, and kept nowhere.
NEVER = frozenset(
    {
        "allow-unusable",
        "any-hour",
        "call",
        "campaign",
        "detach",
        "dry-run",
        "expired-call",
        "failed-over",
        "html",
        "json",
        "log-was-merged",
        "on-unknown",
        "process-is-gone",
        "rate-up-to",
        "rejects",
        "save",
        "seed",
        "show-numbers",
        "start-at",
        "stop-at",
        # Whom of an earlier campaign to call again.
        "from-campaign",
        "calls",
        "rounds",
        "after",
        # What one wants to see of something just now.
        "watch",
        "history",
    }
)

_LEDGER = "ledger"

#: The command whose options, as far as they may be kept, hold for all that have them.
_OF_ALL = "send"

#: Options of other commands that are the tenant's or the machine's, too.
_OF_ALL_BESIDES = {
    "answers-in": "worker",
    "secret-file": "receipts",
    "tenant-zone": "receipts",
}

#: The commands that take them. Another may change something by an option that is called
#: so: it takes the ledger only.
_TAKE_ALL = frozenset(
    {
        *("call", "check", "send", "resume", "worker", "poll", "receipts"),
        *("lookup", "suppress"),
    }
)

#: Commands that have a table of their own, for options that nobody else has, or that
#: mean something else there.
TABLES = (
    *("call", "check", "worker", "status"),
    *("receipts", "poll", "dashboard", "report"),
)

#: Where an option means something else than in other commands, or has to be another:
#: it is taken from that command's own table only.
OTHERWISE = frozenset(
    {
        ("call", "patience"),  # someone waits for this call
        ("poll", "after"),
        ("poll", "concurrency"),
        ("poll", "rate"),  # of questions, and not of calls
        ("receipts", "keep"),  # for how long, and not which columns
        ("suppress", "column"),
        ("suppress", "encoding"),
    }
)

#: What a command has and refuses: a worker takes the rates of campaigns.
REFUSED = frozenset({("worker", "rate")})

#: Commands that play with made-up numbers, and so need no settings of anyone.
PLAY = ("demo", "simulate")

#: Commands that are given nothing from a file.
READ_NOTHING = (*PLAY, "config")

#: A table in which some options may stand without the beginning of their names.
SHORTENED = "notify"

#: What `check --save` writes beside the settings.
CHECKED = "checked"


@attrs.frozen
class Key:
    """
    An option that may be kept in a file.
    """

    name: str
    is_list: bool = False
    is_flag: bool = False
    is_path: bool = False
    is_number: bool = False


def key_of(argument: Argument) -> Key:
    """
    What an option takes.
    """
    types = {*_parts(argument.hint)}
    name = argument.name.removeprefix("--")
    return Key(
        name,
        is_list=list in types,
        is_flag=bool in types,
        # A ledger may also be the address of a database.
        is_path=Path in types or name == _LEDGER,
        is_number=not types.isdisjoint((int, float)),
    )


def _parts(hint: object) -> Iterator[object]:
    origin, within = get_origin(hint), get_args(hint)
    yield origin or hint
    for each in within:
        yield from _parts(each)


def options_of(arguments: Iterable[Argument]) -> dict[str, Argument]:
    """
    The options among *arguments*, by their names without the hyphens.
    """
    return {
        each.name[2:]: each
        for each in arguments
        if each.name.startswith("--") and not each.children
    }


class Keys:
    """
    The keys that a file may hold, read from the commands of *root*.

    They are read where they are asked for first, since that takes a while.
    """

    def __init__(self, root: App) -> None:
        self.root = root
        self._tables: dict[str, dict[str, Key]] = {}

    @cached_property
    def of_all(self) -> Mapping[str, Key]:
        """
        Those that hold for all commands that have such an option.
        """
        found = self._options(_OF_ALL)
        for name in _OF_ALL_BESIDES:
            found[name] = self._options(self.owner(name))[name]
        return {name: found[name] for name in sorted(found) if name not in NEVER}

    def of(self, command: str) -> Mapping[str, Key]:
        """
        Those that the table of *command* may hold.
        """
        if command not in self._tables:
            self._tables[command] = {
                name: key
                for name, key in self._options(command).items()
                if (command, name) not in REFUSED
                and (name not in NEVER or (command, name) in OTHERWISE)
            }
        return self._tables[command]

    def own(self, command: str) -> Mapping[str, Key]:
        """
        Those that are taken from the table of *command* only.
        """
        return {
            name: key
            for name, key in self.of(command).items()
            if not self.is_of_all(command, name)
        }

    def is_of_all(self, command: str, name: str) -> bool:
        """
        Whether *command* takes its option *name* also from outside of its table.
        """
        is_taken = command in _TAKE_ALL or name == _LEDGER
        is_the_same = (command, name) not in OTHERWISE | REFUSED
        return name in self.of_all and is_taken and is_the_same

    def owner(self, name: str) -> str:
        """
        The command whose option *name* of all commands is.
        """
        return _OF_ALL_BESIDES.get(name, _OF_ALL)

    def owners(self, name: str) -> list[str]:
        """
        The commands in whose tables *name* may stand.
        """
        return [command for command in TABLES if name in self.own(command)]

    def _options(self, command: str) -> dict[str, Key]:
        # How they are told of does not matter, and takes time.
        arguments = self.root[command].assemble_argument_collection(
            parse_docstring=False
        )
        return {name: key_of(each) for name, each in options_of(arguments).items()}
