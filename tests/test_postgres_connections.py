"""
How a ledger in PostgreSQL connects.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import postgres
import psycopg
import pytest

from voicepush import open_ledger
from voicepush.ledger.postgres.store import lasting

NOTICING = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}


def parameters(address: str) -> dict[str, str]:
    """
    Those of further connections to *address*.
    """
    with (
        psycopg.connect(address) as first,
        psycopg.connect(address, **lasting(first)) as further,
    ):
        return further.info.get_parameters()


def test_a_server_that_is_gone_is_noticed() -> None:
    """
    Keep-alives and a time-out are asked for.
    """
    found = parameters(postgres.server().address)

    assert NOTICING.items() <= found.items()


def test_the_settings_of_an_address_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Also those of a service that it names; the others are ours.
    """
    services = tmp_path / "services"
    services.write_text("[calls]\ntcp_user_timeout=5000\nkeepalives=0\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    address = f"{postgres.server().address}&service=calls&keepalives_idle=7"
    found = parameters(address)
    wanted = {"tcp_user_timeout": "5000", "keepalives": "0", "keepalives_idle": "7"}

    assert {**NOTICING, **wanted}.items() <= found.items()


@pytest.fixture
def schema() -> Iterator[str]:
    """
    The name of a schema that is dropped in the end.
    """
    name = f"connected_{os.urandom(4).hex()}"
    yield name
    with psycopg.connect(postgres.server().address) as connection:
        connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


@pytest.mark.parametrize(
    ("setting", "name"), [("", "voicepush"), ("&application_name=june", "june")]
)
async def test_the_server_knows_who_is_connected(
    schema: str, setting: str, name: str
) -> None:
    """
    By the name of this program, unless the address has another.
    """
    address = f"{postgres.server().address}{setting}"
    async with open_ledger(address, schema=schema) as ledger:
        await ledger.campaigns()
        with psycopg.connect(postgres.server().address) as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s",
                (name,),
            ).fetchone()

    assert found is not None
    assert found[0] >= 1
