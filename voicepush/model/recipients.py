"""
Who is to be called.
"""

from __future__ import annotations

from collections.abc import (
    Iterable,
    Sequence,
)
from typing import TypeAlias

import attrs

from voicepush.errors import InputError
from voicepush.masking import mask, masked_repr
from voicepush.model.fields import check_text, exact_text, optional_correlation_id

#: The API takes at most so many destinations in one request; values are counted,
#: which is safe whether its limit means values or entries.
MOST_PER_REQUEST = 1000


def _values(value: str | Iterable[str]) -> tuple[str, ...]:
    values: tuple[object, ...] = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(each, str) and each for each in values):
        raise InputError("a destination's values must be texts that are not empty")
    return tuple(map(str, values))


def _hidden(values: tuple[str, ...]) -> str:
    return repr(tuple(map(mask, values)))


@attrs.frozen
class Destination:
    """
    One entry of a request: a recipient, or several that share a correlation id.

    Holds msisdns or customer ids, never both. Receipts for several values under
    one correlation id can be told apart only by number.

    Raises:
        InputError: It names nobody, or both kinds, or more than 1,000 values.
    """

    msisdn: tuple[str, ...] = attrs.field(default=(), converter=_values, repr=_hidden)
    customer_id: tuple[str, ...] = attrs.field(
        default=(), converter=_values, kw_only=True, repr=_hidden
    )
    #: Made by voicepush where it is left out.
    correlation_id: str | None = attrs.field(
        default=None,
        kw_only=True,
        converter=exact_text,
        validator=optional_correlation_id,
        repr=masked_repr,
    )

    def __attrs_post_init__(self) -> None:
        if bool(self.msisdn) == bool(self.customer_id):
            raise InputError(
                "a destination needs either msisdns or customer ids, and not both"
            )
        check_text("".join(self.values), "a destination's values")
        if len(self.values) > MOST_PER_REQUEST:
            raise InputError(
                f"a destination holds at most {MOST_PER_REQUEST} values, "
                f"this one {len(self.values)}"
            )

    @property
    def values(self) -> tuple[str, ...]:
        """
        The recipients in it, of either kind.
        """
        return self.msisdn or self.customer_id


#: One entry of a list to be called; a bare string is an msisdn.
Recipient: TypeAlias = str | Destination


def values_of(recipient: Recipient) -> tuple[str, ...]:
    """
    The values to be called that *recipient* stands for.
    """
    return (recipient,) if isinstance(recipient, str) else recipient.values


def are_bare(recipients: Sequence[Recipient]) -> bool:
    """
    Whether all of *recipients* are bare msisdns.
    """
    return set(map(type, recipients)) <= {str}


def own_id_of(recipient: Recipient) -> str | None:
    """
    The correlation id that *recipient* came with, if it did.
    """
    return None if isinstance(recipient, str) else recipient.correlation_id
