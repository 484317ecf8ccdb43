"""
Whatever stands in a file of settings is taken, or refused in one line.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_keys import KEYS

from voicepush import InputError, profiles
from voicepush.cli.keys import ALLOWED_CLI, NEVER, SERVICE_KEY, TABLES
from voicepush.cli.settings_file import layers_of, sections_of
from voicepush.profiles import SettingsFile, read_settings_file

#: What TOML has.
PLAIN = st.one_of(
    st.text(max_size=9),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.just(datetime(2030, 1, 1, tzinfo=UTC)),
    st.just(date(2030, 1, 1)),
    st.just(time(18)),
)
NAMES = st.one_of(
    st.sampled_from(
        [
            *(*KEYS.of_all, *TABLES, *sorted(NEVER), SERVICE_KEY, ALLOWED_CLI),
            *("notify", "checked", "profile", "profiles", "url", "command", "listen"),
        ]
    ),
    st.text(max_size=9),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=9,
)
CONTENT = st.dictionaries(NAMES, VALUES, max_size=4)


@given(
    top=CONTENT,
    table=CONTENT,
    is_private=st.booleans(),
    command=st.sampled_from(TABLES),
)
def test_whatever_stands_there_is_taken_or_refused(
    top: dict[str, Any], table: dict[str, Any], command: str, *, is_private: bool
) -> None:
    """
    What is taken can be typed: texts, numbers, times, flags, and lists of them.
    """
    file = SettingsFile(
        path=Path("voicepush.toml"),
        was_found=True,
        is_private=is_private,
        default=None,
        top=top,
        profiles={"june": table},
    )
    try:
        sections = sections_of(file, "june", KEYS)
    except InputError as error:
        assert str(error).startswith("voicepush.toml: ")  # noqa: PT017 -- one of two ends
        return
    assert ["profile june of voicepush.toml", "voicepush.toml"] == [
        each.name for each in sections
    ]
    for name in {*KEYS.of_all, *KEYS.of(command)}:
        for layer in layers_of(sections, command, KEYS, name):
            value = layer.values.get(name, "")
            for each in value if isinstance(value, list) else [value]:
                assert isinstance(each, str | int | float | date | time | datetime)


@pytest.mark.usefixtures("in_a_folder")
@given(content=st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
def test_whatever_the_bytes_are(content: bytes) -> None:
    """
    A file is read, or refused in one line that begins with its name.
    """
    path = Path(profiles.NAME)
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        assert read_settings_file() is not None
    except InputError as error:
        assert str(error).startswith(profiles.NAME)  # noqa: PT017 -- one of two ends
