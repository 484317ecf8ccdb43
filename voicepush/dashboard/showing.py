"""
Answers what a browser asks for: pages, what changes in them, and who was called.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote

from aiohttp import hdrs, web

from voicepush.campaign.overview import overview_of
from voicepush.dashboard.events import send_events
from voicepush.dashboard.live import Live, Parts, TooManyError, Topic
from voicepush.dashboard.looking import One, all_of, figures_of, one_of
from voicepush.dashboard.pages import Pages
from voicepush.dashboard.seldom import Seldom
from voicepush.errors import LedgerError, VoicepushError
from voicepush.ledger.reader import LedgerReader
from voicepush.receipts.bodies import Bodies, NotReadError, TooLargeError
from voicepush.report.account import Account, account_of
from voicepush.report.figures.figure import Figure
from voicepush.report.pages import style
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Reason

#: The form of what is looked up: so many bytes, in so many seconds, so many at once.
_MOST_BYTES = 4096
_MOST_SECONDS = 10.0
_MOST_FORMS = 20

#: Who can't watch because too many do comes again after so many seconds.
_AGAIN = "30"

#: Pictures are drawn anew, and the whole campaign is read, so seldom, in seconds.
_PICTURES = 3.0
_ACCOUNTS = 10.0


class Showing:
    """
    Answers requests of those who may look.
    """

    def __init__(self, ledger: LedgerReader, pages: Pages, most_viewers: int) -> None:
        self._ledger = ledger
        self._pages = pages
        self._live = Live(self._look, self._tell, most=most_viewers)
        self._figures = Seldom[list[Figure]](least=_PICTURES)
        self._accounts = Seldom[Account](least=_ACCOUNTS)
        self._forms = Bodies(
            most_bytes=_MOST_BYTES,
            seconds=_MOST_SECONDS,
            most_held=_MOST_FORMS * _MOST_BYTES,
            most_at_once=_MOST_FORMS,
        )

    async def end(self, _: web.Application) -> None:
        """
        Let go of everyone who watches.
        """
        await self._live.close()

    async def style(self, _: web.Request) -> web.Response:
        """
        The style sheet that reports have as well.
        """
        return web.Response(text=style(), content_type="text/css")

    async def all(self, _: web.Request) -> web.Response:
        """
        The page of all campaigns.
        """
        try:
            seen = await all_of(self._ledger)
        except VoicepushError as error:
            return self._none(error)
        return self._html("list", seen=seen, events="events")

    async def one(self, request: web.Request) -> web.Response:
        """
        The page of one campaign.
        """
        name = request.query.get("name", "")
        try:
            seen = await one_of(self._ledger, name)
            pictures = await self._pictures(seen)
        except VoicepushError as error:
            return self._none(error)
        events = f"events?name={quote(name, safe='')}"
        return self._html("campaign", seen=seen, pictures=pictures, events=events)

    async def why(self, request: web.Request) -> web.Response:
        """
        Why a campaign went as it did: as a page, or as a part of one.
        """
        name = request.query.get("name", "")

        async def ask() -> Account:
            return account_of(await overview_of(self._ledger, name))

        try:
            account = await self._accounts.ask(name, ask)
        except VoicepushError as error:
            return self._none(error)
        is_part = "HX-Request" in request.headers
        return self._html("parts/why" if is_part else "why", account=account)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """
        What changes in a page, for as long as it is shown.
        """
        try:
            with self._live.watching(request.query.get("name")) as viewer:
                return await send_events(request, viewer, self._seen_at)
        except TooManyError:
            return web.Response(
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                headers={hdrs.RETRY_AFTER: _AGAIN},
                text="Too many watch already.\n",
            )

    async def form(self, _: web.Request) -> web.Response:
        """
        The form in which one looks a recipient up.
        """
        return self._found()

    async def lookup(self, request: web.Request) -> web.Response:
        """
        What is known of the recipient in that form.
        """
        try:
            body = await self._forms.read(request.content, request.content_length)
        except TooLargeError:
            return self._found(trouble="That is too long.")
        except NotReadError:
            response = web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
            response.force_close()
            return response
        fields = parse_qs(body.decode("utf-8", "replace"))
        asked = "".join(fields.get("value", [])).strip()
        # No one is rung here, so digits alone may be looked for as they stand.
        normal = normalise(asked, international=True)
        value = asked if isinstance(normal, Reason) else normal
        try:
            found = await self._ledger.lookup(value) if value else []
            if not found and value != asked:
                # An id may have nothing but digits, too.
                found = await self._ledger.lookup(asked)
        except VoicepushError as error:
            return self._found(trouble=str(error))
        return self._found(asked=value, found=found)

    async def _pictures(self, one: One) -> list[Figure]:
        async def ask() -> list[Figure]:
            return await figures_of(self._ledger, one)

        return await self._figures.ask(one.status.campaign, ask)

    async def _look(self, topic: Topic) -> Parts:
        parts = self._pages.parts
        if topic is None:
            seen = await all_of(self._ledger)
            return parts(
                *("trouble", "running", "waiting", "over", "receipts"),
                seen=seen,
                trouble="",
            )
        one = await one_of(self._ledger, topic)
        pictures = {
            f"{found.name}-{name}": text
            for found in await self._pictures(one)
            for name, text in parts("picture", "numbers", found=found).items()
        }
        names = ("trouble", "news", "figures", "sums", "calls", "history")
        return {**parts(*names, seen=one, trouble=""), **pictures}

    def _tell(self, error: VoicepushError) -> Parts:
        return self._pages.parts("trouble", trouble=str(error))

    def _seen_at(self, at: float) -> str:
        return self._pages.page("parts/seen", at=at)

    def _none(self, why: VoicepushError) -> web.Response:
        """
        The page that says why there is none.
        """
        if isinstance(why, LedgerError):
            status, heading = HTTPStatus.SERVICE_UNAVAILABLE, "The ledger can't be read"
        else:
            status, heading = HTTPStatus.NOT_FOUND, "Nothing is here"
        return self._html("none", status, heading=heading, words=str(why))

    def _found(self, **values: Any) -> web.Response:
        nothing = {"asked": "", "found": [], "trouble": ""}
        return self._html("lookup", **{**nothing, **values})

    def _html(
        self, page: str, status: HTTPStatus = HTTPStatus.OK, **values: Any
    ) -> web.Response:
        return web.Response(
            status=status,
            text=self._pages.page(page, **values),
            content_type="text/html",
        )
