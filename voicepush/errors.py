"""
What can go wrong, as one tree; each class says whether trying again is safe.
"""

from __future__ import annotations


class VoicepushError(Exception):
    """
    The root of everything that voicepush raises on purpose.

    It can be pickled and copied with all that it holds, to cross to another process.
    """

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are made again from their text, which is not what each class of
        # ours is made from.
        return _made_again, (type(self), self.args), self.__dict__


def _made_again(cls: type[VoicepushError], args: tuple[object, ...]) -> VoicepushError:
    return cls.__new__(cls, *args)


class InputError(VoicepushError, ValueError):
    """
    An argument, a file or a setting is not usable; nothing was done with it.
    """


class NoLedgerError(InputError):
    """
    There is no ledger at the place that was named.
    """


class BackupError(InputError):
    """
    The ledger is a backup that nobody has restored; it can only be looked at.

    Args:
        backup: Which file it is, and what it is a backup of, in words.
    """

    def __init__(self, backup: str) -> None:
        super().__init__(
            f"{backup}: it can only be looked at, since people may have been called "
            "after that; to go on from it, see voicepush resume CAMPAIGN --restored"
        )
        self.backup = backup


class NobodyToCallError(InputError):
    """
    Nobody is left to be called; nothing was planned.
    """


class SourceError(InputError):
    """
    The recipients can't be read any further.

    Args:
        message: What is wrong, in one sentence.
        source: The file or stream.
        row: The row at which it happened, counted from 1, where one is known.
    """

    def __init__(
        self, message: str, *, source: str | None = None, row: int | None = None
    ) -> None:
        place = source or ""
        if row is not None:
            place = f"{place}, row {row}" if place else f"row {row}"
        super().__init__(f"{place}: {message}" if place else message)
        self.source = source
        self.row = row


class DeliveryError(VoicepushError):
    """
    The API did not confirm a request; `Result.raise_for_outcome` raises one.
    """

    retryable = False  #: sending the same again is safe and may help
    in_doubt = False  #: the API may already have placed the calls
    code: str | None = None  #: the API's, where an answer gave one


class RejectedError(DeliveryError):
    """
    The API refused the recipient for good.
    """


class ExpiredError(DeliveryError):
    """
    The expiry passed before it was sent; nobody was called.
    """


class NotSentError(DeliveryError):
    """
    It provably never reached the API, or was not taken by it.
    """

    retryable = True


class BusyError(NotSentError):
    """
    So many submissions have no answer yet that this one was not taken, and not sent.
    """


class UnreachableError(NotSentError):
    """
    No request can reach the API: its name does not exist, or its certificate is not
    trusted.
    """

    retryable = False


class InDoubtError(DeliveryError):
    """
    The request may have reached the API; its answer is lost.
    """

    in_doubt = True


class ClientClosedError(VoicepushError):
    """
    The client is closed, or was never opened with ``async with``.
    """


class OtherLoopError(VoicepushError, RuntimeError):
    """
    The client was called from another event loop, or thread, than it was opened in;
    nothing was sent.
    """


class LedgerError(VoicepushError):
    """
    The ledger can't be read or written; nothing was sent that it does not know of.
    """

    while_sending = False  #: it happened after sending had begun
    is_unreachable = False  #: it may be back by itself


class CampaignLostError(LedgerError):
    """
    Another process has taken the campaign over; this one must not go on with it.
    """


class CampaignHeldError(LedgerError):
    """
    Another process is dispatching the campaign.

    Args:
        campaign: The campaign's name.
        holder: Who holds it: host, process id and when it last gave a sign.
    """

    def __init__(self, campaign: str, holder: str) -> None:
        super().__init__(
            f"campaign {campaign!r} is being dispatched by {holder}; "
            "wait for it, or stop that process first"
        )
        self.campaign = campaign
        self.holder = holder
