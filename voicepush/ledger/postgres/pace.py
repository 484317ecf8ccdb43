"""
The rate that all processes share, kept in a row of PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import attrs
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from voicepush.errors import LedgerError, NoLedgerError
from voicepush.ledger.postgres.address import Address
from voicepush.ledger.postgres.mishaps import translated
from voicepush.model.pace import Allowed, Pace, Taker, check_rate, most_at

#: How long connecting, or an answer, may take, in seconds.
_PATIENCE = 10.0

#: A campaign's row that nobody used for so many seconds is dropped. The slowest rate
#: is one an hour, so nothing is owed by then.
_FORGOTTEN_AFTER = 86_400.0


class PostgresAllowance:
    """
    Tells all processes that share a database how fast they may send together.

    One serves a whole process. Nothing is known here that is not in the database, but
    for the rate that it told last; without its answer nobody may send.

    Args:
        address: Where the database is, as for `open_ledger`.
        schema: Where the tables of a ledger are, if the address names none.
        moment: A clock in place of the database's, for tests.

    Raises:
        InputError: *address* can't be used, or holds a password.
    """

    def __init__(
        self,
        address: str,
        *,
        schema: str | None = None,
        moment: Callable[[], float] | None = None,
    ) -> None:
        where = Address.parse(address, schema)
        self._address = where.database
        self._schema = where.schema
        self._where = str(where)
        self._clock = moment
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._alone = asyncio.Lock()
        self._asking: set[asyncio.Task[Any]] = set()
        self._is_open = False
        #: The tenant's rate as the database told it last; None for no limit.
        self.rate: float | None = None

    async def open(self) -> None:
        """
        Connect.

        Raises:
            NoLedgerError: The tables are not there.
            LedgerError: It can't be reached.
        """
        self._is_open = True
        try:
            await self._check_there()
            await self._do(_FORGET, {"seconds": _FORGOTTEN_AFTER})
            await self.look()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """
        Wait for what was asked already, and disconnect.
        """
        self._is_open = False
        while self._asking:
            await asyncio.wait(self._asking)
        await self._disconnect()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def take(self, number: int, taker: Taker) -> Allowed:
        """
        How many of *number* destinations *taker* may send, and when.

        Raises:
            LedgerError: There is no answer, so none may be sent.
        """
        while True:
            found = await self._do(
                _TAKE,
                {
                    "taker": taker.name,
                    "urgency": taker.urgency.value,
                    "number": number,
                    "ahead": taker.ahead,
                    "campaign": taker.campaign,
                    "rate": taker.rate,
                    "most": None if taker.rate is None else most_at(taker.rate),
                    "moment": self._moment,
                },
            )
            if not found["raises"]:
                self.rate = found["rate"]
                return Allowed(
                    number=found["number"], wait=found["wait"], held=found["held"]
                )
            # Once a second, while it is lowered, one of all who ask does this.
            pace = _pace_of(found)
            await self._change(pace.raised(found["moment"]), found)

    async def slow_down(
        self, retry_after: float | None = None, *, ago: float = 0.0
    ) -> None:
        """
        The service refused for speed what left so many seconds *ago*: everyone lowers
        the rate, and waits for *retry_after*.

        Raises:
            LedgerError: The others could not be told.
        """
        await self._decide(
            lambda pace, now: pace.slowed(now, retry_after, sent_at=now - ago)
        )

    async def set_rate(self, rate: float | None) -> None:
        """
        From now on all together send at most *rate* destinations per second; None for
        no limit.

        Raises:
            InputError: *rate* is none.
            LedgerError: It could not be written.
        """
        if rate is not None:
            check_rate(rate)
        await self._decide(lambda pace, now: pace.set_to(rate, now))

    async def look(self) -> Pace:
        """
        How fast all together send at present; its moments are those of the database.

        Raises:
            LedgerError: It could not be read.
        """
        found = await self._do(_LOOK, {"moment": self._moment})
        self.rate = found["rate"]
        return _pace_of(found)

    async def _check_there(self) -> None:
        found = await self._do(_IS_THERE, {"schema": self._schema})
        if not found["is_there"]:
            raise NoLedgerError(
                f"there is no shared rate in the schema {self._schema!r} of "
                f"{self._where}; a ledger there holds it, which is made by whoever "
                "plans a campaign, or by the first worker"
            )

    @property
    def _moment(self) -> float | None:
        return None if self._clock is None else self._clock()

    async def _decide(self, decision: Callable[[Pace, float], Pace]) -> None:
        """
        Write down what comes of a *decision* about the pace, also where others decide.
        """
        while True:
            found = await self._do(_LOOK, {"moment": self._moment})
            if await self._change(decision(_pace_of(found), found["moment"]), found):
                return

    async def _change(self, pace: Pace, found: dict[str, Any]) -> bool:
        """
        Write *pace* down, if nobody else has changed what was *found*.
        """
        if pace == _pace_of(found):
            return True
        values = attrs.asdict(pace) | {
            "known": found["version"],
            "most": pace.most,
            "raise_at": pace.raise_at,
            "moment": found["moment"],
        }
        changed = await self._do(_CHANGE, values)
        if changed["changed"]:
            self.rate = pace.rate
        return bool(changed["changed"])

    async def _do(self, statement: bytes, values: dict[str, Any]) -> dict[str, Any]:
        """
        The one row that *statement* gives. Who is cancelled meanwhile cancels only the
        wait: a connection that is stopped in the middle would have to be made anew.
        """
        if not self._is_open:
            raise LedgerError(f"the shared rate of {self._where} is not open")
        task = asyncio.ensure_future(self._answer(statement, values))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return await asyncio.shield(task)

    async def _answer(self, statement: bytes, values: dict[str, Any]) -> dict[str, Any]:
        async with self._alone:
            was_used = self._connection is not None
            try:
                try:
                    return await self._try(statement, values)
                except psycopg.OperationalError:
                    # It may have been lost while nobody asked. What was taken without
                    # its taker's knowledge is lost, too: that is slower, never faster.
                    if not was_used or self._connection is not None:
                        raise
                    return await self._try(statement, values)
            except psycopg.errors.QueryCanceled as error:
                raise self._silent() from error
            except psycopg.Error as error:
                raise translated(self._where, error) from error
            except TimeoutError as error:
                raise self._silent() from error

    def _silent(self) -> LedgerError:
        return LedgerError(
            f"the ledger {self._where}: it does not answer; check that it runs"
        )

    async def _try(self, statement: bytes, values: dict[str, Any]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_PATIENCE):
                if self._connection is None:
                    self._connection = await self._connected()
                cursor = await self._connection.execute(statement, values)
                row: dict[str, Any] | None = await cursor.fetchone()
        except BaseException:
            if self._connection is not None and self._is_unsure(self._connection):
                await self._disconnect()
            raise
        return row or {}

    @staticmethod
    def _is_unsure(connection: psycopg.AsyncConnection[Any]) -> bool:
        state = connection.info.transaction_status
        return connection.closed or state != psycopg.pq.TransactionStatus.IDLE

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        connection = await psycopg.AsyncConnection.connect(
            self._address,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=int(_PATIENCE),
            tcp_user_timeout=int(1000 * _PATIENCE),
        )
        for setting in _SETTINGS:
            await connection.execute(setting)
        path = sql.SQL("SET search_path TO {}, pg_temp")
        await connection.execute(path.format(sql.Identifier(self._schema)))
        return connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()


#: A take need not survive a crash of the server, which lasts longer than what it
#: pays for; so nobody waits for the disk while others wait for the row. Who waits for
#: the row has to see what the others wrote.
_SETTINGS = (
    b"SET synchronous_commit = off",
    b"SET default_transaction_isolation = 'read committed'",
    b"SET enable_seqscan = off",
    b"SET statement_timeout = '5s'",
    b"SET idle_in_transaction_session_timeout = '5s'",
)

_IS_THERE = b"""
SELECT to_regclass(format('%%I.pace', %(schema)s::text)) IS NOT NULL AS is_there
"""

_FORGET = b"""
WITH forgotten AS (
    DELETE FROM campaign_pace
    WHERE used_at < life_clock() - %(seconds)s::double precision RETURNING campaign
) SELECT count(*) AS forgotten FROM forgotten
"""

_COLUMNS = b"""
(tenant).version, (tenant).rate, (tenant).ceiling, (tenant).searches,
(tenant).changed_at, (tenant).regained_at, (tenant).held_until
"""

_TAKE = b"""
SELECT number, wait, held, raises, moment, %b FROM pace_take(
    %%(taker)s::text, %%(urgency)s::integer, %%(number)s::integer,
    %%(ahead)s::double precision, %%(campaign)s::text,
    %%(rate)s::double precision, %%(most)s::integer, %%(moment)s::double precision
)
""" % (_COLUMNS,)

_LOOK = b"""
SELECT coalesce(%%(moment)s::double precision, life_clock()) AS moment, %b
FROM pace AS tenant WHERE name = 'tenant'
""" % (_COLUMNS,)

_CHANGE = b"""
SELECT pace_change(
    %(known)s::bigint, %(rate)s::double precision, %(most)s::integer,
    %(ceiling)s::double precision, %(searches)s::boolean,
    %(changed_at)s::double precision, %(regained_at)s::double precision,
    %(raise_at)s::double precision, %(held_until)s::double precision,
    %(moment)s::double precision
) AS changed
"""


def _pace_of(found: dict[str, Any]) -> Pace:
    return Pace(**{field.name: found[field.name] for field in attrs.fields(Pace)})
