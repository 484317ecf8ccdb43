"""
What the console's logs say of a call in one word, and whether that proves anything.

A call that is listed was taken by the platform, whatever became of it: also one that
expired. Only a row that says that its request was refused proves nothing.
"""

from __future__ import annotations

from functools import lru_cache

from voicepush.model.call import Call, CallState
from voicepush.receipts.call_state import EVENTS, UNKNOWN_EVENT

#: A word that says less than the receipt of an event, and more than that a call ended.
_VAGUE = 55

#: Listed, and not yet offered to the network.
_LISTED = 10

#: What a status may have in it, without spaces and signs, and the code of the event
#: that it stands for. The first that fits counts, so what denies something stands
#: before it.
_CODES = (
    *((word, "7401") for word in ("noanswer", "notanswer", "unanswer", "noreply")),
    *((word, "7402") for word in ("busy", "engaged")),
    ("expir", "7005"),
    *((word, "7406") for word in ("reject", "declin")),
    *((word, "7411") for word in ("tromboneconnect", "agentconnect")),
    *((word, "7412") for word in ("trombonerelease", "agentreleas")),
    *((word, "7410") for word in ("disconnect", "hungup", "hangup", "hangedup")),
    ("other", "7404"),
    ("answered", "7519"),
    ("dropped", "7409"),
    *((word, "7405") for word in ("released", "completed", "ended", "finished")),
    ("ringing", "7408"),
    ("offered", "7407"),
)

#: The same, for words that stand for no event of their own.
_NOT_REACHED = (
    *("undeliver", "notdeliver", "notreach", "unreach", "unavailable", "fail"),
    *("error", "cancel", "abort", "timeout", "timedout", "congest", "blocked"),
    *("unsuccess", "notsuccess", "notconnect", "notpicked"),
)
_REACHED = ("reached", "connected", "picked")

#: Words of a request that the platform did not take.
_REFUSED = (
    *("invalid", "unauthori", "notauthori", "authenticationfail", "forbidden"),
    *("throttl", "ratelimit", "rateexceed", "quota", "badrequest", "malformed"),
    *("notsent", "unsent", "notsubmit", "notaccept", "notqueued", "notprocess"),
    *("submissionfail", "submitfail", "requestfail"),
)

#: Codes with which the API refuses a request, as it then does not ring anyone. 7005 is
#: not among them: it is also what became of a call.
_REFUSAL_CODES = frozenset(
    (
        *("7000", "7001", "7002", "7003", "7004", "7006", "7007", "7009", "7020"),
        *("7022", "7101", "7102", "7104", "7107", "7108", "7126", "7127", "7200"),
        "8009",
    )
)


@lru_cache(maxsize=4096)
def logged_call(status: str, code: str = "") -> Call | None:
    """
    What a row with *status* and *code* says of its call; None if it says that the
    platform did not take it.

    When that was is left out, since it is not known which time a log tells and in which
    zone; so of two that weigh the same a receipt decides.
    """
    word = "".join(filter(str.isalnum, status.casefold()))
    code = code or (word if word.isdecimal() else "")
    if any(each in word for each in _REFUSED):
        return None
    found = code if code in EVENTS else _code_of(word)
    if code in _REFUSAL_CODES and found in (None, "7404", "7406"):
        return None
    if found is not None:
        event = EVENTS[found]
        return _call(event.state, event.rank, code, status, ends=event.ends)
    if any(each in word for each in _NOT_REACHED):
        return _call(CallState.NOT_REACHED, _VAGUE, code, status, ends=True)
    if any(each in word for each in _REACHED):
        return _call(CallState.REACHED, _VAGUE, code, status, ends=False)
    # Queued, sent, delivered, or a word that nobody knows: not how it ended.
    rank = _LISTED if word else UNKNOWN_EVENT.rank
    return _call(CallState.ON_ITS_WAY, rank, code, status, ends=False)


def _call(state: CallState, rank: int, code: str, words: str, *, ends: bool) -> Call:
    known = code if code in EVENTS else ""
    return Call(
        state=state,
        rank=rank,
        code=known,
        words=words,
        has_ended=ends,
        was_offered=state is not CallState.EXPIRED,
    )


def _code_of(word: str) -> str | None:
    return next((code for each, code in _CODES if each in word), None)
