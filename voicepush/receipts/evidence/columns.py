"""
Which columns of a log hold what: by their names as people and exports write them.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from voicepush.errors import InputError
from voicepush.sources.choosing import Undecided, is_place, place_of
from voicepush.sources.choosing import named as has_name
from voicepush.sources.columns import SampleRow
from voicepush.sources.headers import Rank, rank_of
from voicepush.sources.tables import Start

OPTION = "--evidence-column"


class Column(enum.StrEnum):
    """
    What a column of a log may hold; the values are what their owner calls them.
    """

    TRANSACTION = "transaction"  #: the platform's name for the call
    CORRELATION = "correlation"  #: ours, or the owner's
    NUMBER = "number"  #: who was called
    STATUS = "status"  #: what became of the call
    CODE = "code"  #: the same as a number
    TIME = "time"  #: when it was asked for, or last changed
    PAYLOAD = "payload"  #: a receipt, as JSON


#: What their owner calls some columns: a header, or a place counted from 1.
Named: TypeAlias = Mapping[Column, str]

#: Where columns stand, counted from 0.
Places: TypeAlias = Mapping[Column, int]


def _joined(starts: Sequence[str], ends: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{start}{end}" for end in ends for start in starts)


_TRANSACTION = ("transaction", "trans", "txn", "trxn", "trx", "tx", "tran", "transact")
_CORRELATION = ("correlation", "corr", "correl", "corelation", "clientcorrelation")
_ID = ("id", "ids", "identifier", "uuid", "ref", "reference", "no", "nr", "number", "")
_TIME = ("at", "on", "time", "date", "datetime", "timestamp", "dt")

#: Names without spaces, signs and remarks in brackets; of several columns the one whose
#: name stands first here is taken.
_NAMES: Mapping[Column, tuple[str, ...]] = {
    Column.TRANSACTION: (*_joined(_TRANSACTION, _ID), "tid", "messageid", "msgid"),
    Column.CORRELATION: _joined(_CORRELATION, _ID),
    Column.NUMBER: (
        *("destination", "destinationaddress", "destinationnumber", "dest", "destno"),
        *("destnumber", "called", "callednumber", "callee", "tonumber", "to"),
        *("subscriber", "bnumber", "bparty", "customerid", "custid"),
    ),
    Column.STATUS: (
        *("currentstatus", "deliverystatus", "callstatus", "finalstatus", "laststatus"),
        *("transactionstatus", "transstatus", "txnstatus", "messagestatus"),
        *("msgstatus", "dlrstatus", "voicestatus", "status", "currentstate"),
        *("callstate", "state", "disposition", "callresult", "result", "dlr"),
        *("statusdescription", "statusdesc"),
    ),
    Column.CODE: (
        *(
            "statuscode",
            "deliverycode",
            "deliverystatuscode",
            "errorcode",
            "reasoncode",
        ),
        *("code", "dlrcode"),
    ),
    Column.TIME: (
        *_joined(
            ("lastupdated", "lastupdate", "updated", "statusupdated"), ("", *_TIME)
        ),
        *_joined(("delivery", "status", "call", "request", "requested"), _TIME),
        *_joined(("submit", "submitted", "sent", "created", "creation"), _TIME),
        *_joined(("received", "date", "start", "end"), ("", *_TIME)),
        *("datecreated", "datesent", "datesubmitted", "dateupdated"),
        *("timestamp", "datetime", "time"),
    ),
    Column.PAYLOAD: (
        *("payload", "notificationpayload", "requestpayload", "webhookpayload"),
        *("eventpayload", "jsonpayload", "notification", "notificationbody"),
        *("requestbody", "body", "json", "notificationdata"),
    ),
}

_KNOWN: Mapping[str, tuple[Column, int]] = {
    name: (column, rank)
    for column, names in _NAMES.items()
    for rank, name in reversed(list(enumerate(names)))
}

#: What is looked for, as a person would write it.
_LOOKED_FOR: Mapping[Column, str] = {
    Column.TRANSACTION: "Transaction ID, Txn ID or Trans ID",
    Column.STATUS: "Current Status, Delivery Status or Status",
    Column.CORRELATION: "Correlation ID, Corr ID, MSISDN, Mobile Number or Destination",
}

_MEANING: Mapping[Column, str] = {
    Column.TRANSACTION: "the platform's transaction id",
    Column.STATUS: "the status of each call",
    Column.CORRELATION: "the correlation id or the number",
}


def named_columns(texts: Sequence[str]) -> dict[Column, str]:
    """
    What *texts* such as ``transaction=Txn`` say.

    Raises:
        InputError: One of them says nothing, or they contradict each other.
    """
    found: dict[Column, str] = {}
    for text in texts:
        word, equals, name = text.partition("=")
        try:
            column = Column(word.strip().lower())
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise InputError(
                f"{OPTION} takes one of {', '.join(Column)}, then = and a column's "
                'name or place, such as transaction="Txn"'
            )
        if found.setdefault(column, name.strip()) != name.strip():
            raise InputError(f"{OPTION} names two columns for {column.value}")
    return found


@lru_cache(maxsize=4096)
def known_as(header: str) -> tuple[Column, int] | None:
    """
    What *header* says of its column, and how well known it is: the lower the better.
    """
    bare = re.sub(r"\([^)]*\)|\[[^]]*\]", "", header.casefold())
    letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKD", bare)))
    found = _KNOWN.get(letters)
    if found is None:
        rank = rank_of(header)
        # A column that a list of recipients has, too: before all names of ours.
        return (Column.NUMBER, rank - Rank.NONE) if rank <= Rank.NUMBER else None
    return found


def places_in(headers: Sequence[str], named: Named, row: int = 1) -> Places:
    """
    The columns that are found among *headers*.

    Raises:
        Undecided: One that is *named* is not there.
    """
    best: dict[Column, tuple[int, int]] = {}
    for place, header in enumerate(headers):
        found = known_as(header)
        if found is not None:
            column, rank = found
            best[column] = min(best.get(column, (rank, place)), (rank, place))
    places = {column: place for column, (_, place) in best.items()}
    for column, name in named.items():
        option = f"{OPTION} {column.value}=COLUMN"
        places[column] = place_of(name, headers, row, option=option)
    return places


def missing_in(places: Places) -> Column | None:
    """
    What is missing for *places* to be those of a log.

    Without what only the platform gives, a transaction id and a status, a list of
    recipients would be taken for a proof that everyone in it was called.
    """
    if Column.PAYLOAD in places:
        return None
    for column in (Column.TRANSACTION, Column.STATUS):
        if column not in places:
            return column
    if Column.CORRELATION in places or Column.NUMBER in places:
        return None
    return Column.CORRELATION


def find_columns(rows: Sequence[SampleRow], named: Named) -> tuple[Start, Places]:
    """
    Where the rows of a table begin that begins with *rows*, as each delimiter cuts
    them, and where its columns are.

    Raises:
        Undecided: A column is not there, or it can't be told which it is.
    """
    found = [(row, places) for row in rows if (places := _tried(row, named))]
    whole = [each for each in found if missing_in(each[1]) is None]
    if whole:
        header, places = max(whole, key=_weight)
        return Start.below(header), places
    if named and all(map(is_place, named.values())) and missing_in(_all(named)) is None:
        first = max(rows, key=lambda row: (-row.row, len(row.cells)))
        return Start.at(first), places_in(first.cells, named, first.row)
    # The row that comes closest is the one that its owner takes for the header.
    header, _ = max(found, key=_weight, default=(_widest(rows), {}))
    raise undecided(places_in(header.cells, named, header.row), header)


def undecided(
    places: Places, header: SampleRow, *, are_fields: bool = False
) -> Undecided:
    """
    What is to be said where *places* are not enough.
    """
    column = missing_in(places) or Column.TRANSACTION
    return Undecided(
        f"can't tell which column holds {_MEANING[column]}; looked for "
        f"{_LOOKED_FOR[column]}",
        header.cells,
        header.row,
        option=f"{OPTION} {column.value}=COLUMN",
        are_fields=are_fields,
    )


def _all(named: Named) -> Places:
    return dict.fromkeys(named, 0)


def _tried(row: SampleRow, named: Named) -> Places:
    names = [name for name in named.values() if not is_place(name)]
    if not any(map(known_as, row.cells)) and not any(
        has_name(name, row.cells) for name in names
    ):
        return {}  # places alone make no header of it
    try:
        return places_in(row.cells, named, row.row)
    except Undecided:
        return {}


def _weight(found: tuple[SampleRow, Places]) -> tuple[int, int, int]:
    row, places = found
    return len(places), -row.row, len(row.cells)


def _widest(rows: Sequence[SampleRow]) -> SampleRow:
    return max(rows, key=lambda row: (len(row.cells), -row.row))
