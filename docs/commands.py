"""
Writes the page of the command line from the commands themselves.

``python docs/commands.py`` prints it; ``docs/build.py`` makes it a page of the site.
What stands there is what ``--help`` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cyclopts import App

from voicepush.cli.application import app

_BEGIN = """\
# The command line

This page is made from the commands themselves: `voicepush COMMAND --help` says as much.
Options that you would type each time can stand [in a file](../configuration.md).
"""

#: What an option that is not given means is plain where it turns something on.
_PLAIN = re.compile(r" \*\[default: False\]\*$", re.MULTILINE)

#: Links to the parts of a page, which the site has beside it.
_LINKS = re.compile(r"## Table of Contents\n.*?(?=\n\*\*|\n#|\Z)", re.DOTALL)

#: A command of a command is told of under its full name.
_LINK = re.compile(r"\]\(#(?!voicepush)")

_LABEL = re.compile(r"^\*\*(.+)\*\*:$", re.MULTILINE)


def lines() -> Iterator[str]:
    """
    The page, part by part: what all commands have in common, and each of them.
    """
    yield _BEGIN
    yield _text_of(app, "voicepush")
    yield f"**Exit status**\n\n{_exit_statuses()}\n"
    for name, command in _commands(app, "voicepush"):
        yield f"## {name}\n\n{_text_of(command, name)}"


def _commands(root: App, before: str) -> Iterator[tuple[str, App]]:
    for name in root:
        if name not in {*root.help_flags, *root.version_flags}:
            full, command = f"{before} {name}", root[name]
            yield full, command
            yield from _commands(command, full)


def _text_of(command: App, name: str) -> str:
    """
    What is told of a command without its heading and without commands of its own.
    """
    told = command.generate_docs(recursive=False, usage_name=name)
    told = _PLAIN.sub("", _LINKS.sub("", told.partition("\n")[2]))
    own = re.split(r"^## ", told, maxsplit=1, flags=re.MULTILINE)[0]
    own = _LINK.sub("](#voicepush-", own)
    return _LABEL.sub(r"**\1**", own).strip() + "\n"


def _exit_statuses() -> str:
    said = str(app.help_epilogue).partition(": ")[2].rstrip(".")
    statuses = (each.strip().partition(" ") for each in said.split(";"))
    return "\n".join(f"- **{number}** {meaning}" for number, _, meaning in statuses)


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 -- it is to be read
