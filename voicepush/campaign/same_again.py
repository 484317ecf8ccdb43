"""
The same campaign again: what is given must be what was given when it was planned.
"""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import attrs

from voicepush.errors import InputError
from voicepush.ledger.plan import Fingerprint, Plan
from voicepush.masking import mask
from voicepush.model.message import Priority, VoiceMessage
from voicepush.sending.request import load_message
from voicepush.sources.feeding import Source, beside
from voicepush.sources.files import ListFile

#: The message's fields that errors must not show.
_HIDDEN = ("cli", "callback_data")

#: What is kept with the plan for its history, and may differ next time.
_ONLY_KEPT = ("settings",)


def _said(option: str, value: str | None, *, hides: bool = False) -> str:
    """
    What was typed for *option*, as an error tells it; some values are hidden.
    """
    if value is None:
        return f"without --{option}"
    if isinstance(value, Priority):
        value = value.name.lower()
    return f"with --{option} {mask(value) if hides else value}"


def given_options(message: VoiceMessage, given: Mapping[str, str]) -> dict[str, str]:
    """
    What was typed, with the expiry as a program gives it where no one typed it.
    """
    expiry = message.expiry
    if expiry is None:
        return dict(given)
    text = str(expiry) if isinstance(expiry, timedelta) else expiry.isoformat()
    return {"expiry": text, **given}


def check_same(
    plan: Plan, message: VoiceMessage, source: str, given: Mapping[str, str]
) -> None:
    """
    Make sure that what is given now was given when *plan* was made.

    Raises:
        InputError: Something differs; the text names both values.
    """
    if source != plan.source:
        raise _differs(plan, f"from {plan.source}", f"from {source}")
    planned = load_message(plan.message)
    for field in attrs.fields(VoiceMessage):
        if field.name == "expiry":
            continue  # in what was typed, since it is a moment by now
        kept, now = (getattr(each, field.name) for each in (planned, message))
        if now is not None and kept != now:
            option = field.name.replace("_", "-")
            hides = field.name in _HIDDEN
            raise _differs(
                plan, _said(option, kept, hides=hides), _said(option, now, hides=hides)
            )
    for option, typed in given.items():
        if option in _ONLY_KEPT:
            continue
        kept = plan.given.get(option)
        if kept != typed:
            raise _differs(plan, _said(option, kept), _said(option, typed))


def _differs(plan: Plan, kept: str, given: str) -> InputError:
    return InputError(
        f"campaign {plan.campaign!r} is planned already, {kept}, not {given}; leave "
        f"that out to go on with it, or say voicepush resume {plan.campaign}. "
        "Under another name (--campaign) everyone would be "
        "called, also who was called already; for those who are left write a list of "
        f"them: voicepush export {plan.campaign} --outcome pending --outcome not_sent "
        "--outcome expired --output rest.csv"
    )


async def check_list(
    plan: Plan,
    kept: Fingerprint | None,
    recipients: Source,
    tell: Callable[[str], object],
) -> None:
    """
    Make sure that *recipients* are those that were planned, where that is known.

    Raises:
        InputError: They are others.
    """
    if kept is None or not isinstance(recipients, ListFile):
        return
    try:
        found = _look_at(recipients.name)
    except FileNotFoundError:
        if kept.size is not None:
            tell(f"{recipients.name} is gone; going on with what was planned")
            return
        found = None
    if found is not None and found == (kept.size, kept.modified_ns):
        return
    await beside(lambda: deque(recipients, maxlen=0))
    if recipients.digest != kept.digest:
        raise InputError(
            f"campaign {plan.campaign!r} is planned already, and {plan.source} holds "
            "another list than then; go on with what was planned by voicepush "
            f"resume {plan.campaign}, or, if nobody in this one was called, give it "
            "another name with --campaign"
        )


def _look_at(name: str) -> tuple[int, int] | None:
    """
    Size and time of the file called *name*; None if it has to be read instead.
    """
    found = Path(name).stat()
    is_plain = stat.S_ISREG(found.st_mode)
    return (found.st_size, found.st_mtime_ns) if is_plain else None
