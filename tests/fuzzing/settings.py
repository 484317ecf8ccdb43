"""
A file of settings is taken or refused in one line, and a refusal tells no secret.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from test_keys import KEYS

from voicepush import InputError
from voicepush.cli.keys import SERVICE_KEY, TABLES
from voicepush.cli.settings_file import layers_of, sections_of
from voicepush.profiles import read_settings_file

_NUMBER, _NAME = tempfile.mkstemp(prefix="settings-", suffix=".toml")
_FILE = Path(_NAME)
os.close(_NUMBER)
atexit.register(_FILE.unlink)

#: What is shorter may stand in any text by chance.
_SHORTEST_SECRET = 8


def check(data: bytes) -> None:
    """
    Read *data* as a file of settings, and look up in it what it has.
    """
    _FILE.write_bytes(data)
    try:
        file = read_settings_file(_FILE)
        assert file is not None
        for profile in (None, *file.profiles):
            sections = sections_of(file, file.chosen(profile), KEYS)
            for name in {*file.top, *file.profiles.get(profile or "", ())}:
                for command in TABLES:
                    for layer in layers_of(sections, command, KEYS, name):
                        layer.values.get(name)
    except InputError as error:
        told = str(error)
        assert told.startswith(str(_FILE))
        assert not any(secret in told for secret in _secrets(data))


def _secrets(data: bytes) -> Iterator[str]:
    """
    The service keys in *data*.
    """
    found: dict[str, Any] = {}
    with suppress(ValueError, RecursionError):
        found = tomllib.loads(data.decode())
    profiles = found.get("profiles")
    tables = profiles.values() if isinstance(profiles, dict) else ()
    for table in (found, *tables):
        secret = table.get(SERVICE_KEY) if isinstance(table, dict) else None
        if (
            isinstance(secret, str)
            and len(secret) >= _SHORTEST_SECRET
            # One that stands elsewhere, too, may be told from there.
            and data.count(secret.encode()) == 1
        ):
            yield secret
