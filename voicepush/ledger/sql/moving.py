"""
A campaign goes from one ledger to another, and is dispatched from one of them only.

The order of events is what counts: it is marked in the source as *moving*, and nobody
can dispatch it; its rows are copied into a draft that nobody sees; the sums of both are
compared; those who must not be called come along; the draft is published, and then the
source says that it was *moved*. Whatever happens in between, the same again goes on, or
takes the mark back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import msgspec

from voicepush.errors import InputError, LedgerError
from voicepush.ledger.plan import PlannedGroup
from voicepush.ledger.sql import copying, due_again
from voicepush.ledger.sql.bringing import bring_list
from voicepush.ledger.sql.calls import calls_of
from voicepush.ledger.sql.draft import drop
from voicepush.ledger.sql.groups import insert_groups, planned_groups
from voicepush.ledger.sql.history import note
from voicepush.ledger.sql.holding import (
    campaign_row,
    check_free,
    hold,
    let_all_go,
    let_go,
    note_heartbeat,
    published_row,
    take,
)
from voicepush.ledger.sql.index import new_run, write_pages
from voicepush.ledger.sql.statuses import statuses_of
from voicepush.ledger.sql.store import DRAFT, Connection, Row, Store
from voicepush.ledger.sql.tokens import new_token
from voicepush.model.status import CampaignState, CampaignStatus

#: What is not copied of a campaign's row: what another ledger gives, and what the move
#: itself decides.
_NOT_COPIED = frozenset({"id", "parent", "state", "moved", "message"})

_GONE = (CampaignState.MOVING, CampaignState.MOVED)
_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)


@attrs.frozen
class Mark:
    """
    What the source remembers of a move.
    """

    #: Where it goes, or has gone, in words.
    to: str
    #: What it was before.
    state: CampaignState
    reason: str | None


class Move:
    """
    The move of *campaign*.

    Args:
        to: Where it goes, in words for whoever looks for it in the source.
        tell: Hears how many batches of how many are copied.
    """

    def __init__(
        self,
        source: Store,
        target: Store,
        campaign: str,
        *,
        to: str,
        tell: Callable[[int, int], object] = lambda *_: None,
    ) -> None:
        self._source = source
        self._target = target
        self._name = campaign
        self._to = to
        self._tell = tell
        self._token = new_token()
        #: So many came along who must not be called, and whom the target did not know.
        self.brought = 0

    async def go(self) -> CampaignStatus:
        """
        Move it, or go on with that; gives where it stands in the target.

        Raises:
            InputError: It can't be moved; nothing has changed.
            CampaignHeldError: A process is dispatching it.
            LedgerError: One of them can't be read or written, or their sums differ.
        """
        find = partial(published_row, name=self._name)
        before = await self._source.do(find, writes=False)
        await self._target.do(
            lambda connection: self._check_target(connection, before), writes=False
        )
        row = await self._source.do(self._mark)
        look = partial(planned_groups, campaign=row["id"])
        groups = await self._source.do(look, writes=False)
        begin = partial(self._begin, row=row, groups=groups)
        draft = await self._target.do(begin)
        if draft is not None:
            try:
                await self._copy(row, draft)
                await self._compare(row["id"], draft)
                # Before anyone can be called from there.
                await self._bring_list(lambda there: self._held(there, draft))
                publish = partial(self._publish, draft=draft, mark=_mark_of(row))
                await self._target.do(publish)
            except asyncio.CancelledError:
                self._target.do_later(self._let_go)
                raise
            except Exception:
                # Who goes on, or takes it back, need not wait for us.
                with suppress(LedgerError):
                    await self._target.do(self._let_go)
                raise
        else:
            # Who opted out here since it was published there.
            await self._bring_list(lambda _: None)
        await self._source.do(self._end)
        (status,) = await self._target.do(
            lambda connection: statuses_of(connection, self._name), writes=False
        )
        return status

    async def back(self) -> CampaignStatus:
        """
        Take the mark back, and drop what was copied; gives where it stands.

        Raises:
            InputError: It is not being moved, or it was moved already.
        """
        row = await self._source.do(self._marked, writes=False)
        await self._target.do(lambda connection: self._drop_draft(connection, row))
        await self._source.do(self._unmark)
        (status,) = await self._source.do(
            lambda connection: statuses_of(connection, self._name), writes=False
        )
        return status

    # In the source

    def _mark(self, connection: Connection) -> Row:
        row = published_row(connection, self._name)
        if row["state"] == CampaignState.MOVED:
            raise InputError(f"campaign {self._name!r} was moved to {row['reason']}")
        if row["state"] == CampaignState.MOVING:
            return row
        check_free(connection, row)
        for other in connection.execute(
            "SELECT name, state, follows FROM campaign WHERE parent = ?", (row["id"],)
        ):
            due_again.stay_expired(connection, row["id"], other)
            if other["state"] not in _OVER:
                raise InputError(
                    f"{other['name']} calls people of {self._name} again and is not "
                    "over; finish or cancel that first"
                )
        # One whose process has died was paused by that.
        (status,) = statuses_of(connection, self._name)
        if status.state is CampaignState.RUNNING:
            raise InputError(
                f"campaign {self._name!r} is given to the workers of its ledger; pause "
                "it first"
            )
        let_all_go(connection, row["id"])
        mark = Mark(self._to, status.state, status.reason)
        connection.execute(
            "UPDATE campaign SET state = ?, reason = ?, command = NULL, "
            "moved = ? WHERE id = ?",
            (
                *(CampaignState.MOVING, self._to),
                *(msgspec.json.encode(mark).decode(), row["id"]),
            ),
        )
        return published_row(connection, self._name)

    def _marked(self, connection: Connection) -> Row:
        row = published_row(connection, self._name)
        if row["state"] == CampaignState.MOVED:
            raise InputError(f"campaign {self._name!r} was moved to {row['reason']}")
        if row["state"] != CampaignState.MOVING:
            raise InputError(f"campaign {self._name!r} is not being moved")
        return row

    def _unmark(self, connection: Connection) -> None:
        row = self._marked(connection)
        mark = _mark_of(row)
        connection.execute(
            "UPDATE campaign SET state = ?, reason = ?, moved = NULL WHERE id = ?",
            (mark.state, mark.reason, row["id"]),
        )

    def _end(self, connection: Connection) -> None:
        row = self._marked(connection)
        connection.execute(
            "UPDATE campaign SET state = ? WHERE id = ?",
            (CampaignState.MOVED, row["id"]),
        )
        note(connection, row["id"], "moved", f"to {row['reason']}")

    # In the target

    def _check_target(self, connection: Connection, row: Row) -> None:
        """
        Refuse the source itself, a copy of it, or where it was moved from before: both
        would say that it goes on elsewhere.
        """
        there = campaign_row(connection, self._name)
        if there is None or there["state"] == DRAFT or there["tag"] != row["tag"]:
            return
        if there["state"] in _GONE or row["state"] not in _GONE:
            raise InputError(
                f"campaign {self._name!r} stands in that ledger already: it is the one "
                "it is in, a copy of that, or the one it was moved from; name another"
            )

    def _begin(
        self, connection: Connection, *, row: Row, groups: Sequence[PlannedGroup]
    ) -> int | None:
        """
        A new draft of the campaign, or None if it is published already.
        """
        if not self._drop_draft(connection, row, published="is fine"):
            return None
        parent = None
        if row["follows"] is not None:
            follows = msgspec.json.decode(row["follows"])["campaign"]
            parent = campaign_row(connection, follows)
            if parent is None or parent["state"] == DRAFT:
                raise InputError(
                    f"{self._name} calls people of {follows} again, which is not in "
                    "that ledger; move that one first"
                )
        columns = {name: row[name] for name in row.keys() if name not in _NOT_COPIED}  # noqa: SIM118
        columns |= {"state": DRAFT, "parent": parent and parent["id"]}
        names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
        campaign = connection.execute(
            f"INSERT INTO campaign ({names}) VALUES ({marks})",  # noqa: S608 -- ours
            columns,
        ).lastrowid
        take(connection, campaign or 0, self._token)
        connection.execute("INSERT INTO tally (campaign) VALUES (?)", (campaign,))
        insert_groups(connection, campaign or 0, groups)
        return campaign

    def _drop_draft(
        self, connection: Connection, row: Row, published: str | None = None
    ) -> bool:
        """
        Drop what was copied before; whether it is not published.
        """
        there = campaign_row(connection, self._name)
        if there is None:
            return True
        if there["tag"] != row["tag"]:
            raise InputError(
                f"there is another campaign {self._name!r} in that ledger already"
            )
        if there["state"] != DRAFT:
            if published is None:
                raise InputError(
                    f"campaign {self._name!r} is in {self._to} already; move it once "
                    "more, and the source will say so"
                )
            return False
        check_free(connection, there)
        drop(connection, there["id"])
        return True

    def _publish(self, connection: Connection, *, draft: int, mark: Mark) -> None:
        hold(connection, draft, self._token)
        connection.execute(
            "UPDATE campaign SET state = ?, reason = ? WHERE id = ?",
            (mark.state, mark.reason, draft),
        )
        let_go(connection, self._token)
        note(connection, draft, "moved", "here" + told_brought(self.brought))

    def _let_go(self, connection: Connection) -> None:
        let_go(connection, self._token)

    # Between them

    async def _copy(self, row: Row, draft: int) -> None:
        campaign, after, done = row["id"], -1, 0
        (total,) = await self._source.do(
            lambda connection: connection.execute(
                "SELECT count(*) FROM batch WHERE campaign = ?", (campaign,)
            ).fetchone(),
            writes=False,
        )
        while True:
            found = await self._source.do(
                partial(copying.read_batches, campaign=campaign, after=after),
                writes=False,
            )
            batches = found["batch"]
            if not batches:
                break
            await self._write(draft, partial(copying.write_batches, found=found))
            after, done = batches[-1]["number"], done + len(batches)
            self._tell(done, total)
        for run in await self._source.do(
            partial(copying.runs_of, campaign=campaign), writes=False
        ):
            await self._copy_run(run, draft)
        deeds = await self._source.do(
            partial(copying.read_deeds, campaign=campaign), writes=False
        )
        await self._write(draft, partial(copying.write_deeds, found=deeds))

    async def _copy_run(self, run: int, draft: int) -> None:
        theirs = await self._write(draft, new_run)
        after: int | None = None
        while pages := await self._source.do(
            partial(copying.read_pages, run=run, after=after), writes=False
        ):
            after = pages[-1][0]

            def write(
                connection: Connection,
                _: int,
                pages: list[tuple[int, bytes]] = pages,
            ) -> None:
                write_pages(connection, theirs, pages)

            await self._write(draft, write)

    async def _write(self, draft: int, work: Callable[[Connection, int], Any]) -> Any:
        """
        Do *work* on the draft, if it is still ours.
        """

        def held(connection: Connection) -> Any:
            self._held(connection, draft)
            return work(connection, draft)

        return await self._target.do(held)

    def _held(self, connection: Connection, draft: int) -> None:
        hold(connection, draft, self._token)
        note_heartbeat(connection, self._token)

    async def _bring_list(self, hold: Callable[[Connection], object]) -> None:
        self.brought += await bring_list(self._source, self._target, hold)

    async def _compare(self, campaign: int, draft: int) -> None:
        """
        Make sure that nobody was lost on the way.
        """
        before = await self._source.do(partial(_sums, campaign=campaign), writes=False)
        after = await self._target.do(partial(_sums, campaign=draft), writes=False)
        if before != after:
            differs = ", ".join(sorted(dict(before.items() ^ after.items())))
            raise LedgerError(
                f"what was copied of {self._name!r} does not agree with its source "
                f"({differs}); say move --back to go on where it is, and report this"
            )


def told_brought(people: int) -> str:
    """
    That so many came along, in words that follow others.
    """
    return f", with {people:,} of the suppression list" if people else ""


def _mark_of(row: Row) -> Mark:
    return msgspec.json.decode(row["moved"], type=Mark)


def _sums(connection: Connection, campaign: int) -> Counter[str]:
    """
    The sums of a campaign, and how many rows it has.
    """
    row = connection.execute(
        "SELECT * FROM tally WHERE campaign = ?", (campaign,)
    ).fetchone()
    found = Counter({name: row[name] for name in row.keys() if name != "campaign"})  # noqa: SIM118
    found.update({str(k): n for k, n in calls_of(connection, campaign).items()})
    for table in ("batch", "recipients", "call", "proof"):
        (found[table],) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE campaign = ?",  # noqa: S608
            (campaign,),
        ).fetchone()
    return found
