"""
What columns of the source that are kept say of each one: what is played, and when it is
their turn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from voicepush.errors import InputError
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import Recipients
from voicepush.sources.choosing import named

#: So many different messages one campaign may have.
_MOST_MESSAGES = 1000

#: So many different priorities.
_MOST_PRIORITIES = 100

#: The priority of those who have none.
_LAST_OF_ALL = 1_000_000

#: Spreadsheets write whole numbers with a point and zeros at times.
_WHOLE = re.compile(r"(-?[0-9]{1,6})(?:[.,]0{1,6})?", re.ASCII)


@attrs.frozen
class MessageColumn:
    """
    Which message each one is played, by a column of the source, which is kept.
    """

    column: str
    #: Whether it names prompts or call flows.
    field: Literal["media", "callflow"] = attrs.field(
        default="media", validator=attrs.validators.in_(("media", "callflow"))
    )
    #: The ids of these, by what stands in the column, in small letters; None where the
    #: ids stand there themselves.
    ids: Mapping[str, str] | None = None
    #: Whether the campaign's message is played where the column is blank; otherwise
    #: such a row is refused.
    has_default: bool = False

    def message_of(self, text: str, message: VoiceMessage) -> VoiceMessage | None:
        """
        What is played where *text* stands in the column, if anything is.

        Args:
            message: The campaign's.
        """
        text = text.strip()
        if not text:
            return message if self.has_default else None
        named = text if self.ids is None else self.ids.get(text.casefold())
        if named is None:
            return None
        if self.field == "media":
            return attrs.evolve(message, media=named, callflow=None)
        return attrs.evolve(message, media=None, callflow=named)


class Messages:
    """
    What people are played, by such a *column*.

    Args:
        message: The campaign's.
    """

    def __init__(self, message: VoiceMessage, column: MessageColumn) -> None:
        self._message = message
        self._column = column
        #: By what stands in the column.
        self._known: dict[str, VoiceMessage | None] = {}

    def of(self, recipients: Recipients) -> list[VoiceMessage | None]:
        """
        What each is played; None where that is not known.

        Raises:
            InputError: There is no such column, or it names too many messages.
        """
        name = self._column.column
        texts = kept_column(recipients, name, "messages")
        for text in set(texts).difference(self._known):
            self._known[text] = self._column.message_of(text, self._message)
        if len(set(self._known.values())) > _MOST_MESSAGES:
            raise InputError(
                f"the column {name!r} names more than {_MOST_MESSAGES:,} messages; is "
                "it the right one?"
            )
        return list(map(self._known.__getitem__, texts))


class Turns:
    """
    The numbers of people's turns, by a *column*.
    """

    def __init__(self, column: str) -> None:
        self._column = column
        #: By what stands in the column.
        self._known: dict[str, int | None] = {}

    def of(self, recipients: Recipients) -> list[int | None]:
        """
        The number of each one's turn; None where that is none.

        Raises:
            InputError: There is no such column, or it has too many numbers.
        """
        texts = kept_column(recipients, self._column, "priorities")
        for text in set(texts).difference(self._known):
            self._known[text] = _turn(text)
        if len(set(self._known.values())) > _MOST_PRIORITIES:
            raise InputError(
                f"the column {self._column!r} has more than {_MOST_PRIORITIES:,} "
                "priorities; is it the right one?"
            )
        return list(map(self._known.__getitem__, texts))


def _turn(text: str) -> int | None:
    text = text.strip()
    if not text:
        return _LAST_OF_ALL
    found = _WHOLE.fullmatch(text)
    return int(found[1]) if found else None


def kept_column(recipients: Recipients, name: str, what: str) -> Sequence[str]:
    """
    The column that was kept of *recipients* and is called *name*, which tells *what*.

    Raises:
        InputError: There is none.
    """
    headers = list(recipients.kept)
    found = named(name, headers)
    if not found and len(recipients):
        raise InputError(f"there is no column {name!r} with {what}")
    return recipients.kept[headers[found[0]]] if found else ()
