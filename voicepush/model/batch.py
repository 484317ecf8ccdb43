"""
The unit that is claimed, sent and recorded, and the only grammar of correlation ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple, overload

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import MOST_PER_REQUEST, Recipients

#: What our own correlation ids end with, by place, so that none is formatted twice.
_PLACES = tuple(f"-{place}" for place in range(MOST_PER_REQUEST))

#: The ids that voicepush makes, of a batch, a destination or a request: a tag of ten
#: hexadecimal digits, a number, and for all but batches what tells it apart there.
_GENERATED = r"[0-9a-f]{10}-[0-9]+(?:-[0-9a-z]+)*"
_GENERATED_ID = re.compile(_GENERATED, re.ASCII)
#: Begins with a line feed, which is found three times as fast as a line's beginning.
_SOME_GENERATED_ID = re.compile(rf"\n{_GENERATED}(?:\n|\Z)", re.ASCII)
_ID_OF_PLACE = re.compile(r"([0-9a-f]{10})-([0-9]{1,18})-([0-9]{1,3})", re.ASCII)
_ID_OF_BATCH = re.compile(r"([0-9a-f]{10})-([0-9]{1,18})(?:-a[0-9a-f]+)?", re.ASCII)


def make_tag() -> str:
    """
    A short text that no other campaign or client has; correlation ids begin with it.
    """
    return clock.random_hex(10)


def is_generated_id(value: str) -> bool:
    """
    Whether *value* has the form of the correlation ids that voicepush makes itself.

    Owners may not use such ids: an answer or a receipt could credit another campaign.
    """
    return _GENERATED_ID.fullmatch(value) is not None


def has_generated_id(joined: str) -> bool:
    """
    Whether a line of *joined* has that form.
    """
    return _SOME_GENERATED_ID.search(f"\n{joined}") is not None


class BatchId(NamedTuple):
    """
    What a batch is called: a tag that no other campaign or client has, and a number.

    ``<tag>-<number>`` is the batch, ``<tag>-<number>-<place>`` a destination in it.
    """

    tag: str
    number: int

    def __str__(self) -> str:
        return f"{self.tag}-{self.number}"

    def id_at(self, place: int) -> str:
        """
        The correlation id of the destination at *place*, if its owner gave none.
        """
        return f"{self.tag}-{self.number}-{place}"

    def ids(self, number: int) -> list[str]:
        """
        The same of the first *number* places.
        """
        start = str(self)
        return [start + place for place in _PLACES[:number]]

    def request_id(self) -> str:
        """
        A correlation id for one request, that no other request has.
        """
        # Counted attempts would repeat after a crash, since it may lose one.
        return f"{self}-a{clock.random_hex(8)}"

    @classmethod
    def parse(cls, text: str) -> tuple[BatchId, int] | None:
        """
        The batch and the place that the correlation id *text* stands for, if it is one
        of a destination and in our own form.
        """
        found = _ID_OF_PLACE.fullmatch(text)
        return found and (cls(found[1], int(found[2])), int(found[3]))

    @classmethod
    def named(cls, text: str) -> BatchId | None:
        """
        The batch that *text* names, if it is the id of one or of a request for it.
        """
        found = _ID_OF_BATCH.fullmatch(text)
        return found and cls(found[1], int(found[2]))


@attrs.frozen
class Group:
    """
    What the recipients of a batch have in common.
    """

    message: VoiceMessage
    #: Counted from 0 in a campaign; there is one today.
    number: int = 0
    #: The time zones in which they live, by their names, where that is known.
    zones: tuple[str, ...] = ()
    #: Groups of a lower one are sent first.
    priority: int = 0
    #: Whether they are called before all others, to see how it goes.
    trial: bool = False


@attrs.define(eq=False)
class Batch:
    """
    Up to 1,000 destinations of one group.

    Raises:
        InputError: There are more.
    """

    id: BatchId
    recipients: Recipients
    group: Group = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        if len(self.recipients) > MOST_PER_REQUEST:
            raise InputError(f"a batch holds at most {MOST_PER_REQUEST} destinations")

    def __len__(self) -> int:
        return len(self.recipients)

    @property
    def message(self) -> VoiceMessage:
        """
        What its recipients are played.
        """
        return self.group.message

    @property
    def size(self) -> int:
        """
        How many recipients it holds, in values.
        """
        return self.recipients.size

    def weigh(self, places: Sequence[int]) -> int:
        """
        How many recipients stand at *places*.
        """
        return self.recipients.weigh(places)

    @cached_property
    def correlation_ids(self) -> Sequence[str]:
        """
        One id per destination: its owner's, or ``<batch>-<place>``.
        """
        own = self.recipients.correlation_ids
        if own is None:
            return self.id.ids(len(self))
        if all(own):
            return own
        return [given or self.id.id_at(place) for place, given in enumerate(own)]


class IdsAt(Sequence[str]):
    """
    The correlation ids of *batch* at *places*; most answers are read without them.
    """

    def __init__(self, batch: Batch, places: Sequence[int]) -> None:
        self.batch = batch
        self.places = places

    def __iter__(self) -> Iterator[str]:
        ids = self.batch.correlation_ids
        if len(self.places) == len(ids):
            return iter(ids)
        return map(ids.__getitem__, self.places)

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...

    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        ids, places = self.batch.correlation_ids, self.places[at]
        if isinstance(places, int):
            return ids[places]
        return [ids[place] for place in places]
