"""
The command that forgets someone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import attrs
from cyclopts import Parameter

from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.keeping import tables
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    Yes,
    check_no_backup,
    existing,
)
from voicepush.cli.terminal import confirm, say, tell, tell_json, working
from voicepush.errors import InputError
from voicepush.ledger import is_address
from voicepush.ledger.protocol import Ledger
from voicepush.masking import mask, mask_numbers, shown
from voicepush.model.forgetting import Forgetting
from voicepush.model.recipients import Kind
from voicepush.model.suppression import check_value
from voicepush.report.text import counted
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Reason


async def forget(
    number: str,
    /,
    *,
    country: str | None = None,
    customer_id: Annotated[bool, Parameter(negative="")] = False,
    even_suppression: Annotated[bool, Parameter(negative="")] = False,
    yes: Yes = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Let nothing in the ledger name NUMBER any more; all counts stay as they are.

    A hash that only this ledger can make stays, so that they are not called again. Who
    is pending is left out first, and who is unknown is given up. Nobody may work on a
    campaign meanwhile, and no other process should have the ledger open.

    Parameters
    ----------
    number
        An msisdn as anyone writes it, or a customer id.
    country
        Whose national number it is: a region such as IN, or a code such as +44.
    customer_id
        It is a customer id and no number.
    even_suppression
        Keep no hash, and drop one that is there: another list may have them called
        again.
    yes
        Do not ask.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object.
    """
    kind, value = _meant(number, country, customer_id=customer_id)
    async with existing(ledger) as opened:
        check_no_backup(opened, ledger)
        await _ask(opened, value, even_suppression=even_suppression, yes=yes)
        with working("forgetting"):
            found = await tables(opened).forget(kind, value, keep=not even_suppression)
    if json:
        tell_json(attrs.asdict(found))
    else:
        tell("\n".join(_lines(found)))
    for each in found.left:
        say(
            f"it stands in {each} yet, which is of all of its people, and is left there"
        )
    for each in found.moved_to:
        say(f"a campaign was moved to {shown(each)}: forget them there, too")
    if is_address(ledger):
        say(
            "the server keeps what was deleted until its tables are written anew: let "
            "their owner say VACUUM (FULL, ANALYZE) there; its log, replicas and "
            "backups are not reached by that"
        )
    say("backups, exports, rejects and lists of your own are not touched")
    return EVERYONE_ACCEPTED


def _meant(text: str, country: str | None, *, customer_id: bool) -> tuple[Kind, str]:
    if customer_id:
        return Kind.CUSTOMER_ID, check_value(Kind.CUSTOMER_ID, text.strip())
    found = normalise(text.strip(), country=country)
    if isinstance(found, Reason):
        raise InputError(
            f"{mask(text)}: {found}; nothing was forgotten. A customer id is named "
            "with --customer-id"
        )
    return Kind.MSISDN, found


async def _ask(
    ledger: Ledger, value: str, *, even_suppression: bool, yes: bool
) -> None:
    times = len(await ledger.lookup(value))
    again = (
        "they may be called again by another list"
        if even_suppression
        else "they are not called again"
    )
    confirm(
        f"forget {mask(value)}, who stands {counted(times, 'time')} in this ledger, "
        f"for good; {again}",
        yes=yes,
    )


def _lines(found: Forgetting) -> Iterator[str]:
    names = ", ".join(shown(mask_numbers(each)) for each in found.campaigns)
    where = f" in {names}" if names else ""
    yield f"forgotten: they stood {counted(found.people, 'time')} in the ledger{where}"
    counts = [
        (found.suppressed, "were pending, and are suppressed"),
        (found.given_up, "were unknown, and are given up"),
        (found.bodies, "bodies of receipts are gone"),
        (found.texts, "other texts named them, and do not any more"),
    ]
    for number, words in counts:
        if number:
            yield f"  {number:>6,}  {words}"
    if found.was_listed:
        yield "  they stood on the suppression list"
    yield (
        "  a hash stays, so that they are not called again"
        if found.is_kept
        else "  nothing stays: another list may have them called again"
    )
