"""A rate in PostgreSQL that nobody has used yet, and takers that always want more."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from heapq import heapify, heapreplace
from math import inf

import attrs
import postgres
import psycopg
from psycopg import sql

from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.pace import PostgresAllowance
from voicepush.model.pace import Taker, Urgency

#: What all tests use that come one after the other.
_SCHEMA = f"pace_{os.urandom(4).hex()}"
_made: set[str] = set()


async def make(schema: str) -> None:
    """
    Make the tables of a ledger in *schema*.
    """
    async with await PostgresLedger.open(postgres.server().address, schema=schema):
        _made.add(schema)


@contextmanager
def connected() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """
    A connection behind the back of whoever shares the rate.
    """
    with psycopg.connect(postgres.server().address, autocommit=True) as connection:
        path = sql.SQL("SET search_path TO {}").format(sql.Identifier(_SCHEMA))
        connection.execute(path)
        yield connection


def execute(statement: str) -> list[tuple[object, ...]]:
    """
    What *statement* gives there.
    """
    with connected() as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def unused(
    moment: Callable[[], float] | None = None,
) -> AsyncIterator[PostgresAllowance]:
    """
    An allowance of which nobody has taken anything; one at a time.
    """
    address = postgres.server().address
    if _SCHEMA not in _made:
        await make(_SCHEMA)
    execute("DELETE FROM pace")
    execute("DELETE FROM campaign_pace")
    execute("INSERT INTO pace (name) VALUES ('tenant')")
    async with PostgresAllowance(address, schema=_SCHEMA, moment=moment) as allowance:
        yield allowance


def taker(
    name: str,
    urgency: Urgency = Urgency.MEDIUM,
    *,
    rate: float | None = None,
    ahead: float = 0.0,
) -> Taker:
    """
    One that keeps to a rate of its own, if it has one.
    """
    return Taker(name=name, urgency=urgency, campaign=name, rate=rate, ahead=ahead)


@attrs.define
class Hungry:
    """
    Asks again as soon as it may.
    """

    taker: Taker
    #: So many at a time.
    number: int
    #: How long it pauses after each take.
    pause: float = 0.0
    #: From when until when it wants anything.
    begins: float = 0.0
    ends: float = inf
    #: What it got, and when.
    got: list[tuple[float, int]] = attrs.field(factory=list)
    #: For how long it waited for each.
    waited: list[float] = attrs.field(factory=list)
    since: float | None = None

    def share(self, begins: float, ends: float) -> float:
        """
        How many it got per second of a time.
        """
        got = sum(number for at, number in self.got if begins <= at < ends)
        return got / (ends - begins)


class Time:
    """
    The moment at present.
    """

    def __init__(self) -> None:
        self.moment = 1_000.0

    def __call__(self) -> float:
        """
        In seconds.
        """
        return self.moment


async def feed(
    allowance: PostgresAllowance,
    time: Time,
    hungry: Sequence[Hungry],
    seconds: float,
) -> None:
    """
    Let everyone ask when it is time to, for so many *seconds* of *time*.
    """
    begun = time.moment
    queue = [(begun + each.begins, number, each) for number, each in enumerate(hungry)]
    heapify(queue)
    while queue[0][0] < begun + seconds:
        time.moment, number, each = queue[0]
        if time.moment >= begun + each.ends:
            heapreplace(queue, (inf, number, each))
            continue
        if each.since is None:
            each.since = time.moment
        allowed = await allowance.take(each.number, each.taker)
        wait = max(allowed.wait, allowed.held)
        if allowed.number:
            each.got.append((time.moment - begun + wait, allowed.number))
            each.waited.append(time.moment + wait - each.since)
            each.since = None
            wait += each.pause
        elif wait > 0.5:
            wait = 0.5  # as a pacer looks again
        # Nobody is faster than a statement.
        heapreplace(queue, (time.moment + max(wait, 0.000_5), number, each))
