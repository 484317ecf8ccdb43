"""
The option under which commands that serve let Prometheus read their sums.
"""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from voicepush.cli.listening import host_and_port
from voicepush.cli.terminal import say
from voicepush.errors import InputError, LedgerError
from voicepush.ledger.reader import LedgerReader

if TYPE_CHECKING:
    from voicepush.telemetry.exposition import Figures, Ledgered

MetricsListen = Annotated[
    str | None,
    Parameter(
        help=(
            "Let Prometheus read sums there, at /metrics, such as 127.0.0.1:9464; port "
            "0 takes a free one. Nothing is told by default."
        )
    ),
]

_OPTION = "--metrics-listen"

#: The ledger is asked no more often, in seconds, and less often where that costs much.
_LEAST = 2.0


def metrics_address(listen: str | None) -> tuple[str, int] | None:
    """
    Where *listen* says that metrics are to be read.

    Raises:
        InputError: It is no address, or a library is missing.
    """
    if listen is None:
        return None
    address = host_and_port(listen, _OPTION)
    if importlib.util.find_spec("prometheus_client") is None:
        raise InputError(
            f"{_OPTION} needs a library that is not there: pip install "
            "'voicepush[prometheus]'"
        )
    return address


@asynccontextmanager
async def metrics_served(
    address: tuple[str, int] | None,
    figures: Callable[[Ledgered | None], Figures],
    ledger: LedgerReader | None = None,
) -> AsyncIterator[None]:
    """
    Serve them for as long as the block lasts, if there is an *address*.

    Args:
        figures: Gives what is told, with what the ledger tells.
        ledger: Is asked, but seldom.
    """
    if address is None:
        yield
        return
    from voicepush.dashboard.guard import Guard, is_loopback  # noqa: PLC0415 -- a server
    from voicepush.dashboard.seldom import Seldom  # noqa: PLC0415
    from voicepush.receipts.serving import serving  # noqa: PLC0415
    from voicepush.telemetry.app import metrics_app  # noqa: PLC0415
    from voicepush.telemetry.exposition import Ledgered  # noqa: PLC0415

    known: Seldom[Ledgered] = Seldom(least=_LEAST)

    async def ask() -> Ledgered:
        assert ledger is not None  # noqa: S101 -- else nobody asks
        return Ledgered(
            campaigns=await ledger.campaigns(),
            receipts=await ledger.receipt_counts(),
            now=await ledger.now(),
        )

    async def look() -> Figures:
        if ledger is None:
            return figures(None)
        try:
            return figures(await known.ask("ledger", ask))
        except LedgerError:
            return figures(None)

    host, port = address
    # The page of a stranger, whose name was made to lead here, gets nothing.
    guards = [Guard(None).stand] if is_loopback(host) else []
    async with serving(metrics_app(look, guards), host, port) as where:
        say(f"metrics are at {where}/metrics")
        if not is_loopback(host):
            say(
                f"{_OPTION}: everyone who can reach this address can read the sums; no "
                "password is asked for"
            )
        yield
