"""
Whether a request is the platform's: the signature of its body, its password or token.
"""

from __future__ import annotations

import base64
import hmac
import re

from voicepush.errors import InputError

_SIGNATURE = re.compile(
    r"(?:(sha1|sha256|sha512)=)?([0-9a-f]+)", re.IGNORECASE | re.ASCII
)

_IN_HEADER = re.compile(rb"[\x21-\x7e]+")

#: What can be guessed is no token.
_SHORTEST_TOKEN = 16

#: By the number of hexadecimal digits.
_ALGORITHMS = {40: "sha1", 64: "sha256", 128: "sha512"}


class Signatures:
    """
    Knows the signatures that are made with one secret.

    Args:
        secret: As it was given to the platform; a text stands for its UTF-8.
        allow_sha1: Whether SHA-1 is good enough, as old webhooks have it.

    Raises:
        InputError: The secret is empty, so that everyone would know it.
    """

    def __init__(self, secret: str | bytes, *, allow_sha1: bool = False) -> None:
        self._secret = _as_bytes(secret)
        self._allow_sha1 = allow_sha1
        if not self._secret:
            raise InputError("the secret of receipts is empty")

    def fit(self, header: str | None, body: bytes) -> bool:
        """
        Whether *header* is a signature of *body*, which is looked at in constant time.

        Whatever is no signature does not fit.
        """
        found = _SIGNATURE.fullmatch((header or "").strip(" \t"))
        if found is None:
            return False
        named, digits = found.groups()
        algorithm = _ALGORITHMS.get(len(digits))
        if algorithm is None or (named and named.lower() != algorithm):
            return False
        if algorithm == "sha1" and not self._allow_sha1:
            return False
        given = bytes.fromhex(digits)
        if hmac.compare_digest(given, hmac.digest(self._secret, body, algorithm)):
            return True
        # The vendor's sample trims the body before it signs it.
        trimmed = body.strip()
        return len(trimmed) != len(body) and hmac.compare_digest(
            given, hmac.digest(self._secret, trimmed, algorithm)
        )


class Password:
    """
    Knows one user by HTTP's basic authorization.

    Raises:
        InputError: The name or the password can't be used.
    """

    def __init__(self, user: str, password: str) -> None:
        if not user or ":" in user:
            raise InputError("the user of receipts needs a name without a colon")
        if not password:
            raise InputError("the password of receipts is empty")
        self._expected = base64.b64encode(_as_bytes(f"{user}:{password}"))

    def fits(self, header: str | None) -> bool:
        """
        Whether *header* is that user's, which is looked at in constant time.
        """
        scheme, _, given = (header or "").partition(" ")
        return scheme.lower() == "basic" and hmac.compare_digest(
            given.strip(" \t").encode("utf-8", "replace"), self._expected
        )


class Token:
    """
    Knows the token with which a call flow authorizes itself, as a bearer's.

    Raises:
        InputError: It is so short that it could be guessed, or no header can hold it.
    """

    def __init__(self, token: str | bytes) -> None:
        self._token = _as_bytes(token)
        if len(self._token) < _SHORTEST_TOKEN:
            raise InputError(
                f"the token of opt-outs is too short; give it {_SHORTEST_TOKEN} "
                "characters or more, such as: openssl rand -hex 16"
            )
        if not _IN_HEADER.fullmatch(self._token):
            raise InputError(
                "the token of opt-outs has spaces or characters that no header holds; "
                "make one with: openssl rand -hex 16"
            )

    def fits(self, header: str | None) -> bool:
        """
        Whether *header* is that token's, which is looked at in constant time.
        """
        scheme, _, given = (header or "").strip(" \t").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip(" \t").encode("utf-8", "replace"), self._token
        )


def _as_bytes(text: str | bytes) -> bytes:
    # What came from a header or the environment may hold bytes that are no text.
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
