"""
A second round: whose earlier calls are followed up by calling them again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import timedelta

import attrs

from voicepush.errors import InputError
from voicepush.ledger.decisions import ripe
from voicepush.ledger.plan import Follows
from voicepush.ledger.protocol import Ledger
from voicepush.model.call import CallState
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.recipients import Recipients, origin_of
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.sources.blocks import Block

#: The outcomes of those who were not called and will not be.
_NOT_CALLED = frozenset({Outcome.REJECTED, Outcome.EXPIRED, Outcome.SUPPRESSED})

_ENDED = tuple(each for each in CallState if each is not CallState.ON_ITS_WAY)


class FollowUp:
    """
    The people of an earlier campaign whose calls have ended in certain states, as the
    recipients of `Campaign.plan`.

    Only whose call has *ended* by a receipt are taken, never who may still be rung by
    it, and nobody whom another campaign calls again already. It is looked at again
    when they are about to be called.

    Args:
        campaign: The name of that earlier campaign.
        states: What must have become of a call.
        after: How long ago its end must have been reported when they are called.
        rounds: The most calls per person over the whole chain, this one included.

    Raises:
        InputError: *states* is empty, or holds calls that may still ring.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: str,
        *,
        states: Collection[CallState] = (CallState.NOT_REACHED,),
        after: timedelta | None = None,
        rounds: int | None = None,
    ) -> None:
        if not states or CallState.ON_ITS_WAY in states:
            raise InputError(
                "only calls that have ended can be followed up; possible are "
                f"{', '.join(_ENDED)}"
            )
        if rounds is not None and rounds < 2:  # noqa: PLR2004 -- the first is over
            raise InputError(f"a second round needs at least 2 rounds, not {rounds}")
        seconds = 0.0 if after is None else after.total_seconds()
        self.follows = Follows(
            campaign=campaign, states=tuple(sorted(states)), after=seconds
        )
        #: Whom it does not take, in words, once all of it was read.
        self.left_out = ""
        self._ledger = ledger
        self._rounds = rounds

    @property
    def source(self) -> str:
        """
        Where they come from, in words.
        """
        words = " or ".join(self.follows.states).replace("_", " ")
        return f"the calls of {self.follows.campaign} that are {words}"

    async def besides(self) -> list[str]:
        """
        The names of the campaigns whose calls count for no cap: those that are followed
        up, where their owner has said after what time.

        Raises:
            InputError: As for `check`.
        """
        chain = await self.check()
        return chain if self.follows.after else []

    async def check(self) -> list[str]:
        """
        Make sure that nobody would be called more often than in so many rounds; gives
        the names of those that there were.

        Raises:
            InputError: There is no such campaign, or this would be one round too many.
        """
        chain = await chain_of(self._ledger, self.follows.campaign)
        if self._rounds is not None and len(chain) >= self._rounds:
            raise InputError(
                f"nobody to call: {self.follows.campaign!r} is round {len(chain)} "
                f"({' > '.join(chain)}), and --rounds is {self._rounds}"
            )
        return chain

    async def __aiter__(self) -> AsyncIterator[Block]:
        """
        Those people, batch by batch.
        """
        taken, again = await self._taken(), 0
        name = self.follows.campaign
        async for result in self._ledger.results(name, [Outcome.ACCEPTED]):
            calls = await self._ledger.calls(result.batch.id)
            people = []
            for recipient, call in sorted(calls.items()):
                value = result.batch.recipients.values[recipient]
                if not value or not ripe(call, self.follows):
                    continue  # who was forgotten has no value
                if taken.has(origin_of(result.batch.id.number, recipient)):
                    again += 1
                else:
                    people.append(recipient)
            if people:
                yield Block(_again(result, people))
        status = await self._ledger.status(name)
        if status is not None:
            self.left_out = _why_nobody(status, again)

    async def _taken(self) -> _Set:
        """
        The calls that other campaigns follow up already.
        """
        taken = _Set()
        for status in await self._ledger.campaigns():
            if status.follows != self.follows.campaign:
                continue
            async for result in self._ledger.results(status.campaign, [*Outcome]):
                origins = result.batch.recipients.origins or ()
                for place, origin in enumerate(origins):
                    if _is_called(status, result.at(place).outcome):
                        taken.add(origin)
        return taken


async def chain_of(ledger: Ledger, campaign: str) -> list[str]:
    """
    The names of *campaign* and of those that it follows up, the first round first.

    Raises:
        InputError: There is no such campaign.
    """
    known = {each.campaign: each for each in await ledger.campaigns()}
    chain: list[str] = []
    name: str | None = campaign
    while name is not None:
        if name not in known:
            raise InputError(f"there is no campaign {name!r} in this ledger")
        chain.append(name)
        name = known[name].follows
    return chain[::-1]


def _why_nobody(status: CampaignStatus, again: int) -> str:
    """
    What speaks of those who are not taken, to be said where nobody is.
    """
    if status.calls is None:
        return (
            f". No receipt came of any call of {status.campaign!r} yet; see "
            "voicepush receipts"
        )
    told = f". Of its calls {status.calls.on_its_way:,} are on their way"
    if again:
        told += f", and {again:,} are called again by another round already"
    return told


def _is_called(status: CampaignStatus, outcome: Outcome) -> bool:
    """
    Whether someone with *outcome* was called by a campaign, or may be.
    """
    if outcome is Outcome.NOT_SENT and status.state is CampaignState.CANCELLED:
        return False
    return outcome not in _NOT_CALLED


def _again(result: BatchResult, people: Sequence[int]) -> Recipients:
    """
    Those of *people* as recipients of another campaign: each alone, since what is known
    is known of each, and without the ids of the earlier one.
    """
    known = result.batch.recipients
    places = known.places_of_values()
    theirs = [places[recipient] for recipient in people]
    return Recipients(
        known.kind,
        [known.values[recipient] for recipient in people],
        known.rows and [known.rows[place] for place in theirs],
        as_came={
            new: known.as_came[place]
            for new, place in enumerate(theirs)
            if place in known.as_came
        },
        kept={
            header: [column[place] for place in theirs]
            for header, column in known.kept.items()
        },
        origins=[origin_of(result.batch.id.number, recipient) for recipient in people],
    )


@attrs.define
class _Set:
    """
    Some of very many calls, as one bit each.
    """

    _bits: bytearray = attrs.field(factory=bytearray)

    def add(self, origin: int) -> None:
        """
        Let *origin* be in it.
        """
        at, bit = divmod(origin, 8)
        if at >= len(self._bits):
            self._bits.extend(bytes(at + 1 - len(self._bits)))
        self._bits[at] |= 1 << bit

    def has(self, origin: int) -> bool:
        """
        Whether *origin* is in it.
        """
        at, bit = divmod(origin, 8)
        return at < len(self._bits) and bool(self._bits[at] >> bit & 1)
