"""
A schema of an earlier version goes on with this one.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import postgres
import psycopg
import pytest
from ledger_model import MESSAGE, TAG, load, planned_as, publish
from making import batch_of
from psycopg import sql

from voicepush.errors import LedgerError
from voicepush.ledger.postgres import schema as tables
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.pace_tables import PACE
from voicepush.ledger.postgres.server import SERVER
from voicepush.ledger.postgres.tables import WORKERS_FROM_1
from voicepush.model.claim import Claimed

#: The tables as version 1 made them.
VERSION_1 = Path(__file__).with_name("postgres_version_1.sql").read_text("utf-8")

#: What another version might bring.
NEXT = """
CREATE TABLE mood (campaign bigint NOT NULL REFERENCES campaign (id), mood text);
ALTER TABLE campaign ADD COLUMN mood text;
"""

#: What tells one set of tables from another.
SHAPE = """
SELECT 'column', table_name || '.' || column_name,
    concat_ws(' ', data_type, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = %(schema)s
UNION ALL SELECT 'index', indexname, replace(indexdef, schemaname, '')
FROM pg_indexes WHERE schemaname = %(schema)s
UNION ALL SELECT 'trigger', tgname, replace(pg_get_triggerdef(oid), %(schema)s, '')
FROM pg_trigger WHERE tgrelid::regclass::text LIKE %(schema)s || '.%%'
AND NOT tgisinternal
UNION ALL SELECT 'function', proname, prosrc FROM pg_proc
WHERE pronamespace = %(schema)s::regnamespace
UNION ALL SELECT 'view', viewname, definition FROM pg_views
WHERE schemaname = %(schema)s
UNION ALL SELECT 'rule', conrelid::regclass::text, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = %(schema)s::regnamespace
"""


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> int:
    """
    The version after this one, which has more tables.
    """
    version = tables.VERSION + 1
    since = {each: script + NEXT for each, script in tables._FROM.items()}
    monkeypatch.setattr(tables, "VERSION", version)
    monkeypatch.setattr(tables, "_FROM", {**since, version - 1: NEXT})
    return version


def made(script: str = "") -> str:
    """
    The name of a new schema in which *script* was run.
    """
    name = f"made_{os.urandom(4).hex()}"
    with psycopg.connect(postgres.server().address) as connection:
        for statement in ("CREATE SCHEMA {}", "SET search_path TO {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        connection.execute(script.encode())
    return name


def shape_of(schema: str) -> set[tuple[str, str, str]]:
    """
    What is in *schema*, without its name.
    """
    with psycopg.connect(postgres.server().address) as connection:
        found = connection.execute(SHAPE, {"schema": schema}).fetchall()
    assert len(found) > 200
    return {
        (kind, name.replace(f"{schema}.", ""), text.replace(f"{schema}.", ""))
        for kind, name, text in found
    }


async def opened(schema: str, user: str = "tests") -> PostgresLedger:
    """
    The ledger in *schema*, which is there.
    """
    address = postgres.server().address.replace("tests@", f"{user}@")
    return await PostgresLedger.open(address, schema=schema, make=False)


async def check_goes_on(schema: str) -> None:
    """
    A campaign can be planned and claimed in *schema*.
    """
    async with await opened(schema) as ledger:
        batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991"])
        await publish(ledger, planned_as(), batch)
        worker = await ledger.join("june", load)

        assert isinstance(await worker.claim(batch, [0]), Claimed)


async def made_of_version_2() -> str:
    """
    The name of a schema as version 2 left it.
    """
    name = made(VERSION_1)
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(tables, "VERSION", 2)
        earlier.setattr(tables, "_FROM", {1: WORKERS_FROM_1 + SERVER + PACE})
        await (await opened(name)).close()
    return name


@pytest.mark.parametrize("version", [1, 2])
async def test_a_schema_of_before_gets_the_tables_of_now(version: int) -> None:
    """
    Those that a new one has.
    """
    before = made(VERSION_1) if version == 1 else await made_of_version_2()
    now = made()
    async with await PostgresLedger.open(postgres.server().address, schema=now):
        pass
    await check_goes_on(before)

    assert shape_of(now) == shape_of(before)


@pytest.mark.usefixtures("next_version")
async def test_the_tables_of_the_next_version() -> None:
    """
    Are the same whether it comes after nothing, the first version, or this one.
    """
    before, now = made(VERSION_1), made()
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr(tables, "VERSION", tables.VERSION - 1)
        earlier.setattr(tables, "_FROM", {0: tables._FROM[0].removesuffix(NEXT)})
        this = made()
        address = postgres.server().address
        async with await PostgresLedger.open(address, schema=this):
            pass
    async with await PostgresLedger.open(postgres.server().address, schema=now):
        pass
    for each in (before, this):
        await check_goes_on(each)

    assert shape_of(now) == shape_of(before) == shape_of(this)


@pytest.mark.usefixtures("next_version")
async def test_many_find_an_earlier_version() -> None:
    """
    One of them brings it up, and the others use it.
    """
    schema = made(VERSION_1)
    for each in await asyncio.gather(*(opened(schema) for _ in range(5))):
        await each.close()

    await check_goes_on(schema)


async def test_who_may_not_change_the_tables_is_told_who_may(next_version: int) -> None:
    """
    In one line, and everything stays as it is.
    """
    schema, role = made(VERSION_1), f"caller_{os.urandom(4).hex()}"
    with psycopg.connect(postgres.server().address) as connection:
        connection.execute(
            f"CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA {schema} TO {role}; "
            f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}".encode()
        )
    before = shape_of(schema)
    with pytest.raises(
        LedgerError, match=f"1, this voicepush needs {next_version}.*"
    ) as refused:
        await opened(schema, role)

    assert "let tests open it once" in str(refused.value)
    assert before == shape_of(schema)
