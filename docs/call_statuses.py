"""
Writes the table of what each word of the status API means from the code that decides.

``python docs/call_statuses.py`` prints it; docs/receipts-poll.md holds the same text,
and a test says when that is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator

from voicepush.receipts.call_state import STATUSES


def lines() -> Iterator[str]:
    """
    The table, line by line, the highest rank first.
    """
    yield "| `status` | says | call | rank | ends it |"
    yield "| --- | --- | --- | --- | --- |"
    for word, status in sorted(STATUSES.items(), key=lambda each: -each[1].rank):
        ends = "yes" if status.ends else "no"
        yield f"| {word} | {status.says} | `{status.state}` | {status.rank} | {ends} |"


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 -- it is to be read
