"""
Writes the tables of what a file of settings may hold from the options of the commands.

``python docs/keys.py`` prints them; docs/configuration.md holds the same text, and a
test says when that is out of date. An option that is new is in them at once: look
whether a file may say it, and name it in ``voicepush/cli/keys.py`` if not.
"""

from __future__ import annotations

from collections.abc import Iterator

from cyclopts import App, Argument

from voicepush.cli.application import app
from voicepush.cli.keys import READ_NOTHING, TABLES, Key, Keys, options_of


def lines() -> Iterator[str]:
    """
    The tables, line by line.
    """
    keys, options = Keys(app), dict(_commands(app))
    yield "| key | takes | is an option of | what it is |"
    yield "| --- | --- | --- | --- |"
    for name, key in keys.of_all.items():
        having = [
            command
            for command, found in options.items()
            if name in found and keys.is_of_all(command.split()[0], name)
        ]
        argument = options[keys.owner(name)][name]
        yield f"| `{name}` | {_takes(key)} | {_told(having)} | {_said(argument)} |"
    yield ""
    yield "| table | key | takes | what it is |"
    yield "| --- | --- | --- | --- |"
    for command in TABLES:
        for name, key in sorted(keys.own(command).items()):
            said = _said(options[command][name])
            yield f"| `[{command}]` | `{name}` | {_takes(key)} | {said} |"


def _commands(root: App, first: str = "") -> Iterator[tuple[str, dict[str, Argument]]]:
    for name in root:
        if name.startswith("-") or name in READ_NOTHING:
            continue
        command = root[name]
        if command.default_command is None:
            yield from _commands(command, f"{name} ")
        else:
            arguments = command.assemble_argument_collection(parse_docstring=True)
            yield first + name, options_of(arguments)


def _takes(key: Key) -> str:
    if key.is_flag:
        return "true or false"
    if key.is_number:
        return "a number"
    one = "a path" if key.is_path else "a text"
    return f"a list: {one} each" if key.is_list else one


def _told(commands: list[str]) -> str:
    most = 6
    more = ["…"] if len(commands) > most else []
    return ", ".join([*(f"`{each}`" for each in commands[:most]), *more])


def _said(argument: Argument) -> str:
    return " ".join((argument.parameter.help or "").split()).replace("|", r"\|")


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 -- it is to be read
