"""
Answers what a browser asks for: pages, what changes in them, and who was called.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote

from aiohttp import hdrs, web

from voicepush import clock
from voicepush.dashboard.events import send_events
from voicepush.dashboard.live import Live, Parts, TooManyError, Topic
from voicepush.dashboard.looking import All, One, all_of, one_of
from voicepush.dashboard.pages import Pages
from voicepush.errors import InputError, LedgerError, VoicepushError
from voicepush.ledger.reader import LedgerReader
from voicepush.receipts.bodies import Bodies, NotReadError, TooLargeError
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Reason

#: The form of what is looked up: so many bytes, in so many seconds, so many at once.
_MOST_BYTES = 4096
_MOST_SECONDS = 10.0
_MOST_FORMS = 20

#: Who can't watch because too many do comes again after so many seconds.
_AGAIN = "30"

#: The parts that change, of the page of all campaigns and of that of one.
_OF_ALL = ("running", "waiting", "over", "receipts")
_OF_ONE = ("news", "figures", "sums", "calls", "pace", "rates", "history")


class Showing:
    """
    Answers requests of those who may look.
    """

    def __init__(self, ledger: LedgerReader, pages: Pages, most_viewers: int) -> None:
        self._ledger = ledger
        self._pages = pages
        self._live = Live(self._look, self._tell, most=most_viewers)
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

    async def all(self, _: web.Request) -> web.Response:
        """
        The page of all campaigns.
        """
        return await self._page("list", None, events="events")

    async def one(self, request: web.Request) -> web.Response:
        """
        The page of one campaign.
        """
        name = request.query.get("name", "")
        return await self._page(
            "campaign", name, events=f"events?name={quote(name, safe='')}"
        )

    async def events(self, request: web.Request) -> web.StreamResponse:
        """
        What changes in one of those pages, for as long as it is shown.
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
        return self._html("lookup", asked="", found=[], trouble="")

    async def lookup(self, request: web.Request) -> web.Response:
        """
        What is known of the recipient in a form.
        """
        try:
            body = await self._forms.read(request.content, request.content_length)
        except TooLargeError:
            return self._html("lookup", asked="", found=[], trouble="that is too long")
        except NotReadError:
            return web.Response(status=HTTPStatus.REQUEST_TIMEOUT)
        fields = parse_qs(body.decode("utf-8", "replace"))
        asked = "".join(fields.get("value", [])).strip()
        # No one is rung here, so digits alone may be looked for as they stand.
        normal = normalise(asked, international=True)
        value = asked if isinstance(normal, Reason) else normal
        try:
            found = await self._ledger.lookup(value) if value else []
        except VoicepushError as error:
            return self._html("lookup", asked="", found=[], trouble=str(error))
        return self._html("lookup", asked=value, found=found, trouble="")

    async def _page(self, page: str, topic: Topic, **values: Any) -> web.Response:
        try:
            seen = await self._seen(topic)
        except InputError as error:
            return self._none(HTTPStatus.NOT_FOUND, "No such campaign", error)
        except LedgerError as error:
            return self._none(
                HTTPStatus.SERVICE_UNAVAILABLE, "The ledger can't be read", error
            )
        return self._html(page, seen=seen, **values)

    async def _seen(self, topic: Topic) -> All | One:
        if topic is None:
            return await all_of(self._ledger)
        return await one_of(self._ledger, topic)

    async def _look(self, topic: Topic) -> Parts:
        seen = await self._seen(topic)
        names = _OF_ALL if topic is None else _OF_ONE
        return {"trouble": "", **self._pages.parts(names, seen=seen)}

    def _tell(self, error: VoicepushError) -> Parts:
        return self._pages.parts(["trouble"], trouble=str(error))

    def _seen_at(self, moment: float) -> str:
        return self._pages.page("parts/seen", moment=clock.moment(moment))

    def _none(self, status: HTTPStatus, heading: str, why: Exception) -> web.Response:
        return self._html("none", status, heading=heading, words=str(why))

    def _html(
        self, page: str, status: HTTPStatus = HTTPStatus.OK, **values: Any
    ) -> web.Response:
        return web.Response(
            status=status,
            text=self._pages.page(page, **values),
            content_type="text/html",
        )
