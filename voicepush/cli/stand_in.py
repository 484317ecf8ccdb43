"""
Commands around the stand-in for the API.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Parameter

from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.terminal import (
    say,
    signals,
    tell,
    tell_json,
)
from voicepush.errors import (
    InputError,
)


@Parameter(name="*", group="Receipts")
@attrs.frozen(kw_only=True)
class Receipts:
    """
    The options of what the stand-in reports of its calls.
    """

    notify_url: str | None = None
    """Where to post receipts, on this machine; a request's own goes first."""
    ring: Annotated[list[str] | None, Parameter(negative="")] = None
    """What happens on the phones and how often, such as heard@60%, busy@10%,
    rang-out@15%, hung-up, hung-up-ringing, agent, expired; may be given several
    times."""
    ring_seconds: float = 0.05
    """Seconds between two events of a call."""
    dial_rate: float | None = None
    """How many of the accepted calls it dials per second."""
    receipt_fault: Annotated[list[str] | None, Parameter(negative="")] = None
    """What goes wrong with receipts and how often, such as lost@2%, twice@5%,
    late@10%, late:30@5%, forged@1%, unsigned@1%, no-id@5%; may be given several
    times."""
    hub_secret_file: Path | None = None
    """A file with the secret that signs receipts."""
    retry_seconds: float = 60.0
    """Seconds until a receipt that was not taken is tried again."""
    status_api: bool = True
    """Whether it can be asked what became of a transaction; not every tenant can."""
    status_fault: Annotated[list[str] | None, Parameter(negative="")] = None
    """What goes wrong with that and how often, such as 429:2@10%, 404, 7001, hang,
    garbage; may be given several times."""

    def options(self) -> dict[str, Any]:
        """
        What a simulator takes.
        """
        return {
            "notify_url": self.notify_url,
            "rings": self.ring or [],
            "ring_seconds": self.ring_seconds,
            "dial_rate": self.dial_rate,
            "receipt_faults": self.receipt_fault or [],
            "hub_secret": _secret_from_file(self.hub_secret_file, "--hub-secret-file"),
            "retry_seconds": self.retry_seconds,
            "status_api": self.status_api,
            "status_faults": self.status_fault or [],
        }


@Parameter(name="*", group="Tenant")
@attrs.frozen(kw_only=True)
class Tenant:
    """
    The options of who may send, and how a tenant spells what it takes.
    """

    service_key: str = "demo"
    """The key that it wants; made up, since it guards nothing."""
    service_id: str | None = None
    """The id of the service whose tokens are taken as well."""
    service_secret_file: Path | None = None
    """A file with the secret of that service, in base64."""
    prompt_field: str = "media"
    """What the prompt id is called in requests: media, or promptid."""

    def options(self) -> dict[str, Any]:
        """
        What a simulator takes.
        """
        return {
            "service_key": self.service_key,
            "token": self._token(),
            "prompt_field": self.prompt_field,
        }

    def _token(self) -> tuple[str, str] | None:
        secret = _secret_from_file(self.service_secret_file, "--service-secret-file")
        if self.service_id is None and secret is None:
            return None
        if not self.service_id or secret is None:
            raise InputError("--service-id and --service-secret-file belong together")
        return self.service_id, secret


def _secret_from_file(file: Path | None, option: str) -> str | None:
    if file is None:
        return None
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"{option} {file} can't be read: {reason}") from error
    if not secret:
        raise InputError(f"{option} {file} is empty")
    return secret


async def simulate(
    *,
    port: int = 8080,
    tenant: Tenant | None = None,
    answer: str = "one",
    fault: Annotated[list[str] | None, Parameter(negative="")] = None,
    latency: float = 0.0,
    tps: int | None = None,
    seed: int = 0,
    receipts: Receipts | None = None,
) -> int:
    """
    Serve a stand-in for the API on this machine, with faults on demand.

    Parameters
    ----------
    port
        Where to listen on 127.0.0.1; 0 takes any that is free.
    answer
        The shape of its answers: one, each, list, object or numeric.
    fault
        What goes wrong and how often, such as 7006@20%, drop@1/5, 429:2@1/10,
        hang, garbage, mix:7102=5%; may be given several times.
    latency
        Seconds before each answer.
    tps
        Its own limit of destinations per second.
    seed
        For chance that repeats itself.
    """
    # Only here is a server needed.
    from voicepush.simulator import SHAPES, Simulator  # noqa: PLC0415

    if not 0 <= port <= _HIGHEST_PORT:
        raise InputError(f"--port must be from 0 to {_HIGHEST_PORT}, not {port}")
    if answer not in SHAPES:
        raise InputError(f"--answer {answer!r} is none of {', '.join(SHAPES)}")
    tenant = tenant or Tenant()
    try:
        simulator = Simulator(
            port=port,
            **tenant.options(),
            answer=answer,
            faults=fault or [],
            latency=latency,
            tps=tps,
            seed=seed,
            **(receipts or Receipts()).options(),
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    stopped = asyncio.Event()
    with signals(stopped.set):
        try:
            await simulator.start()
        except OSError as error:
            raise InputError(
                f"--port {port} can't be used: {error.strerror}; 0 takes any free one"
            ) from error
        try:
            say(f"the stand-in listens; the service key is {tenant.service_key!r}")
            tell(simulator.url)
            await stopped.wait()
        finally:
            await simulator.stop()
    tell_json(simulator.summary())
    return EVERYONE_ACCEPTED


_HIGHEST_PORT = 65_535
