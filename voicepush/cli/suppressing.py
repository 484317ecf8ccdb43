"""
Commands about who must not be called, from now on, in every campaign of a ledger.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    existing,
    inputs,
    is_made_by,
    named,
    suppressed_by,
)
from voicepush.cli.outputs import check_output, writing
from voicepush.cli.terminal import say, tell, tell_json, working
from voicepush.errors import InputError
from voicepush.ledger import Ledger, open_ledger
from voicepush.masking import mask, mask_numbers
from voicepush.model.recipients import Kind
from voicepush.model.suppression import (
    SuppressedEntry,
    SuppressionEvent,
    check_value,
    check_words,
)
from voicepush.report.cells import guarded
from voicepush.report.json import time_text
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Reason

suppress = App(
    name="suppress",
    help="Say who must not be called, from now on, in every campaign of this ledger.",
)

CustomerId = Annotated[bool, Parameter(negative="")]
International = Annotated[bool, Parameter()]


@suppress.command
async def add(
    *people: str,
    category: str | None = None,
    reason: str | None = None,
    country: str | None = None,
    international: International = False,
    customer_id: CustomerId = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Call PEOPLE no more: whoever is pending is left out when it is their turn.

    It holds at once, also for campaigns that another process dispatches. Who is in
    flight at this moment may be ringing already.

    Parameters
    ----------
    people
        Numbers as anyone writes them, or customer ids.
    category
        What they do not want, in your words; it is shown where they are left out.
    reason
        Why, for the history of the list.
    country
        Whose national numbers these are: a region such as IN, or a code such as +44.
    international
        All begin with their calling code, also those without a plus.
    customer_id
        They are customer ids and no numbers.
    ledger
        Where campaigns and the list are kept.
    """
    meant = _meant(people, country, customer_id, international=international)
    check_words(category, "--category")
    check_words(reason, "--reason")
    async with _open(ledger) as opened:
        added = await opened.suppress([meant], category=category, reason=reason)
    _tell_added(added, len(set(meant[1])))
    return EVERYONE_ACCEPTED


@suppress.command
async def remove(
    *people: str,
    reason: str,
    country: str | None = None,
    international: International = False,
    customer_id: CustomerId = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Take PEOPLE off the list. Who was left out meanwhile stays left out.

    Parameters
    ----------
    people
        Numbers as anyone writes them, or customer ids.
    reason
        Why they may be called again, for the history of the list.
    country
        As for add.
    international
        As for add.
    customer_id
        They are customer ids and no numbers.
    ledger
        Where campaigns and the list are kept.
    """
    meant = _meant(people, country, customer_id, international=international)
    check_words(reason, "--reason")
    async with existing(ledger) as opened:
        removed = await opened.unsuppress([meant], reason=reason)
    others = len(set(meant[1])) - removed
    tell(f"{removed:,} removed" + (f"; {others:,} were not on it" if others else ""))
    return EVERYONE_ACCEPTED


@suppress.command(name="list")
async def list_(
    *,
    history: Annotated[bool, Parameter(negative="")] = False,
    show_numbers: Annotated[bool, Parameter(negative="")] = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Show who is on the list, since when and why, with their middle hidden.

    Parameters
    ----------
    history
        Show who did what to the list when instead.
    show_numbers
        Show whole numbers and customer ids.
    ledger
        Where campaigns and the list are kept.
    json
        Print JSON objects, one a line.
    """
    async with existing(ledger) as opened:
        if history:
            _tell_history(await opened.suppression_history(), json=json)
            return EVERYONE_ACCEPTED
        is_anyone = False
        async for some in opened.all_suppressed():
            is_anyone = True
            for each in some:
                value = each.value if show_numbers else mask(each.value)
                if json:
                    tell_json(_as_object(each, value))
                else:
                    tell(_as_line(each, value))
        if not is_anyone:
            say("nobody is on the list")
        await _tell_forgotten(opened)
    return EVERYONE_ACCEPTED


@suppress.command(name="import")
async def import_(  # noqa: PLR0913 -- each is an option
    file: Path,
    /,
    *,
    column: str | None = None,
    encoding: str | None = None,
    country: str | None = None,
    international: International = False,
    category: str | None = None,
    reason: str | None = None,
    allow_unusable: Annotated[bool, Parameter(negative="")] = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Put everyone in FILE on the list; who is on it already stays as they are.

    It is read as send --suppress reads one. An entry that can't be understood stops
    the command before anything is changed. Campaigns go on meanwhile; after an
    interruption the same command adds those who are missing.

    Parameters
    ----------
    file
        A CSV, a plain list, JSON lines, Parquet or Excel; - reads standard input.
    column
        The column of numbers, by its header or its place; guessed where it is plain.
    encoding
        The file's encoding, where it is not UTF-8.
    country
        As for add.
    international
        As for add.
    category
        As for add.
    reason
        As for add.
    allow_unusable
        Go on where entries are no numbers, and so suppress no one.
    ledger
        Where campaigns and the list are kept.
    """
    check_words(category, "--category")
    check_words(reason, "--reason")
    with working("reading"):
        found = suppressed_by(
            [file],
            country=country,
            international=international,
            column=column,
            encoding=encoding,
            allow_unusable=allow_unusable,
        )
    if not found:
        raise InputError(f"{named(file)}: there is nobody in it")
    for each in found.customer_ids:
        check_value(Kind.CUSTOMER_ID, each)
    async with _open(ledger) as opened:
        with working("writing"):
            added = await opened.suppress(
                found.parts(), category=category, reason=reason, imported=True
            )
    _tell_added(added, len(found))
    return EVERYONE_ACCEPTED


@suppress.command
async def export(
    file: Path,
    /,
    *,
    customer_id: CustomerId = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Write the list into FILE, with whole numbers, as import and --suppress read it.

    Parameters
    ----------
    file
        The CSV file to write, which only you may read.
    customer_id
        Write the customer ids on the list in place of the numbers.
    ledger
        Where campaigns and the list are kept.
    """
    check_output(file, "FILE", inputs(ledger))
    kind = Kind.CUSTOMER_ID if customer_id else Kind.MSISDN
    written = others = 0
    async with existing(ledger) as opened:
        with writing(file) as output:
            rows = csv.writer(output, lineterminator="\n")
            name = kind.value.replace("_", "")
            rows.writerow([name, "since", "category", "reason"])
            async for some in opened.all_suppressed():
                theirs = [each for each in some if each.kind is kind]
                written, others = (
                    written + len(theirs),
                    others + len(some) - len(theirs),
                )
                # A customer id is written as it is, since it is read again.
                rows.writerows(
                    (
                        each.value,
                        each.since.isoformat(),
                        *(guarded(text or "") for text in (each.category, each.reason)),
                    )
                    for each in theirs
                )
        await _tell_forgotten(opened)
    say(f"{written:,} written to {named(file)}")
    if others:
        left = "numbers; leave out" if customer_id else "customer ids; add"
        say(f"there are {others:,} {left} --customer-id for those")
    return EVERYONE_ACCEPTED


async def _tell_forgotten(ledger: Ledger) -> None:
    """
    Say that others are left out, too, of whom only a hash is known.
    """
    if forgotten := len(await ledger.forgotten()):
        say(f"{forgotten:,} more were forgotten, and are left out by a hash")


def _open(ledger: str) -> AbstractAsyncContextManager[Ledger]:
    """
    The ledger at *ledger*; who opts out before the first campaign makes it.
    """
    if is_made_by(ledger):
        say(f"a new ledger is made: {named(Path(ledger))}")
    return open_ledger(ledger)


def _meant(
    people: Sequence[str],
    country: str | None,
    customer_id: bool,
    *,
    international: bool,
) -> tuple[Kind, list[str]]:
    """
    Who is meant by what was typed; all of it is looked at before anything is done.
    """
    if not people:
        raise InputError("name at least one number, or customer id (--customer-id)")
    if customer_id:
        ids = [check_value(Kind.CUSTOMER_ID, each.strip()) for each in people]
        return Kind.CUSTOMER_ID, ids
    return Kind.MSISDN, list(_normal(people, country, international=international))


def _normal(
    people: Sequence[str], country: str | None, *, international: bool
) -> Iterator[str]:
    for each in people:
        found = normalise(each, country=country, international=international)
        if isinstance(found, Reason):
            raise InputError(f"{mask(each)}: {found}; nothing was changed")
        yield found


def _tell_added(added: int, meant: int) -> None:
    before = meant - added
    tell(
        f"{added:,} added to the list"
        + (f"; {before:,} were on it already" if before else "")
    )


def _as_line(entry: SuppressedEntry, value: str) -> str:
    words = [
        f"{name}: {mask_numbers(text)}"
        for name, text in (("category", entry.category), ("reason", entry.reason))
        if text
    ]
    return "  ".join([f"{value:<20}", time_text(entry.since), *words]).rstrip()


def _as_object(entry: SuppressedEntry, value: str) -> dict[str, object]:
    return {
        "value": value,
        "kind": entry.kind.value,
        "since": _iso(entry.since),
        "who": entry.who,
        "category": entry.category and mask_numbers(entry.category),
        "reason": entry.reason and mask_numbers(entry.reason),
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat()


def _tell_history(events: Sequence[SuppressionEvent], *, json: bool) -> None:
    for each in events:
        words = {
            "category": each.category and mask_numbers(each.category),
            "reason": each.reason and mask_numbers(each.reason),
        }
        if json:
            at = {"at": _iso(each.at), "who": each.who, "event": each.event}
            tell_json({**at, "number": each.number, **words})
            continue
        said = "".join(f"; {name}: {text}" for name, text in words.items() if text)
        tell(
            f"{time_text(each.at)}  {each.event:8}  {each.number:,} by {each.who}{said}"
        )
    if not events:
        say("nothing was done to the list yet")
