"""
Who may look: by the address that is asked for, by the token, and from where.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, hdrs, web

from voicepush import clock
from voicepush.errors import InputError

#: What can be guessed is no token.
_SHORTEST = 16

_NO_PASSWORD = b""

#: Who gave a wrong token waits so long for the answer, in seconds.
_WAITS = 1.0

#: So many wait at once; others are told to come later.
_MOST_WAIT = 20

_BY_NAME = (
    "This dashboard has no token, so it answers only to localhost. To reach it by "
    "another name or through a proxy, start it with --token-file.\n"
)

#: A proxy, which may have others behind it, tells of itself by one of these.
_FORWARDED = {
    *("forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip"),
    *("cf-connecting-ip", "x-cluster-client-ip", "x-original-host"),
}
_BEGINS = ("x-forwarded-", "x-original-forwarded-")

#: How who is not let in is answered.
_REFUSALS = {401, 403, 429}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """
    Whether *host*, a name or an address, leads to this machine and no other.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


class Token:
    """
    Knows the secret of those who may look.

    Args:
        secret: A text stands for its UTF-8.

    Raises:
        InputError: It is so short that it could be guessed.
    """

    def __init__(self, secret: str | bytes) -> None:
        self._secret = _as_bytes(secret)
        if len(self._secret) < _SHORTEST:
            raise InputError(
                f"the token of the dashboard is too short; give it {_SHORTEST} "
                "characters or more, such as: openssl rand -hex 16"
            )

    def fits(self, header: str) -> bool:
        """
        Whether *header* is the token, as the password of any user or as a bearer's;
        which is looked at in constant time.
        """
        return hmac.compare_digest(_given(header), self._secret)


class Guard:
    """
    Stands before an application, and lets only those in who may look.

    Args:
        token: Without one, it is who asks for this machine by a name that leads
            nowhere else: the page of a stranger whose name leads here can't.
    """

    def __init__(self, token: Token | None) -> None:
        self._token = token
        self._waiting = 0

    @web.middleware
    async def stand(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """
        Let *request* in, or answer it.
        """
        response = await self._look(request, handler)
        if response.status in _REFUSALS and not response.prepared:
            # Strangers must not keep connections that others need.
            response.force_close()
        return response

    async def _look(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_of_another_page(request.headers):
            return web.Response(status=403, text="This is not for other pages.\n")
        if self._token is None:
            host = host_in(request.headers.get(hdrs.HOST, ""))
            if not is_loopback(host) or is_of_a_proxy(request):
                return web.Response(status=403, text=_BY_NAME)
            return await handler(request)
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is not None and self._token.fits(given):
            return await handler(request)
        if given is not None and not await self._let_wait():
            return web.Response(status=429, headers={hdrs.RETRY_AFTER: "5"})
        return web.Response(
            status=401,
            headers={hdrs.WWW_AUTHENTICATE: 'Basic realm="voicepush", charset="UTF-8"'},
            text="The dashboard's token is asked for, as the password of any user.\n",
        )

    async def _let_wait(self) -> bool:
        """
        Let who gave a wrong token wait, unless too many do.
        """
        if self._waiting >= _MOST_WAIT:
            return False
        self._waiting += 1
        try:
            await clock.sleep(_WAITS)
        finally:
            self._waiting -= 1
        return True


def _given(header: str) -> bytes:
    """
    The token in an ``Authorization``, or what fits no token.
    """
    scheme, _, given = header.strip(" \t").partition(" ")
    given = given.strip(" \t")
    if scheme.lower() == "bearer":
        return _as_bytes(given)
    if scheme.lower() != "basic":
        return _NO_PASSWORD
    try:
        _, _, password = base64.b64decode(_as_bytes(given), validate=True).partition(
            b":"
        )
    except binascii.Error:
        return _NO_PASSWORD
    return password


def is_of_another_page(headers: Mapping[str, str]) -> bool:
    """
    Whether a page of someone else's has made the browser ask, other than by a link.
    """
    return (
        headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        and headers.get("Sec-Fetch-Mode") != "navigate"
    )


def is_of_a_proxy(request: web.BaseRequest) -> bool:
    """
    Whether *request* came by way of a proxy, as far as it tells: by a header, or since
    it speaks HTTP/1.0, as nginx does by default and no browser does.
    """
    names = {name.lower() for name in request.headers}
    return (
        request.version < HttpVersion11
        or not names.isdisjoint(_FORWARDED)
        or any(name.startswith(_BEGINS) for name in names)
    )


def host_in(header: str) -> str:
    """
    The name or address in a ``Host``, without its port.
    """
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _as_bytes(text: str | bytes) -> bytes:
    # What came from a header or the environment may hold bytes that are no text.
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
