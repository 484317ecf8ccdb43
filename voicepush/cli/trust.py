"""
What a file of settings may not say that was only found: it could be a stranger's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from voicepush.cli.held import Held
from voicepush.cli.keys import SERVICE_KEY
from voicepush.errors import InputError
from voicepush.ledger import is_address
from voicepush.profiles import SettingsFile
from voicepush.settings import address_parts, is_loopback

#: The vendor's own domains: whoever answers there knows every key.
_VENDORS = (
    *(f".imiconnect.{ending}" for ending in ("io", "in", "com", "ca", "eu")),
    ".webexconnect.io",
)


def check_trust(file: SettingsFile, values: Mapping[str, Held]) -> None:
    """
    Refuse what would run a program, or send a secret elsewhere, where *file* was only
    found in the current folder, and named by nobody.

    Raises:
        InputError: It says so; the text tells what to do.
    """
    if not file.was_found:
        return
    kept = {name: held for name, held in values.items() if held.is_kept}
    if "notify-command" in kept:
        raise _refused(file, "a program to run (notify-command)")
    if "ledger" in kept and not _is_near(next(iter(kept["ledger"]))):
        raise _refused(file, "a database on another machine (ledger)")
    if "base-url" in kept and not _is_harmless(next(iter(kept["base-url"]))):
        key = _secret(values)
        if key is not None and not _is_its_own(file, values):
            whence = key.where or "an argument"
            raise _refused(
                file, f"the address to which the key from {whence} would go (base-url)"
            )


def _refused(file: SettingsFile, what: str) -> InputError:
    return InputError(
        f"{file.path} names {what}, and was only found in this folder; if you trust "
        f"it, name it with --config {file.path} (or VOICEPUSH_CONFIG), or give that "
        "yourself"
    )


def _is_near(ledger: str) -> bool:
    """
    Whether a ledger is a file, or in a database on this machine.
    """
    if not is_address(ledger):
        return True
    _, _, rest = ledger.partition("://")
    place, _, query = rest.partition("?")
    host = place.partition("/")[0].rpartition("@")[2]
    is_local = not host or is_loopback(f"http://{host}")
    # There the host may be said as well, or where to read of it.
    return is_local and "host" not in query and "service" not in query


def _is_harmless(address: str) -> bool:
    """
    Whether a key may go there wherever it is from: to the vendor, or this machine.
    """
    parts = address_parts(address.strip())
    if parts is None:
        return True  # which is refused all the same
    host = (parts.hostname or "").rstrip(".")
    is_vendors = parts.scheme == "https" and f".{host}".endswith(_VENDORS)
    return is_vendors or is_loopback(address.strip())


def _secret(values: Mapping[str, Held]) -> Held | None:
    """
    The key, or what makes the tokens that stand for it.
    """
    names = ("key-file", "service-secret-file", SERVICE_KEY)
    return next((values[name] for name in names if name in values), None)


def _is_its_own(file: SettingsFile, values: Mapping[str, Held]) -> bool:
    """
    Whether the key stands in *file*, or in the same folder.
    """
    key_file = _secret(values)
    if key_file is None or key_file is values.get(SERVICE_KEY):
        return values[SERVICE_KEY].is_kept
    folder = os.path.realpath(file.folder)
    paths = [os.path.realpath(each) for each in key_file]
    return key_file.is_kept and all(
        os.path.commonpath([folder, each]) == folder for each in paths
    )
