"""
How the stand-in of a test behaves, and the client that talks to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from voicepush.settings import SettingsFields
from voicepush.simulator import Fault, ReceiptFault, Ring


def _faults(words: Sequence[str | int]) -> Sequence[str | int]:
    for word in words:
        Fault.parse(word)
    return tuple(words)


def _rings(words: Sequence[str]) -> Sequence[str]:
    for word in words:
        Ring.parse(word)
    return tuple(words)


def _receipt_faults(words: Sequence[str]) -> Sequence[str]:
    for word in words:
        ReceiptFault.parse(word)
    return tuple(words)


@attrs.frozen(kw_only=True)
class VoiceSettings:
    """
    How the stand-in of a test behaves.

    Raises:
        ValueError: A word is none that it knows; the text lists what is possible.
    """

    #: The key that requests have to bear.
    service_key: str = "a-made-up-key"
    #: Standing faults in words, such as "7006@20%" or "drop@1/5".
    faults: Sequence[str | int] = attrs.field(default=(), converter=_faults)
    #: The shape of ordinary answers: one, each, list, object or numeric.
    answer: str = "one"
    #: Whether answers give back the correlation ids.
    echo: bool = True
    #: Seconds between the ring and the answer.
    latency: float = 0.0
    #: The most destinations within any second; None for no limit.
    tps: int | None = None
    #: The HTTP status of answers that refuse with a code.
    refusal_status: int = 200
    #: Chance comes out the same for the same seed.
    seed: int = 0
    #: Where receipts go, unless the request says; only this machine is possible.
    notify_url: str | None = None
    #: What happens on the phones, in words such as "busy" or "busy@10%"; the others
    #: hear the message to its end.
    rings: Sequence[str] = attrs.field(default=(), converter=_rings)
    #: Seconds between two events of a call, about; at once if 0.
    ring_seconds: float = 0.0
    #: What goes wrong with receipts, in words such as "lost@2%" or "twice".
    receipt_faults: Sequence[str] = attrs.field(default=(), converter=_receipt_faults)
    #: What receipts are signed with; None for no signature.
    hub_secret: str | None = attrs.field(default=None, repr=False)
    #: Whether scripted replies may be left over at the end of a test.
    unused_replies: bool = False
    #: The settings of the client of a test, but for its address and key. It waits for
    #: at most a hundredth of a second before it tries again for the first time.
    client: SettingsFields = attrs.field(factory=SettingsFields)

    def changed(self, changes: Mapping[str, Any]) -> VoiceSettings:
        """
        The same with *changes*, by the names of fields.

        Raises:
            ValueError: There is no such field; the text lists them.
        """
        names = [each.name for each in attrs.fields(VoiceSettings)]
        for name in changes:
            if name not in names:
                raise ValueError(
                    f"{name!r} is no setting of voice_api; possible are "
                    f"{', '.join(names)}."
                )
        return attrs.evolve(self, **changes)
