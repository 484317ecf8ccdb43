"""
What commands have in common: options, and what is made of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

import attrs
from cyclopts import Parameter

from voicepush.cli.configured import settings_inputs
from voicepush.cli.outputs import ledger_files
from voicepush.cli.service import Tenant, secret_files
from voicepush.cli.terminal import (
    say,
)
from voicepush.cli.times import check_future, parse_duration, parse_expiry
from voicepush.errors import (
    BackupError,
    InputError,
    NoLedgerError,
)
from voicepush.ledger import Ledger, is_address, open_ledger
from voicepush.model.call import CallState
from voicepush.model.message import Priority, VoiceMessage
from voicepush.model.outcome import Outcome
from voicepush.screening.suppression import Suppressed
from voicepush.settings import Settings

_SAY_WHAT = (
    "say what is played: --media with a prompt id, or --callflow with that of a call "
    "flow; a list may say it itself (--media-column)"
)


@Parameter(name="*", group="Message")
@attrs.frozen(kw_only=True)
class Message:
    """
    The options that make a message.
    """

    media: str | None = None
    """The prompt id of the audio to play."""
    callflow: str | None = None
    """The id of the call flow to run, instead of --media."""
    cli: str | None = None
    """The caller line identity to show."""
    expiry: str | None = None
    """When to give up: 90m, '2 hours', 18:00, or a time with its offset."""
    priority: str | None = None
    """How urgent it is: low, medium or high, or 1, 2, 3."""
    notify_url: str | None = None
    """Where the platform reports what became of each call."""
    callback_data: str | None = None
    """A text that comes back with each report."""

    def build(self) -> VoiceMessage:
        """
        The message that they describe.
        """
        if self.media is None and self.callflow is None:
            raise InputError(_SAY_WHAT)
        return VoiceMessage(
            media=self.media,
            callflow=self.callflow,
            cli=self.cli,
            expiry=None if self.expiry is None else parse_expiry(self.expiry),
            priority=None if self.priority is None else _priority(self.priority),
            notify_url=self.notify_url,
            callback_data=self.callback_data,
        )


def _priority(text: str) -> Priority:
    word = text.strip().upper()
    try:
        return Priority.__members__.get(word) or Priority(word)
    except ValueError:
        raise InputError(
            f"--priority {text!r} is none of low, medium, high (or 1, 2, 3)"
        ) from None


Json = Annotated[bool, Parameter(negative="", group="Output")]


Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="")]


#: A file, or the address of a database, which may name one of its schemas.
LedgerPath = Annotated[
    str, Parameter(env_var="VOICEPUSH_LEDGER", group="Ledger", name="--ledger")
]


DEFAULT_LEDGER = "voicepush.db"


# What `send` and `resume` have in common.
OnUnknown = Annotated[Literal["keep", "resend"] | None, Parameter(group="Ledger")]


Patience = Annotated[str | None, Parameter(group="Service")]


Drain = Annotated[str | None, Parameter(group="Service")]


ProcessIsGone = Annotated[bool, Parameter(group="Ledger", negative="")]

Detach = Annotated[bool, Parameter(group="Ledger", negative="")]

LogWasMerged = Annotated[bool, Parameter(group="Ledger", negative="")]

FailedOver = Annotated[bool, Parameter(group="Ledger", negative="")]

Restored = Annotated[bool, Parameter(group="Ledger", negative="")]

_ANSWERS_IN = "VOICEPUSH_ANSWERS_IN"

AnswersIn = Annotated[Path | None, Parameter(group="Ledger", env_var=_ANSWERS_IN)]


def answers_folder(named: Path | None = None) -> Path | None:
    """
    Where answers are kept that a database can't take: what is *named*, or what systemd
    gives a service, or the user's own; None where there is none of these.
    """
    if folder := named or os.environ.get(_ANSWERS_IN):
        return Path(folder).absolute()
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])  # there may be several
    states = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 -- no error where there is no home
    return Path(states, "voicepush") if Path(states).is_absolute() else None


def suppressed_by(files: list[Path], **how: Any) -> Suppressed | None:
    """
    Who is on the suppression lists in *files*, with a word about it.
    """
    if not files:
        return None
    found = Suppressed.read(*files, **how)
    say(f"{len(found):,} are suppressed by {', '.join(map(named, files))}")
    if found.unusable_count:
        say(
            f"{found.unusable_count:,} entries of the suppression list can't be "
            "understood and suppress no one"
        )
    return found


def seconds(option: str, text: str) -> float:
    """
    The duration that was typed as *text* for *option*.
    """
    found = parse_duration(text)
    if not found:
        raise InputError(f"{option} {text} is no duration; write it like 90s or 15m")
    return found.total_seconds()


def patient(settings: Settings, patience: str | None) -> Settings:
    """
    *settings* with the patience that was typed, if it was.
    """
    if patience is None:
        return settings
    return attrs.evolve(settings, patience=seconds("--patience", patience))


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def with_digest(path: Path) -> str:
    """
    *path* with what tells its contents from others.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    # In letters, since digits could be taken for a number that has to be masked.
    letters = digest[:12].translate(_LETTERS)
    return f"{named(path)} (contents {letters})"


def inputs(
    ledger: str, tenant: Tenant | None = None, *lists: Path
) -> Iterator[tuple[str, Path]]:
    """
    What no output may name, each in words and as a path.
    """
    yield from secret_files(tenant or Tenant())
    yield from settings_inputs()
    if not is_address(ledger):
        for path in ledger_files(Path(ledger)):
            yield "of the ledger", path
    for path in lists:
        yield "a list that is read", path


def check_expiry(message: VoiceMessage) -> None:
    """
    Refuse an expiry that has passed.
    """
    if isinstance(message.expiry, datetime):
        check_future(message.expiry, "--expiry")


def check_detach(ledger: str, *, detach: bool) -> None:
    """
    Refuse to leave the sending to others where there can be none.
    """
    if detach and not is_address(ledger):
        raise InputError(
            "--detach leaves the sending to workers, and these need a ledger in "
            "PostgreSQL: name one by --ledger postgresql://user@host/database"
        )


@asynccontextmanager
async def existing(
    where: str, *, log_was_merged: bool = False, failed_over: bool = False
) -> AsyncIterator[Ledger]:
    """
    The ledger at *where*, which must be there; of a backup it is said that it is one.
    """
    async with _existing(where, log_was_merged, failed_over=failed_over) as opened:
        if opened.backup is not None:
            say(f"{title_of(where)} is {opened.backup}; what came later is not in it")
        yield opened


def check_no_backup(ledger: Ledger, where: str) -> None:
    """
    Refuse a *ledger* that can only be looked at, before anything else is begun.
    """
    if ledger.backup is not None:
        raise BackupError(f"{title_of(where)} is {ledger.backup}")


def _existing(
    where: str, log_was_merged: bool, *, failed_over: bool
) -> AbstractAsyncContextManager[Ledger]:
    try:
        if not is_address(where):
            Path(where).stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NoLedgerError(
            f"there is no ledger at {where}; name it with --ledger"
        ) from None
    except OSError as error:
        raise InputError(
            f"the ledger at {where} can't be opened: {error.strerror}; name another "
            "with --ledger"
        ) from error
    return open_ledger(
        where, log_was_merged=log_was_merged, failed_over=failed_over, make=False
    )


def title_of(ledger: str) -> str:
    """
    What a page calls *ledger*: a file's name, or a database with its host.
    """
    if not is_address(ledger):
        return Path(ledger).name
    parts = urlsplit(ledger)
    schema = dict(parse_qsl(parts.query)).get("schema")
    where = f"{parts.path.strip('/')} at {parts.hostname or 'this machine'}"
    return f"{where}, schema {schema}" if schema else where


def is_made_by(where: str) -> bool:
    """
    Whether whoever uses the ledger at *where* makes it, since there is none.
    """
    return not is_address(where) and not Path(where).exists()


def name_of(file: Path) -> str:
    """
    The campaign's name where none is given; the same list compressed has the same.
    """
    if str(file) == "-":
        return "standard-input"
    is_compressed = file.suffix.lower() == ".gz"
    return (file.with_suffix("") if is_compressed else file).stem


def named(file: Path) -> str:
    """
    *file* as its owner recognises it, wherever a command is called from.
    """
    if str(file) == "-":
        return "standard input"
    # A name that is no UTF-8 is shown with escapes.
    return os.path.realpath(file).encode("utf-8", "backslashreplace").decode()


def outcome_called(name: str) -> Outcome:
    """
    The outcome of that *name*, as it may be typed.
    """
    try:
        return Outcome(name.replace("-", "_"))
    except ValueError:
        known = ", ".join(Outcome)
        raise InputError(f"--outcome {name!r} is none of {known}") from None


def state_called(name: str) -> CallState:
    """
    The state of a call of that *name*, as it may be typed.
    """
    try:
        return CallState(name.replace("-", "_"))
    except ValueError:
        known = ", ".join(CallState)
        raise InputError(f"--calls {name!r} is none of {known}") from None
