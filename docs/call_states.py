"""
Writes the table of what each receipt means from the code that decides it.

``python docs/call_states.py`` prints it; docs/receipts.md holds the same text, and a
test says when that is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator

from voicepush.receipts.call_state import EVENTS


def lines() -> Iterator[str]:
    """
    The table, line by line, the highest rank first.
    """
    yield "| code | `deliveryStatus` | says | call | rank | ends it |"
    yield "| --- | --- | --- | --- | --- | --- |"
    ranked = sorted(EVENTS.items(), key=lambda each: (-each[1].rank, each[0]))
    for code, event in ranked:
        ends = "yes" if event.ends else "no"
        yield (
            f"| {code} | {event.status} | {event.says} | `{event.state}` "
            f"| {event.rank} | {ends} |"
        )


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 -- it is to be read
