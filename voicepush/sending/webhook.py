"""
News of a campaign for an address of its owner's: posted, and again where that may help.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

import attrs

from voicepush import clock
from voicepush.errors import InDoubtError, InputError, NotSentError
from voicepush.sending.reply import Reply
from voicepush.sending.retrying import until_done
from voicepush.settings import Settings, address_parts, is_readable_by_others

#: So often it is posted at most.
_MOST_TRIES = 3

#: No try begins later than so many seconds after the first.
_TRIED_FOR = 25.0


def _check_url(_: object, __: object, value: str) -> None:
    parts = address_parts(value)
    # What stands in it is never repeated, since it may be a secret.
    if parts is None or " " in value or not value.isprintable():
        raise InputError(
            "--notify-webhook must be a whole address such as "
            "https://hooks.example.org/voicepush"
        )
    if parts.username is not None or "#" in value:
        raise InputError(
            "--notify-webhook must hold no user name, password or fragment; a secret "
            "may stand in its path or query"
        )
    if is_readable_by_others(parts):
        raise InputError(
            "--notify-webhook must begin with https://, since plain http:// would show "
            f"where a campaign stands to everyone between here and {parts.hostname}"
        )


@attrs.frozen
class _Tried:
    """
    What came of one try.
    """

    #: What went wrong, in words, if something did.
    failure: str | None
    again: bool = False
    retry_after: float | None = None


@attrs.frozen
class Webhook:
    """
    An address that wants to know how a campaign goes.

    Its path and query may be secret, so no text shows them. The service key does not
    go there. The certificates and the proxy are those of *settings*.

    Raises:
        InputError: It is no whole address, or others could read what is sent there.
    """

    _url: str = attrs.field(repr=False, validator=_check_url)
    _settings: Settings = attrs.field(repr=False)
    #: How long each try may take, in seconds.
    longest: float = attrs.field(default=10.0, kw_only=True)

    @property
    def name(self) -> str:
        """
        Which it is, in words that may be shown.
        """
        parts = urlsplit(self._url)
        return f"--notify-webhook {parts.scheme}://{parts.netloc}"

    async def tell(self, event: str, campaign: str, body: bytes) -> str | None:  # noqa: ARG002 -- the body names it
        """
        Post *body*, which tells of *event*.

        Returns:
            What went wrong, in words; None if it was taken.
        """
        tries = 0

        async def attempt() -> _Tried:
            nonlocal tries
            tries += 1
            tried = await self._try(event, body)
            return attrs.evolve(tried, again=tried.again and tries < _MOST_TRIES)

        give_up_at = clock.monotonic() + _TRIED_FOR
        first = await attempt()
        tried = await until_done(
            attempt,
            first,
            give_up_at=lambda: give_up_at,
            first_wait=self._settings.first_wait,
            now=clock.monotonic,
            sleep=clock.sleep,
        )
        if tried.failure is None or tries == 1:
            return tried.failure
        return f"{tried.failure}; it was tried {tries} times"

    async def _try(self, event: str, body: bytes) -> _Tried:
        # Few campaigns have anything to tell, and a look at a ledger never has.
        from voicepush.sending.transport import Transport  # noqa: PLC0415

        sends = Transport(
            self._settings, url=self._url, headers={"x-voicepush-event": event}
        )
        try:
            async with (
                sends as transport,
                await transport.connection() as connection,
            ):
                reply = await connection.post(
                    body, timeout=self.longest, connect_timeout=self.longest
                )
        except (NotSentError, InDoubtError) as error:
            return _Tried(str(error), again=True)
        return _tried(reply)


def _tried(reply: Reply) -> _Tried:
    status = reply.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return _Tried(None)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _Tried(f"HTTP {status}, and redirects are not followed")
    again = (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or status == HTTPStatus.TOO_MANY_REQUESTS
    )
    return _Tried(f"HTTP {status}", again=again, retry_after=reply.retry_after)
