"""
The words of the command line, all in one place: what is renamed there changes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_PROGRAM = ("-m", "voicepush")
_LEDGER = "--ledger"
_JSON = "--json"

#: What `voicepush send` may be given besides.
COUNTRY = "--country"
VALIDITY = "--validity"

#: The forms of an export.
FORMS = {"csv": "csv", "jsonl": "jsonl"}

#: The statuses with which a command ends.
EVERYONE_ACCEPTED = 0
NOT_EVERYONE = 1


def send(
    file: Path, ledger: Path, url: str, *, at_once: int = 32, more: Sequence[str] = ()
) -> list[str]:
    """
    Plan *file* and send it; prints one JSON object when it ends.
    """
    command = [*_PROGRAM, "send", str(file), "--media", "m", _JSON]
    command += ["--base-url", url, _LEDGER, str(ledger)]
    return [*command, "--concurrency", str(at_once), *more]


def campaign_of(file: Path) -> str:
    """
    The campaign's name, where none is given.
    """
    return file.stem


def export(campaign: str, ledger: Path, output: Path, form: str) -> list[str]:
    """
    Write everyone of *campaign* into *output*.
    """
    command = [*_PROGRAM, "export", campaign, _LEDGER, str(ledger)]
    return [*command, "--format", FORMS[form], "--output", str(output)]


def status(campaign: str, ledger: Path) -> list[str]:
    """
    Print where *campaign* stands, as one JSON object.
    """
    return [*_PROGRAM, "status", campaign, _LEDGER, str(ledger), _JSON]
