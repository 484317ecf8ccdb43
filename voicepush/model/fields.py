"""
What a text must be like to stand in a field of a request.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from voicepush.errors import InputError
from voicepush.masking import mask

#: The API's limit for a correlation id, in bytes of UTF-8 (not in characters).
MOST_CORRELATION_BYTES = 50


def check_text(value: str, what: str) -> int:
    """
    How many bytes *value* has.

    Raises:
        InputError: UTF-8 can't hold it; the text names it as *what*.
    """
    try:
        return len(value.encode())
    except UnicodeEncodeError as error:
        raise InputError(f"{what} must be text that UTF-8 can hold") from error


def check_correlation_id(value: object) -> str:
    """
    *value*, if the API takes it as a correlation id.

    Raises:
        InputError: It is empty or has more than 50 bytes.
    """
    if not isinstance(value, str) or not value:
        raise InputError("a correlation id must be a text that is not empty")
    size = check_text(value, "a correlation id")
    if size > MOST_CORRELATION_BYTES:
        raise InputError(
            f"a correlation id has at most {MOST_CORRELATION_BYTES} bytes; "
            f"{mask(value)!r} has {size}"
        )
    return value


def exact_text(text: str | None) -> str | None:
    """
    *text* as nothing but a text, where it is of someone's own type of texts.
    """
    return str(text) if isinstance(text, str) else text


def optional_text(_: object, field: attrs.Attribute[str | None], value: object) -> None:
    """
    A validator: a text that is not empty, or None.
    """
    if value is None:
        return
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{field.name} must be a text that is not empty, or left out")
    check_text(value, field.name)


def optional_url(_: object, field: attrs.Attribute[str | None], value: object) -> None:
    """
    A validator: a whole http or https address, or None.
    """
    if value is None:
        return
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{field.name} must be a whole http or https address")
    check_text(parts.geturl(), field.name)


def optional_correlation_id(
    _: object, __: attrs.Attribute[str | None], value: str | None
) -> None:
    """
    A validator: what the API takes as a correlation id, or None.
    """
    if value is not None:
        check_correlation_id(value)
