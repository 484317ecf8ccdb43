"""
Campaigns in a schema of PostgreSQL.
"""

from __future__ import annotations

from typing import Self

from voicepush.ledger.postgres.mishaps import check_address
from voicepush.ledger.postgres.store import PostgresStore
from voicepush.ledger.sql.ledger import SQLLedger

#: Where its tables are, unless another schema is named.
SCHEMA = "voicepush"


class PostgresLedger(SQLLedger):
    """
    Campaigns in a database that several machines share, with every claim and record
    committed there.
    """

    @classmethod
    async def open(
        cls, address: str, *, schema: str = SCHEMA, make: bool = True
    ) -> Self:
        """
        The ledger in *schema* of the database at *address*.

        Args:
            make: Make its tables if they are not there.

        Raises:
            InputError: *address* can't be used, or holds a password; or the tables are
                not there, and not to be made.
            LedgerError: It can't be reached, or is of a newer version.
        """
        check_address(address)
        store = PostgresStore(address, schema)
        await store.open(make=make)
        return cls(store)
