"""
The way to the service: plain on this machine, or TLS with a certificate.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from voicepush import clock
from voicepush.checking.findings import Finding, no, unknown, yes
from voicepush.settings import Settings

ABOUT = "tls"

_SOURCE = "a TLS handshake"

#: A certificate that ends sooner is worth a word.
_SOON = timedelta(days=14)


async def look_at_the_way(settings: Settings) -> Finding:
    """
    Whether what is sent can be read by the service only.
    """
    parts = urlsplit(settings.base_url)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return yes(ABOUT, "plain HTTP, which stays on this machine", "the address")
    if settings.proxy is not None or settings.trust_env:
        return unknown(ABOUT, "a proxy stands between, so no handshake was tried")
    context = settings.tls or ssl.create_default_context()
    try:
        async with asyncio.timeout(settings.connect_timeout):
            _, writer = await asyncio.open_connection(
                host, parts.port or 443, ssl=context
            )
    except OSError as error:  # a time-out and TLS's own are such, too
        return _failed(error)
    try:
        return _read(writer.get_extra_info("ssl_object"), host)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _failed(error: OSError) -> Finding:
    match error:
        case ssl.SSLCertVerificationError():
            why = error.verify_message or str(error)
            return no(ABOUT, f"the certificate is not trusted: {why}", _SOURCE)
        case ssl.SSLError():
            return no(ABOUT, f"no TLS connection: {error.reason or error}", _SOURCE)
        case TimeoutError():
            return unknown(ABOUT, "connecting took too long", _SOURCE)
        case _:
            why = error.strerror or str(error)
            return unknown(ABOUT, f"no connection: {why}", _SOURCE)


def _read(connection: ssl.SSLObject, host: str) -> Finding:
    certificate: dict[str, Any] = connection.getpeercert() or {}
    ends = clock.moment(ssl.cert_time_to_seconds(certificate["notAfter"]))
    days = (ends - clock.utc_now()).days
    soon = "; renew it soon" if ends - clock.utc_now() < _SOON else ""
    words = (
        f"{connection.version()}; the certificate is for {host}, by "
        f"{_name(certificate.get('issuer', ()))}, and ends on {ends:%Y-%m-%d} "
        f"(in {days} days{soon})"
    )
    return yes(ABOUT, words, _SOURCE)


def _name(pairs: Iterable[Iterable[tuple[str, str]]]) -> str:
    fields = {name: value for group in pairs for name, value in group}
    names = [fields.get("organizationName"), fields.get("commonName")]
    return ", ".join(filter(None, names)) or "an issuer without a name"
