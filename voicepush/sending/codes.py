"""
The API's codes as a table: code -> what a sender must make of it.
"""

from __future__ import annotations

import enum
from http import HTTPStatus


class Meaning(enum.Enum):
    """
    What an answer means for the destinations that it speaks of.
    """

    ACCEPTED = enum.auto()  #: queued
    REJECTED = enum.auto()  #: refused for good
    EXPIRED = enum.auto()  #: refused for good, because the expiry has passed
    INTERNAL = enum.auto()  #: an error of theirs; sent again until the expiry
    THROTTLED = enum.auto()  #: nothing was taken; slow down, then send again
    TOO_LARGE = enum.auto()  #: nothing was taken; split, then send again
    STOP = enum.auto()  #: nothing was taken, and no other request can succeed
    UNREACHED = enum.auto()  #: it never reached the API; sent again
    IN_DOUBT = enum.auto()  #: it may have been taken


#: The codes of the API's own document and of the vendor's public pages. Every other
#: code is a refusal for good, kept with its description.
_MEANINGS = {
    "1001": Meaning.ACCEPTED,  # queued
    "7001": Meaning.STOP,  # authentication failed
    "7002": Meaning.STOP,  # service key missing
    "7005": Meaning.EXPIRED,  # request expired
    "7006": Meaning.INTERNAL,  # internal error
    "7007": Meaning.STOP,  # service inactive
    "7009": Meaning.TOO_LARGE,  # more than 1,000 destinations
    "7010": Meaning.IN_DOUBT,  # provider exception
    "7011": Meaning.IN_DOUBT,  # provider exception
    "7016": Meaning.IN_DOUBT,  # unknown exception
    "7022": Meaning.TOO_LARGE,  # JSON too large
    "7127": Meaning.STOP,  # source address not allowed
}

_STATUSES = {
    HTTPStatus.UNAUTHORIZED: Meaning.STOP,
    HTTPStatus.FORBIDDEN: Meaning.STOP,
    HTTPStatus.NOT_FOUND: Meaning.STOP,
    HTTPStatus.METHOD_NOT_ALLOWED: Meaning.STOP,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: Meaning.STOP,
    HTTPStatus.REQUEST_TIMEOUT: Meaning.IN_DOUBT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Meaning.TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS: Meaning.THROTTLED,
}


def meaning_of_code(code: str, description: str = "") -> Meaning:
    """
    What *code* means; 7020 is told apart by its *description*, rate or quota.
    """
    if code == "7020":
        used_up = "quota" in description.lower()
        return Meaning.STOP if used_up else Meaning.THROTTLED
    return _MEANINGS.get(code, Meaning.REJECTED)


def meaning_of_status(status: int, *, asks_to_wait: bool = False) -> Meaning:
    """
    What an HTTP status means where the body gave no code.

    A redirect is not followed, since it would carry the key away; like a wrong
    address it will meet every other request as well. A success without a code,
    and a proxy's 500, 502, 503 or 504, leave it open whether the calls were placed.

    Args:
        asks_to_wait: Whether there is a ``Retry-After``. Only then is 503 a refusal:
            proxies also say 503 after they have passed the request on.
    """
    if status == HTTPStatus.SERVICE_UNAVAILABLE and asks_to_wait:
        return Meaning.THROTTLED
    if status in _STATUSES:
        return _STATUSES[HTTPStatus(status)]
    if 300 <= status < 400:  # noqa: PLR2004 -- the class of redirects
        return Meaning.STOP
    if 400 <= status < 500:  # noqa: PLR2004 -- the class of client errors
        return Meaning.REJECTED
    return Meaning.IN_DOUBT
