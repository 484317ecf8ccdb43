"""
The command that takes batches of a ledger that several machines share.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING

from voicepush.campaign.unrecorded import Unrecorded
from voicepush.cli.exit_status import EVERYONE_ACCEPTED, SERVICE_REFUSES
from voicepush.cli.listening import host_and_port
from voicepush.cli.metrics import MetricsListen, metrics_address, metrics_served
from voicepush.cli.observing import observed
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    AnswersIn,
    Drain,
    FailedOver,
    LedgerPath,
    Patience,
    answers_folder,
    patient,
    seconds,
)
from voicepush.cli.service import SharedService
from voicepush.cli.terminal import draining, say, signals, tell
from voicepush.client.client import Client
from voicepush.errors import InputError, LedgerError
from voicepush.ledger import is_address, open_ledger
from voicepush.ledger.sharing import SharedLedger, is_shared

if TYPE_CHECKING:
    from voicepush.cluster.worker import ClusterWorker

#: A database that can't be reached is tried again after so many seconds.
_LOOKS_AGAIN = 5.0


async def worker(
    *,
    service: SharedService | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    patience: Patience = None,
    drain: Drain = None,
    failed_over: FailedOver = False,
    answers_in: AnswersIn = None,
    listen: str | None = None,
    metrics_listen: MetricsListen = None,
) -> int:
    """
    Take batches of the campaigns in a PostgreSQL ledger, beside any number of workers.

    It waits for campaigns, and for a database that is gone, until a signal ends it;
    what is under way is recorded first. Campaigns are given to workers by send and
    resume, with --detach or without.

    Parameters
    ----------
    ledger
        The address of the database, as postgresql://user@host/database.
    patience
        How long a service that can't be reached, or asks to wait, is waited for where
        there is no expiry, such as 15m.
    drain
        How long to wait, at the end, for answers and for the database; by default 30 s
        more than an answer may take.
    failed_over
        The database is on another server, or was restored, and who may have been called
        meanwhile was compared: call from there.
    answers_in
        The folder where answers are kept that the database can't take for long, also
        when the worker ends meanwhile; by default the service's $STATE_DIRECTORY, or
        voicepush in $XDG_STATE_HOME or ~/.local/state.
    listen
        Serve /healthz there, such as 127.0.0.1:8091; port 0 takes a free one. Nothing
        is served by default.
    """
    service = service or SharedService()
    if service.rate is not None:
        raise InputError(
            "a worker has no rate of its own: give it to a campaign (voicepush rate "
            "june 80) or to all of them (voicepush rate --tenant 80)"
        )
    if not is_address(ledger):
        raise InputError(
            "a worker needs a ledger in PostgreSQL, as postgresql://user@host/"
            "database; one in a file has one dispatcher, by send or resume"
        )
    settings = patient(service.build(), patience)
    where = None if listen is None else host_and_port(listen)
    metrics = metrics_address(metrics_listen)
    longest = None if drain is None else seconds("--drain", drain)
    async with AsyncExitStack() as stack:
        opened = await _opened(stack, ledger, failed_over=failed_over)
        if opened is None:
            return EVERYONE_ACCEPTED
        # An engine, and the library that talks to its database.
        from voicepush.cluster.worker import working  # noqa: PLC0415

        client = await stack.enter_async_context(Client(settings))
        unrecorded = stack.enter_context(Unrecorded(answers_folder(answers_in), say))
        ours = await stack.enter_async_context(
            working(*(opened, client), drain=longest, unrecorded=unrecorded, tell=say)
        )
        if where is not None:
            from voicepush.cluster.health import health_app  # noqa: PLC0415
            from voicepush.receipts.serving import serving  # noqa: PLC0415

            app = health_app(ours)
            tell(await stack.enter_async_context(serving(app, *where)))
        await stack.enter_async_context(_measured(metrics, client, ours))
        say("waiting for campaigns")
        with (
            observed(client),
            draining(ours.stop, "what is under way is recorded first"),
        ):
            await ours.run()
        if ours.refusal is not None:
            say(
                "this worker ends, so that it stops no other campaign; start it again "
                "once its key and its address are taken"
            )
            return SERVICE_REFUSES
    return EVERYONE_ACCEPTED


@asynccontextmanager
async def _measured(
    address: tuple[str, int] | None, client: Client, worker: ClusterWorker
) -> AsyncIterator[None]:
    """
    Let what *worker* does be read at *address*, if there is one.
    """
    if address is None:
        yield
        return
    from voicepush.telemetry.exposition import Figures  # noqa: PLC0415 -- an extra
    from voicepush.telemetry.sums import Sums  # noqa: PLC0415

    sums = Sums()
    client.observers.add(sums)

    def figures(_: object) -> Figures:
        return Figures(
            heard=sums,
            load=client.sender.load,
            at_work=len(worker.campaigns),
            is_well=worker.failure is None,
        )

    async with metrics_served(address, figures):
        yield


async def _opened(
    stack: AsyncExitStack, where: str, *, failed_over: bool
) -> SharedLedger | None:
    """
    The ledger, once its database can be reached; None where a signal comes before that.
    """
    stopped, told = asyncio.Event(), False
    with signals(stopped.set):
        while not stopped.is_set():
            try:
                opened = await stack.enter_async_context(
                    open_ledger(where, failed_over=failed_over)
                )
            except LedgerError as error:
                if not error.is_unreachable:
                    raise
                if not told:
                    say(f"{error}. It is waited for")
                told = True
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), _LOOKS_AGAIN)
            else:
                assert is_shared(opened)  # noqa: S101 -- it is at an address
                return opened
    return None
