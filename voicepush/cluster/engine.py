"""
The engine that hands out batches: Procrastinate, and the only module that knows it.

One job is one batch. The claim in the ledger, not the engine, is what keeps anyone from
being called twice, so a job is never tried again by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import procrastinate
from procrastinate import exceptions
from psycopg import sql

from voicepush.errors import LedgerError
from voicepush.ledger.sharing import LIVES_BY, TASK, Database

#: So many of its connections are open at most, in each process.
_CONNECTIONS = 3

#: Where a queue was empty it is looked at again so often, in seconds: only what had to
#: wait comes to be there by itself.
_LOOK_AGAIN = 0.5

#: How long a connection is waited for, and how long it is tried to make one before that
#: begins anew, in seconds: longer waits would only hold up others.
_PATIENCE = 5.0

#: So long it may take, in seconds, once the last batch has ended.
_ENDS_WITHIN = 1.0

# What goes wrong is told once, by who runs it.
logging.getLogger("procrastinate").addHandler(logging.NullHandler())
logging.getLogger("procrastinate").propagate = False

#: Sends the batch of that number; is told which of the engine's workers does it.
Handler = Callable[[int, int], Awaitable[None]]


class Engine:
    """
    Hands out the batches of campaigns, each from a queue of its own.
    """

    def __init__(self, app: procrastinate.App) -> None:
        self._app = app

        @app.task(name=TASK, pass_context=True)
        async def send_batch(
            context: procrastinate.JobContext,
            /,
            number: int,
            **_: Any,
        ) -> None:
            # The engine itself hears of nothing but what a job has done. One that was
            # given to others meanwhile can't be ended any more, which does not matter.
            if (job := asyncio.current_task()) is not None:
                job.add_done_callback(_hear)
            handler: Handler = context.additional_context["handler"]
            await handler(number, context.job.worker_id or 0)

    @classmethod
    @asynccontextmanager
    async def opened(cls, database: Database) -> AsyncIterator[Engine]:
        """
        The engine in *database*.

        Raises:
            LedgerError: It can't be reached.
        """

        async def configure(connection: Any) -> None:
            name = sql.Identifier(database.schema)
            await connection.set_autocommit(True)
            await connection.execute(sql.SQL("SET search_path TO {}").format(name))

        connector = procrastinate.PsycopgConnector(
            conninfo=database.address,
            configure=configure,
            min_size=0,
            max_size=_CONNECTIONS,
            timeout=_PATIENCE,
            reconnect_timeout=_PATIENCE,
            kwargs={"fallback_application_name": "voicepush"},
        )
        app = procrastinate.App(connector=connector)
        try:
            await app.open_async()
        except exceptions.ConnectorException as error:
            raise LedgerError("the engine's database can't be reached") from error
        try:
            yield cls(app)
        finally:
            # Who leaves at once waits for no answer; what a job has done is told yet.
            if jobs := list(filter(is_ours, asyncio.all_tasks())):
                for job in jobs:
                    job.cancel()
                await asyncio.wait(jobs, timeout=_ENDS_WITHIN)
            await app.close_async()

    async def hand_out(
        self, queue: str, handler: Handler, *, together: int, drain: float
    ) -> None:
        """
        Call *handler* with each batch in *queue*, until this is cancelled.

        Args:
            together: So many of them at a time.
            drain: How long those that were begun are waited for then, in seconds.

        Raises:
            LedgerError: The database can't be reached; those that were begun have
                ended.
        """
        engine = asyncio.create_task(
            self._app.run_worker_async(
                queues=[queue],
                concurrency=together,
                # Those who wait for a job are few, and a connection for each is dear.
                listen_notify=False,
                fetch_job_polling_interval=_LOOK_AGAIN,
                delete_jobs="always",
                additional_context={"handler": handler},
                install_signal_handlers=False,
                shutdown_graceful_timeout=drain,
                update_heartbeat_interval=LIVES_BY,
            )
        )
        engine.add_done_callback(_hear)
        try:
            await asyncio.shield(engine)
        except exceptions.ConnectorException as error:
            raise LedgerError("the engine's database can't be used") from error
        finally:
            # What it wants to write then, a database that is gone does not take.
            engine.cancel()
            await asyncio.wait([engine], timeout=drain + _ENDS_WITHIN)
        # It ends by itself only where it can't give a sign of life any more.
        raise LedgerError("the engine lost its database")


def _hear(task: asyncio.Task[None]) -> None:
    """
    Take note of how *task* has ended, which nobody waits for.
    """
    if not task.cancelled():
        task.exception()


def is_ours(task: asyncio.Task[Any]) -> bool:
    """
    Whether *task* is one that the engine has made for a job.
    """
    return task.get_name().startswith(f"process job {TASK}")
