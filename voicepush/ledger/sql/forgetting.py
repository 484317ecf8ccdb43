"""
Someone is taken out of a store: who they are is gone, and how many there were stays.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from voicepush.ledger import decisions
from voicepush.ledger.bodies import unpack_bodies
from voicepush.ledger.forgetting import (
    FORGOTTEN,
    Person,
    Without,
    hash_of,
    without,
)
from voicepush.ledger.packing import (
    COLUMNS,
    PackedRecipients,
    pack_exceptions,
    pack_places,
    pack_recipients,
    unpack_exceptions,
    unpack_places,
    unpack_recipients,
    unzipped,
    unzipped_text,
    zipped,
    zipped_text,
)
from voicepush.ledger.sql.calls import blank_bodies
from voicepush.ledger.sql.draft import drop
from voicepush.ledger.sql.history import note, this_process
from voicepush.ledger.sql.holding import check_free
from voicepush.ledger.sql.index import drop_entry
from voicepush.ledger.sql.late import lose, write_late
from voicepush.ledger.sql.rows import batch_result, in_flight, record_of, rows_numbered
from voicepush.ledger.sql.store import DRAFT, Connection, Row
from voicepush.ledger.sql.suppression import keys_of
from voicepush.model.forgetting import Forgetting
from voicepush.model.outcome import Outcome
from voicepush.model.recipients import Kind
from voicepush.model.status import CampaignState

#: So many rows are read at once.
_TOGETHER = 64

#: Texts that may name someone, by table and what tells its rows apart.
_TEXTS = {
    ("batch", "campaign", "number"): ("description",),
    ("call", "campaign", "number", "recipient"): (
        *("words", "transactions", "expired_as"),
    ),
    ("history", "campaign", "at"): ("detail",),
    ("campaign", "id"): ("reason",),
    ("suppression", "id"): ("category", "reason"),
}

#: Those that are of a whole campaign, and what they are.
_LEFT = {
    "name": "its name",
    "source": "the name of its list",
    "given": "what was typed when it was planned",
    "message": "its message",
}


def forget(connection: Connection, person: Person, *, keep: bool) -> Forgetting:
    """
    Take *person* out, while nobody works on any campaign.

    Args:
        keep: Keep a hash, so that they are not called again.

    Raises:
        CampaignHeldError: Someone works on a campaign.
    """
    connection.lock_suppression(alone=True)
    return _Forgetting(connection, person).done(keep=keep)


class _Forgetting:
    def __init__(self, connection: Connection, person: Person) -> None:
        self._connection = connection
        self._person = person
        self._campaigns = {
            row["id"]: row for row in connection.execute("SELECT * FROM campaign")
        }
        self._found: dict[int, int] = {}
        self._suppressed = self._given_up = self._bodies = self._texts = 0

    def done(self, *, keep: bool) -> Forgetting:
        """
        Do it all.
        """
        connection, person = self._connection, self._person
        for row in self._campaigns.values():
            check_free(connection, row)
        for row in self._campaigns.values():
            if row["state"] == DRAFT:  # whoever planned it is gone
                drop(connection, row["id"])
        for row in self._rows_of_recipients():
            self._take_out(row)
        self._clean_receipts()
        self._clean_texts()
        was_listed = self._unlist()
        _remember(connection, person, keep=keep)
        for campaign, number in self._found.items():
            note(connection, campaign, "forgot", f"{number} in it")
        rows = [self._campaigns[campaign] for campaign in self._found]
        return Forgetting(
            campaigns=[row["name"] for row in rows],
            people=sum(self._found.values()),
            suppressed=self._suppressed,
            given_up=self._given_up,
            bodies=self._bodies,
            texts=self._texts,
            was_listed=was_listed,
            is_kept=keep,
            left=tuple(dict.fromkeys(self._left())),
            moved_to=tuple(
                row["reason"] for row in rows if row["state"] == CampaignState.MOVED
            ),
        )

    # Batches

    def _rows_of_recipients(self) -> Iterator[Row]:
        return self._rows(f"{', '.join(COLUMNS)} FROM recipients")

    def _rows(self, select: str) -> Iterator[Row]:
        """
        What *select* names, which is of batches, some at a time.
        """
        after = (0, -1)
        while rows := self._connection.execute(
            f"SELECT campaign, number, {select} "
            "WHERE (campaign, number) > (?, ?) ORDER BY campaign, number LIMIT ?",
            (*after, _TOGETHER),
        ).fetchall():
            yield from rows
            after = (rows[-1]["campaign"], rows[-1]["number"])

    def _may_be_in(self, row: Row) -> bool:
        packed = unzipped(row["packed"])
        if isinstance(packed, str) and row["kind"] == self._person.kind:
            if f"\n{self._person.value}\n" in f"\n{packed}\n":
                return True
        elif row["kind"] == self._person.kind or self._person.is_in(packed):
            return True
        return any(
            row[name] and self._person.is_in(unzipped(row[name]))
            for name in ("ids", "as_came", "kept")
        )

    def _take_out(self, row: Row) -> None:
        if not self._may_be_in(row):
            return
        packed = PackedRecipients(*(row[name] for name in COLUMNS))
        found = without(unpack_recipients(packed), self._person)
        if found is None:
            return
        connection, campaign, number = (
            self._connection,
            row["campaign"],
            row["number"],
        )
        if found.were:
            self._found[campaign] = self._found.get(campaign, 0) + len(found.were)
            self._decide(campaign, number, found)
        new = pack_recipients(found.recipients)
        columns: tuple[str | bytes | None, ...]
        columns = (new.packed, new.ids, new.as_came, new.kept)
        if self._campaigns[campaign]["archived_at"] is not None:
            columns = tuple(map(zipped, columns))
        connection.execute(
            "UPDATE recipients SET packed = ?, ids = ?, as_came = ?, kept = ? "
            "WHERE campaign = ? AND number = ?",
            (*columns, campaign, number),
        )
        for text in found.gone:
            drop_entry(connection, campaign, number, text)
        self._drop_bodies_of(campaign, number, found)

    def _decide(self, campaign: int, number: int, found: Without) -> None:
        """
        Nobody who is forgotten may be sent to: whoever is pending is suppressed, and
        whoever is unknown is given up.
        """
        (row,) = rows_numbered(self._connection, campaign, number)
        known = batch_result(row)
        changed = known
        is_cancelled = self._campaigns[campaign]["state"] == CampaignState.CANCELLED
        sendable = {Outcome.PENDING, *(() if is_cancelled else (Outcome.NOT_SENT,))}
        if any(known.at(place).outcome in sendable for place in found.places):
            # The worker that had claimed some of the batch is gone.
            under_way = in_flight(row, known)
            lose(self._connection, campaign, row, under_way)
            changed = decisions.lost(known, under_way)
            for outcome in sendable:
                places = [
                    at for at in found.places if changed.at(at).outcome is outcome
                ]
                self._suppressed += known.batch.weigh(places)
                changed = decisions.replaced(changed, outcome, FORGOTTEN, places)
            record = record_of(changed, campaign, "", row["due_at"])
            write_late(self._connection, row, changed, record)
        given_up = unpack_places(row["given_up_places"])
        unknown = [
            place
            for place in decisions.unresolved(changed, given_up)
            if place in found.places
        ]
        if unknown:
            self._given_up += known.batch.weigh(unknown)
            both = decisions.still_given_up(changed, given_up.union(unknown))
            self._connection.execute(
                "UPDATE batch SET given_up = ?, given_up_places = ? "
                "WHERE campaign = ? AND number = ?",
                (known.batch.weigh(both), pack_places(both), campaign, number),
            )

    # Receipts

    def _drop_bodies_of(self, campaign: int, number: int, found: Without) -> None:
        connection = self._connection
        for recipient in found.were:
            key = (campaign, number, recipient)
            row = connection.execute(
                "SELECT bodies FROM call "
                "WHERE campaign = ? AND number = ? AND recipient = ?",
                key,
            ).fetchone()
            if row is None:
                continue
            for each in row["bodies"].split():
                block, _, place = each.partition(".")
                self._bodies += blank_bodies(connection, int(block), {int(place)})
            connection.execute(
                "UPDATE call SET bodies = '' "
                "WHERE campaign = ? AND number = ? AND recipient = ?",
                key,
            )

    def _clean_receipts(self) -> None:
        after = 0
        while rows := self._connection.execute(
            "SELECT id, report FROM aside WHERE report IS NOT NULL AND id > ? "
            "ORDER BY id LIMIT ?",
            (after, _TOGETHER),
        ).fetchall():
            for row in rows:
                if self._is_named_in(row["report"]):
                    self._connection.execute(
                        "DELETE FROM aside WHERE id = ?", (row["id"],)
                    )
                    self._texts += 1
            after = rows[-1]["id"]
        after = 0
        while rows := self._connection.execute(
            "SELECT id, packed FROM body_block WHERE id > ? ORDER BY id LIMIT ?",
            (after, _TOGETHER),
        ).fetchall():
            for row in rows:
                bodies = unpack_bodies(row["packed"])
                named = {
                    at for at, each in enumerate(bodies) if self._person.is_in(each)
                }
                self._bodies += blank_bodies(self._connection, row["id"], named)
            after = rows[-1]["id"]

    def _is_named_in(self, report: bytes) -> bool:
        told = msgspec.json.decode(report, type=dict[str, Any])
        return self._person.is_in(report) or told.get("recipient") in (
            self._person.value,
            self._person.value.removeprefix("+"),
        )

    # Texts

    def _clean_texts(self) -> None:
        for (table, *key), columns in _TEXTS.items():
            for column in columns:
                self._clean_column(table, key, column)
        for row in self._rows("exceptions, transactions FROM batch"):
            self._clean_batch(row)

    def _clean_batch(self, row: Row) -> None:
        """
        What is packed in a row of a batch.
        """
        erased, is_in = self._person.erased, self._person.is_in
        exceptions, transactions = row["exceptions"], row["transactions"]
        if exceptions and is_in(unzipped(exceptions)):
            exceptions = pack_exceptions(
                {
                    place: verdict._replace(description=erased(verdict.description))
                    for place, verdict in unpack_exceptions(exceptions).items()
                }
            )
        if transactions and is_in(unzipped_text(transactions)):
            transactions = erased(unzipped_text(transactions))
        if (exceptions, transactions) != (row["exceptions"], row["transactions"]):
            if self._campaigns[row["campaign"]]["archived_at"] is not None:
                exceptions, transactions = zipped(exceptions), zipped_text(transactions)
            self._connection.execute(
                "UPDATE batch SET exceptions = ?, transactions = ? "
                "WHERE campaign = ? AND number = ?",
                (exceptions, transactions, row["campaign"], row["number"]),
            )
            self._texts += 1

    def _clean_column(self, table: str, key: list[str], column: str) -> None:
        core = self._person.core
        if core is None:
            return
        like = "".join(f"!{each}" if each in "!%_" else each for each in core)
        names = " AND ".join(f"{each} = ?" for each in (*key, column))
        for *its_key, text in self._connection.execute(
            f"SELECT DISTINCT {', '.join(key)}, {column} FROM {table} "  # noqa: S608 -- ours
            f"WHERE {column} LIKE ? ESCAPE '!'",
            (f"%{like}%",),
        ).fetchall():
            if self._person.is_in(text):
                self._connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {names}",  # noqa: S608 -- ours
                    (self._person.erased(text), *its_key, text),
                )
                self._texts += 1

    def _left(self) -> Iterator[str]:
        """
        What names them yet, in words without them.
        """
        for row in self._connection.execute(
            "SELECT campaign.name, source, given, message FROM campaign "
            "JOIN message_group ON message_group.campaign = campaign.id ORDER BY id"
        ).fetchall():
            for column, what in _LEFT.items():
                if self._person.is_in(row[column]):
                    yield f"{what} ({self._person.erased(row['name'])})"

    def _unlist(self) -> bool:
        value = self._person.value
        if self._person.kind is Kind.MSISDN:
            found = self._connection.execute(
                "DELETE FROM suppressed_number WHERE number = ?", (int(value[1:]),)
            )
        else:
            found = self._connection.execute(
                "DELETE FROM suppressed_id WHERE value = ?", (value,)
            )
        return found.rowcount > 0


def _remember(connection: Connection, person: Person, *, keep: bool) -> None:
    keys = keys_of(connection)
    if not keys:
        keys = [secrets.token_hex(32)]
        connection.execute("INSERT INTO forgetting VALUES (?)", keys)
    hashed, *others = (hash_of(key, person.kind, person.value) for key in keys)
    for each in (hashed, *others):
        connection.execute("DELETE FROM forgotten WHERE hash = ?", (each,))
    if keep:
        connection.execute(
            "INSERT INTO forgotten VALUES (?, ?, ?)",
            (hashed, connection.now(), this_process()),
        )
