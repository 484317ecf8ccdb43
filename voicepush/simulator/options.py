"""How the simulator reports what became of its calls, in one place and checked."""

import ipaddress
from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Any

import attrs
from yarl import URL

from voicepush.simulator.clock import Clock
from voicepush.simulator.fates import ReceiptFault
from voicepush.simulator.replies import Fault
from voicepush.simulator.sequences import Ring, check_rings

#: The ways in which a hub secret can sign.
ALGORITHMS = ("sha256", "sha512", "sha1")


@lru_cache(maxsize=256)
def loopback(url: str) -> URL | None:
    """
    *url*, if it leads to this machine; None if it does not, or is none.

    The simulator makes calls up, so nobody else may ever hear of them.
    """
    try:
        address = URL(url)
        host = address.host or ""
        inside = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return None
    return address if inside and address.scheme in ("http", "https") else None


def _parse_rings(words: Iterable[str]) -> tuple[Ring, ...]:
    return tuple(map(Ring.parse, words))


def _parse_receipt_faults(words: Iterable[str]) -> tuple[ReceiptFault, ...]:
    return tuple(map(ReceiptFault.parse, words))


def parse_faults(words: Iterable[str | int]) -> tuple[Fault, ...]:
    """
    The faults that *words* stand for.
    """
    return tuple(map(Fault.parse, words))


def _is_positive(_: object, attribute: Any, number: float | None) -> None:
    if number is not None and not number > 0:
        message = f"{attribute.name} must be more than 0, not {number}."
        raise ValueError(message)


def _is_not_negative(_: object, attribute: Any, number: float) -> None:
    if not number >= 0:
        message = f"{attribute.name} must not be less than 0, not {number}."
        raise ValueError(message)


@attrs.define(kw_only=True, eq=False, repr=False)
class ReceiptOptions:
    """
    What becomes of the calls, where it is reported to, and what goes wrong then.

    Without a *notify_url*, here or in a request, nothing is reported.
    """

    #: Where receipts go, unless the request says; only this machine is possible.
    notify_url: str | None = attrs.field(default=None)
    #: What happens on the phones, in words such as "busy@10%"; the others hear the
    #: message to its end.
    rings: tuple[Ring, ...] = attrs.field(
        default=(), converter=_parse_rings, on_setattr=attrs.setters.validate
    )
    #: Seconds between two events of a call: from half to one and a half of it.
    ring_seconds: float = attrs.field(default=0.05, validator=_is_not_negative)
    #: How many of the accepted calls are dialled a second; None dials at once.
    dial_rate: float | None = attrs.field(default=None, validator=_is_positive)
    #: What goes wrong with receipts, in words such as "lost@2%".
    receipt_faults: tuple[ReceiptFault, ...] = attrs.field(
        default=(), converter=_parse_receipt_faults
    )
    #: What receipts are signed with; None for no signature.
    hub_secret: str | None = None
    #: How they are signed, one of `ALGORITHMS`.
    hub_algorithm: str = attrs.field(default="sha256")
    #: Whether the name of the algorithm stands before the signature: "sha256=…".
    hub_prefix: bool = False
    #: Whether a receipt with a wrong signature has one whenever it is tried again.
    forged_again: bool = True
    #: Name and password for basic authorization.
    notify_login: tuple[str, str] | None = None
    #: The time zone of a tenant whose time stamps lack an offset; None for UTC and Z.
    tenant_offset: timedelta | None = None
    #: Whether receipts number the one transaction id of a request of many: X_1, X_2.
    numbered_transids: bool = False
    #: Seconds from a receipt that was not taken to the next try, of three.
    retry_seconds: float = attrs.field(default=60.0, validator=_is_not_negative)
    #: Seconds that a receipt waits for its answer.
    answer_seconds: float = attrs.field(default=10.0, validator=_is_positive)
    #: Whether it tells by transaction id what became of calls; not every tenant has it.
    status_api: bool = True
    #: What goes wrong with that, in words such as "429:2@20%"; the first that strikes
    #: wins.
    status_faults: tuple[Fault, ...] = attrs.field(default=(), converter=parse_faults)
    #: How many may ask for that within any second; None for no limit.
    status_tps: int | None = None
    #: The most receipts that are posted at once.
    most_posts: int = attrs.field(default=64, validator=_is_positive)
    #: What time it is, for everything that happens here.
    clock: Clock = attrs.field(factory=Clock)

    @notify_url.validator
    def _is_loopback(self, _: object, url: str | None) -> None:
        if url is not None and loopback(url) is None:
            message = (
                f"notify_url {url!r} does not lead to this machine; possible are "
                "http://127.0.0.1:PORT/PATH, http://localhost:PORT/PATH and https."
            )
            raise ValueError(message)

    @rings.validator
    def _are_at_most_all(self, _: object, rings: tuple[Ring, ...]) -> None:
        check_rings(rings)

    @receipt_faults.validator
    def _can_sign(self, _: object, faults: tuple[ReceiptFault, ...]) -> None:
        for fault in faults:
            if fault.signs and self.hub_secret is None:
                message = f"{fault.word!r} needs a hub_secret."
                raise ValueError(message)

    @hub_algorithm.validator
    def _is_known(self, _: object, algorithm: str) -> None:
        if algorithm not in ALGORITHMS:
            message = (
                f"{algorithm!r} is not an algorithm; possible are "
                f"{', '.join(ALGORITHMS)}."
            )
            raise ValueError(message)
