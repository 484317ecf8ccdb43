"""
The address to which a call flow posts who has pressed a key to be called no more.
"""

from __future__ import annotations

import asyncio
import math
from http import HTTPStatus

import attrs
import msgspec
from aiohttp import hdrs, web

from voicepush import clock
from voicepush.errors import InputError, LedgerError
from voicepush.masking import mask_numbers
from voicepush.receipts.access_log import Warnings, log_access
from voicepush.receipts.bodies import Bodies, NotReadError, TooLargeError
from voicepush.receipts.opt_out import read_opt_out
from voicepush.receipts.opting_out import OptOuts
from voicepush.receipts.signatures import Token
from voicepush.sending.pacing import gcra

OPT_OUT = "/opt-out"

#: So many are taken in a second where nobody says otherwise: more than press a key of
#: 1,000 who are rung a second.
MOST_PER_SECOND = 100.0

#: As many at once as in so many seconds.
_BURST = 10.0

#: Of one body, and of those whose end has not come yet; a body has some 100 bytes.
_MOST_BYTES = 1 << 14
_MOST_READ = 1000

#: The flow builder waits for 20 s at most, and a person on the phone for less; so long
#: a body may take, and so long the ledger.
_MOST_SECONDS = 5.0

#: When a flow that tries again should, in seconds.
_AGAIN = 2


class Allowance:
    """
    How many may come in a second.

    Raises:
        InputError: It is no number above 0.
    """

    def __init__(self, per_second: float) -> None:
        if not 0 < per_second < math.inf:
            raise InputError(
                f"opt-outs a second must be a number above 0, not {per_second}"
            )
        self._cost = 1 / per_second
        self._due = 0.0

    def wait(self) -> float:
        """
        How many seconds too early it is for another one, which is taken at 0.
        """
        self._due, wait = gcra(
            self._due, clock.monotonic(), self._cost, max(_BURST, self._cost)
        )
        return wait


@attrs.frozen
class _Answer:
    status: HTTPStatus
    body: dict[str, str | bool]
    #: So many bytes of the request were read.
    size: int = 0
    headers: dict[str, str] = attrs.field(factory=dict)


@attrs.define(kw_only=True, eq=False)
class OptOutUrl:
    """
    Answers requests.
    """

    opt_outs: OptOuts
    token: Token
    allowance: Allowance
    warnings: Warnings
    bodies: Bodies = attrs.field(
        factory=lambda: Bodies(
            most_bytes=_MOST_BYTES,
            seconds=_MOST_SECONDS,
            most_held=_MOST_BYTES * _MOST_READ,
            most_at_once=_MOST_READ,
        )
    )

    async def post(self, request: web.Request) -> web.Response:
        """
        Put someone on the list, who is on it when this is answered 200.
        """
        began = clock.monotonic()
        answer = await self._take(request)
        response = web.Response(
            status=answer.status,
            body=msgspec.json.encode(answer.body),
            content_type="application/json",
            headers={hdrs.CACHE_CONTROL: "no-store", **answer.headers},
        )
        # Strangers must not keep connections that others need.
        if answer.status == HTTPStatus.UNAUTHORIZED or not request.content.is_eof():
            response.force_close()
        log_access(request, answer.status, answer.size, began)
        return response

    def shown(self) -> dict[str, int]:
        """
        Counts, and nothing else.
        """
        return {**attrs.asdict(self.opt_outs.counts), "waiting": self.opt_outs.waiting}

    async def _take(self, request: web.Request) -> _Answer:
        counts = self.opt_outs.counts
        # Before anything of it is read, and before it counts for others.
        if not self.token.fits(request.headers.get(hdrs.AUTHORIZATION)):
            counts.refused += 1
            self.opt_outs.refuse()
            self.warnings.warn("an opt-out with a wrong token, or none, was refused")
            return _Answer(
                HTTPStatus.UNAUTHORIZED,
                _trouble("give the token: Authorization: Bearer …"),
                headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="voicepush"'},
            )
        wait = self.allowance.wait()
        if wait > 0:
            counts.too_fast += 1
            self.warnings.warn("opt-outs come too fast, and some were answered 429")
            return _Answer(
                HTTPStatus.TOO_MANY_REQUESTS,
                _trouble("too many at once; nobody was put on the list"),
                headers={hdrs.RETRY_AFTER: str(math.ceil(wait))},
            )
        return await self._read(request)

    async def _read(self, request: web.Request) -> _Answer:
        try:
            body = await self.bodies.read(request.content, request.content_length)
        except TooLargeError:
            return self._unusable(
                f"the body has more than {_MOST_BYTES:,} bytes",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        except (NotReadError, web.RequestPayloadError, OSError, RuntimeError):
            return self._not_stored("the body came too slowly, or broke off")
        return await self._store(body, request.content_type)

    async def _store(self, body: bytes, content_type: str) -> _Answer:
        try:
            opt_out = read_opt_out(body, content_type)
        except InputError as error:
            return self._unusable(str(error), HTTPStatus.BAD_REQUEST, len(body))
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                is_new = await self.opt_outs.take(opt_out)
        except TimeoutError:
            return self._not_stored("the ledger takes too long", len(body))
        except LedgerError as error:
            return self._not_stored(mask_numbers(str(error)), len(body))
        said = "is on the list now" if is_new else "was on the list already"
        return _Answer(HTTPStatus.OK, {"ok": True, "status": said}, len(body))

    def _unusable(self, why: str, status: HTTPStatus, size: int = 0) -> _Answer:
        self.opt_outs.counts.unusable += 1
        # A flow that is set up wrongly must not go unnoticed: people press in vain.
        self.warnings.warn("an opt-out was not understood; nobody is suppressed", why)
        return _Answer(status, _trouble(f"{why}; nobody was put on the list"), size)

    def _not_stored(self, why: str, size: int = 0) -> _Answer:
        self.opt_outs.counts.not_stored += 1
        self.warnings.warn("an opt-out could not be stored, and was answered 503", why)
        return _Answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            # The ledger's words may name its host, and are for its owner.
            _trouble("it could not be stored; post it again"),
            size,
            {hdrs.RETRY_AFTER: str(_AGAIN)},
        )


def _trouble(why: str) -> dict[str, str | bool]:
    return {"ok": False, "status": why}
