"""
A check from its beginning to its end, as far as it rings nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import attrs

from voicepush import clock
from voicepush.checking import harmless, judging
from voicepush.checking.findings import Checked, Finding, clean, unknown
from voicepush.checking.handshake import look_at_the_way
from voicepush.checking.probing import Asked, Prober, find_pace
from voicepush.model.batch import make_tag
from voicepush.settings import Settings

#: What an expiry that has passed lies behind, and one that nearly has lies ahead.
_PAST = timedelta(hours=1)
_NEAR = timedelta(seconds=2)

_NOT_ASKED = "not asked, since the first request came to nothing"

#: The findings that are left where the first request comes to nothing.
_LEFT = ("answer", "elements", "expiry passed", "expiry near")


@attrs.frozen
class Look:
    """
    What was found without ringing anyone.
    """

    findings: Sequence[Finding]
    #: Whether the service refuses every request.
    refuses: bool
    #: Whether what answers is the API, so that more can be asked.
    goes_on: bool


async def look(settings: Settings, *, rate_up_to: int | None = None) -> Look:
    """
    Look at a tenant with requests that ring nobody; see `harmless`.

    Args:
        rate_up_to: So many of them are sent in one second, at most.
    """
    found = [await look_at_the_way(settings)]
    async with Prober(settings) as prober:
        first = await prober.ask(harmless.empty())
        refuses = judging.is_refused(first)
        goes_on = not refuses and judging.is_the_api(first)
        if goes_on:
            found += await _rest(prober, first)
        else:
            found += judging.of_the_door(first, ())
            found += [unknown(about, _NOT_ASKED) for about in _LEFT]
        if rate_up_to is None:
            why = "not tried; --rate-up-to N tries it with requests that ring nobody"
            found.append(unknown("rate", why))
        elif goes_on:
            pace = await find_pace(prober, rate_up_to)
            found.append(judging.of_the_pace(pace, rate_up_to))
        else:
            found.append(unknown("rate", _NOT_ASKED))
    return Look(found, refuses, goes_on)


async def _rest(prober: Prober, first: Asked) -> list[Finding]:
    keys = [await prober.ask(each) for each in (_keyless, _wrong)]
    broken = await prober.ask(harmless.broken())
    nobody = await prober.ask(harmless.nobody())
    unusable = await prober.ask(harmless.unusable(make_tag()))
    now = clock.utc_now()
    past = await prober.ask(harmless.late(make_tag(), now - _PAST, "that has passed"))
    now = clock.utc_now()
    near = await prober.ask(harmless.late(make_tag(), now + _NEAR, "two seconds ahead"))
    own = [first, broken, nobody, unusable]
    return [
        *judging.of_the_door(first, [*keys, *own[1:], past, near]),
        *judging.of_the_shape(own),
        *judging.of_the_ids(unusable),
        judging.of_the_expiry(past, unusable, "expiry passed"),
        judging.of_the_expiry(near, unusable, "expiry near"),
    ]


_keyless, _wrong = harmless.keyless(), harmless.wrong_key()


def checked(
    settings: Settings, findings: Sequence[Finding], *, refuses: bool = False
) -> Checked:
    """
    All *findings* of a check that ends now, fit to be shown.
    """
    return Checked(
        settings.base_url,
        clock.utc_now(),
        clean(findings, settings.service_key),
        refuses=refuses,
    )
