"""
Where a ledger is: the address of a database, and one of its schemas.
"""

from __future__ import annotations

from typing import Self
from urllib.parse import unquote

import attrs
import psycopg
from psycopg import conninfo

from voicepush.errors import InputError

#: Where its tables are, unless another schema is named.
SCHEMA = "voicepush"

#: PostgreSQL cuts longer names, and takes two for one then; in bytes.
_LONGEST_NAME = 63


@attrs.frozen
class Address:
    """
    Where a ledger is, as ``postgresql://user@host/database?schema=name``.
    """

    #: What libpq takes.
    database: str
    schema: str

    @classmethod
    def parse(cls, text: str, schema: str | None = None) -> Self:
        """
        The address in *text*, which names a schema, or none.

        A password in it is refused: it would show in the list of processes, and in
        logs.

        Args:
            schema: The same as in the address.

        Raises:
            InputError: It can't be used.
        """
        begin, _, query = text.partition("?")
        ours, theirs = [], []
        for each in query.split("&") if query else ():
            name, _, value = each.partition("=")
            if name == "schema":
                ours.append(unquote(value))
            else:
                theirs.append(each)
        named = {*ours, *(() if schema is None else (schema,))}
        if len(named) > 1:
            raise InputError("the ledger's address names two schemas; name one")
        address = cls(
            begin + ("?" + "&".join(theirs) if theirs else ""),
            named.pop() if named else SCHEMA,
        )
        address._check()
        return address

    def _check(self) -> None:
        try:
            found = conninfo.conninfo_to_dict(self.database)
        except psycopg.Error as error:
            raise InputError(
                "the ledger's address can't be understood; write it like "
                "postgresql://user@host:5432/database"
            ) from error
        if found.get("password"):
            raise InputError(
                f"the ledger's address {self} holds a password, which "
                "others can see; leave it out, and put it into a file (PGPASSFILE, "
                "~/.pgpass), or into a service of pg_service.conf"
            )
        name = self.schema
        if not name.isprintable() or not 0 < len(name.encode()) <= _LONGEST_NAME:
            raise InputError(
                f"a schema's name has 1 to {_LONGEST_NAME} bytes and nothing that "
                f"can't be seen; {name!r} does not"
            )
        if name.startswith("pg_") or name == "information_schema":
            raise InputError(f"the schema {name!r} is PostgreSQL's own; name another")

    def __str__(self) -> str:
        """
        Where it leads, without what is nobody's business.
        """
        found = conninfo.conninfo_to_dict(self.database)
        host, port = found.get("host") or "the default host", found.get("port")
        name = found.get("dbname") or found.get("service") or "the default database"
        where = f"{name} at {host}" + (f":{port}" if port else "")
        return where if self.schema == SCHEMA else f"{where}, schema {self.schema}"
