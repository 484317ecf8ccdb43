"""
Who sends, where a service is known by tokens and not by its key.
"""

from __future__ import annotations

import base64
import binascii

import attrs

from voicepush.errors import InputError


def _check_id(_: object, __: object, value: str) -> None:
    if not value or value != value.strip() or not value.isprintable():
        raise InputError("the service id must be a text on one line, and not empty")


def _check_secret(_: object, __: object, value: str) -> None:
    if not _decoded(value):
        raise InputError(
            "the service secret must be in base64, as the console shows it; copy it as "
            "a whole"
        )


@attrs.frozen(kw_only=True)
class Token:
    """
    Stands in place of the service key: requests carry a token (JWT) that is made from
    a service's id and its secret, and made anew before its hour ends.

    Both stand in the console, under the API of a service, where JWT is chosen. The
    token travels in the header ``Authorization`` as ``Bearer``, signed by HS256 with
    the decoded secret; that much is public. Not known is whether every tenant takes
    tokens at version 1 of the API, and with which code one that has expired is refused:
    7001 and HTTP 401 are taken for that.

    Needs ``pip install 'voicepush[jwt]'``.

    Raises:
        InputError: One of them is not usable.
    """

    #: The id of the service.
    service_id: str = attrs.field(validator=_check_id)
    #: Its secret in base64, which never leaves this process.
    secret: str = attrs.field(repr=False, validator=_check_secret)

    @property
    def signing_key(self) -> bytes:
        """
        The secret as it signs.
        """
        return _decoded(self.secret)


def _decoded(secret: str) -> bytes:
    """
    What *secret* holds; nothing where it is no base64 of either alphabet.
    """
    text = secret.strip().rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
