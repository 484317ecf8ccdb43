"""
How a client behaves, as frozen values.
"""

from __future__ import annotations

import enum
import ipaddress
import ssl
from datetime import timedelta
from typing import Any, TypedDict, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

import attrs

from voicepush.errors import InputError
from voicepush.model.recipients import MOST_PER_REQUEST
from voicepush.model.token import Token


class ReuseConnections(enum.StrEnum):
    """
    When a connection is used for another request.
    """

    PROVEN = "proven"  #: after an answer that proved to be its own request's
    ALWAYS = "always"  #: after any answer, as HTTP clients usually do
    NEVER = "never"  #: not at all


class WhenFull(enum.StrEnum):
    """
    What becomes of a submission where as many as may be have no answer yet.
    """

    WAIT = "wait"  #: it waits until one of them has
    REFUSE = "refuse"  #: it is refused, and was not sent


class PromptField(enum.StrEnum):
    """
    What the API calls the prompt id of the audio.
    """

    MEDIA = "media"  #: as in the document of the API
    PROMPTID = "promptid"  #: as in tables of the vendor's later pages


_Choice = TypeVar("_Choice", bound=enum.StrEnum)


def _chosen(choices: type[_Choice], value: str, name: str) -> _Choice:
    try:
        return choices(value)
    except ValueError as error:
        raise InputError(
            f"{name} is one of {', '.join(choices)}, not {value!r}"
        ) from error


def _when_full(value: WhenFull | str) -> WhenFull:
    return _chosen(WhenFull, value, "when_full")


def _prompt_field(value: PromptField | str) -> PromptField:
    return _chosen(PromptField, value, "prompt_field (--prompt-field)")


def _reuse_connections(value: ReuseConnections | str) -> ReuseConnections:
    return _chosen(ReuseConnections, value, "reuse_connections")


#: How the address of a database begins.
ADDRESSES = ("postgresql://", "postgres://")

#: The environment variables that hold the key, or name a file that does.
KEY_VARIABLE = "VOICEPUSH_SERVICE_KEY"
KEY_FILE_VARIABLE = "VOICEPUSH_SERVICE_KEY_FILE"

_KNOWN_BASES = "https://api.imiconnect.io, https://api-us.imiconnect.io or the like"


def _bare(address: str) -> str:
    return address.strip().rstrip("/")


def address_parts(address: str) -> SplitResult | None:
    """
    The parts of *address*, if it is a whole one of http or https.
    """
    try:
        parts = urlsplit(address)
        # Whether the port is a number is found out only where it is looked at.
        has_port = parts.port != 0
    except ValueError:
        return None
    is_whole = parts.scheme in ("http", "https") and parts.hostname and has_port
    return parts if is_whole else None


def is_readable_by_others(parts: SplitResult) -> bool:
    """
    Whether everyone on the way there can read what is sent: plain http to another
    machine.
    """
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _check_base_url(_: object, __: object, value: str) -> None:
    parts = address_parts(value)
    if parts is None:
        raise InputError(
            f"the base URL must be a whole address such as {_KNOWN_BASES}; it follows "
            f"the domain on which you log in; give it with --base-url or "
            "VOICEPUSH_BASE_URL"
        )
    if "?" in value or "#" in value or parts.username is not None:
        raise InputError(
            "the base URL (--base-url) must hold no query, fragment or user name"
        )
    if is_readable_by_others(parts):
        raise InputError(
            "the base URL (--base-url) must begin with https://, since plain http:// "
            "would show the service key to everyone between here and "
            f"{parts.hostname}"
        )


def is_loopback(address: str) -> bool:
    """
    Whether *address* is one of this machine.
    """
    parts = address_parts(address)
    return parts is not None and _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_key(settings: Settings, _: object, value: str) -> None:
    if settings.token is not None:
        if value:
            raise InputError("give either a service key or a token, and not both")
        return
    if not value:
        raise InputError(
            f"a service key is needed; set {KEY_VARIABLE}, or name a file that holds "
            f"it with --key-file or {KEY_FILE_VARIABLE}"
        )
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise InputError("the service key holds characters that no header can carry")


def _check_positive(_: object, field: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value < float("inf"):
        raise InputError(f"{field.name} must be above 0, not {value}")


def _check_rate(_: object, __: object, value: float | str | None) -> None:
    if not isinstance(value, str):
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"rate must be above 0, not {value}")
        return
    if not value.startswith(ADDRESSES):
        raise InputError(
            f"rate is a number of destinations per second, or the address of a "
            f"database like {ADDRESSES[0]}user@host/database, where all processes "
            "share it"
        )
    if has_password(value):
        raise InputError(
            "the address of the shared rate holds a password, which others can see; "
            "leave it out, and put it into a file (PGPASSFILE, ~/.pgpass), or into a "
            "service of pg_service.conf"
        )


def has_password(address: str) -> bool:
    """
    Whether the *address* of a database holds a password.
    """
    parts = urlsplit(address)
    return parts.password is not None or "password" in parse_qs(parts.query)


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _check_batch_size(_: object, __: object, value: int) -> None:
    if not 1 <= value <= MOST_PER_REQUEST:
        raise InputError(
            f"the batch size must be from 1 to {MOST_PER_REQUEST}, not {value}"
        )


@attrs.frozen(kw_only=True)
class Settings:
    """
    Where to send, and how fast and how patiently.

    Raises:
        InputError: A value is not usable; the text says which and why.
    """

    #: The service key, which goes into a header and nowhere else.
    service_key: str = attrs.field(default="", repr=False, validator=_check_key)
    #: In place of the key: what makes the tokens that stand for it.
    token: Token | None = None
    #: The tenant's address, without the path.
    base_url: str = attrs.field(converter=_bare, validator=_check_base_url)
    #: How many requests are under way at once.
    concurrency: int = attrs.field(default=32, validator=_check_positive)
    #: Destinations per second; without it, as fast as the service takes them. The
    #: address of a database with a ledger stands for the rate that is set there, which
    #: all processes share that name it; it holds no password.
    rate: float | str | None = attrs.field(default=None, validator=_check_rate)
    #: The most recipients of one request.
    batch_size: int = attrs.field(default=MOST_PER_REQUEST, validator=_check_batch_size)
    #: The most bytes of one request.
    body_limit: int = attrs.field(default=1 << 20, validator=_check_positive)
    #: How long a single submission waits for others to join it, in seconds.
    linger: float = attrs.field(
        default=0.02, converter=_seconds, validator=_check_positive
    )
    #: How many single submissions may be without an answer at once, so that memory
    #: stays bounded however many call; None for any number.
    most_waiting: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_positive)
    )
    #: What becomes of others then.
    when_full: WhenFull = attrs.field(default=WhenFull.WAIT, converter=_when_full)
    #: How long connecting may take, in seconds; nothing is sent until it is done.
    connect_timeout: float = attrs.field(
        default=10.0, converter=_seconds, validator=_check_positive
    )
    #: How long an answer may take, in seconds. Long on purpose: a client that gives
    #: up before the service does leaves everyone in the request unknown.
    answer_timeout: float = attrs.field(
        default=120.0, converter=_seconds, validator=_check_positive
    )
    #: How long a batch without an expiry is tried again, in seconds.
    patience: float = attrs.field(
        default=900.0, converter=_seconds, validator=_check_positive
    )
    #: How long the first wait before another attempt is at most, in seconds; the
    #: longest wait doubles each time, up to 30 s.
    first_wait: float = attrs.field(
        default=1.0, converter=_seconds, validator=_check_positive
    )
    #: Whether code 7006, internal error, is tried again. Turn it off for a service
    #: that was seen to dial and then say 7006.
    retry_internal_error: bool = True
    #: When a connection is used for another request. A server or proxy that sends one
    #: response too many leaves it to the next request on that connection, which would
    #: take it for its own: people would be said to be called who were not, or be
    #: called twice. So the default, ``proven``, uses a connection again only after an
    #: answer with a correlation id of its own request. A service that echoes no ids
    #: then costs a connection per request, which ``always`` saves at that risk.
    reuse_connections: ReuseConnections = attrs.field(
        default=ReuseConnections.PROVEN, converter=_reuse_connections
    )
    #: What the API calls the prompt id: ``media``, unless a tenant's calls it
    #: ``promptid``.
    prompt_field: PromptField = attrs.field(
        default=PromptField.MEDIA, converter=_prompt_field
    )
    #: For certificates of one's own.
    tls: ssl.SSLContext | None = attrs.field(default=None, repr=False)
    #: A proxy's address.
    proxy: str | None = attrs.field(default=None, repr=False)
    #: Whether the environment's proxies (``HTTPS_PROXY``, ``.netrc``) are used.
    trust_env: bool = False

    @property
    def own_rate(self) -> float | None:
        """
        The rate where it is this client's own, and not shared.
        """
        return None if isinstance(self.rate, str) else self.rate


class SettingsFields(TypedDict, total=False):
    """
    The fields of `Settings` as keywords of a client, for type checkers.
    """

    service_key: str | None
    token: Token | None
    base_url: str | None
    concurrency: int
    rate: float | str | None
    batch_size: int
    body_limit: int
    linger: float | timedelta
    most_waiting: int | None
    when_full: WhenFull | str
    connect_timeout: float | timedelta
    answer_timeout: float | timedelta
    patience: float | timedelta
    first_wait: float | timedelta
    retry_internal_error: bool
    reuse_connections: ReuseConnections | str
    prompt_field: PromptField | str
    tls: ssl.SSLContext | None
    proxy: str | None
    trust_env: bool
