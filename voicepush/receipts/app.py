"""
The notify URL: an aiohttp application that stores receipts, and answers 200 after.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import nullcontext
from datetime import UTC, timedelta, tzinfo
from http import HTTPStatus
from typing import Any

import attrs
import msgspec
from aiohttp import hdrs, web

from voicepush import clock
from voicepush.errors import InputError, LedgerError
from voicepush.ledger.protocol import Ledger
from voicepush.model.events import ReceiptsApplied
from voicepush.receipts.access_log import Warnings, log_access
from voicepush.receipts.applying import Receiver
from voicepush.receipts.bodies import Bodies, NotReadError, TooLargeError
from voicepush.receipts.opt_out_url import (
    MOST_PER_SECOND,
    OPT_OUT,
    Allowance,
    OptOutUrl,
)
from voicepush.receipts.opting_out import OptOuts
from voicepush.receipts.receipt import read_receipt
from voicepush.receipts.signatures import Password, Signatures, Token
from voicepush.receipts.tending import tending

#: The bodies that are being read, for who wants to wait for them.
BODIES = web.AppKey("bodies", tuple[Bodies, ...])

#: Who was put on the list, for who wants to tell of it.
OPT_OUTS = web.AppKey("opt_outs", OptOuts)

_SIGNATURE = "x-hub-signature"
_HEALTH = "/healthz"
_PATH = re.compile(r"(?:/[\w.~:@!$&'()*+,;=-]*)+", re.ASCII)

#: A receipt has about 1,000 bytes, and the platform waits for its answer that long.
_MOST_BYTES = 1 << 20
_MOST_SECONDS = 10.0

#: No receipt is as short as that.
_SHORTEST = 200

#: So many bytes of bodies, and so many bodies, whose end has not come yet.
_MOST_BYTES_READ = 64 << 20
_MOST_READ = 1000

# The platform sends a receipt again, up to three times, unless the status is one of
# 202-208, 226, 3xx, 400, 402, 404-411, 414-416, 418 and 505. Those end it silently, so
# none of them may answer a receipt that was not stored.
_STORED = HTTPStatus.OK
#: A secret that is just being changed is no reason to lose anything.
_REFUSED = HTTPStatus.UNAUTHORIZED
#: It will be as large the next time; then the console lists it among the failed
#: notifications, which can be exported with their bodies.
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
#: Also for a body that came too slowly (not 408) or broke off (not 400), which may be
#: whole the next time.
_NOT_STORED = HTTPStatus.SERVICE_UNAVAILABLE


def receipts_app(  # noqa: PLR0913 -- each is a keyword, and all have defaults
    ledger: Ledger,
    *,
    path: str = "/receipts",
    secret: str | bytes | None = None,
    allow_sha1: bool = False,
    basic: tuple[str, str] | None = None,
    tenant_zone: tzinfo = UTC,
    keep: timedelta | None = timedelta(days=90),
    told: Callable[[ReceiptsApplied], object] | None = None,
    most_bytes: int = _MOST_BYTES,
    most_seconds: float = _MOST_SECONDS,
    opt_out_token: str | bytes | None = None,
    most_opt_outs: float = MOST_PER_SECOND,
) -> web.Application:
    """
    An application that takes receipts into *ledger*, as it is or within another one.

    A receipt is answered 200 once it is durable, and 503 if it can't be stored, so that
    the platform sends it again. Without *secret* and *basic* it takes receipts from
    everyone who can reach it. ``/healthz`` tells everyone how it is.

    With *opt_out_token* a call flow can post to ``/opt-out`` who has pressed a key to
    be called no more: they are on the ledger's list once that is answered 200.

    Within another application (``add_subapp``), let that one's server not inflate
    bodies (``auto_decompress=False``), since the signature is over what was sent.

    Args:
        path: Where receipts are posted, below that of the application.
        secret: The hub secret that the platform signs with.
        allow_sha1: Whether a signature by SHA-1 will do, as old webhooks have it.
        basic: User and password with which the platform authorizes itself.
        tenant_zone: Of time stamps without an offset.
        keep: How long bodies are kept; None for ever.
        told: Hears of each commit, at once.
        most_bytes: Of one body; a larger one is answered 413.
        most_seconds: In which a body has to come; a slower one is answered 503.
        opt_out_token: What a call flow gives as a bearer token; of 16 characters at
            least. Without one there is no ``/opt-out``.
        most_opt_outs: So many a second are taken, after ten times as many at once;
            what comes faster is answered 429.

    Raises:
        InputError: A value can't be used.
    """
    taken = (_HEALTH,) if opt_out_token is None else (_HEALTH, OPT_OUT)
    if not _PATH.fullmatch(path) or path.rstrip("/") in taken:
        raise InputError(f"the path of receipts must be like /receipts, not {path!r}")
    if keep is not None and keep <= timedelta():
        raise InputError(f"receipts must be kept for some time, not {keep}")
    url = _NotifyUrl(
        signatures=None
        if secret is None
        else Signatures(secret, allow_sha1=allow_sha1),
        password=None if basic is None else Password(*basic),
        bodies=Bodies(
            most_bytes=most_bytes,
            seconds=most_seconds,
            most_held=_MOST_BYTES_READ,
            most_at_once=_MOST_READ,
        ),
    )

    if opt_out_token is not None:
        url.opt_outs = OptOutUrl(
            opt_outs=OptOuts(
                ledger,
                # There is no receiver before the application is started.
                failed=lambda error: url.receiver.could_write(error),  # noqa: PLW0108
                refuse=lambda: url.receiver.refuse(),  # noqa: PLW0108
            ),
            token=Token(opt_out_token),
            allowance=Allowance(most_opt_outs),
            warnings=url.warnings,
        )

    async def run(_: web.Application) -> AsyncIterator[None]:
        async with (
            Receiver(ledger, zone=tenant_zone, told=told) as url.receiver,
            tending(ledger, url.receiver, keep),
            nullcontext() if url.opt_outs is None else url.opt_outs.opt_outs,
        ):
            yield

    app = web.Application(handler_args=_SERVER)
    app[BODIES] = (url.bodies,)
    app.cleanup_ctx.append(run)
    if url.opt_outs is not None:
        app[BODIES] = (url.bodies, url.opt_outs.bodies)
        app[OPT_OUTS] = url.opt_outs.opt_outs
        for each in (OPT_OUT, f"{OPT_OUT}/"):
            app.router.add_post(each, url.opt_outs.post)
    for each in (path.rstrip("/"), path.rstrip("/") + "/"):
        app.router.add_get(each, url.show)
        app.router.add_post(each, url.post)
    app.router.add_get(_HEALTH, url.show_health)
    return app


@attrs.define(kw_only=True, eq=False)
class _NotifyUrl:
    """
    Answers requests.
    """

    signatures: Signatures | None
    password: Password | None
    bodies: Bodies
    receiver: Receiver = attrs.field(init=False)
    warnings: Warnings = attrs.field(factory=Warnings)
    opt_outs: OptOutUrl | None = None

    async def show(self, request: web.Request) -> web.Response:
        """
        Say that it is there, as the console asks before it takes the address.
        """
        log_access(request, _STORED, 0, clock.monotonic())
        return web.Response(text="receipts are posted here\n")

    async def post(self, request: web.Request) -> web.Response:
        """
        Store a receipt, and whatever else is posted.
        """
        began = clock.monotonic()
        status, size = await self._take(request)
        response = web.Response(status=status)
        if not request.content.is_eof():
            response.force_close()
        log_access(request, status, size, began)
        return response

    async def show_health(self, _: web.Request) -> web.Response:
        """
        Say how it is, with counts and nothing else.
        """
        counts = self.receiver.counts
        shown: dict[str, Any] = {
            "ok": self.receiver.is_well,
            "stored": counts.received,
            "kept_aside": counts.unplaced + counts.unreadable,
            "refused": counts.refused,
            "waiting": self.receiver.waiting,
            "last_at": clock.moment(counts.last_at),
        }
        if self.opt_outs is not None:
            shown["opt_outs"] = self.opt_outs.shown()
        return web.Response(
            status=_STORED if self.receiver.is_well else _NOT_STORED,
            body=msgspec.json.encode(shown),
            content_type="application/json",
            headers={hdrs.CACHE_CONTROL: "no-store"},
        )

    async def _take(self, request: web.Request) -> tuple[HTTPStatus, int]:
        """
        The status to answer with, and how many bytes were read.
        """
        is_stranger = self.password is not None and not self.password.fits(
            request.headers.get(hdrs.AUTHORIZATION)
        )
        if is_stranger and not _may_be_a_try(request):
            return self._refuse("password"), 0
        body = await self._read(request)
        if isinstance(body, HTTPStatus):
            return body, 0
        if is_stranger or not self._is_signed(request, body):
            if _is_only_a_try(request, body):
                return _STORED, len(body)
            return self._refuse("password" if is_stranger else "signature"), len(body)
        try:
            await self.receiver.take(body)
        except LedgerError:
            return _NOT_STORED, len(body)
        return _STORED, len(body)

    async def _read(self, request: web.Request) -> bytes | HTTPStatus:
        """
        The body, or the status of a request whose body is not read.
        """
        try:
            return await self.bodies.read(request.content, request.content_length)
        except TooLargeError:
            self.warnings.warn("a body is too large for a receipt, and is not stored")
            return _TOO_LARGE
        except NotReadError:
            self.warnings.warn(
                "a body came too slowly, or too many at once, and is not stored"
            )
        except (web.RequestPayloadError, OSError, RuntimeError):
            pass  # it broke off; where its connection did, nobody hears of it
        return _NOT_STORED

    def _is_signed(self, request: web.Request, body: bytes) -> bool:
        return self.signatures is None or self.signatures.fit(
            request.headers.get(_SIGNATURE), body
        )

    def _refuse(self, what: str) -> HTTPStatus:
        self.receiver.refuse()
        self.warnings.warn(f"a request with a wrong {what}, or none, was refused")
        return _REFUSED


def _may_be_a_try(request: web.Request) -> bool:
    """
    Whether a request without a password is short enough to be looked at all the same.
    """
    return hdrs.AUTHORIZATION not in request.headers and (
        request.content_length is not None and request.content_length <= _SHORTEST
    )


def _is_only_a_try(request: web.Request, body: bytes) -> bool:
    """
    Whether it is what the console posts before it saves an address: not signed, and too
    short for a receipt, so that nothing is lost although it is not stored.
    """
    return (
        _SIGNATURE not in request.headers
        and len(body) <= _SHORTEST
        and not read_receipt(body, 0.0).reports
    )


class _WithoutContent(logging.LoggerAdapter[logging.Logger]):
    """
    A log of requests that are not HTTP, without what is in them.
    """

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """
        Leave only the kind of an error.
        """
        error = kwargs.pop("exc_info", None)
        return f"{msg} ({type(error).__name__})", kwargs


#: How the server is set up where the application is served as it is. The signature is
#: over the bytes as they were sent, so they are not inflated. Little is read ahead, and
#: who says nothing, or never comes to the end of a request's head, is let go.
_SERVER = {
    "auto_decompress": False,
    "read_bufsize": 1 << 14,
    "keepalive_timeout": 75.0,
    "lingering_time": 1.0,
    # See `access_log` for what is written instead.
    "access_log": None,
    "logger": _WithoutContent(logging.getLogger("voicepush.receipts.protocol")),
}
