"""
Options of a second round: whom of an earlier campaign to call again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import attrs
from cyclopts import Parameter

from voicepush.campaign.following import FollowUp, chain_of
from voicepush.cli.options import seconds, state_called
from voicepush.errors import InputError
from voicepush.ledger.protocol import Ledger
from voicepush.model.call import CallState


@Parameter(name="*", group="Second round")
@attrs.frozen(kw_only=True)
class SecondRound:
    """
    The options that call people of an earlier campaign again.
    """

    from_campaign: str | None = None
    """Call people of this campaign again, in place of FILE."""
    calls: Annotated[list[str] | None, Parameter(negative="")] = None
    """What became of their calls: not_reached, which is the default, reached, agent,
    dropped or expired; may be given several times. Only calls that have ended by a
    receipt are taken."""
    rounds: int | None = None
    """The most calls per person over all rounds."""
    after: str | None = None
    """How long after the receipt that ended their call they are called, such as 2h."""

    def check_alone(self, options: Mapping[str, object]) -> None:
        """
        Refuse *options* that say how to read a file, since there is none.
        """
        for option, given in options.items():
            if given:
                raise InputError(
                    f"{option} says how to read a file; with --from-campaign there is "
                    "none"
                )

    def check_unused(self) -> None:
        """
        Refuse what means nothing without an earlier campaign.
        """
        for name, given in attrs.asdict(self).items():
            if given:
                raise InputError(
                    f"--{name.replace('_', '-')} belongs to --from-campaign; say which"
                )

    def build(self, ledger: Ledger) -> FollowUp:
        """
        The people that they describe.
        """
        return FollowUp(
            ledger,
            self.from_campaign or "",
            states=[state_called(each) for each in self.calls or []]
            or [CallState.NOT_REACHED],
            after=None
            if self.after is None
            else timedelta(seconds=seconds("--after", self.after)),
            rounds=self.rounds,
        )

    async def name(self, ledger: Ledger) -> str:
        """
        The campaign's name where none is given: that of the first round and a number.
        """
        chain = await chain_of(ledger, self.from_campaign or "")
        return f"{chain[0]}-{len(chain) + 1}"
