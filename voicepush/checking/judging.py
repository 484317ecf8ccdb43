"""
Answers -> findings: what is believed of the service, and whether the answers say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from voicepush.checking.findings import Finding, no, unknown, yes
from voicepush.checking.probing import Asked, Pace
from voicepush.errors import InDoubtError
from voicepush.sending.codes import Meaning

#: Statuses by which the path is not the API's, and by which the key is refused.
_NO_PATH = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
_NO_ENTRY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)

#: Statuses that another minute may change.
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)

#: Codes that speak of the key, or of what it belongs to.
_OF_THE_KEY = {
    "7001": "the key is refused",
    "7002": "the key did not arrive",
    "7007": "the service of this key is inactive",
    "7127": "the key may not be used from this machine's address",
}

#: An answer that takes longer is worth a complaint, in seconds.
_SLOW = 5.0


def is_refused(first: Asked) -> bool:
    """
    Whether the answer to the *first* request, with our own key, holds for all others.
    """
    if first.failure is not None:
        return not isinstance(first.failure, InDoubtError)
    return first.item.meaning is Meaning.STOP


def is_the_api(first: Asked) -> bool:
    """
    Whether something answered that is the API.
    """
    return first.shape.has_codes


def of_the_door(first: Asked, others: Sequence[Asked]) -> Iterator[Finding]:
    """
    Address, path, key and time.

    Args:
        others: What else was asked.
    """
    yield _address(first)
    yield _path(first)
    yield _key(first, others)
    yield from (_code(each) for each in others if each.request.name in _OF_THE_DOOR)
    yield _time([first, *others])


#: What the answers without the right key are named by.
_OF_THE_DOOR = ("an empty request without a key", "an empty request with a wrong key")


def _address(first: Asked) -> Finding:
    if first.failure is None:
        return yes("address", "something answers at this address", first.source)
    return no("address", first.words, first.source)


def _path(first: Asked) -> Finding:  # noqa: PLR0911 -- the cases in their order
    reply = first.reply
    if reply is None:
        return unknown("path", "nothing has answered", first.source)
    if is_the_api(first):
        return yes("path", "the API answers at this path", first.source)
    if reply.status in _NO_PATH:
        return no("path", f"nothing is there: {first.words}", first.source)
    if 300 <= reply.status < 400:  # noqa: PLR2004 -- the class of redirects
        words = f"it leads elsewhere, and redirects are not followed: {first.words}"
        return no("path", words, first.source)
    if reply.status in _NO_ENTRY:
        return unknown("path", f"not let in: {first.words}", first.source)
    if reply.status in _PASSING or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return unknown("path", f"not now: {first.words}", first.source)
    return no("path", f"what answers is not the API: {first.words}", first.source)


def _key(  # noqa: PLR0911 -- the cases in their order
    first: Asked, others: Sequence[Asked]
) -> Finding:
    code = first.item.code
    if first.reply is None:
        return unknown("key", "nothing has answered", first.source)
    if code is None and first.reply.status in _NO_ENTRY:
        return no("key", f"not let in: {first.words}", first.source)
    if code is None:
        return unknown("key", f"no word of it: {first.words}", first.source)
    if first.item.meaning is Meaning.STOP:
        why = _OF_THE_KEY.get(code, "the service takes nothing")
        return no("key", f"{why}: {first.words}", first.source)
    if code not in first.request.expected:
        words = f"neither taken nor refused: {first.words}"
        return unknown("key", words, first.source)
    source = f"{first.source}, and to one with a wrong key"
    wrong = [each for each in others if each.request.expected == ("7001",)]
    if wrong and wrong[0].item.meaning is Meaning.STOP:
        return yes("key", "taken, and another one is refused", source)
    words = "not refused; but a wrong one isn't either, as far as could be seen"
    return unknown("key", words, source)


def _time(asked: Sequence[Asked]) -> Finding:
    taken = sorted(each.seconds for each in asked if each.reply is not None)
    if not taken:
        return unknown("time", "nothing has answered")
    middle, longest = taken[len(taken) // 2], taken[-1]
    words = (
        f"an answer takes {_seconds(middle)} in the middle, {_seconds(longest)} at "
        "most, with a connection of its own"
    )
    source = f"{len(taken)} answers"
    return (no if middle > _SLOW else yes)("time", words, source)


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def of_the_shape(asked: Sequence[Asked]) -> Iterator[Finding]:
    """
    How answers are built, and what codes they give.

    Args:
        asked: What was asked with our own key, of which some were answered.
    """
    read = [each for each in asked if each.shape.has_codes]
    yield _form(read)
    yield _status(read)
    yield _fields(read)
    yield from (_code(each) for each in asked)


def _form(read: Sequence[Asked]) -> Finding:
    forms = sorted({each.shape.form for each in read})
    words = "answers are " + ", or ".join(forms)
    if any(each.shape.has_numeric_codes for each in read):
        words += "; codes are numbers"
    is_usual = all(
        each.shape.is_usual and not each.shape.has_numeric_codes for each in read
    )
    return (yes if is_usual else no)("answer", words, _sources(read))


def _status(read: Sequence[Asked]) -> Finding:
    statuses = sorted({each.reply.status for each in read if each.reply is not None})
    words = "a refusal with a code comes with HTTP " + ", ".join(map(str, statuses))
    is_ok = statuses == [HTTPStatus.OK]
    return (yes if is_ok else no)("status", words, _sources(read))


def _fields(read: Sequence[Asked]) -> Finding:
    missing = sorted({name for each in read for name in each.shape.missing})
    others = sorted({name for each in read for name in each.shape.others})
    if not missing and not others:
        words = "code, transid, description and correlationid, and no others"
        return yes("fields", words, _sources(read))
    parts = []
    if missing:
        parts.append(f"not in every element: {', '.join(missing)}")
    if others:
        parts.append(f"not expected: {', '.join(others)}")
    return no("fields", "; ".join(parts), _sources(read))


def _code(asked: Asked) -> Finding:
    """
    Whether a request that rings nobody is refused as it is believed to be.
    """
    about, expected = asked.request.name, " or ".join(asked.request.expected)
    if asked.reply is None or asked.item.meaning is Meaning.THROTTLED:
        return unknown(about, asked.words, asked.source)
    if asked.item.code in asked.request.expected:
        return yes(about, f"refused with {asked.words}", asked.source)
    if asked.item.meaning is Meaning.ACCEPTED:
        words = f"taken, and {expected} was believed: {asked.words}"
        return no(about, words, asked.source)
    return no(about, f"{asked.words}; {expected} was believed", asked.source)


def of_the_ids(asked: Asked) -> Iterator[Finding]:
    """
    Whether many destinations have an element each, and whether ids come back.

    A refusal may leave them out where an acceptance has them.

    Args:
        asked: The request to destinations that are unusable.
    """
    elements, ids = len(asked.shape.elements), set(asked.shape.ids)
    of_each = ids.intersection(asked.request.ids)
    number = len(asked.request.ids)
    if not elements:
        yield unknown("elements", asked.words, asked.source)
    elif elements == number:
        words = f"one for each destination, here {number}"
        yield yes("elements", words, asked.source)
    elif elements == 1:
        words = (
            "one for the whole request where that is refused; what is accepted may "
            "have one for each destination"
        )
        yield unknown("elements", words, asked.source)
    else:
        words = f"{elements} for {number} destinations"
        yield no("elements", words, asked.source)
    if foreign := ids - of_each - {asked.request.request_id}:
        words = f"{len(foreign)} of them belong to no part of this request"
        yield no("ids of a refusal", words, asked.source)
    elif ids:
        whose = "of destinations" if of_each else "of the request"
        words = f"those {whose} come back, so connections are used again"
        yield yes("ids of a refusal", words, asked.source)
    else:
        words = "none come back; what is accepted may have them, which --call shows"
        yield unknown("ids of a refusal", words, asked.source)


def of_the_expiry(past: Asked, plain: Asked, about: str) -> Finding:
    """
    Whether an expiry is looked at, as far as unusable destinations can show it.

    Args:
        past: A request whose expiry has passed, or nearly has.
        plain: The same without an expiry.
    """
    code = past.item.code
    if code == "7005":
        return yes(about, f"refused: {past.words}", past.source)
    if code is not None and code == plain.item.code:
        words = f"the destination is refused first ({code}), so nobody can tell"
        return unknown(about, words, past.source)
    if past.item.meaning is Meaning.ACCEPTED:
        return no(about, f"not refused: {past.words}", past.source)
    return unknown(about, past.words, past.source)


def of_the_pace(pace: Pace, up_to: int) -> Finding:
    """
    Which rate is taken.
    """
    about, source = "rate", "requests to unusable destinations"
    taken = f"{pace.taken} in a second were taken" if pace.taken else "none was taken"
    if pace.refusal is None:
        words = (
            f"{up_to} requests in a second were not refused for speed; whether those "
            "to unusable destinations count for the limit nobody knows"
        )
        return unknown(about, words, source)
    if pace.refusal.failure is not None:
        words = f"{taken}; then, at {pace.refused_at}: {pace.refusal.words}"
        return unknown(about, words, source)
    words = f"{taken}, and {pace.refused_at} were not: {pace.refusal.words}"
    return no(about, words, source)


def _sources(read: Sequence[Asked]) -> str:
    return f"{len(read)} answers that have codes"
