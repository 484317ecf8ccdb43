"""
A value that is in force: where it is from, and how an option is given it.
"""

from __future__ import annotations

import enum
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from datetime import date, time
from pathlib import Path
from typing import Any

import attrs
from cyclopts import Argument, Token

from voicepush.cli.keys import Key
from voicepush.ledger import is_address

#: Options that take the name of a file in the place of a value.
_PATHS_PERHAPS = ("not-on",)

#: What is so short stands in a text by chance.
_SHORT = 2


class Place(enum.StrEnum):
    """
    From where a value is, the strongest first.
    """

    ARGUMENT = "argument"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@attrs.frozen
class Held:
    """
    A value that is in force.
    """

    #: As it would be typed; a flag is there or not.
    texts: Sequence[str] | bool = attrs.field(repr=False)
    place: Place
    #: The variable, or the part of the file.
    where: str = ""

    @property
    def is_kept(self) -> bool:
        """
        Whether it is from a file of settings.
        """
        return self.place is Place.FILE

    def __iter__(self) -> Iterator[str]:
        """
        Its texts.
        """
        return iter(() if isinstance(self.texts, bool) else self.texts)


def texts_of(key: Key, value: Any, folder: Path) -> Sequence[str] | bool:
    """
    *value* of a file in *folder*, as it would be typed.
    """
    if isinstance(value, bool):
        return value
    values = value if isinstance(value, list) else [value]
    return [_text(key, each, folder) for each in values]


def _text(key: Key, value: Any, folder: Path) -> str:
    text = value.isoformat() if isinstance(value, date | time) else str(value)
    if key.name == "notify-command":
        return _from(folder, text)
    path = folder / Path(text).expanduser()
    if key.name in _PATHS_PERHAPS and path.is_file():
        return str(path)
    return str(path) if key.is_path and not is_address(text) else text


def _from(folder: Path, command: str) -> str:
    """
    *command* with its program, where that is a path, as it leads on from *folder*.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        return command  # which is refused where it is taken apart
    if not words or "/" not in words[0]:
        return command
    return shlex.join([str(folder / Path(words[0]).expanduser()), *words[1:]])


def is_told_of(name: str, held: Held, text: str) -> bool:
    """
    Whether an error's *text* is about the option *name*: it says so, or calls the
    setting by its name or in words, or quotes the value.
    """
    setting = re.escape(name).replace(r"\-", "[ _-]")
    named = rf"--{re.escape(name)}(?![\w-])|^(the )?{setting}\b"
    quoted = any(repr(each) in text for each in held if len(each) > _SHORT)
    return quoted or re.search(named, text) is not None


def typed(option: Argument) -> Held | None:
    """
    What is typed, or in the environment.
    """
    if option.tokens:
        first = option.tokens[0]
        flag = first.implicit_value
        texts = (
            flag if isinstance(flag, bool) else [each.value for each in option.tokens]
        )
        if first.source == "cli":
            return Held(texts, Place.ARGUMENT)
        return Held(texts, Place.ENVIRONMENT, first.keyword or "")
    for variable in option.parameter.env_var or ():
        if variable in os.environ:
            return Held([os.environ[variable]], Place.ENVIRONMENT, variable)
    return None


def give(option: Argument, held: Held) -> None:
    """
    Let *option* have these values, as if they were typed.
    """
    name, texts = option.name.removeprefix("--"), held.texts
    if isinstance(texts, bool) or not texts:
        given: object = texts if isinstance(texts, bool) else []
        option.append(Token(keyword=name, source=held.where, implicit_value=given))
        return
    for index, text in enumerate(texts):
        option.append(Token(keyword=name, value=text, source=held.where, index=index))
