"""
Campaigns in a schema of PostgreSQL.
"""

from __future__ import annotations

from typing import Self

from voicepush.ledger.postgres.address import Address
from voicepush.ledger.postgres.store import PostgresStore
from voicepush.ledger.sql.ledger import SQLLedger


class PostgresLedger(SQLLedger):
    """
    Campaigns in a database that several machines share, with every claim and record
    committed there.
    """

    @classmethod
    async def open(
        cls,
        address: str,
        *,
        schema: str | None = None,
        make: bool = True,
        failed_over: bool = False,
    ) -> Self:
        """
        The ledger at *address*, which may name its schema.

        Args:
            schema: Its schema, where the address names none.
            make: Make its tables if they are not there.
            failed_over: It is known that the database failed over or was restored.

        Raises:
            InputError: *address* can't be used, or holds a password; or the tables are
                not there, and not to be made.
            LedgerError: It can't be reached, or is of a newer version.
        """
        store = PostgresStore(Address.parse(address, schema))
        await store.open(make=make, failed_over=failed_over)
        return cls(store)
