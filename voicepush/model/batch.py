"""
The unit that is claimed, sent and recorded, and the grammar of its ids.
"""

from __future__ import annotations

import re
from collections.abc import (
    Mapping,
    Sequence,
)
from functools import cached_property

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.masking import only_count
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import (
    MOST_PER_REQUEST,
    Destination,
    Recipient,
    are_bare,
    values_of,
)

#: The ids that voicepush makes, of a batch, a destination or a request: a tag of ten
#: hexadecimal digits, a number, and for all but batches what tells it apart there.
_GENERATED_ID = re.compile(r"[0-9a-f]{10}-[0-9]+(?:-[0-9a-z]+)*", re.ASCII)


def is_generated_id(value: str) -> bool:
    """
    Whether *value* has the form of the correlation ids that voicepush makes itself.

    Owners may not use such ids: an answer or a receipt could credit another campaign.
    """
    return _GENERATED_ID.fullmatch(value) is not None


#: What our own correlation ids end with, by place, so that none is formatted twice.
_PLACES = tuple(f"-{place}" for place in range(MOST_PER_REQUEST))


@attrs.define(eq=False)
class Batch:
    """
    Up to 1,000 recipients of one message: the unit that is claimed, sent and settled.
    """

    message: VoiceMessage
    #: Unique among all batches; the correlation ids are made from it.
    key: str
    destinations: Sequence[Recipient] = attrs.field(repr=only_count)
    #: Whether every destination is a bare msisdn, which is the rule; looked at where
    #: it is not given.
    plain: bool = attrs.field(kw_only=True, repr=False)
    #: Where in its source each destination stood, if that is known.
    rows: Sequence[int] | None = attrs.field(default=None, kw_only=True, repr=False)
    #: The text of each destination that was changed, by place, as it came.
    as_came: Mapping[int, str] | None = attrs.field(
        default=None, kw_only=True, repr=False
    )

    @plain.default
    def _is_plain(self) -> bool:
        return are_bare(self.destinations)

    def __attrs_post_init__(self) -> None:
        if len(self.destinations) > MOST_PER_REQUEST:
            raise InputError(f"a batch holds at most {MOST_PER_REQUEST} destinations")

    def __len__(self) -> int:
        return len(self.destinations)

    @cached_property
    def size(self) -> int:
        """
        How many recipients it holds, in values.
        """
        return len(self.destinations) if self.plain else sum(self.weights)

    @cached_property
    def weights(self) -> Sequence[int]:
        """
        How many recipients stand at each place.
        """
        if self.plain:
            return (1,) * len(self.destinations)
        return [len(values_of(destination)) for destination in self.destinations]

    def weigh(self, places: Sequence[int]) -> int:
        """
        How many recipients stand at *places*.
        """
        if self.plain:
            return len(places)
        return sum(self.weights[place] for place in places)

    @cached_property
    def correlation_ids(self) -> list[str]:
        """
        One id per place: the given one, or ``<key>-<place>``.
        """
        key = self.key
        ours = [key + place for place in _PLACES[: len(self.destinations)]]
        if not self.plain:
            for place, destination in enumerate(self.destinations):
                if isinstance(destination, Destination) and destination.correlation_id:
                    ours[place] = destination.correlation_id
        return ours


def make_tag() -> str:
    """
    A short text that no other campaign or client has; correlation ids begin with it.
    """
    return clock.random_hex(10)


def request_id_of(batch: Batch) -> str | None:
    """
    A correlation id for one request of *batch* that no other has; None where the owner
    gave one for all of them.
    """
    if batch.message.correlation_id is not None:
        return None
    # Counted attempts would repeat after a crash, since it may lose one.
    return f"{batch.key}-a{clock.random_hex(8)}"
