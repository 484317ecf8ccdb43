"""
Commands that send.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from voicepush.campaign.campaign import Campaign
from voicepush.cli.caps import CallCaps
from voicepush.cli.configured import settings_said
from voicepush.cli.consent import with_consent
from voicepush.cli.dispatching import dispatch
from voicepush.cli.following import SecondRound
from voicepush.cli.keeping import restore
from voicepush.cli.messages import Messages
from voicepush.cli.notifying import Notify
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Detach,
    Drain,
    FailedOver,
    Json,
    LedgerPath,
    LogWasMerged,
    Message,
    OnUnknown,
    Patience,
    ProcessIsGone,
    Restored,
    check_detach,
    check_no_backup,
    existing,
    inputs,
    is_made_by,
    name_of,
    named,
    patient,
    seconds,
    suppressed_by,
    with_digest,
)
from voicepush.cli.ordering import Ordering, moment_of
from voicepush.cli.outputs import check_output
from voicepush.cli.planning import (
    Order,
)
from voicepush.cli.service import Service, typed_batch_size
from voicepush.cli.windows import CallTimes
from voicepush.errors import (
    InputError,
)
from voicepush.ledger import is_address, open_ledger
from voicepush.model.fields import check_text
from voicepush.screening.screening import Screening
from voicepush.sources.choosing import KeptFor
from voicepush.sources.files import read_file


async def send(  # noqa: PLR0913 -- each is an option
    # A lone hyphen is standard input, and no option.
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    message: Message | None = None,
    messages: Messages | None = None,
    service: Service | None = None,
    again: SecondRound | None = None,
    caps: CallCaps | None = None,
    times: CallTimes | None = None,
    ordering: Ordering | None = None,
    notify: Notify | None = None,
    column: str | None = None,
    keep: Annotated[list[str] | None, Parameter(negative="")] = None,
    consent_column: Annotated[str | None, Parameter(group="Who is left out")] = None,
    encoding: str | None = None,
    country: str | None = None,
    validity: bool = False,
    international: bool = False,
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
    failed_over: FailedOver = False,
    detach: Detach = False,
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
    consent_column
        The column that says until when people have agreed to be called, as 2030-01-31:
        who has not, or not until the campaign expires, is left out. It is kept, as
        consent.
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
        The campaign's name; by default FILE's, without its endings, or that of the
        first round with a number behind.
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
    failed_over
        The database is on another server, or was restored, and who may have been called
        meanwhile was compared: call from there.
    detach
        Plan, and leave the sending to the workers of a PostgreSQL ledger.
    dry_run
        Plan and send nothing: print the counts, a forecast and the first request.
    json
        Print one JSON object when it ends.
    """
    chosen, again = service or Service(), again or SecondRound()
    if file is not None and str(file).startswith("-") and str(file) != "-":
        raise InputError(f"there is no option {file}; a file of that name is ./{file}")
    if (file is None) is (again.from_campaign is None):
        raise InputError("name either a FILE of recipients or --from-campaign")
    reading: dict[str, object] = {
        "--column": column,
        "--keep": keep,
        "--consent-column": consent_column,
        "--encoding": encoding,
    }
    reading |= {"--country": country, "--international": international}
    again.check_unused() if file else again.check_alone(reading)
    lists = [*filter(None, [file]), *(suppress or [])]
    check_output(rejects, "--rejects", inputs(ledger, chosen, *lists))
    columns = messages or Messages()
    message_, played = columns.build(message or Message())
    check_detach(ledger, detach=detach)
    sends = not (dry_run or detach)
    settings = patient(chosen.build() if sends else chosen.rehearsed(), patience)
    notifiers = (notify or Notify()).build(settings)
    for each in keep or ():
        check_text(each, "--keep")
    hours = times or CallTimes()
    zoning, any_hour = hours.build(settings.base_url)
    order_ = ordering or Ordering()
    if detach and order_.first is not None:
        raise InputError(
            "--first calls some people and then stops, which this process does; leave "
            "out --detach"
        )
    kept = with_consent(keep or (), consent_column)
    given = {
        "settings": settings_said(),
        "expiry": message and message.expiry,
        "column": column,
        "encoding": encoding,
        "keep": ", ".join(keep or []),
        "consent-column": consent_column,
        "country": country,
        "international": "yes" if international else None,
        "validity": "yes" if validity else None,
        "batch-size": typed_batch_size(service),
        "suppress": ", ".join(map(with_digest, suppress or [])),
        "suppress-column": suppress_column,
        "after": again.after,
        "not-within": caps and caps.not_within,
        "at-most": caps and caps.at_most,
        **hours.given,
        **columns.given,
        **order_.given,
    }
    order = Order(
        message=message_,
        settings=settings,
        notifiers=notifiers,
        screening=Screening(
            country=country,
            international=international,
            validity=validity,
            consent=consent_column is not None,
            suppressed=suppressed_by(
                suppress or [],
                country=country,
                international=international,
                column=suppress_column,
                allow_unusable=allow_unusable,
            ),
        ),
        caps=(caps or CallCaps()).build(settings.base_url, again=file is None),
        terms=order_.build(zoning=zoning, any_hour=any_hour, messages=played),
        rejects=rejects,
        retry_internal_error=retry_internal_error,
        resend_unknown=on_unknown and on_unknown == "resend",
        given={option: typed for option, typed in given.items() if typed},
        drain=None if drain is None else seconds("--drain", drain),
        process_is_gone=process_is_gone,
        detach=detach,
        json=json,
    )
    if file is None:
        async with existing(
            ledger, log_was_merged=log_was_merged, failed_over=failed_over
        ) as opened:
            people = again.build(opened)
            order = await order.agreed_before(opened, people.follows.campaign)
            name = campaign or await again.name(opened)
            if dry_run:
                besides = await people.besides()
                blocks = [block async for block in people]
                return await order.rehearse(
                    name, blocks, people.source, ledger, besides=besides
                )
            return await order.plan_and_send(opened, name, people, people.source)
    name = campaign or name_of(file)
    check_text(name, "--campaign, or the file's name,")
    kept = _with_columns(
        kept,
        zone_column=hours.zone_column,
        media_column=columns.media_column,
        callflow_column=columns.callflow_column,
        priority_column=order_.priority_column,
    )
    recipients = read_file(file, column=column, encoding=encoding, keep=kept)
    if dry_run:
        return await order.rehearse(name, recipients, named(file), ledger)
    ledger_is_new = is_made_by(ledger)
    async with open_ledger(
        ledger, log_was_merged=log_was_merged, failed_over=failed_over
    ) as opened:
        check_no_backup(opened, ledger)
        return await order.plan_and_send(
            opened,
            name,
            recipients,
            named(file),
            new_ledger=ledger if ledger_is_new else None,
        )


async def resume(  # noqa: PLR0913 -- each is an option
    campaign: str,
    /,
    *,
    service: Service | None = None,
    notify: Notify | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    retry_internal_error: Annotated[bool | None, Parameter(group="Ledger")] = None,
    on_unknown: OnUnknown = None,
    patience: Patience = None,
    drain: Drain = None,
    stop_at: Annotated[str | None, Parameter(group="In which order")] = None,
    process_is_gone: ProcessIsGone = False,
    log_was_merged: LogWasMerged = False,
    failed_over: FailedOver = False,
    restored: Restored = False,
    detach: Detach = False,
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
    stop_at
        Call nobody from then on, instead of what was said before; "never" takes that
        away.
    process_is_gone
        With --on-unknown resend: no process exists any more that may have claimed
        people and not called them yet.
    log_was_merged
        The ledger's missing log was merged into it by another program.
    failed_over
        The database is on another server, or was restored, and who may have been called
        meanwhile was compared: call from there.
    restored
        The ledger is a backup: make everyone unknown, in all of its campaigns, who may
        have been called since it was made, and go on from it.
    detach
        Leave the sending to the workers of a PostgreSQL ledger.
    json
        Print one JSON object when it ends.
    """
    check_detach(ledger, detach=detach)
    _check_restored(ledger, on_unknown, restored=restored)
    chosen = service or Service()
    settings = patient(chosen.rehearsed() if detach else chosen.build(), patience)
    notifiers = (notify or Notify()).build(settings)
    longest = None if drain is None else seconds("--drain", drain)
    async with existing(
        ledger, log_was_merged=log_was_merged, failed_over=failed_over
    ) as opened:
        found = await Campaign.open(opened, campaign)
        if restored:
            await restore(opened)
        check_no_backup(opened, ledger)
        await found.go_on()
        await found.change(
            stops_at=moment_of("--stop-at", None if stop_at == "never" else stop_at),
            never_stops=stop_at == "never",
            rate=settings.own_rate,
            retry_internal_error=retry_internal_error,
            resend_unknown=on_unknown and on_unknown == "resend",
        )
        return await dispatch(
            found,
            settings,
            drain=longest,
            process_is_gone=process_is_gone,
            detach=detach,
            json=json,
            notifiers=notifiers,
        )


def _check_restored(ledger: str, on_unknown: str | None, *, restored: bool) -> None:
    if restored and is_address(ledger):
        raise InputError(
            "--restored is for a backup of a file; a database notices by itself that "
            "it was restored: compare who was called meanwhile, and say --failed-over"
        )
    if restored and on_unknown == "resend":
        raise InputError(
            "--restored makes those unknown who may have been called since, and none "
            "of them is called again by itself; leave out --on-unknown resend, and "
            "decide with voicepush resolve"
        )


def _with_columns(keep: Sequence[str], **looked_at: str | None) -> list[str]:
    """
    The columns to *keep*, and those that are *looked_at* besides, by the options that
    name them.
    """
    others = [
        KeptFor(column, f"--{option.replace('_', '-')}")
        for option, column in looked_at.items()
        if column is not None
    ]
    return list(dict.fromkeys([*keep, *others]))
