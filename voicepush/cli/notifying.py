"""
Watches a campaign that is dispatched, and tells its owner's program and webhook of it.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Protocol

import attrs
from cyclopts import Parameter

from voicepush import clock
from voicepush.campaign.campaign import Campaign
from voicepush.cli.program import Program
from voicepush.cli.terminal import say, signals
from voicepush.errors import CampaignLostError, LedgerError
from voicepush.masking import mask_numbers
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.report.json import as_object, dump_shown
from voicepush.sending.webhook import Webhook
from voicepush.settings import Settings

#: How often it is looked where the campaign stands, in seconds.
_LOOKS = 1.0

#: A forecast is told once it has been bad for so long, in seconds: the beginning is
#: slow, and so is each moment after a refusal for speed.
_BAD_FOR = 10.0

#: Who waits for longer than this, in seconds, is told for what.
_WORTH_A_WORD = 2.0

#: Why a campaign is paused where its owner has done that, and knows it.
_BY_ITS_OWNER = ("paused by its owner", "interrupted")


class News(enum.StrEnum):
    """
    What is told of a campaign.
    """

    FINISHED = "finished"  #: no one is left to be tried
    CANCELLED = "cancelled"  #: its owner has ended it for good
    PAUSED = "paused"  #: it has stopped by itself, with someone left
    LATE = "late"  #: at its pace, some will expire unsent


class Notifier(Protocol):
    """
    Hears news.
    """

    @property
    def name(self) -> str:
        """
        Which it is, in words that hold no secret.
        """
        ...

    async def tell(self, event: str, campaign: str, body: bytes) -> str | None:
        """
        Tell it; gives what went wrong, in words.
        """
        ...


@Parameter(name="*", group="Notifications")
@attrs.frozen(kw_only=True)
class Notify:
    """
    The options that say who is told how a campaign goes.
    """

    notify_command: Annotated[
        str | None, Parameter(env_var="VOICEPUSH_NOTIFY_COMMAND")
    ] = None
    """A program, with its arguments, that is run when the campaign ends, pauses itself
    or will miss its expiry, with status --json on its standard input and
    VOICEPUSH_EVENT and VOICEPUSH_CAMPAIGN in its environment. No shell looks at it: for
    more write sh -c '…'."""
    notify_webhook: Annotated[
        str | None, Parameter(env_var="VOICEPUSH_NOTIFY_WEBHOOK")
    ] = None
    """An https address to which the same is posted; the event stands in the header
    X-Voicepush-Event. Where the address is secret, give it by the environment."""

    def build(self, settings: Settings) -> list[Notifier]:
        """
        Those whom they name.

        Raises:
            InputError: One of them can't be told anything.
        """
        found: list[Notifier] = []
        if self.notify_command is not None:
            found.append(Program.found(self.notify_command))
        if self.notify_webhook is not None:
            found.append(Webhook(self.notify_webhook.strip(), settings))
        return found


@asynccontextmanager
async def watching(
    campaign: Campaign, notifiers: Sequence[Notifier]
) -> AsyncIterator[Watch]:
    """
    Tell *notifiers* how *campaign* goes while the block dispatches it, and how it has
    ended then.

    Where nobody says in the block that it has ended, nothing more is told.
    """
    watch = Watch(campaign, notifiers)
    looking = asyncio.create_task(watch.look()) if notifiers else None
    try:
        yield watch
    finally:
        if looking is not None:
            looking.cancel()
            await asyncio.wait([looking])
        await watch.leave()


class Watch:
    """
    Knows where one campaign stood last, and what was told of it.
    """

    def __init__(self, campaign: Campaign, notifiers: Sequence[Notifier]) -> None:
        self._campaign = campaign
        #: One at a time is told to each, in the order in which it happened.
        self._turns = [(notifier, asyncio.Lock()) for notifier in notifiers]
        self._telling: set[asyncio.Task[None]] = set()
        self._status: CampaignStatus | None = None
        self._failure: LedgerError | None = None
        self._has_ended = False

    async def look(self) -> None:
        """
        Look where it stands, and tell once if it will miss its expiry.
        """
        good_at, is_told = clock.monotonic(), False
        while True:
            # What fails is for the dispatch to find out.
            with suppress(LedgerError):
                self._status = await self._campaign.status()
                now = clock.monotonic()
                if not _is_late(self._status):
                    good_at = now
                elif now - good_at >= _BAD_FOR and not is_told:
                    is_told = True
                    self._tell(News.LATE, self._status)
            await clock.sleep(_LOOKS)

    def failed(self, failure: LedgerError) -> None:
        """
        The dispatch has ended because the ledger failed.
        """
        self._failure = failure
        self._has_ended = True

    def ended(self, status: CampaignStatus) -> None:
        """
        The dispatch has ended, and that is where the campaign stands.
        """
        self._status = status
        self._has_ended = True

    async def leave(self) -> None:
        """
        Tell what is left to be told, and wait for that; a signal ends the wait.
        """
        if not self._has_ended:
            self._hush()
        elif self._status is not None:
            status = _as_failed(self._status, self._failure)
            news = _news_of(status, self._failure)
            if news is not None:
                self._tell(news, status)
        if not self._telling:
            return
        with signals(self._hush):
            _, late = await asyncio.wait(self._telling, timeout=_WORTH_A_WORD)
            if late:
                say("waiting until everyone is notified; Ctrl-C leaves now")
                await asyncio.wait(late)

    def _hush(self) -> None:
        for task in self._telling:
            task.cancel()

    def _tell(self, news: News, status: CampaignStatus) -> None:
        body = f"{dump_shown(as_object(status), 'utf-8')}\n".encode()
        for notifier, turn in self._turns:
            telling = self._tell_one(notifier, turn, news, status.campaign, body)
            self._telling.add(asyncio.create_task(telling))

    async def _tell_one(
        self,
        notifier: Notifier,
        turn: asyncio.Lock,
        news: News,
        campaign: str,
        body: bytes,
    ) -> None:
        why: str | None = "it was left before it had heard all"
        try:
            async with turn:
                why = await notifier.tell(news, campaign, body)
        finally:
            if why is not None:
                say(f"{notifier.name}, event {news}: {why}")


def _is_late(status: CampaignStatus) -> bool:
    """
    Whether a forecast that rests on what was measured says that some will expire.
    """
    is_measured = status.throughput is not None
    return is_measured and bool(status.will_expire(clock.utc_now()))


def _as_failed(status: CampaignStatus, failure: LedgerError | None) -> CampaignStatus:
    """
    Where it stands once this process has ended, if the ledger could not be told.
    """
    if failure is None or status.state is not CampaignState.RUNNING:
        return status
    reason = mask_numbers(str(failure))
    return attrs.evolve(status, state=CampaignState.PAUSED, reason=reason)


def _news_of(status: CampaignStatus, failure: LedgerError | None) -> News | None:
    """
    What there is to be told of a campaign that was dispatched, if anything is.
    """
    # Another process goes on with it, and tells how that ends.
    if isinstance(failure, CampaignLostError):
        return None
    if status.state is CampaignState.PAUSED and status.reason in _BY_ITS_OWNER:
        return None
    return _NEWS.get(status.state)


#: What there is to be told where a dispatch leaves it so; another process may have
#: begun to dispatch it since.
_NEWS = {
    CampaignState.FINISHED: News.FINISHED,
    CampaignState.CANCELLED: News.CANCELLED,
    CampaignState.PAUSED: News.PAUSED,
}
