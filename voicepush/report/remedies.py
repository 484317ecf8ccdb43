"""
What the platform's codes mean for the owner of a campaign, and what to do about each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from voicepush.model.outcome import Outcome, Verdict


class Remedy(NamedTuple):
    """
    What a code means, and what to do about it.
    """

    means: str
    do: str


_ASK = "keep the code and its words, and ask the platform's support"
_CONSOLE = "set it right in the platform's console, then voicepush resume"
#: Who was refused for good is not sent again by resuming.
_ANEW = (
    "set it right in the platform's console, then voicepush export --outcome rejected "
    "and send that list"
)
_RESOLVE = "see what speaks for and against by voicepush resolve"
_NOTHING = "nothing has to be done"

#: By the code of an answer.
_ANSWERS: Mapping[str, Remedy] = {
    "1001": Remedy("queued by the platform", _NOTHING),
    "7000": Remedy("the request was no valid JSON", "report it as an error of ours"),
    "7001": Remedy(
        "the service key was not accepted",
        "check the key and the address of the tenant, then voicepush resume",
    ),
    "7002": Remedy(
        "the service key was missing", "give the key, then voicepush resume"
    ),
    "7003": Remedy(
        "parameters were missing",
        "check --media or --callflow and --cli, and plan a new campaign",
    ),
    "7004": Remedy(
        "parameters were not valid",
        "check --media or --callflow and --cli, and the numbers in the list",
    ),
    "7005": Remedy(
        "it expired before it was queued",
        "give more time by --expiry, or a higher --rate if the service takes it",
    ),
    "7006": Remedy(
        "the platform had an error of its own, until the retries ran out",
        "voicepush resume tries again those who were not sent",
    ),
    "7007": Remedy("the service is not active", _CONSOLE),
    "7009": Remedy(
        "a request held too many recipients", "choose a smaller --batch-size"
    ),
    "7010": Remedy("the provider failed; it may have called", _RESOLVE),
    "7011": Remedy("the provider failed; it may have called", _RESOLVE),
    "7016": Remedy("an unknown error; it may have called", _RESOLVE),
    "7022": Remedy("a request was too large", "choose a smaller --batch-size"),
    "7101": Remedy("the sender is not allowed", f"check --cli; {_ANEW}"),
    "7102": Remedy(
        "the number is not allowed as a destination",
        "check the numbers, and which countries the tenant may call",
    ),
    "7104": Remedy("the app id is not allowed", _ANEW),
    "7107": Remedy("refused by the voice channel", _ASK),
    "7108": Remedy("refused by the voice channel", _ASK),
    "7126": Remedy("the content type is not allowed", _ANEW),
    "7127": Remedy(
        "this machine's address is not allowed",
        "have it added in the platform's console, then voicepush resume",
    ),
    "7200": Remedy("refused by the voice channel", _ASK),
    "8009": Remedy("refused by the voice channel", _ASK),
}

_RATE = Remedy(
    "the tenant's rate was exceeded, until the retries ran out",
    "choose a lower --rate, then voicepush resume",
)
_QUOTA = Remedy(
    "the tenant's quota is used up",
    "have it raised, or wait until it is renewed, then voicepush resume",
)

#: By the HTTP status of an answer without a code.
_STATUSES: Mapping[int, Remedy] = {
    401: Remedy("the service key was not accepted", "check the key and the address"),
    403: Remedy("access is forbidden", "check the key, and this machine's address"),
    404: Remedy("nothing is at that address", "check --base-url"),
    405: Remedy("nothing takes requests at that address", "check --base-url"),
    407: Remedy("a proxy wants a password", "set the proxy right, then resume"),
    408: Remedy("the request took too long; it may have called", _RESOLVE),
    413: Remedy("a request was too large", "choose a smaller --batch-size"),
    429: _RATE,
}
_REDIRECT = Remedy("the address leads elsewhere", "check --base-url")
_REFUSED = Remedy("refused without a code", _ASK)
_IN_DOUBT = Remedy("a server between failed; the platform may have called", _RESOLVE)

#: Where nothing else is known.
_OUTCOMES: Mapping[Outcome, Remedy] = {
    Outcome.ACCEPTED: Remedy("queued by the platform", _NOTHING),
    Outcome.REJECTED: Remedy("refused for good", _ASK),
    Outcome.EXPIRED: Remedy(
        "the expiry passed before it was sent",
        "give more time by --expiry, or a higher --rate if the service takes it",
    ),
    Outcome.NOT_SENT: Remedy("it provably did not leave", "voicepush resume sends it"),
    Outcome.UNKNOWN: Remedy("the answer was lost; it may have called", _RESOLVE),
    Outcome.SUPPRESSED: Remedy("must not be called", _NOTHING),
    Outcome.PENDING: Remedy("not tried yet", "voicepush resume goes on"),
}

_AGAIN = "call again later with voicepush send --from-campaign"

#: By the code of the receipt that decided what became of a call.
_RECEIPTS: Mapping[str, Remedy] = {
    "7005": Remedy(
        "it expired before the platform offered it to the network",
        "choose a later --expiry, or a --rate that the platform dials at",
    ),
    "7401": Remedy("no answer", _AGAIN),
    "7402": Remedy("busy", _AGAIN),
    "7404": Remedy("not connected, for another reason", _AGAIN),
    "7405": Remedy(
        "it has ended, and nothing says how",
        "select all receipts of Voice in the platform's console",
    ),
    "7406": Remedy("rejected", _AGAIN),
    "7409": Remedy(
        "it has ended, and nothing says how",
        "select all receipts of Voice in the platform's console",
    ),
    "7410": Remedy("hung up while it rang", _AGAIN),
    "7411": Remedy("picked up, and an agent was connected", _NOTHING),
    "7412": Remedy("picked up, and the agent has left", _NOTHING),
    "7519": Remedy("picked up", _NOTHING),
}
_NO_RECEIPT = Remedy("told by the platform when it was asked, or not known", _NOTHING)

_HTTP = re.compile(r"\AHTTP (\d{3})\b")


def remedy_of(verdict: Verdict) -> Remedy:
    """
    What *verdict* means, and what to do about it.
    """
    if verdict.code == "7020":
        return _QUOTA if "quota" in verdict.description.lower() else _RATE
    known = _ANSWERS.get(verdict.code or "")
    if known is not None:
        return known
    found = _HTTP.match(verdict.description)
    if verdict.code is None and found is not None:
        return _of_status(int(found[1]))
    return _OUTCOMES[verdict.outcome]


def _of_status(status: int) -> Remedy:
    if status in _STATUSES:
        return _STATUSES[status]
    if 300 <= status < 400:  # noqa: PLR2004 -- the class of redirects
        return _REDIRECT
    if 400 <= status < 500:  # noqa: PLR2004 -- the class of client errors
        return _REFUSED
    return _IN_DOUBT


def remedy_of_receipt(code: str) -> Remedy:
    """
    What a receipt with *code* means, and what to do about it.
    """
    return _RECEIPTS.get(code, _NO_RECEIPT)
