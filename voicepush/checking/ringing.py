"""
A check with a call: one phone is rung, and its receipts are waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

import attrs

from voicepush import clock
from voicepush.checking.calling import call, is_taken, of_the_call
from voicepush.checking.findings import Finding, Holds, no, unknown, yes
from voicepush.checking.hearing import Heard, Hearing, of_the_receipts
from voicepush.checking.probing import Asked, Prober
from voicepush.model.message import VoiceMessage
from voicepush.receipts.app import receipts_app
from voicepush.receipts.serving import serving
from voicepush.sending.codes import Meaning
from voicepush.settings import Settings

#: What is found by a call whose expiry has passed.
EXPIRY = "expiry passed"

_FAILED = "receipt Failed"

_PAST = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class Listening:
    """
    Where receipts are taken, and for how long.
    """

    host: str
    port: int
    path: str
    secret: bytes | None = attrs.field(default=None, repr=False)
    #: How long receipts are waited for, in seconds.
    longest: float = 120.0
    #: So many seconds after the call's end others are waited for.
    afterwards: float = 3.0


async def ring(
    settings: Settings,
    message: VoiceMessage,
    msisdn: str,
    *,
    listening: Listening | None = None,
    expired: bool = True,
) -> list[Finding]:
    """
    Ring *msisdn*.

    Args:
        message: What it is played; it names the notify URL.
        listening: Where receipts come in, if any are waited for.
        expired: Whether a second call follows whose expiry has passed, which should
            not ring.
    """
    hearing = Hearing()
    async with AsyncExitStack() as stack:
        if listening is not None:
            app = receipts_app(
                await stack.enter_async_context(hearing),
                path=listening.path,
                secret=listening.secret,
            )
            where = listening.host, listening.port
            await stack.enter_async_context(serving(app, *where))
        prober = await stack.enter_async_context(Prober(settings))
        sent_at = clock.now()
        field = settings.prompt_field
        asked = await prober.ask(call(message, msisdn, prompt_field=field))
        late = None
        if expired and is_taken(asked):
            passed = clock.utc_now() - _PAST
            late = await prober.ask(
                call(message, msisdn, expiry=passed, prompt_field=field)
            )
        if listening is not None and is_taken(asked):
            taken = [each for each in (asked, late) if each and is_taken(each)]
            await hearing.wait(
                lambda: all(map(_has_ended, map(hearing.of, taken))),
                listening.longest,
                listening.afterwards,
            )
    found = list(of_the_call(asked))
    of_late = [] if late is None else hearing.of(late)
    if late is not None:
        found.append(_expiry(late, of_late))
    if listening is not None and is_taken(asked):
        found += of_the_receipts(
            hearing.of(asked),
            hearing.refused,
            sent_at=sent_at,
            signed=listening.secret is not None,
        )
        found.append(_failed(of_late))
    return found


def _has_ended(heard: Sequence[Heard]) -> bool:
    return any(each.report.call.has_ended for each in heard)


def _expiry(late: Asked, heard: Sequence[Heard]) -> Finding:
    """
    Whether the expiry of the call *late* was honoured.
    """
    codes = {each.report.call.code for each in heard}
    if late.item.code == "7005":
        return yes(EXPIRY, f"refused: {late.words}", late.source)
    if late.item.meaning is Meaning.REJECTED:
        words = f"refused, but not with 7005: {late.words}"
        return no(EXPIRY, words, late.source)
    if codes - {"7005"}:
        words = f"not honoured: {', '.join(sorted({each.name for each in heard}))}"
        return no(EXPIRY, words, "receipts of that call")
    if codes:
        return yes(EXPIRY, "taken, and then reported as expired", "receipts")
    words = f"{late.words}; if the phone rang twice, it is not honoured"
    return unknown(EXPIRY, words, late.source)


def _failed(late: Sequence[Heard]) -> Finding:
    if any(each.report.call.code == "7005" for each in late):
        return yes(_FAILED, "it came of the call that had expired", "receipts")
    words = "only a call that is taken and then expires has one; there was none"
    return unknown(_FAILED, words)


def joined(first: Sequence[Finding], later: Sequence[Finding]) -> Iterator[Finding]:
    """
    Both, where what is known takes the place of what was unknown.
    """
    known = {each.about: each for each in later}
    for each in first:
        other = known.pop(each.about, each)
        yield other if each.holds is Holds.UNKNOWN else each
    yield from known.values()
