"""
The dashboard: an aiohttp application that shows a ledger, and changes nothing in it.
"""

from __future__ import annotations

import logging
from pathlib import Path

from aiohttp import hdrs, web

from voicepush.dashboard.guard import Guard, Token
from voicepush.dashboard.pages import Pages
from voicepush.dashboard.showing import Showing
from voicepush.ledger.reader import LedgerReader

#: So many may watch at once.
_MOST_VIEWERS = 200

_STATIC = Path(__file__).with_name("static")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def dashboard_app(
    ledger: LedgerReader,
    *,
    token: str | bytes | None = None,
    show_numbers: bool = False,
    title: str = "",
    most_viewers: int = _MOST_VIEWERS,
) -> web.Application:
    """
    An application that shows the campaigns of *ledger* live, as it is or within another
    one (``add_subapp``).

    It only reads. Without a *token* it answers only who asks for this machine by a name
    such as ``localhost``; everyone who can reach it may look, so let it listen at a
    loopback address only.

    Args:
        token: What a browser asks for as a password, or a program gives as a bearer
            token; of 16 characters at least.
        show_numbers: Whether a recipient that was looked up is shown whole.
        title: What is shown, such as the ledger's name.
        most_viewers: So many may watch at once; others are answered 503.

    Raises:
        InputError: The token is too short.
    """
    guard = Guard(None if token is None else Token(token))
    showing = Showing(
        ledger, Pages(title=title, show_numbers=show_numbers), most_viewers
    )
    app = web.Application(middlewares=[guard.stand], handler_args=_SERVER)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(showing.end)
    app.router.add_get("/", showing.all)
    app.router.add_get("", _to_folder)
    app.router.add_get("/campaign", showing.one)
    app.router.add_get("/why", showing.why)
    app.router.add_get("/report.css", showing.style)
    app.router.add_get("/events", showing.events, allow_head=False)
    app.router.add_get("/lookup", showing.form)
    app.router.add_post("/lookup", showing.lookup)
    app.router.add_static("/static", _STATIC)
    return app


async def _to_folder(request: web.Request) -> web.StreamResponse:
    # Addresses in pages are relative to the folder in which this application is.
    raise web.HTTPFound(f"{request.rel_url.raw_name}/")


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)
    # A browser asks each time whether a script is still the one that it has.
    is_file = isinstance(response, web.FileResponse)
    response.headers[hdrs.CACHE_CONTROL] = "no-cache" if is_file else "no-store"


#: How the server is set up where the application is served as it is: addresses name
#: campaigns, and are not logged. Who says nothing, or never comes to an end, is let go.
_SERVER = {
    "keepalive_timeout": 75.0,
    "lingering_time": 1.0,
    "access_log": None,
    "logger": logging.getLogger("voicepush.dashboard.protocol"),
}
