"""
Recipients are brought into one form; bad, repeated and suppressed ones refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import TypeAlias

import attrs

from voicepush.masking import only_count
from voicepush.model.batch import has_generated_id, is_generated_id
from voicepush.model.recipients import Kind, Recipients
from voicepush.screening.consent import Consents
from voicepush.screening.duplicates import Seen
from voicepush.screening.msisdn import completion_of, normalise_all
from voicepush.screening.numbering_plans import NumberingPlans
from voicepush.screening.refusals import Reason, Refusal, RefusalKind
from voicepush.screening.sifting import Column, sifted
from voicepush.screening.suppression import Suppressed
from voicepush.sources.blocks import Block


@attrs.define(eq=False)
class Screened:
    """
    What is left of a block, and what was refused.
    """

    recipients: Recipients
    #: In the order of their rows.
    refusals: list[Refusal] = attrs.field(factory=list, repr=only_count)


#: Gives why destinations of a block are refused, by place.
RefusedBy: TypeAlias = Callable[[Recipients], Mapping[int, Reason]]


class Screening:
    """
    Lets through what can be called, each recipient once, and counts the rest.

    What is counted everywhere is values: a destination of three adds three. It loses
    its bad values and stays with the good ones. A suppressed value counts as
    suppressed however often it comes. It serves one plan at a time.

    Args:
        country: Where numbers without ``+`` or ``00`` belong: a region such as
            ``GB``, or a calling code such as ``+44``, which means its main region.
            One that begins with the calling code is taken as it stands; if it may be
            both, it must be valid in exactly one reading. Without a country such
            numbers are refused.
        international: That numbers without ``+`` begin with their calling code.
        suppressed: Who must not be called.
        duplicates: Whether to refuse numbers, customer ids and correlation ids that
            came before. Without it no memory is held.
        validity: Whether to look every number up in the numbering plans of
            *phonenumbers*.
        consent: Whether the first column that is kept says until when people have
            agreed to be called. Who has not is refused; the column is kept as
            ``consent``.

    Raises:
        InputError: The country is not known, or *international* is said beside it.
    """

    def __init__(
        self,
        *,
        country: str | None = None,
        international: bool = False,
        suppressed: Suppressed | None = None,
        duplicates: bool = True,
        validity: bool = False,
        consent: bool = False,
    ) -> None:
        self._completion = completion_of(country, international=international)
        self._suppressed = Suppressed() if suppressed is None else suppressed
        self._duplicates = duplicates
        self._plans = NumberingPlans() if validity else None
        self._consents = Consents() if consent else None
        self._numbers = Seen.of_numbers()
        self._customer_ids = Seen.of_ids()
        self._correlation_ids = Seen.of_ids()
        self._listed: Callable[[Kind, Sequence[str]], set[str]] | None = None
        self._called_before: Callable[[Kind, Sequence[str]], set[str]] | None = None
        self._ungroupable: RefusedBy | None = None
        self._refused: Counter[RefusalKind] = Counter()
        #: How many values came in.
        self.read = 0
        #: How many values were refused for each reason.
        self.reasons: Counter[str] = Counter()

    @property
    def invalid(self) -> int:
        """
        How many values can't be called.
        """
        return self._refused[RefusalKind.INVALID]

    @property
    def duplicate(self) -> int:
        """
        How many values came before.
        """
        return self._refused[RefusalKind.DUPLICATE]

    @property
    def suppressed(self) -> int:
        """
        How many values are on the suppression list.
        """
        return self._refused[RefusalKind.SUPPRESSED]

    def suppress(self, known: Callable[[Kind, Sequence[str]], set[str]]) -> None:
        """
        Refuse more people than those who were given, as on the suppression list.

        Args:
            known: Gives those of some values, which are of one kind.
        """
        self._listed = known

    def leave_out(self, known: Callable[[Kind, Sequence[str]], set[str]]) -> None:
        """
        Refuse, as suppressed, people who were called too recently or too often.

        Args:
            known: Gives those of some values, which are of one kind.
        """
        self._called_before = known

    def need_consent(self) -> None:
        """
        Refuse from now on who has not agreed, as with *consent*.
        """
        self._consents = self._consents or Consents()

    def hold_until(self, moment: float | None) -> bool:
        """
        Where consent is needed, let each hold until *moment*, in seconds since 1970,
        and now at least.

        Returns:
            Whether consent is needed.
        """
        if self._consents is None:
            return False
        self._consents.hold_until(moment)
        return True

    def group_by(self, refused: RefusedBy) -> None:
        """
        Refuse people of whom is not known what they are played, when it is their turn,
        or where they live, before it is noted that they came.

        Args:
            refused: Gives why those at some places of a block are refused.
        """
        self._ungroupable = refused

    def screen(self, block: Block) -> Screened:
        """
        What of *block* is to be called; never raises for what is in it.
        """
        self.read += block.recipients.size + len(block.malformed)
        refusals = [
            Refusal(each.row, each.text, each.reason) for each in block.malformed
        ]
        good = [
            self._screen_values(part, refusals)
            for part in self._parts(block.recipients, refusals)
        ]
        refusals.sort(key=attrgetter("row"))
        self.count(refusals)
        return Screened(
            Recipients.joined(good) if good else block.recipients[:0], refusals
        )

    def count(self, refusals: Iterable[Refusal]) -> None:
        """
        Count *refusals*, which others make of what was let through.
        """
        for refusal in refusals:
            self.reasons[refusal.reason] += 1
            self._refused[refusal.kind] += 1

    # Correlation ids, of which a part has none twice.

    def _parts(self, rest: Recipients, refusals: list[Refusal]) -> Iterator[Recipients]:
        """
        *rest* without those whose own ids can't be used, cut where an id repeats one
        in the same part.

        Whether that one is used is known once its part was screened, so what comes
        after it must be taken after that.
        """
        ids = rest.correlation_ids
        if ids is None:
            yield rest
            return
        if has_generated_id("\n".join(ids)):
            generated = list(map(is_generated_id, ids))
            rest = without(rest, generated, Reason.GENERATED_ID, refusals)
        if not self._duplicates:
            yield rest
            return
        if known := self._correlation_ids.known(rest.correlation_ids or ()):
            used = [each in known for each in rest.correlation_ids or ()]
            rest = without(rest, used, Reason.REPEATED_ID, refusals)
        start = 0
        in_part: set[str] = set()
        bad: set[int] = set()
        for place, own_id in _repeated(rest.correlation_ids or ()):
            if own_id in in_part:
                yield _part(rest, start, place, bad, refusals)
                start, in_part = place, set()
            if self._correlation_ids.known([own_id]):
                bad.add(place)
            else:
                in_part.add(own_id)
        yield _part(rest, start, len(rest), bad, refusals)

    # Values, as a column.

    def _screen_values(self, part: Recipients, refusals: list[Refusal]) -> Recipients:
        if self._consents is not None:
            part = self._consents.named(part)
        if part.kind is Kind.MSISDN:
            column = self._numbers_of(part)
        else:
            column = self._customer_ids_of(part)
        if column.reasons:
            refusals += _refusals(part, column.reasons)
        part = sifted(part, column)
        if self._duplicates and part.correlation_ids:
            self._correlation_ids.add(list(filter(None, part.correlation_ids)))
        return part

    def _numbers_of(self, part: Recipients) -> Column:
        numbers, reasons = normalise_all(part.values, self._completion)
        column = Column(numbers, range(len(numbers)))
        column.drop(reasons)
        if self._plans is not None:
            column.drop_for(Reason.NOT_IN_USE, self._plans.missing(column.values))
        if self._suppressed.numbers:
            listed = self._suppressed.numbers.known(column.values)
            column.drop_those(Reason.SUPPRESSED, listed)
        self._drop_known(part, column)
        if self._duplicates:
            repeated = self._numbers.repeated(column.values)
            column.drop_for(Reason.DUPLICATE, repeated)
        return column

    def _customer_ids_of(self, part: Recipients) -> Column:
        stripped: Sequence[str] = list(map(str.strip, part.values))
        if stripped == part.values:
            stripped = part.values
        column = Column(stripped, range(len(stripped)))
        column.drop_those(Reason.EMPTY, set() if all(stripped) else {""})
        if self._suppressed.customer_ids:
            listed = self._suppressed.customer_ids.intersection(column.values)
            column.drop_those(Reason.SUPPRESSED, listed)
        self._drop_known(part, column)
        if self._duplicates:
            repeated = self._customer_ids.repeated(column.values)
            column.drop_for(Reason.DUPLICATE, repeated)
        return column

    def _drop_known(self, part: Recipients, column: Column) -> None:
        if self._listed is not None:
            listed = self._listed(part.kind, column.values)
            column.drop_those(Reason.SUPPRESSED, listed)
        agreed = None if self._consents is None else self._consents.reasons
        for look in (agreed, self._ungroupable):
            if look is not None and (bad := look(part)):
                owners = part.places_of_values()
                theirs = (owners[place] for place in column.places)
                column.drop(
                    {at: bad[each] for at, each in enumerate(theirs) if each in bad}
                )
        if self._called_before is not None:
            called = self._called_before(part.kind, column.values)
            column.drop_those(Reason.CALLED_BEFORE, called)


def _repeated(ids: Sequence[str]) -> Sequence[tuple[int, str]]:
    """
    The places of *ids* that are there more than once, and the ids.
    """
    given = list(filter(None, ids))
    if len(set(given)) == len(given):
        return ()
    counts = Counter(given)
    return [(place, each) for place, each in enumerate(ids) if counts[each] > 1]


def _part(
    recipients: Recipients,
    start: int,
    end: int,
    bad: set[int],
    refusals: list[Refusal],
) -> Recipients:
    """
    Those from *start* to *end* but for the *bad*, whose own ids came before.
    """
    part = recipients if end - start == len(recipients) else recipients[start:end]
    if not bad or bad.isdisjoint(range(start, end)):
        return part
    used = [place in bad for place in range(start, end)]
    return without(part, used, Reason.REPEATED_ID, refusals)


def without(
    recipients: Recipients,
    bad: Sequence[bool],
    reason: Reason,
    refusals: list[Refusal],
) -> Recipients:
    """
    *recipients* but for the *bad*, whose values go to *refusals*.
    """
    owners = recipients.places_of_values()
    refusals += _refusals(
        recipients,
        {place: reason for place, owner in enumerate(owners) if bad[owner]},
    )
    return recipients.taken([not each for each in bad])


def _refusals(
    recipients: Recipients, reasons: Mapping[int, Reason]
) -> Iterator[Refusal]:
    """
    One refusal for each of the values of *recipients* that has a reason.
    """
    owners = recipients.places_of_values()
    rows = recipients.rows
    for place in sorted(reasons):
        owner, text, reason = owners[place], recipients.values[place], reasons[place]
        if recipients.widths is None:
            text = recipients.as_came.get(owner, text)
        row = owner + 1 if rows is None else rows[owner]
        yield Refusal(row, text, reason, reason.kind)
