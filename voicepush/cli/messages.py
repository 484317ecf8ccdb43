"""
Options for a list whose people are played different messages.
"""

from __future__ import annotations

from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

from voicepush.cli.options import Message
from voicepush.errors import InputError
from voicepush.model.message import VoiceMessage
from voicepush.screening.kept import MessageColumn


@Parameter(name="*", group="Message")
@attrs.frozen(kw_only=True)
class Messages:
    """
    The options that say what each one is played.
    """

    media_column: str | None = None
    """The column of the list that says what each one is played: a prompt id, or what
    --media-map makes one of. Where it is blank, --media is played."""
    media_map: Annotated[list[str] | None, Parameter(negative="")] = None
    """What stands in that column, and the prompt id for it: en=welcome_en,
    hi=welcome_hi; may be given several times."""
    callflow_column: str | None = None
    """The same with the ids of call flows."""
    callflow_map: Annotated[list[str] | None, Parameter(negative="")] = None
    """The same for that column."""

    @property
    def column(self) -> str | None:
        """
        The column of the list that is looked at.
        """
        return self.media_column or self.callflow_column

    def build(self, message: Message) -> tuple[VoiceMessage, MessageColumn | None]:
        """
        What is played to who names nothing else, and how it is known what others are.

        Raises:
            InputError: They contradict each other, or one can't be understood.
        """
        self._check()
        column = self.column
        if column is None:
            return message.build(), None
        field: Literal["media", "callflow"] = "media"
        if self.media_column is None:
            field = "callflow"
        has_default = message.media is not None or message.callflow is not None
        if not has_default:
            # Nobody is played that: a row without a message is refused.
            message = attrs.evolve(message, **{field: f"(by column {column})"})
        ids = _map_of(f"--{field}-map", self.media_map or self.callflow_map)
        built = message.build()
        return built, MessageColumn(
            column, field=field, ids=ids, has_default=has_default
        )

    def _check(self) -> None:
        if self.media_column is not None and self.callflow_column is not None:
            raise InputError("give either --media-column or --callflow-column")
        for name, ids, column in (
            ("media", self.media_map, self.media_column),
            ("callflow", self.callflow_map, self.callflow_column),
        ):
            if ids is not None and column is None:
                raise InputError(
                    f"--{name}-map says what a column means; name it by --{name}-column"
                )

    @property
    def given(self) -> dict[str, str | None]:
        """
        What was typed, by the option's name.
        """
        ids = _map_of("--media-map", self.media_map or self.callflow_map) or {}
        told = ",".join(f"{text}={ids[text]}" for text in sorted(ids))
        return {
            "media-column": self.media_column,
            "media-map": told if self.media_map else None,
            "callflow-column": self.callflow_column,
            "callflow-map": told if self.callflow_map else None,
        }


def _map_of(option: str, typed: list[str] | None) -> dict[str, str] | None:
    if typed is None:
        return None
    ids: dict[str, str] = {}
    for each in ",".join(typed).split(","):
        text, equals, identity = map(str.strip, each.partition("="))
        key = text.casefold()
        if not (text and equals and identity):
            raise InputError(
                f"{option} {each!r} can't be understood; write it like "
                "en=welcome_en,hi=welcome_hi"
            )
        if ids.setdefault(key, identity) != identity:
            raise InputError(f"{option} says two things of {text!r}")
    return ids
