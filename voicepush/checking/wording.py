"""
A check as text, as an object for JSON, and as TOML.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import msgspec

from voicepush.checking.findings import Checked, Holds
from voicepush.report.json import time_text


def as_text(checked: Checked) -> str:
    """
    A line for each finding, and what differs from what is believed.
    """
    return "\n".join(_lines(checked))


def _lines(checked: Checked) -> Iterator[str]:
    yield f"{checked.base_url}, checked at {time_text(checked.at)}"
    width = max(len(each.about) for each in checked.findings) + 2
    for each in checked.findings:
        line = f"{each.holds:9}{each.about:{width}}{each.words}"
        yield f"{line} [{each.read_from}]"
    yield ", ".join(f"{checked.count(holds)} {holds}" for holds in Holds)
    if checked.differing:
        yield ""
        yield "What differs from what voicepush believes, for a report:"
        for each in checked.differing:
            yield f"- {each.about}: {each.words} (read from {each.read_from})"


def as_object(checked: Checked) -> dict[str, object]:
    """
    The same for JSON.
    """
    return {
        "base_url": checked.base_url,
        "at": checked.at,
        "refuses_everything": checked.refuses,
        **{str(holds): checked.count(holds) for holds in Holds},
        "findings": [attrs.asdict(each) for each in checked.findings],
    }


def as_toml(checked: Checked) -> str:
    """
    The same as TOML; the service key is not in it.
    """
    return "\n".join(_tables(checked)) + "\n"


def _tables(checked: Checked) -> Iterator[str]:
    yield "# What `voicepush check` found."
    yield f"base_url = {_quoted(checked.base_url)}"
    yield f"at = {checked.at:%Y-%m-%dT%H:%M:%SZ}"
    yield f"refuses_everything = {str(checked.refuses).lower()}"
    for each in checked.findings:
        yield ""
        yield "[[findings]]"
        for name, value in attrs.asdict(each).items():
            yield f"{name} = {_quoted(str(value))}"


def _quoted(text: str) -> str:
    # A basic string of TOML has the escapes of JSON, as far as texts that are shown
    # can need any.
    return msgspec.json.encode(text).decode()
