"""
The command that shows campaigns live in the browser.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.listening import TOKEN_VARIABLE, host_and_port, secret_in
from voicepush.cli.metrics import MetricsListen, metrics_address, metrics_served
from voicepush.cli.options import DEFAULT_LEDGER, LedgerPath, existing, title_of
from voicepush.cli.terminal import say, signals, tell
from voicepush.errors import InputError

if TYPE_CHECKING:
    from voicepush.telemetry.exposition import Figures, Ledgered


async def dashboard(
    *,
    listen: str = "127.0.0.1:8070",
    token_file: Path | None = None,
    show_numbers: Annotated[bool, Parameter(negative="")] = False,
    metrics_listen: MetricsListen = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Show live in the browser where campaigns stand; it only looks.

    Without a token only this machine can look. With one, let a reverse proxy with TLS
    stand before it; a browser asks for the token as a password, of any user.

    Parameters
    ----------
    listen
        Address and port, such as 0.0.0.0:8070 or [::1]:8070; port 0 takes a free one.
    token_file
        A file that holds the token, of 16 characters at least; the variable
        VOICEPUSH_DASHBOARD_TOKEN does as well.
    show_numbers
        Show a recipient that is looked up whole.
    ledger
        Where campaigns are kept.
    """
    # Only here is a server needed, and it takes a tenth of a second to load.
    from voicepush.dashboard.app import dashboard_app  # noqa: PLC0415
    from voicepush.dashboard.guard import is_loopback  # noqa: PLC0415
    from voicepush.receipts.serving import serving  # noqa: PLC0415

    host, port = host_and_port(listen)
    token = secret_in("--token-file", token_file, TOKEN_VARIABLE)
    if token is None and not is_loopback(host):
        raise InputError(
            f"--listen {listen} lets others look, so a token is needed: put 16 "
            f"characters or more into a file and name it with --token-file, or set "
            f"{TOKEN_VARIABLE}"
        )
    metrics = metrics_address(metrics_listen)
    stopped = asyncio.Event()
    with signals(stopped.set):
        async with existing(ledger) as opened:
            app = dashboard_app(
                opened, token=token, show_numbers=show_numbers, title=title_of(ledger)
            )
            async with (
                metrics_served(metrics, _figures, opened),
                serving(app, host, port) as address,
            ):
                if not is_loopback(host):
                    say(
                        "the token and what is shown travel in the clear; let a "
                        "reverse proxy with TLS stand before it"
                    )
                tell(f"{address}/")
                await stopped.wait()
    return EVERYONE_ACCEPTED


def _figures(ledger: Ledgered | None) -> Figures:
    from voicepush.telemetry.exposition import Figures  # noqa: PLC0415 -- an extra

    return Figures(ledger=ledger, has_ledger=True)
