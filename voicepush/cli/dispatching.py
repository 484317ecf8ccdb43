"""
A dispatch with a show, and what is said at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from voicepush.campaign.campaign import Campaign
from voicepush.campaign.unrecorded import Unrecorded
from voicepush.cli.exit_status import (
    EVERYONE_ACCEPTED,
    HELD_BY_ANOTHER,
    INTERRUPTED,
    LEDGER_FAILED,
    NOT_EVERYONE,
    SERVICE_REFUSES,
)
from voicepush.cli.notifying import Notifier, watching
from voicepush.cli.observing import observed
from voicepush.cli.options import answers_folder
from voicepush.cli.terminal import (
    complain,
    draining,
    say,
    showing,
    tell,
    tell_json,
)
from voicepush.client.client import Client
from voicepush.errors import (
    CampaignLostError,
    InputError,
    LedgerError,
)
from voicepush.ledger.reader import LedgerReader
from voicepush.ledger.sharing import is_shared
from voicepush.masking import mask_numbers
from voicepush.model.outcome import Summary
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.report.json import as_object
from voicepush.report.text import as_text, reasons_of
from voicepush.settings import Settings


def tell_status(status: CampaignStatus, *, json: bool) -> None:
    """
    Print where a campaign stands.
    """
    if json:
        tell_json(as_object(status))
    else:
        tell(as_text(status))


async def dispatch(
    campaign: Campaign,
    settings: Settings,
    *,
    drain: float | None = None,
    process_is_gone: bool = False,
    detach: bool = False,
    json: bool,
    tells: bool = True,
    notifiers: Sequence[Notifier] = (),
) -> int:
    """
    Dispatch with a show, and say in the end what came of it.

    Args:
        detach: Leave the sending to others.
        tells: Print where the campaign stands then.
        notifiers: Hear how it goes.
    """
    if detach:
        return await _detached(
            campaign, notifiers, process_is_gone=process_is_gone, json=json
        )
    async with watching(campaign, notifiers) as watch:
        summary: Summary | None = None
        failed: int | None = None
        words = "what is under way is recorded first"
        sending = _sending(campaign)
        try:
            with draining(sending.stop, words) as interruption:
                async with Client(settings) as client, showing(campaign):
                    with observed(client):
                        summary = await sending.dispatch(
                            client,
                            drain=drain,
                            process_is_gone=process_is_gone,
                            tell=say,
                        )
        except LedgerError as error:
            if not error.while_sending:
                raise
            watch.failed(error)
            is_lost = isinstance(error, CampaignLostError)
            failed = HELD_BY_ANOTHER if is_lost else LEDGER_FAILED
            complain(error)
        status = await campaign.status()
        # After a second signal nobody wants to wait for anything.
        if summary is not None or failed is not None:
            watch.ended(status)
        if tells:
            tell_status(status, json=json)
        if summary is not None:
            _tell_reasons(summary, status)
    if failed is not None:
        return failed
    if interruption.has_come:
        return INTERRUPTED
    if summary is not None and summary.refused:
        return SERVICE_REFUSES
    everyone = status.accepted == status.planned
    return EVERYONE_ACCEPTED if everyone else NOT_EVERYONE


async def _detached(
    campaign: Campaign,
    notifiers: Sequence[Notifier],
    *,
    process_is_gone: bool,
    json: bool,
) -> int:
    """
    Give *campaign* to the workers of its ledger.
    """
    if notifiers:
        raise InputError(
            "who is to be notified is told by the process that sends; leave out "
            "--detach, or --notify-command and --notify-webhook"
        )
    assert is_shared(campaign.ledger)  # noqa: S101 -- it was looked at before
    from voicepush.cluster.dispatching import release  # noqa: PLC0415

    await bring_in(campaign.ledger)
    await release(campaign.ledger, campaign.name, process_is_gone=process_is_gone)
    if json:
        tell_status(await campaign.status(), json=True)
    else:
        say(
            f"{campaign.name} is given to the workers; see voicepush status "
            f"{campaign.name}"
        )
    return EVERYONE_ACCEPTED


async def bring_in(ledger: LedgerReader) -> None:
    """
    Record in *ledger* what processes of this machine left that could not record it.
    """
    if is_shared(ledger):
        with Unrecorded(answers_folder(), say) as unrecorded:
            await unrecorded.bring_in(ledger)


class _Sending(Protocol):
    """
    What sends a campaign: alone, or beside the workers of its ledger.
    """

    def stop(self, reason: str) -> None:
        """
        Claim nothing more.
        """
        ...

    async def dispatch(
        self,
        client: Client,
        *,
        drain: float | None = None,
        process_is_gone: bool = False,
        tell: Callable[[str], object] = ...,
    ) -> Summary:
        """
        Send to everyone who is pending.
        """
        ...


def _sending(campaign: Campaign) -> _Sending:
    if not is_shared(campaign.ledger) or campaign.is_on_trial:
        return campaign
    # An engine, and the library that talks to its database.
    from voicepush.cluster.dispatching import SharedDispatch  # noqa: PLC0415

    return SharedDispatch(campaign.ledger, campaign.name, answers_in=answers_folder())


def _tell_reasons(summary: Summary, status: CampaignStatus) -> None:
    for line in reasons_of(summary, status):
        say(line)
    if summary.stopped and status.state is CampaignState.PAUSED:
        stop = "" if summary.stopped.endswith("?") else "."
        say(
            f"stopped: {mask_numbers(summary.stopped)}{stop} Go on with voicepush "
            f"resume {status.campaign}",
        )
        if summary.stopped.startswith(_WRONG_KEY):
            say("check the key: VOICEPUSH_SERVICE_KEY, or the file of --key-file")
        if _NOT_FOUND in summary.stopped:
            say(
                "nothing is served at that path: is the address right? Give --base-url "
                "(or VOICEPUSH_BASE_URL) without a path, such as "
                "https://api.imiconnect.io"
            )


#: How the reason begins where the service does not know the key, or misses it.
_WRONG_KEY = ("7001", "7002", "HTTP 401", "HTTP 403")


#: What the reason says where the service has no such path.
_NOT_FOUND = "HTTP 404"
