"""
Commands that send.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Parameter

from voicepush.campaign.campaign import Campaign
from voicepush.cli.dispatching import dispatch
from voicepush.cli.exit_status import EVERYONE_ACCEPTED, INTERRUPTED
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Drain,
    Json,
    LedgerPath,
    LogWasMerged,
    Message,
    OnUnknown,
    Patience,
    ProcessIsGone,
    Service,
    check_expiry,
    existing,
    inputs,
    name_of,
    named,
    patient,
    seconds,
    suppressed_by,
    typed_batch_size,
    with_digest,
)
from voicepush.cli.outputs import check_output, writing
from voicepush.cli.rehearsal import column_said, rehearse
from voicepush.cli.terminal import (
    interruptible,
    say,
    signals,
    tell,
    tell_json,
    working,
)
from voicepush.cli.times import told_expiry
from voicepush.errors import (
    InputError,
    SourceError,
)
from voicepush.ledger import open_ledger
from voicepush.model.fields import check_text
from voicepush.model.status import CampaignStatus
from voicepush.report.export import guarded
from voicepush.screening.refusals import Refusal
from voicepush.screening.screening import Screening
from voicepush.sending.pacing import most_at
from voicepush.sources.files import ListFile, read_file

_T = TypeVar("_T")


#: So many reasons are told for which rows were refused.
_MOST_REASONS = 5


async def send(  # noqa: PLR0913 -- each is an option
    # A lone hyphen is standard input, and no option.
    file: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    message: Message | None = None,
    service: Service | None = None,
    column: str | None = None,
    keep: Annotated[list[str] | None, Parameter(negative="")] = None,
    encoding: str | None = None,
    country: str | None = None,
    validity: Annotated[bool, Parameter(negative="")] = False,
    international: Annotated[bool, Parameter(negative="")] = False,
    suppress: Annotated[list[Path] | None, Parameter(negative="")] = None,
    suppress_column: str | None = None,
    allow_unusable: Annotated[bool, Parameter(negative="")] = False,
    rejects: Path | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    campaign: Annotated[str | None, Parameter(group="Ledger")] = None,
    retry_internal_error: Annotated[bool | None, Parameter(group="Ledger")] = None,
    on_unknown: OnUnknown = None,
    patience: Patience = None,
    drain: Drain = None,
    process_is_gone: ProcessIsGone = False,
    log_was_merged: LogWasMerged = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """
    Plan FILE, if it is not planned yet, and send; again, it goes on where it stopped.

    Parameters
    ----------
    file
        A CSV, a plain list, JSON lines, Parquet or Excel; - reads standard input.
    column
        The column of numbers, by its header or its place; guessed where it is plain.
    keep
        A column to keep with each recipient, for export --with; may be given several
        times.
    encoding
        The file's encoding, where it is not UTF-8.
    country
        Whose national numbers are completed: a region such as IN, or +44 or the like.
    validity
        Refuse what is no valid number in its country's numbering plan, too.
    international
        All numbers begin with their calling code, also those without a plus.
    suppress
        A file of numbers that must not be called; may be given several times.
    suppress_column
        The column of numbers in those files, as --column.
    allow_unusable
        Go on where entries of those files are no numbers, and so suppress no one.
    rejects
        Write each row that is refused, with its reason, into this CSV file.
    ledger
        Where campaigns are kept.
    campaign
        The campaign's name; by default FILE's, without its endings.
    retry_internal_error
        Try code 7006 again; turn it off if the service dials and then says 7006.
    on_unknown
        Whether people who may have been called are called again, perhaps twice.
    patience
        How long a service that can't be reached, or asks to wait, is waited for where
        there is no expiry, such as 15m.
    drain
        How long to wait, at the end, for answers and for a ledger that is locked; by
        default 30 s more than an answer may take.
    process_is_gone
        With --on-unknown resend: no process exists any more that may have claimed
        people and not called them yet.
    log_was_merged
        The ledger's missing log was merged into it by another program.
    dry_run
        Plan and send nothing: print the counts, a forecast and the first request.
    json
        Print one JSON object when it ends.
    """
    chosen = service or Service()
    check_output(
        rejects,
        "--rejects",
        inputs(ledger, chosen.key_file, file, *(suppress or [])),
    )
    message_ = (message or Message()).build()
    chosen_settings = chosen.rehearsed() if dry_run else chosen.build()
    settings = patient(chosen_settings, patience)
    longest = None if drain is None else seconds("--drain", drain)
    name = campaign or name_of(file)
    check_text(name, "--campaign, or the file's name,")
    for each in keep or ():
        check_text(each, "--keep")
    source = named(file)
    blocks = read_file(file, column=column, encoding=encoding, keep=keep or ())
    screening = Screening(
        country=country,
        international=international,
        validity=validity,
        suppressed=suppressed_by(
            suppress or [],
            country=country,
            international=international,
            column=suppress_column,
            allow_unusable=allow_unusable,
        ),
    )
    size = most_at(settings.rate, settings.batch_size)
    if dry_run:
        check_expiry(message_)
        with _refusals(rejects) as refused, interruptible():
            rehearsal = rehearse(
                name,
                message_,
                blocks,
                file=source,
                screening=screening,
                refused=refused,
                batch_size=size,
                rate=settings.rate,
            )
        _tell_refusals(screening)
        tell_json(rehearsal.as_object()) if json else tell(rehearsal.as_text())
        if ledger.exists():
            async with existing(ledger) as opened:
                if await opened.plan(name) is not None:
                    say(
                        f"but {name} is planned in {ledger} already: send goes on there"
                    )
        if rehearsal.planned:
            return EVERYONE_ACCEPTED
        raise InputError(f"{source}: there is nobody to call in it")
    given = {
        "expiry": message and message.expiry,
        "column": column,
        "encoding": encoding,
        "keep": ", ".join(keep or []),
        "country": country,
        "international": "yes" if international else None,
        "validity": "yes" if validity else None,
        "batch-size": typed_batch_size(service),
        "suppress": ", ".join(map(with_digest, suppress or [])),
        "suppress-column": suppress_column,
    }
    ledger_is_new = not ledger.exists()
    async with open_ledger(ledger, log_was_merged=log_was_merged) as opened:
        # Going on reads no file, and keeps the rejects of the planning.
        is_new = await opened.plan(name) is None
        if is_new:
            check_expiry(message_)
        with (
            _refusals(rejects if is_new else None) as refused,
            working("planning"),
        ):
            planned = await _until_interrupted(
                Campaign.plan(
                    opened,
                    name,
                    message_,
                    blocks,
                    source=source,
                    screening=screening,
                    refused=refused,
                    batch_size=size,
                    rate=settings.rate,
                    retry_internal_error=retry_internal_error,
                    resend_unknown=on_unknown and on_unknown == "resend",
                    given={option: typed for option, typed in given.items() if typed},
                    tell=say,
                )
            )
        if planned is None:
            return INTERRUPTED
        if ledger_is_new:
            say(f"a new ledger was made: {ledger.resolve()}")
        if rejects is not None and not is_new:
            say(
                "--rejects is left alone: rows are refused when planning, which is done"
            )
        _tell_refusals(screening)
        _tell_plan(await planned.status(), blocks if is_new else None)
        return await dispatch(
            planned, settings, drain=longest, process_is_gone=process_is_gone, json=json
        )


async def resume(  # noqa: PLR0913 -- each is an option
    campaign: str,
    /,
    *,
    service: Service | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    retry_internal_error: Annotated[bool | None, Parameter(group="Ledger")] = None,
    on_unknown: OnUnknown = None,
    patience: Patience = None,
    drain: Drain = None,
    process_is_gone: ProcessIsGone = False,
    log_was_merged: LogWasMerged = False,
    json: Json = False,
) -> int:
    """
    Send to everyone in CAMPAIGN who is pending or was not sent.

    Parameters
    ----------
    campaign
        The campaign's name.
    ledger
        Where campaigns are kept.
    retry_internal_error
        Try code 7006 again, or not, from now on; as it was decided before by default.
    on_unknown
        Whether people who may have been called are called again, from now on.
    patience
        How long a service that can't be reached, or asks to wait, is waited for where
        there is no expiry, such as 15m.
    drain
        How long to wait, at the end, for answers and for a ledger that is locked; by
        default 30 s more than an answer may take.
    process_is_gone
        With --on-unknown resend: no process exists any more that may have claimed
        people and not called them yet.
    log_was_merged
        The ledger's missing log was merged into it by another program.
    json
        Print one JSON object when it ends.
    """
    settings = patient((service or Service()).build(), patience)
    longest = None if drain is None else seconds("--drain", drain)
    async with existing(ledger, log_was_merged=log_was_merged) as opened:
        found = await Campaign.open(opened, campaign)
        await found.change(
            rate=settings.rate,
            retry_internal_error=retry_internal_error,
            resend_unknown=on_unknown and on_unknown == "resend",
        )
        return await dispatch(
            found, settings, drain=longest, process_is_gone=process_is_gone, json=json
        )


async def _until_interrupted(work: Coroutine[Any, Any, _T]) -> _T | None:
    """
    The value of *work*, or None if a signal has ended it.
    """
    doing = asyncio.ensure_future(work)
    interrupted = False

    def stop() -> None:
        nonlocal interrupted
        interrupted = True
        say("stopping: nothing new is planned")
        doing.cancel()

    with signals(stop):
        try:
            return await doing
        except asyncio.CancelledError:
            if not interrupted:
                doing.cancel()
                raise
            return None


@contextmanager
def _refusals(path: Path | None) -> Iterator[Callable[[list[Refusal]], None] | None]:
    """
    Writes refused rows into *path*, if there is one.

    A list in which nobody is left to be called is an error that they explain, so they
    are kept then, too.
    """
    if path is None:
        yield None
        return
    nobody_left: InputError | None = None
    told = 0
    with writing(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["row", "recipient", "kind", "reason"])

        def write(refusals: list[Refusal]) -> None:
            nonlocal told
            told += len(refusals)
            rows.writerows(
                (each.row, guarded(each.recipient), each.kind, each.reason)
                for each in refusals
            )

        try:
            yield write
        except InputError as error:
            if isinstance(error, SourceError) or not told:
                raise
            nobody_left = error
    if nobody_left is not None:
        raise nobody_left


def _tell_refusals(screening: Screening) -> None:
    """
    Say why rows were refused, the most frequent reasons first.
    """
    for reason, number in screening.reasons.most_common(_MOST_REASONS):
        say(f"  {number:>10,}  {reason}")


def _tell_plan(status: CampaignStatus, source: ListFile | None) -> None:
    """
    Say what is planned, and from which column where *blocks* were read just now.
    """
    left_out = [
        f"{number:,} {name}"
        for name in ("invalid", "duplicate", "suppressed")
        if (number := getattr(status, name))
    ]
    column = column_said(source.column, source.titles) if source else ""
    say(
        f"{status.campaign}: {status.planned:,} of {status.read:,} planned"
        + (f", from {column}" if column else "")
        + (f"; {', '.join(left_out)}" if left_out else "")
    )
    if status.expiry is not None:
        say(told_expiry(status.expiry))
