"""
The command that serves the notify URL.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.listening import (
    HUB_SECRET_VARIABLE,
    OPT_OUT_VARIABLE,
    PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
    host_and_port,
    secret_in,
)
from voicepush.cli.metrics import MetricsListen, metrics_address, metrics_served
from voicepush.cli.observing import observed
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    LedgerPath,
    check_no_backup,
    seconds,
    title_of,
)
from voicepush.cli.terminal import say, signals, tell
from voicepush.errors import InputError
from voicepush.ledger import open_ledger
from voicepush.logs import log_event
from voicepush.masking import mask_numbers
from voicepush.model.events import Event, Observers, ReceiptsApplied

_OFFSET = re.compile(
    r"(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?", re.ASCII
)

_LOG = "voicepush.receipts"

#: Where the dashboard is shown.
_DASHBOARD = "/dashboard"


async def receipts(  # noqa: PLR0913 -- options have names
    *,
    listen: str = "127.0.0.1:8090",
    path: str = "/receipts",
    secret_file: Path | None = None,
    allow_sha1: bool = False,
    basic: str | None = None,
    basic_password_file: Path | None = None,
    tenant_zone: str = "UTC",
    keep: str = "90d",
    opt_out_token_file: Path | None = None,
    dashboard: bool = False,
    dashboard_token_file: Path | None = None,
    metrics_listen: MetricsListen = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Serve the notify URL: take what the platform reports of each call into the ledger.

    A receipt is answered once it is stored; if it can't be, the platform is asked to
    send it again. Let a reverse proxy with TLS stand before it. --secret-file or
    --basic keep strangers out.

    Parameters
    ----------
    listen
        Address and port, such as 0.0.0.0:8090 or [::1]:8090; port 0 takes a free one.
    path
        The path of the notify URL.
    secret_file
        A file that holds the hub secret with which the platform signs; the variable
        VOICEPUSH_HUB_SECRET does as well.
    allow_sha1
        Take signatures by SHA-1, too, which old webhooks make.
    basic
        The user as whom the platform authorizes itself.
    basic_password_file
        A file that holds that user's password; VOICEPUSH_BASIC_PASSWORD does as well.
    tenant_zone
        The time zone of time stamps without an offset: Asia/Kolkata, or +05:30.
    keep
        How long what was posted is kept word for word, such as 90d, or forever.
    opt_out_token_file
        A file that holds the token with which a call flow may post to /opt-out who has
        pressed a key to be called no more, and which only you can read; the variable
        VOICEPUSH_OPT_OUT_TOKEN does as well. Without a token there is no /opt-out.
    dashboard
        Show at /dashboard where campaigns stand, to those who have the token.
    dashboard_token_file
        A file that holds the token, of 16 characters at least; the variable
        VOICEPUSH_DASHBOARD_TOKEN does as well.
    ledger
        Where campaigns are kept; it is made if it is not there.
    """
    # Only here is a server needed, and it takes a tenth of a second to load.
    from voicepush.dashboard.app import dashboard_app  # noqa: PLC0415
    from voicepush.receipts.app import OPT_OUTS, receipts_app  # noqa: PLC0415
    from voicepush.receipts.opt_out_url import OPT_OUT  # noqa: PLC0415
    from voicepush.receipts.serving import serving  # noqa: PLC0415

    host, port = host_and_port(listen)
    secret = secret_in("--secret-file", secret_file, HUB_SECRET_VARIABLE)
    user = _user(basic, basic_password_file)
    if allow_sha1 and secret is None:
        raise InputError(
            "--allow-sha1 is of no use without a secret; name one with --secret-file"
        )
    token = _token(dashboard_token_file, path) if dashboard else None
    if dashboard_token_file is not None and token is None:
        raise InputError("--dashboard-token-file is of no use without --dashboard")
    opt_out = secret_in(
        "--opt-out-token-file", opt_out_token_file, OPT_OUT_VARIABLE, is_private=True
    )
    zone, kept = zone_called(tenant_zone), _kept(keep)
    metrics = metrics_address(metrics_listen)
    sums, observers = _Sums(), Observers()
    observers.add(sums.add)
    observers.add(log_event)
    stopped = asyncio.Event()
    with signals(stopped.set), _warnings_said():
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(open_ledger(ledger))
            check_no_backup(opened, ledger)
            app = receipts_app(
                opened,
                path=path,
                secret=secret,
                allow_sha1=allow_sha1,
                basic=user,
                tenant_zone=zone,
                keep=kept,
                told=observers.tell,
                opt_out_token=opt_out,
            )
            if token is not None:
                # Opened once more: receipts must not wait until a question is answered.
                read = await stack.enter_async_context(open_ledger(ledger))
                shown = dashboard_app(read, token=token, title=title_of(ledger))
                app.add_subapp(_DASHBOARD, shown)
            stack.enter_context(observed(observers))
            await stack.enter_async_context(_measured(metrics, ledger, observers))
            address = await stack.enter_async_context(serving(app, host, port))
            if secret is None and user is None:
                say(
                    "no signature and no password is asked for: everyone who can reach "
                    "this address can say what became of a call; see --secret-file and "
                    "--basic"
                )
            if token is not None:
                say(f"the dashboard is at {address}{_DASHBOARD}/")
            if opt_out is not None:
                say(f"opt-outs are taken at {address}{OPT_OUT}")
            tell(f"{address}{path}")
            await stopped.wait()
            say("ending; requests that are under way are answered first")
    say(sums.told())
    if OPT_OUTS in app:
        say(f"{app[OPT_OUTS].counts.taken:,} opted out by key-press")
    return EVERYONE_ACCEPTED


@asynccontextmanager
async def _measured(
    address: tuple[str, int] | None, ledger: LedgerPath, observers: Observers
) -> AsyncIterator[None]:
    """
    Let what receipts came, and what the ledger holds, be read at *address*.
    """
    if address is None:
        yield
        return
    from voicepush.telemetry.exposition import Figures, Ledgered  # noqa: PLC0415
    from voicepush.telemetry.sums import Sums  # noqa: PLC0415

    heard = Sums()
    observers.add(heard)

    def figures(ledger: Ledgered | None) -> Figures:
        return Figures(heard=heard, ledger=ledger, has_ledger=True)

    # Opened once more: receipts must not wait until a question is answered.
    async with open_ledger(ledger) as read, metrics_served(address, figures, read):
        yield


def _token(file: Path | None, path: str) -> bytes:
    """
    What is asked of those who look at the dashboard.
    """
    token = secret_in("--dashboard-token-file", file, TOKEN_VARIABLE)
    if token is None:
        raise InputError(
            "--dashboard needs a token, since a reverse proxy publishes this port: put "
            "16 characters or more into a file and name it with "
            f"--dashboard-token-file, or set {TOKEN_VARIABLE}"
        )
    if f"{path}/".startswith(f"{_DASHBOARD}/"):
        raise InputError(f"--path {path}: the dashboard is there; name another path")
    return token


@attrs.define
class _Sums:
    """
    What was done since the command began.
    """

    stored: int = 0
    refused: int = 0
    unplaced: int = 0
    unreadable: int = 0

    def add(self, event: Event) -> None:
        """
        Count one commit.
        """
        if not isinstance(event, ReceiptsApplied):
            return
        self.stored += event.stored
        self.refused += event.refused
        self.unplaced += event.received.unplaced - event.received.placed_late
        self.unreadable += event.received.unreadable

    def told(self) -> str:
        """
        All of it in one line.
        """
        aside = [
            f"{self.unplaced:,} of no known call" if self.unplaced > 0 else "",
            f"{self.unreadable:,} not understood" if self.unreadable else "",
        ]
        kept = ", ".join(filter(None, aside))
        return (
            f"stored {self.stored:,} receipts{kept and f' ({kept})'}, "
            f"refused {self.refused:,} requests"
        )


class _Saying(logging.Handler):
    """
    Says what an operator has to know.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """
        Say it, in one line.
        """
        if record.name == _LOG:  # not what others sent us instead of HTTP
            say(f"voicepush: {mask_numbers(record.getMessage())}")


@contextmanager
def _warnings_said() -> Iterator[None]:
    """
    Let warnings be heard, also where nothing else is logged.
    """
    if logging.getLogger().handlers:  # as with -v
        yield
        return
    log, handler = logging.getLogger(_LOG), _Saying(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _user(name: str | None, file: Path | None) -> tuple[str, str] | None:
    """
    The user as whom the platform authorizes itself, and the password.
    """
    password = secret_in("--basic-password-file", file, PASSWORD_VARIABLE)
    if name is None and password is None:
        return None
    if name is None:
        raise InputError("there is a password, but no user; name one with --basic")
    if password is None:
        raise InputError(
            f"--basic {name} needs a password; name a file with --basic-password-file, "
            f"or set {PASSWORD_VARIABLE}"
        )
    return name, os.fsdecode(password)


def zone_called(text: str) -> tzinfo:
    """
    The time zone of that name, or of that offset.
    """
    found = _OFFSET.fullmatch(text)
    try:
        if found is None:
            return ZoneInfo(text)
        sign = -1 if found["sign"] == "-" else 1
        hours, minutes = int(found["hours"]), int(found["minutes"] or 0)
        return timezone(sign * timedelta(hours=hours, minutes=minutes))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"--tenant-zone {text!r} is not known; write it like Asia/Kolkata or +05:30"
        ) from None


def _kept(text: str) -> timedelta | None:
    if text.strip().lower() in ("forever", "for ever"):
        return None
    return timedelta(seconds=seconds("--keep", text))
