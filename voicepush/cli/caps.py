"""
Options for how often someone may be called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs
from cyclopts import Parameter

from voicepush.cli.options import seconds
from voicepush.errors import InputError
from voicepush.ledger.plan import Cap
from voicepush.settings import is_loopback

_TIMES = re.compile(r"([1-9][0-9]{0,3})\s*/\s*(.+)", re.ASCII)


#: Campaigns on the command line call someone so often, unless their owner says
#: otherwise: once in 24 hours.
DEFAULT_CAP = Cap(1, 86400.0)


@Parameter(name="*", group="Who is left out")
@attrs.frozen(kw_only=True)
class CallCaps:
    """
    The options that leave out who was called too recently or too often.
    """

    not_within: str | None = None
    """Leave out who was called, or may have been, by any campaign of this ledger in
    such a time before, as 24h."""
    at_most: str | None = None
    """Leave out who would be called more often than that by all campaigns of this
    ledger, as 3/30d: three times within 30 days; by default 1/24h, but not for a second
    round, and not to a service on this machine. none takes that away."""

    def build(self, base_url: str, *, again: bool) -> tuple[Cap, ...]:
        """
        The caps that they describe.

        Args:
            base_url: The service's address; one on this machine rings nobody.
            again: Whether people are called again whom their owner has chosen for that.

        Raises:
            InputError: One of them can't be understood.
        """
        if self.not_within is None and self.at_most is None:
            is_free = again or is_loopback(base_url)
            return () if is_free else (DEFAULT_CAP,)
        return tuple(self._caps())

    def _caps(self) -> Iterator[Cap]:
        if self.not_within is not None:
            yield Cap(1, seconds("--not-within", self.not_within))
        if self.at_most is not None and self.at_most.strip() != "none":
            found = _TIMES.fullmatch(self.at_most.strip())
            if found is None:
                raise InputError(
                    f"--at-most {self.at_most} can't be understood; write it like "
                    "3/30d, three times within 30 days, or none"
                )
            yield Cap(int(found[1]), seconds("--at-most", found[2]))
