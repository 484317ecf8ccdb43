"""
What commands that serve have in common: where they listen, and what they keep secret.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from voicepush.errors import InputError

#: What is asked of those who look at the dashboard.
TOKEN_VARIABLE = "VOICEPUSH_DASHBOARD_TOKEN"  # noqa: S105 -- a name, not the secret

#: What receipts are signed with.
HUB_SECRET_VARIABLE = "VOICEPUSH_HUB_SECRET"  # noqa: S105 -- likewise

#: What a call flow gives that tells who opts out.
OPT_OUT_VARIABLE = "VOICEPUSH_OPT_OUT_TOKEN"
#: The password of the platform's user.
PASSWORD_VARIABLE = "VOICEPUSH_BASIC_PASSWORD"  # noqa: S105 -- likewise

#: No secret is longer, and a device that never ends must not be read for ever.
_LONGEST_SECRET = 4096

_LISTEN = re.compile(
    r"(?:\[(?P<six>[\w:.%]+)\]|(?P<host>[^\s:\[\]/]+)):(?P<port>\d{1,5})", re.ASCII
)
_HIGHEST_PORT = 65_535


def host_and_port(listen: str, option: str = "--listen") -> tuple[str, int]:
    """
    What *option* names.
    """
    found = _LISTEN.fullmatch(listen)
    if found is None or int(found["port"]) > _HIGHEST_PORT:
        raise InputError(
            f"{option} {listen!r} is no address with a port; write it like "
            "127.0.0.1:8090, 0.0.0.0:8090 or [::1]:8090"
        )
    return found["six"] or found["host"], int(found["port"])


def secret_in(
    option: str, file: Path | None, variable: str, *, is_private: bool = False
) -> bytes | None:
    """
    What is in *file*, else in the environment, without the end of its line.

    Args:
        is_private: Whether a file that others can read is refused.
    """
    if file is None:
        if variable not in os.environ:
            return None
        where, found = variable, os.fsencode(os.environ[variable])
    else:
        where = f"{option} {file}"
        try:
            with file.open("rb") as opened:
                if is_private and _is_read_by_others(os.fstat(opened.fileno()).st_mode):
                    raise InputError(f"{where}: others can read it; chmod 600 {file}")
                found = opened.read(_LONGEST_SECRET + 1)
        except OSError as error:
            raise InputError(f"{where} can't be read: {error.strerror}") from error
    found = found.rstrip(b"\r\n")
    if not found:
        raise InputError(f"{where} is empty")
    if len(found) > _LONGEST_SECRET:
        raise InputError(f"{where} is too long for a secret")
    return found


def _is_read_by_others(mode: int) -> bool:
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))
