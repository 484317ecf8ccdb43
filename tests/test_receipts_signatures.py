"""
Who may post receipts: signatures and passwords, whatever stands in the headers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush import InputError
from voicepush.receipts.signatures import Password, Signatures

SECRET = "a hub secret, with ümlaut"
BODY = b' {"code": "7519"}\n'


def signed(algorithm: str, body: bytes = BODY) -> str:
    """
    What the platform makes of *body*.
    """
    return hmac.new(SECRET.encode(), body, getattr(hashlib, algorithm)).hexdigest()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_signatures_are_told_apart_by_their_length(algorithm: str) -> None:
    """
    With a prefix or without, in any case, of the body as it is or trimmed.
    """
    signatures = Signatures(SECRET)
    right = signed(algorithm)

    assert signatures.fit(right, BODY)
    assert signatures.fit(f"{algorithm}={right}", BODY)
    assert signatures.fit(f"{algorithm.upper()}={right.upper()}", BODY)
    assert signatures.fit(f" {right}\t", BODY)
    assert signatures.fit(signed(algorithm, BODY.strip()), BODY)
    assert Signatures(SECRET.encode()).fit(right, BODY)


def test_sha1_has_to_be_allowed() -> None:
    """
    Only old webhooks make it.
    """
    right = signed("sha1")
    allowing = Signatures(SECRET, allow_sha1=True)

    assert not Signatures(SECRET).fit(right, BODY)
    assert not Signatures(SECRET).fit(f"sha1={right}", BODY)
    assert allowing.fit(right, BODY)
    assert allowing.fit(f"sha1={right}", BODY)
    assert allowing.fit(signed("sha256"), BODY)


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", " ", "sha256=", "sha256", "=", "0", "é", "\udcff", "\x00"),
        *("0" * 64, "0" * 128, "0" * 40, "g" * 64, signed("sha256")[:-1]),
        signed("sha256") + "0",
        f"sha512={signed('sha256')}",
        f"sha1={signed('sha256')}",
        f"md5={signed('sha256')}",
        f"sha256=sha256={signed('sha256')}",
        f"sha256= {signed('sha256')}",
        f"{signed('sha256')},{signed('sha256')}",
        " ".join(signed("sha256")),
        f"\N{LATIN SMALL LETTER LONG S}ha256={signed('sha256')}",
        signed("sha256", b"another body"),
        "٣" * 64,
    ],
)
def test_whatever_else_is_a_wrong_signature(header: str | None) -> None:
    """
    Malformed, of another algorithm, of another body, or none at all.
    """
    assert not Signatures(SECRET).fit(header, BODY)
    assert not Signatures(SECRET, allow_sha1=True).fit(header, BODY)


@pytest.mark.slow
@given(st.none() | st.text(st.characters()) | st.from_regex(r"(sha256=)?[0-9a-f]{64}"))
def test_no_header_is_an_error(header: str | None) -> None:
    """
    Whatever it is, also with characters that no encoding knows.
    """
    assert not Signatures(SECRET).fit(header, BODY)
    assert not Password("user", SECRET).fits(header)
    assert not Password("user", SECRET).fits(f"Basic {header}")


@given(st.binary(), st.binary(min_size=1))
def test_what_is_signed_fits_and_nothing_else(body: bytes, secret: bytes) -> None:
    """
    For any body and any secret.
    """
    signatures = Signatures(secret)
    right = hmac.new(secret, body, hashlib.sha256).hexdigest()

    assert signatures.fit(right, body)
    assert not signatures.fit(right, body + b"x")


@pytest.mark.parametrize("secret", ["", b""])
def test_an_empty_secret_is_refused(secret: str | bytes) -> None:
    """
    Everyone would know it.
    """
    with pytest.raises(InputError, match="empty"):
        Signatures(secret)


def test_a_user_has_a_password() -> None:
    """
    The scheme may be written in any case.
    """
    password = Password("user", SECRET)
    right = base64.b64encode(f"user:{SECRET}".encode()).decode()
    wrong = base64.b64encode(b"user:other").decode()

    assert password.fits(f"Basic {right}")
    assert password.fits(f"basic  {right} ")
    for header in (None, right, f"Bearer {right}", f"Basic {wrong}", "Basic", "Basic "):
        assert not password.fits(header)


@pytest.mark.parametrize(
    ("user", "password", "words"),
    [("", "x", "name"), ("a:b", "x", "colon"), ("a", "", "empty")],
)
def test_a_user_that_cannot_be_is_refused(user: str, password: str, words: str) -> None:
    """
    One line says why.
    """
    with pytest.raises(InputError, match=words):
        Password(user, password)
