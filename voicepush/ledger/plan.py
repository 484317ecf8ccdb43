"""
What a campaign is, apart from its recipients, and what its owner wants of it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

from voicepush.errors import InputError
from voicepush.model.call import CallState
from voicepush.model.consent import CONSENT_COLUMN
from voicepush.model.windows import Windows


def _is_some(_: object, __: object, value: int) -> None:
    if value < 1:
        raise InputError("a trial calls one person at least")


def _is_share(_: object, __: object, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError("the share of those who may fail lies between 0 and 1")


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


class Stage(enum.StrEnum):
    """
    How far a campaign is whose owner wants some people to be called first.
    """

    TRIAL = "trial"  #: these are called
    TRIED = "tried"  #: they were called, and the others wait for its owner
    OVER = "over"  #: the others are called


#: Nobody is called but those who are called first.
ON_TRIAL = (Stage.TRIAL, Stage.TRIED)


@attrs.frozen(kw_only=True)
class Trial:
    """
    So many people are called first; then the others wait for their owner.

    Raises:
        InputError: It is nobody, or *most_failed* is no share.
    """

    #: How many destinations.
    people: int = attrs.field(validator=_is_some)
    #: Chooses the same people of the same list again.
    seed: str
    #: Go on by itself after so many seconds, if not too many failed; None for never.
    observe: float | None = None
    #: What share of them may have failed, or not been reached, for that.
    most_failed: float = attrs.field(default=0.2, validator=_is_share)


@attrs.frozen(kw_only=True)
class PlannedGroup:
    """
    What the recipients of some batches have in common, as a ledger keeps it.
    """

    number: int
    #: Their message, as `sending.request.dump_message` writes it.
    message: str = attrs.field(repr=False)
    zones: tuple[str, ...] = ()
    priority: int = 0
    trial: bool = False


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
    #: When its people may be called; None at any hour.
    windows: Windows | None = None
    #: Why they are called at any hour, in its owner's words.
    any_hour: str | None = None
    #: Who is called first, where some are.
    trial: Trial | None = None
    #: How far that is.
    stage: Stage | None = None
    #: When they had been called, in seconds since 1970.
    tried_at: float | None = None
    #: Nothing is claimed before, and nothing from then on, in seconds since 1970.
    starts_at: float | None = None
    stops_at: float | None = None

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
    #: When people may be called, by now.
    windows: Windows | None = None
