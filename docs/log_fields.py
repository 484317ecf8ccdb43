"""
Writes the table of what events are called in the log, and of their fields.

``python docs/log_fields.py`` prints it; docs/logs.md holds the same text, and a test
says when that is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator

from voicepush.logs.events import LOGGED


def lines() -> Iterator[str]:
    """
    The table, line by line.
    """
    yield "| `event` | field | what it is |"
    yield "| --- | --- | --- |"
    for kind, logged in LOGGED.items():
        yield f"| `{logged.name}` | | {logged.says} (`voicepush.{kind.__name__}`) |"
        for name, says in logged.fields.items():
            yield f"| | `{name}` | {says} |"


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 -- it is to be read
