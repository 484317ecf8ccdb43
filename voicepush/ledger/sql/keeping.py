"""
What keeps a store in order: whether it is sound, and what is taken out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from voicepush.errors import InputError
from voicepush.ledger.forgetting import Person
from voicepush.ledger.sql.auditing.ledger import audited
from voicepush.ledger.sql.books import Books
from voicepush.ledger.sql.forgetting import forget
from voicepush.ledger.sql.retiring import Archived, archive, delete, ended_before
from voicepush.ledger.sql.store import Connection, Store
from voicepush.model.audit import Audit, Finding
from voicepush.model.forgetting import Forgetting
from voicepush.model.recipients import Kind
from voicepush.model.suppression import check_value


class SQLKeeping:
    """
    The part of a ledger that is for who keeps it.
    """

    _store: Store
    _books: Books

    @property
    def backup(self) -> str | None:
        """
        What it is a backup of, where it is one; what was restored in a database is
        noticed by its server.
        """
        return None

    async def restore(self) -> Mapping[str, int]:
        """
        Let a backup be a ledger again, in which nobody is called by itself who may have
        been called since it was made; gives how many these are, by campaign.

        Raises:
            InputError: It is none.
        """
        raise InputError(
            "this ledger is no backup, so there is nothing to be restored; leave out "
            "--restored"
        )

    async def forget(self, kind: Kind, value: str, *, keep: bool = True) -> Forgetting:
        """
        Let nothing in it name someone any more, who is still counted; while nobody
        works on any campaign.

        Args:
            value: A number in normal form, or a customer id.
            keep: Keep a hash, so that they are not called again.

        Raises:
            InputError: *value* is neither.
            CampaignHeldError: Somebody works on a campaign.
        """
        person = Person(kind, check_value(kind, value))
        found = await self._store.do(partial(forget, person=person, keep=keep))
        # What receipts were placed by is remembered in memory.
        self._books = Books()
        return found

    async def audit(self, *, deep: bool = False) -> Audit:
        """
        What is in it, all of it at one moment, held against itself.

        Args:
            deep: Look at the whole index, and into all bodies of receipts.
        """
        damage = await self._store.do(self._damage, writes=False)
        if damage:
            # What is read from damaged pages says nothing.
            return Audit((), damage, len(damage))
        return await self._store.do(partial(audited, deep=deep), writes=False)

    def _damage(self, connection: Connection) -> list[Finding]:  # noqa: ARG002 -- see below
        """
        What is damaged of how it is kept; a server sees to that itself.
        """
        return []

    async def archive(self, campaign: str) -> Archived:
        """
        Put *campaign*, which is over, into little room; it answers as before.

        Raises:
            InputError: There is no such campaign, or it is not over.
        """
        return await archive(self._store, campaign)

    async def delete(
        self, campaign: str, tell: Callable[[int], object] = lambda _: None
    ) -> None:
        """
        Let nothing remain of *campaign*, which is over, but that there was one, so that
        it is not planned again by mistake.

        Args:
            tell: Hears how many batches are gone.

        Raises:
            InputError: There is no such campaign, it is not over, or another one calls
                its people again.
        """
        await delete(self._store, campaign, tell)
        # What receipts were placed by is remembered in memory.
        self._books = Books()

    async def wipe(self) -> bool:
        """
        Let nothing that was deleted stay where it is kept; gives whether that was done,
        which is the server's own business.
        """
        return False

    async def ended_before(self, moment: float) -> list[str]:
        """
        The campaigns that ended before *moment*, in seconds since 1970.
        """
        return await self._store.do(
            lambda connection: ended_before(connection, moment), writes=False
        )
