"""
What a campaign is, apart from its recipients, and what its owner wants of it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from voicepush.model.call import CallState
from voicepush.model.consent import CONSENT_COLUMN


@attrs.frozen(kw_only=True)
class Follows:
    """
    Whose earlier calls a campaign follows up: it calls them again.
    """

    #: The campaign of those calls.
    campaign: str
    #: What must have become of a call.
    states: tuple[CallState, ...]
    #: How long ago its end must have been reported, in seconds.
    after: float = 0.0


@attrs.frozen
class Cap:
    """
    How often someone may be called.
    """

    #: At most so many calls, the next one included,
    most: int
    #: within so many seconds.
    seconds: float


@attrs.frozen(kw_only=True)
class Plan:
    """
    What a campaign is, apart from its recipients.
    """

    campaign: str
    #: The message, as `sending.request.dump_message` writes it.
    message: str = attrs.field(repr=False)
    #: Where the recipients came from, in words that its owner recognises.
    source: str
    #: What its correlation ids begin with.
    tag: str
    #: The message's expiry in seconds since 1970, for forecasts.
    expires_at: float | None = None
    #: Destinations per second, where its owner has set it.
    rate: float | None = None
    #: Whether code 7006 is tried again.
    retry_internal_error: bool = True
    #: Whether its owner has decided beforehand that the unknown are sent again.
    resend_unknown: bool = False
    #: What its owner typed when planning it, by the option's name.
    given: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    #: Whose calls it follows up, where it does.
    follows: Follows | None = None
    #: How often its people may be called, by whatever campaign of the ledger.
    caps: tuple[Cap, ...] = ()

    @property
    def asks_consent(self) -> bool:
        """
        Whether its people must have agreed, by what is kept of each as ``consent``.
        """
        return CONSENT_COLUMN in self.given


@attrs.frozen(kw_only=True)
class Fingerprint:
    """
    What tells a source from another that came under the same name.
    """

    #: The SHA-256 of its bytes, in hexadecimal digits.
    digest: str
    #: Its size in bytes and its time, where it is a file.
    size: int | None = None
    modified_ns: int | None = None


class Command(enum.StrEnum):
    """
    What a campaign's owner wants of its worker.
    """

    PAUSE = "pause"
    CANCEL = "cancel"


@attrs.frozen
class Control:
    """
    What a worker learns when it shows that it is alive.
    """

    command: Command | None
    rate: float | None
