"""
The command that brings a campaign into another ledger.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from voicepush.cli.dispatching import tell_status
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    check_no_backup,
    existing,
    named,
    title_of,
)
from voicepush.cli.terminal import say
from voicepush.errors import InputError
from voicepush.ledger import is_address, open_ledger


async def move(
    campaign: str,
    /,
    *,
    to: str,
    back: Annotated[bool, Parameter(negative="")] = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Bring CAMPAIGN into another ledger, where it goes on; nobody is called meanwhile.

    It is copied with all that is known of it, and its sums are compared. Those who must
    not be called come along. If that is interrupted, the same command goes on.

    Parameters
    ----------
    campaign
        The campaign's name.
    to
        Where it goes: a file, or an address like postgresql://user@host/database.
    back
        Give up a move that was interrupted, and go on where it was.
    ledger
        Where it is kept.
    json
        Print one JSON object.
    """
    # Most commands open no database before they know which.
    from voicepush.ledger.sql.ledger import SQLLedger  # noqa: PLC0415

    where = title_of(to) if is_address(to) else named(Path(to))
    if to == ledger:
        raise InputError(f"--to {where} is the ledger in which it is")
    async with existing(ledger) as source, open_ledger(to) as target:
        for each, its_name in ((source, ledger), (target, to)):
            check_no_backup(each, its_name)
        # Whatever `open_ledger` opens speaks SQL.
        assert isinstance(source, SQLLedger)  # noqa: S101
        assert isinstance(target, SQLLedger)  # noqa: S101
        moving = source.move(campaign, target, to=where, tell=_Progress())
        status = await (moving.back() if back else moving.go())
    if not back:
        say(f"{campaign} goes on in {where}; name that by --ledger from now on")
        if moving.brought:
            say(
                f"{moving.brought:,} of the suppression list came along; who opts out "
                "from now on has to be told there"
            )
    tell_status(status, json=json)
    return EVERYONE_ACCEPTED


class _Progress:
    """
    Says how far it is, some ten times.
    """

    def __init__(self) -> None:
        self._said = 0

    def __call__(self, done: int, total: int) -> None:
        """
        So many of how many batches are copied.
        """
        tenth = 10 * done // total
        if tenth > self._said:
            self._said = tenth
            say(f"copied {done:,} of {total:,} batches")
