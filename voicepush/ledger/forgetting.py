"""
What it means to forget someone: what is erased where, and what stays so that they are
not called again.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Iterable, Sequence

import attrs

from voicepush.masking import only_count
from voicepush.model.batch import Batch
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.recipients import Kind, Recipients

#: Stands where someone stood; no reader takes it for a number or a customer id.
ERASED = ""

#: On whoever was pending.
FORGOTTEN = Verdict(Outcome.SUPPRESSED, None, "was forgotten")

#: What stands in a text in place of a number.
_INSTEAD = "(forgotten)"

#: In texts nothing shorter is looked for, which may mean anything.
_LEAST = 6


def hash_of(key: str, kind: Kind, value: str) -> str:
    """
    What is kept of someone who was forgotten: only who knows *value* and the *key* of
    the ledger can make it.
    """
    told = f"{kind.value}:{value}".encode()
    return hmac.digest(bytes.fromhex(key), told, "sha256").hex()


def forgotten_in(batch: Batch, places: Sequence[int]) -> dict[int, Verdict]:
    """
    On those at *places* of *batch* who were forgotten, or share an id with someone who
    was.
    """
    owners, values = batch.recipients.places_of_values(), batch.recipients.values
    erased = {owners[at] for at, each in enumerate(values) if each == ERASED}
    return {place: FORGOTTEN for place in places if place in erased}


@attrs.frozen
class Forgotten:
    """
    Those who were forgotten and are not called again.
    """

    #: The ledger's, and those of ledgers from which a campaign was moved here.
    keys: Collection[str] = attrs.field(default=(), repr=only_count)
    hashes: Collection[str] = attrs.field(default=frozenset(), repr=only_count)

    def __len__(self) -> int:
        return len(self.hashes)

    def known(self, kind: Kind, values: Sequence[str]) -> set[str]:
        """
        Those of *values* who are among them.
        """
        if not self.hashes:
            return set()
        return {
            each
            for key in self.keys
            for each in values
            if hash_of(key, kind, each) in self.hashes
        }


@attrs.frozen
class Person:
    """
    Who is to be forgotten.
    """

    kind: Kind
    value: str = attrs.field(repr=only_count)
    _text: re.Pattern[str] | None = attrs.field(init=False, repr=False)
    _bytes: re.Pattern[bytes] | None = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.kind is Kind.MSISDN:
            # As it may be written with its calling code, and not within another number.
            digits = self.value.removeprefix("+")
            pattern = rf"(?<![0-9])(?:\+|%2[Bb]|00)?{digits}(?![0-9])"
        else:
            digits = self.value
            pattern = rf"(?<![0-9A-Za-z]){re.escape(self.value)}(?![0-9A-Za-z])"
        is_long = len(digits) >= _LEAST
        text = re.compile(pattern) if is_long else None
        raw = re.compile(pattern.encode()) if is_long else None
        object.__setattr__(self, "_text", text)
        object.__setattr__(self, "_bytes", raw)

    @property
    def core(self) -> str | None:
        """
        What every text has that names them; None where texts are not looked into.
        """
        return None if self._text is None else self.value.removeprefix("+")

    def is_in(self, text: str | bytes | None) -> bool:
        """
        Whether *text* names them.
        """
        if not text or self._text is None or self._bytes is None:
            return False
        if isinstance(text, str):
            return self._text.search(text) is not None
        return self._bytes.search(text) is not None

    def erased(self, text: str) -> str:
        """
        *text*, which names them no more.
        """
        return text if self._text is None else self._text.sub(_INSTEAD, text)

    def is_meant(self, kind: Kind, value: str) -> bool:
        """
        Whether *value* is they: the same, or a customer id that is made of a number.
        """
        if kind is self.kind:
            return value == self.value
        return kind is Kind.CUSTOMER_ID and self.is_in(value)


@attrs.frozen
class Without:
    """
    The recipients of a batch without someone.
    """

    recipients: Recipients = attrs.field(repr=False)
    #: The places at which they stood, and which of the recipients they were.
    places: Sequence[int]
    were: Sequence[int]
    #: What stands in it no more, and so leads to it no more.
    gone: Sequence[str] = attrs.field(repr=only_count)


def without(recipients: Recipients, person: Person) -> Without | None:
    """
    *recipients* without *person*, who is still counted; None if nothing names them.
    """
    kind, values = recipients.kind, list(recipients.values)
    owners = recipients.places_of_values()
    were = [at for at, each in enumerate(values) if person.is_meant(kind, each)]
    gone = [values[at] for at in were]
    for at in were:
        values[at] = ERASED
    left = {owner for at, owner in enumerate(owners) if values[at] != ERASED}
    places = sorted({owners[at] for at in were})
    # What belongs to several stays with those who are left of them.
    whole = [place for place in places if place not in left]
    ids = list(recipients.correlation_ids or ())
    for place in _named(ids, person).union(whole if ids else ()):
        gone += filter(None, [ids[place]])
        ids[place] = ""
    as_came = {
        place: text
        for place, text in recipients.as_came.items()
        if place not in places and not person.is_in(text)
    }
    kept = {
        header: [
            "" if place in whole else person.erased(text)
            for place, text in enumerate(column)
        ]
        for header, column in recipients.kept.items()
    }
    if not gone and as_came == recipients.as_came and kept == recipients.kept:
        return None
    changed = attrs.evolve(
        recipients,
        values=values,
        correlation_ids=ids if any(ids) else None,
        as_came=as_came,
        kept=kept,
    )
    return Without(changed, places, were, gone)


def _named(texts: Iterable[str], person: Person) -> set[int]:
    """
    The places of those of *texts* that name *person*.
    """
    return {place for place, each in enumerate(texts) if person.is_in(each)}
