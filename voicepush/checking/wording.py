"""
A check as text, as an object for JSON, and as a profile in TOML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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


def as_toml(
    checked: Checked, profile: str, kept: Mapping[str, str] | None = None
) -> str:
    """
    The same as a file of settings with one profile; no secret is in it.

    Args:
        profile: What the profile is called.
        kept: Other settings of it, such as the file that holds the key.
    """
    return "\n".join(_tables(checked, profile, kept or {})) + "\n"


def _tables(checked: Checked, profile: str, kept: Mapping[str, str]) -> Iterator[str]:
    table = f"profiles.{_quoted(profile)}"
    yield "# What `voicepush check` found, as a file of settings: name it by --config,"
    yield "# or copy the tables of the profile into your voicepush.toml."
    yield f"profile = {_quoted(profile)}"
    yield ""
    yield f"[{table}]"
    yield f"base-url = {_quoted(checked.base_url)}"
    for name, value in kept.items():
        yield f"{name} = {_quoted(value)}"
    yield ""
    yield "# What was seen; no setting."
    yield f"[{table}.checked]"
    yield f"at = {checked.at:%Y-%m-%dT%H:%M:%SZ}"
    yield f"refuses_everything = {str(checked.refuses).lower()}"
    for each in checked.findings:
        yield ""
        yield f"[[{table}.checked.findings]]"
        for name, value in attrs.asdict(each).items():
            yield f"{name} = {_quoted(str(value))}"


def _quoted(text: str) -> str:
    # A basic string of TOML has the escapes of JSON, as far as texts that are shown
    # can need any.
    return msgspec.json.encode(text).decode()
