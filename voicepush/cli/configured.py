"""
What a file of settings gives to the command that runs.

It stands below what is typed, and below the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from itertools import product
from pathlib import Path

import attrs
from cyclopts import App, Argument, ArgumentCollection

from voicepush.cli.held import Held, Place, give, is_told_of, texts_of, typed
from voicepush.cli.keys import (
    ALLOWED_CLI,
    PLAY,
    READ_NOTHING,
    REUSE,
    SERVICE_KEY,
    Key,
    Keys,
    key_of,
    options_of,
)
from voicepush.cli.listening import (
    HUB_SECRET_VARIABLE,
    OPT_OUT_VARIABLE,
    PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
)
from voicepush.cli.settings_file import Section, layers_of, sections_of
from voicepush.cli.terminal import say
from voicepush.cli.trust import check_trust
from voicepush.environment import REUSE_VARIABLE, SECRET_VARIABLE
from voicepush.errors import InputError
from voicepush.masking import mask
from voicepush.profiles import (
    CONFIG_VARIABLE,
    NAME,
    PROFILE_VARIABLE,
    SettingsFile,
    read_settings_file,
)
from voicepush.settings import KEY_VARIABLE

#: Only one of each pair holds: the one that stands first by its layer.
_EITHER = (
    ("media", "callflow"),
    ("media-column", "callflow-column"),
    ("media-map", "callflow-column"),
    ("callflow-map", "media-column"),
    ("zone", "zone-column"),
    ("key-file", SERVICE_KEY),
    # What makes tokens stands in place of a key.
    *product(("key-file", SERVICE_KEY), ("service-id", "service-secret-file")),
)

#: The variables that hold what these would be read for.
SECRETS = {
    SERVICE_KEY: KEY_VARIABLE,
    "service-secret-file": SECRET_VARIABLE,
    "secret-file": HUB_SECRET_VARIABLE,
    "basic-password-file": PASSWORD_VARIABLE,
    "dashboard-token-file": TOKEN_VARIABLE,
    "opt-out-token-file": OPT_OUT_VARIABLE,
    "token-file": TOKEN_VARIABLE,
}

#: What a command has no use for, or refuses, unless another option is there …
_ONLY_WITH = {
    ("check", name): "call"
    for name in ("media", "callflow", "cli", "receipts", "secret-file")
}

#: … or where it is.
_NOT_WITH = {
    **{
        ("send", name): "from-campaign"
        for name in (
            *("column", "keep", "encoding", "country", "international"),
            "consent-column",
        )
    },
    **{
        ("send", name): "any-hour"
        for name in ("window", "not-on", "zone", "zone-column")
    },
}


@attrs.define
class InForce:
    """
    What is in force while a command runs.
    """

    #: What a file may hold.
    keys: Keys
    #: The file, and the profile, that its owner has named.
    named: Path | None
    wanted: str | None
    #: Of the command that runs, by the option's name.
    values: dict[str, Held] = attrs.field(factory=dict, repr=False)
    #: Whether it is said which file is used.
    tells: bool = True

    @property
    def file_from(self) -> str | None:
        """
        Where the file is named, if it is.
        """
        return _named_by(self.named, CONFIG_VARIABLE)

    @property
    def profile_from(self) -> str | None:
        """
        Where the profile is named, if it is.
        """
        return _named_by(self.wanted, PROFILE_VARIABLE)

    @cached_property
    def file(self) -> SettingsFile | None:
        """
        The file of settings, if there is one.
        """
        found = read_settings_file(self.named)
        if found is None and self.wanted is not None:
            raise InputError(
                f"there is no file with a profile {self.wanted!r}; write {NAME} in "
                "this folder or in ~/.config/voicepush, or name one with --config"
            )
        return found

    @cached_property
    def profile(self) -> str | None:
        """
        The profile that holds, if there is one.
        """
        return None if self.file is None else self.file.chosen(self.wanted)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """
        What the file holds, the profile first.
        """
        return sections_of(self.file, self.profile, self.keys) if self.file else ()

    def fill(self, command: str, arguments: ArgumentCollection) -> None:
        """
        Give those options of *command* their values that are neither typed nor in the
        environment.
        """
        options = options_of(arguments)
        self.values = self.find(command, options)
        for name, held in self.values.items():
            if held.is_kept and name in options:
                give(options[name], held)
        if self.file is not None:
            check_trust(self.file, self.values)
        if "cli" in self.values and ALLOWED_CLI in self.values:
            _check_cli(self.values["cli"], self.values[ALLOWED_CLI])
        if self.tells and self.said and "base-url" in options:
            say(f"settings: {self.said}")

    @property
    def said(self) -> str | None:
        """
        Where what holds now is from, in words, if any of it is from a file.
        """
        is_used = any(held.is_kept for held in self.values.values())
        return self.sections[0].name if is_used else None

    def find(self, command: str, options: Mapping[str, Argument]) -> dict[str, Held]:
        """
        What is said of the *options* of *command*, and what belongs to them.
        """
        said = {
            name: held
            for name, option in options.items()
            if (held := typed(option)) is not None
        }
        found = dict(said)
        besides = {"key-file": SERVICE_KEY, "cli": ALLOWED_CLI}
        for name in [
            *options,
            *(each for of, each in besides.items() if of in options),
        ]:
            if name not in said and self._is_wanted(command, name, options):
                key = key_of(options[name]) if name in options else Key(name)
                held = self._held(command, key, said)
                if held is not None:
                    found[name] = held
        if "base-url" in options and REUSE_VARIABLE in os.environ:
            texts = [os.environ[REUSE_VARIABLE]]
            found[REUSE] = Held(texts, Place.ENVIRONMENT, REUSE_VARIABLE)
        return found

    def _is_wanted(
        self, command: str, name: str, options: Mapping[str, Argument]
    ) -> bool:
        needed = options.get(_ONLY_WITH.get((command, name), ""))
        if needed is not None and not needed.tokens:
            return False
        ruled_out = options.get(_NOT_WITH.get((command, name), ""))
        return ruled_out is None or not ruled_out.tokens

    def _held(self, command: str, key: Key, said: Mapping[str, Held]) -> Held | None:
        """
        What a variable with the secret, or the file, says of an option.
        """
        name = key.name
        others = _others(name)
        if any(each in said or _variable_of(each) for each in others):
            return None
        if (variable := _variable_of(name)) is not None:
            return Held((), Place.ENVIRONMENT, variable)
        for layer in layers_of(self.sections, command, self.keys, name):
            rivals = sorted(others & layer.values.keys())
            if name in layer.values:
                if rivals:
                    raise InputError(
                        f"{layer.name}: only one of {name} and {rivals[0]} can hold"
                    )
                folder = self.file.folder if self.file else Path()
                texts = texts_of(key, layer.values[name], folder)
                return Held(texts, Place.FILE, layer.name)
            if rivals:
                return None
        return None

    def paths(self) -> Iterator[tuple[str, Path]]:
        """
        The files that are named in the file, each in words and as a path.
        """
        folder = self.file.folder if self.file else Path()
        for section in self.sections:
            tables = [(self.keys.of_all, section.values)]
            tables += [
                (self.keys.of(name), section.tables[name]) for name in section.tables
            ]
            for known, values in tables:
                for name in values:
                    key = known.get(name, Key(name))
                    texts = texts_of(key, values[name], folder) if key.is_path else ()
                    for text in texts if not isinstance(texts, bool) else ():
                        yield f"the {name} of {section.name}", Path(text)

    def explain(self, error: InputError) -> None:
        """
        Let *error* say where a value came from that nobody typed.
        """
        text = str(error)
        places = [
            f"--{name}: {held.where}"
            for name, held in self.values.items()
            if held.is_kept and is_told_of(name, held, text)
        ]
        if places:
            error.args = (f"{text} ({'; '.join(places)})", *error.args[1:])


def _others(name: str) -> set[str]:
    """
    What can't hold beside the option *name*.
    """
    pairs = [set(pair) for pair in _EITHER if name in pair]
    return set().union(*pairs) - {name}


def _variable_of(name: str) -> str | None:
    """
    The variable that holds the secret which *name* would lead to, if it is set.
    """
    variable = SECRETS.get(name)
    return variable if variable is not None and os.environ.get(variable) else None


def _named_by(named: object, variable: str) -> str | None:
    if named is None:
        return None
    is_in_variable = os.environ.get(variable) == str(named)
    return variable if is_in_variable else str(Place.ARGUMENT)


def _check_cli(cli: Held, allowed: Held) -> None:
    """
    Refuse a caller's number that is not among those that are allowed.
    """
    for number in cli:
        if number not in allowed:
            known = ", ".join(map(mask, allowed)) or "none"
            raise InputError(
                f"--cli {mask(number)} is not among the {ALLOWED_CLI} of "
                f"{allowed.where}: {known}"
            )


_NOW: ContextVar[InForce | None] = ContextVar("in_force", default=None)


def in_force() -> InForce | None:
    """
    What is in force now; None outside of the command line.
    """
    return _NOW.get()


@contextmanager
def settings_from(
    keys: Keys, named: Path | None, profile: str | None
) -> Iterator[None]:
    """
    Let commands that run in the block take what they are not given, and *keys* allow,
    from the file that is *named*, or found, and its *profile*.
    """
    now = InForce(keys, named, profile)
    before = _NOW.set(now)
    try:
        yield
    except InputError as error:
        now.explain(error)
        raise
    finally:
        _NOW.reset(before)


def from_file(
    app: App, commands: tuple[str, ...], arguments: ArgumentCollection
) -> None:
    """
    A source of values for cyclopts, which asks for it after the environment.
    """
    del app
    now = in_force()
    if now is None or not commands:
        return
    if commands[0] not in READ_NOTHING:
        now.fill(commands[0], arguments)
    elif Place.ARGUMENT in (now.file_from, now.profile_from) and commands[0] in PLAY:
        raise InputError(
            f"{commands[0]} takes nothing from a file of settings; leave out --config "
            "and --profile"
        )


def surroundings() -> Mapping[str, str]:
    """
    The environment, with the service key of the file where it has none.
    """
    now = in_force()
    held = now.values.get(SERVICE_KEY) if now is not None else None
    if held is None or not held.is_kept:
        return os.environ
    return {**os.environ, KEY_VARIABLE: "".join(held)}


def settings_inputs() -> Iterator[tuple[str, Path]]:
    """
    The file of settings, and what is named in it, which no output may name.
    """
    now = in_force()
    if now is not None and now.file is not None:
        yield "the file of settings", now.file.path
        yield from now.paths()


def settings_said() -> str | None:
    """
    From which file, and which profile of it, something is in force, if anything is.
    """
    now = in_force()
    return None if now is None else now.said
