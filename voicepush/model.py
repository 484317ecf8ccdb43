"""
What is sent and what becomes of it: values that know nothing of JSON, HTTP or SQL.
"""

from __future__ import annotations

import enum
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple, TypeAlias
from urllib.parse import urlsplit

import attrs

from voicepush.errors import InputError

#: The API takes at most so many destinations in one request; values are counted,
#: which is safe whether its limit means values or entries.
MOST_PER_REQUEST = 1000

#: The API's limit for a correlation id, in bytes of UTF-8 (not in characters).
MOST_CORRELATION_BYTES = 50

#: A summary lists at most so many recipients that were not accepted, and tells
#: apart at most so many reasons, so that it stays small whatever happens.
MOST_FAILURES = 10_000
MOST_REASONS = 100


class Outcome(enum.StrEnum):
    """
    What became of a recipient.
    """

    ACCEPTED = "accepted"  #: the API queued the call
    REJECTED = "rejected"  #: refused for good; code and description say why
    EXPIRED = "expired"  #: the expiry passed first; provably not sent
    NOT_SENT = "not_sent"  #: provably never taken by the API; may be sent again
    UNKNOWN = "unknown"  #: the API may have taken it; never sent again by itself
    PENDING = "pending"  #: not tried yet, or waiting for its next attempt


#: The outcomes for which an answer, if there was one, is of no account.
_WITHOUT_ANSWER = (Outcome.PENDING, Outcome.NOT_SENT, Outcome.EXPIRED)


class Priority(enum.StrEnum):
    """
    How urgent the platform takes a message to be, with the API's own values.
    """

    LOW = "1"
    MEDIUM = "2"
    HIGH = "3"


def mask(value: str) -> str:
    """
    *value* with its middle hidden, for logs, exceptions and ``repr``.
    """
    if len(value) >= 10:  # noqa: PLR2004 -- long enough to keep both ends
        return f"{value[:3]}{'*' * (len(value) - 7)}{value[-4:]}"
    return "*" * max(1, len(value) - 2) + value[max(1, len(value) - 2) :]


def mask_numbers(text: str) -> str:
    """
    *text* with every run of digits that could be a phone number masked, also where
    spaces, hyphens or brackets stand between them. Dates are left as they are.
    """
    return _COULD_BE_NUMBER.sub(lambda found: mask(found[0]), text)


_COULD_BE_NUMBER = re.compile(
    r"\+?\d{7,}"
    r"|(?<![\w-])(?!\d{4}-\d\d-\d\d(?!\d))\+?\(?\d(?:[ ()\u00a0-]{0,2}\d){6,}(?![\w-])"
)


#: Control characters, what turns the direction of writing, and ends of lines: a text
#: with them could forge lines of ours.
UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+"
)


def shown(text: str, most_bytes: int | None = None) -> str:
    """
    *text* on one line and without characters that are not seen, as it may be shown.

    Texts from outside could otherwise forge lines of ours.

    Args:
        most_bytes: Cut what is longer than that in UTF-8.
    """
    text = UNSHOWN.sub(" ", text)
    if most_bytes is not None and len(text) > most_bytes // 4:
        text = text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")
    return text


def parse_time(text: str) -> datetime:
    """
    The moment that *text* names, in one of the API's forms.

    Takes ``2015-04-12T13:00:19.456Z`` and ``2015-04-12T18:30:19.456+5:30``, with
    or without fractions; the hour of an offset may have one digit.

    Raises:
        InputError: It is not a time, or has no offset from UTC.
    """
    padded = re.sub(r"([+-])(\d):(\d\d)$", r"\g<1>0\2:\3", text.strip())
    try:
        moment = datetime.fromisoformat(padded)
    except ValueError as error:
        raise InputError(
            f"{text!r} is not a time; write it like 2030-04-12T13:00:00Z"
        ) from error
    return _aware(moment)


def _aware(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise InputError(
            f"the time {moment.isoformat()} has no offset from UTC; "
            "end it with Z or an offset such as +05:30"
        )
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InputError(f"the time {moment.isoformat()} is out of reach") from error


def _expiry(value: datetime | timedelta | str | None) -> datetime | timedelta | None:
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, datetime):
        return _aware(value)
    if isinstance(value, timedelta) and value <= timedelta(0):
        raise InputError("an expiry must lie in the future, so its duration above 0")
    if value is not None and not isinstance(value, timedelta):
        raise InputError("an expiry is a time, a duration (timedelta), or a text")
    return value


def _priority(value: Priority | str | int | None) -> Priority | None:
    if value is None or isinstance(value, Priority):
        return value
    try:
        named = Priority.__members__.get(str(value).upper())
        return named or Priority(str(value))
    except ValueError as error:
        raise InputError(
            f"priority {value!r} is none of low, medium, high (or 1, 2, 3)"
        ) from error


def check_text(value: str, what: str) -> int:
    """
    How many bytes *value* has.

    Raises:
        InputError: UTF-8 can't hold it; the text names it as *what*.
    """
    try:
        return len(value.encode())
    except UnicodeEncodeError as error:
        raise InputError(f"{what} must be text that UTF-8 can hold") from error


def check_correlation_id(value: object) -> str:
    """
    *value*, if the API takes it as a correlation id.

    Raises:
        InputError: It is empty or has more than 50 bytes.
    """
    if not isinstance(value, str) or not value:
        raise InputError("a correlation id must be a text that is not empty")
    size = check_text(value, "a correlation id")
    if size > MOST_CORRELATION_BYTES:
        raise InputError(
            f"a correlation id has at most {MOST_CORRELATION_BYTES} bytes; "
            f"{mask(value)!r} has {size}"
        )
    return value


#: The ids that voicepush makes, of a batch, a destination or a request: a tag of ten
#: hexadecimal digits, a number, and for all but batches what tells it apart there.
_GENERATED_ID = re.compile(r"[0-9a-f]{10}-[0-9]+(?:-[0-9a-z]+)*", re.ASCII)


def is_generated_id(value: str) -> bool:
    """
    Whether *value* has the form of the correlation ids that voicepush makes itself.

    Owners may not use such ids: an answer or a receipt could credit another campaign.
    """
    return _GENERATED_ID.fullmatch(value) is not None


def _masked(text: str | None) -> str:
    return repr(text and mask_numbers(text))


def _hidden_text(text: str | None) -> str:
    return repr(text and "***")


def _exact(text: str | None) -> str | None:
    """
    *text* as nothing but a text, where it is of someone's own type of texts.
    """
    return str(text) if isinstance(text, str) else text


def _optional_text(
    _: object, field: attrs.Attribute[str | None], value: object
) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{field.name} must be a text that is not empty, or left out")
    check_text(value, field.name)


def _optional_url(_: object, field: attrs.Attribute[str | None], value: object) -> None:
    if value is None:
        return
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{field.name} must be a whole http or https address")
    check_text(parts.geturl(), field.name)


def _optional_correlation_id(
    _: object, __: attrs.Attribute[str | None], value: str | None
) -> None:
    if value is not None:
        check_correlation_id(value)


@attrs.frozen(kw_only=True, cache_hash=True)
class VoiceMessage:
    """
    What is played and how: the fields of a request other than its destinations.

    Exactly one of *media* and *callflow* is given.

    Raises:
        InputError: A field is not usable; the text says which and why.
    """

    #: The prompt id of the uploaded audio.
    media: str | None = attrs.field(
        default=None, converter=_exact, validator=_optional_text
    )
    #: The id of a call flow that was built in the flow builder.
    callflow: str | None = attrs.field(
        default=None, converter=_exact, validator=_optional_text
    )
    #: The caller line identity, as predefined with the service.
    cli: str | None = attrs.field(
        default=None, converter=_exact, validator=_optional_text, repr=_hidden_text
    )
    #: Goes with the whole request; every destination has one of its own, too.
    correlation_id: str | None = attrs.field(
        default=None, converter=_exact, validator=_optional_correlation_id
    )
    #: Where receipts go, in place of the address configured on the service.
    notify_url: str | None = attrs.field(
        default=None, converter=_exact, validator=_optional_url
    )
    #: Comes back with every receipt.
    callback_data: str | None = attrs.field(
        default=None, converter=_exact, validator=_optional_text, repr=_hidden_text
    )
    #: After it nothing is sent. An aware datetime, one of the API's text forms, or
    #: a timedelta, which counts from the moment at which sending begins.
    expiry: datetime | timedelta | None = attrs.field(default=None, converter=_expiry)
    #: Left out, the platform takes the client's setting.
    priority: Priority | None = attrs.field(default=None, converter=_priority)

    def __attrs_post_init__(self) -> None:
        if (self.media is None) == (self.callflow is None):
            raise InputError("a message needs either media or callflow, and not both")

    def starting(self, now: datetime) -> VoiceMessage:
        """
        The same message with its expiry as a moment, if sending begins *now*.
        """
        if not isinstance(self.expiry, timedelta):
            return self
        try:
            return attrs.evolve(self, expiry=now + self.expiry)
        except OverflowError as error:
            raise InputError(
                f"an expiry of {self.expiry.days} days is out of reach; leave it out "
                "to go on without one"
            ) from error

    @property
    def deadline(self) -> float | None:
        """
        The expiry in seconds since 1970, once it is a moment.
        """
        return self.expiry.timestamp() if isinstance(self.expiry, datetime) else None


def _count(items: Sized) -> str:
    return f"<{len(items)}>"


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
        converter=_exact,
        validator=_optional_correlation_id,
        repr=_masked,
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
    destinations: Sequence[Recipient] = attrs.field(repr=_count)
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


class Verdict(NamedTuple):
    """
    An outcome with its reason.
    """

    outcome: Outcome
    #: The API's code, where an answer gave one.
    code: str | None = None
    #: The API's words, or ours where it said nothing.
    description: str = ""

    def __repr__(self) -> str:
        return (
            f"Verdict({self.outcome.value}, code={self.code!r}, "
            f"description={mask_numbers(self.description)!r})"
        )


class Result(NamedTuple):
    """
    What became of one recipient.
    """

    recipient: str
    outcome: Outcome
    code: str | None
    description: str
    transaction_id: str | None
    correlation_id: str

    def __repr__(self) -> str:
        return (
            f"Result({mask(self.recipient)}, {self.outcome.value}, "
            f"code={self.code!r}, description={mask_numbers(self.description)!r}, "
            f"transaction_id={self.transaction_id!r})"
        )


class SourceRow(NamedTuple):
    """
    A recipient as the source had it, and what became of it.
    """

    #: Counted from 1; None where it is not known.
    row: int | None
    #: What the source said of it, which may be written otherwise than the recipient.
    as_came: str
    result: Result

    def __repr__(self) -> str:
        return f"SourceRow({self.row}, {mask(self.as_came)}, {self.result!r})"


@attrs.define(eq=False)
class BatchResult:
    """
    What became of a batch: one verdict for all, and the exceptions to it by place.

    Iterating gives one `Result` per recipient, in the order of the batch.
    """

    batch: Batch
    verdict: Verdict
    exceptions: Mapping[int, Verdict] = attrs.field(factory=dict, repr=_count)
    #: None, one for all, or one per place (empty where there is none).
    transaction_ids: Sequence[str] = attrs.field(default=(), repr=_count)
    #: How many requests were made for it so far.
    attempts: int = 0
    #: Why nothing else can be sent, where the API said so.
    stop_reason: str | None = attrs.field(default=None, repr=_masked)

    @classmethod
    def untried(cls, batch: Batch) -> BatchResult:
        """
        Where *batch* stands before its first attempt.
        """
        return cls(batch, Verdict(Outcome.PENDING))

    @classmethod
    def of_places(
        cls,
        batch: Batch,
        verdicts: Sequence[Verdict],
        transaction_ids: Sequence[str] = (),
        *,
        attempts: int = 0,
        stop_reason: str | None = None,
    ) -> BatchResult:
        """
        Pack *verdicts*, one per place: the most frequent becomes the rule.
        """
        rule = Counter(verdicts).most_common(1)[0][0]
        return cls(
            batch,
            rule,
            {
                place: verdict
                for place, verdict in enumerate(verdicts)
                if verdict != rule
            },
            transaction_ids if any(transaction_ids) else (),
            attempts,
            stop_reason,
        )

    def at(self, place: int) -> Verdict:
        """
        The verdict on the destination at *place*.
        """
        return self.exceptions.get(place, self.verdict)

    def places(self, outcome: Outcome) -> list[int]:
        """
        The places whose outcome is *outcome*, in order.
        """
        if not self.exceptions:
            return (
                list(range(len(self.batch))) if self.verdict.outcome is outcome else []
            )
        return [
            place
            for place in range(len(self.batch))
            if self.at(place).outcome is outcome
        ]

    def transaction_id(self, place: int) -> str | None:
        """
        The platform's id for the destination at *place*, where its answer gave one.
        """
        if not self.transaction_ids or self.at(place).outcome in _WITHOUT_ANSWER:
            return None
        alone = len(self.transaction_ids) == 1
        return self.transaction_ids[0 if alone else place] or None

    def reasons(self) -> Counter[Verdict]:
        """
        How many recipients each verdict stands for.
        """
        found: Counter[Verdict] = Counter()
        found[self.verdict] = self.batch.size
        if not self.exceptions:
            return found
        weights = self.batch.weights
        for place, verdict in self.exceptions.items():
            found[self.verdict] -= weights[place]
            found[verdict] += weights[place]
        return +found

    def counts(self) -> Counter[Outcome]:
        """
        How many recipients have each outcome.
        """
        found: Counter[Outcome] = Counter()
        if not self.exceptions:
            found[self.verdict.outcome] = self.batch.size
            return found
        for verdict, number in self.reasons().items():
            found[verdict.outcome] += number
        return found

    def rows(self) -> Iterator[SourceRow]:
        """
        Everyone with the row of the source and what stood there.
        """
        batch, results = self.batch, iter(self)
        for place, weight in enumerate(batch.weights):
            row = batch.rows[place] if batch.rows else None
            text = batch.as_came.get(place) if batch.as_came else None
            for _ in range(weight):
                result = next(results)
                yield SourceRow(row, text or result.recipient, result)

    def __len__(self) -> int:
        return self.batch.size

    def __iter__(self) -> Iterator[Result]:
        ids = self.batch.correlation_ids
        for place, destination in enumerate(self.batch.destinations):
            verdict = self.at(place)
            for value in values_of(destination):
                yield Result(
                    value,
                    verdict.outcome,
                    verdict.code,
                    verdict.description,
                    self.transaction_id(place),
                    ids[place],
                )


@attrs.define(kw_only=True)
class Summary:
    """
    What became of many recipients, in numbers that add up.
    """

    accepted: int = 0
    rejected: int = 0
    expired: int = 0
    not_sent: int = 0
    unknown: int = 0
    #: How many requests were made.
    requests: int = 0
    #: Why it ended early, where it did.
    stopped: str | None = attrs.field(default=None, repr=_masked)
    #: Whether that was because the service refuses everything.
    refused: bool = False
    #: How many recipients each reason other than acceptance stands for.
    reasons: Counter[Verdict] = attrs.field(factory=Counter)
    #: The recipients that were not accepted, at most `MOST_FAILURES` of them.
    failures: list[Result] = attrs.field(factory=list, repr=_count)
    #: How many more there were.
    failures_left_out: int = 0

    @property
    def total(self) -> int:
        """
        How many recipients it speaks of.
        """
        return (
            self.accepted + self.rejected + self.expired + self.not_sent + self.unknown
        )

    def add(self, result: BatchResult, since: BatchResult | None = None) -> None:
        """
        Count *result* in, or what is new in it *since* an earlier one of its batch.
        """
        self.requests += result.attempts - (since.attempts if since else 0)
        self.stopped = self.stopped or result.stop_reason
        self.refused = self.refused or result.stop_reason is not None
        found = result.reasons()
        if since is not None:
            found = found - since.reasons()
        for verdict, number in found.items():
            if verdict.outcome is Outcome.PENDING:
                continue
            name = verdict.outcome.value
            setattr(self, name, getattr(self, name) + number)
            if verdict.outcome is not Outcome.ACCEPTED:
                self._count_reason(verdict, number)
        if result.exceptions or result.verdict.outcome is not Outcome.ACCEPTED:
            self._list_failures(result, since or BatchResult.untried(result.batch))

    def _count_reason(self, verdict: Verdict, number: int) -> None:
        # An API that writes the number into each description must not fill the memory.
        masked = verdict._replace(description=mask_numbers(verdict.description))
        if masked not in self.reasons and len(self.reasons) >= MOST_REASONS:
            masked = Verdict(verdict.outcome, None, "for other reasons")
        self.reasons[masked] += number

    def _list_failures(self, result: BatchResult, since: BatchResult) -> None:
        for row, earlier in zip(result, since, strict=True):
            if row.outcome is Outcome.ACCEPTED or earlier[1:4] == row[1:4]:
                continue
            if len(self.failures) < MOST_FAILURES:
                self.failures.append(row)
            else:
                self.failures_left_out += 1


class Waiting(NamedTuple):
    """
    Why nothing goes on at present.
    """

    reason: str
    since: datetime


class State(enum.StrEnum):
    """
    What is going on with a campaign.
    """

    PLANNED = "planned"  #: everyone in it is known, no one was called yet
    RUNNING = "running"  #: a process is dispatching it
    PAUSED = "paused"  #: stopped with someone left; the reason is kept
    CANCELLED = "cancelled"  #: stopped for good by its owner
    FINISHED = "finished"  #: no one is left to be tried


@attrs.frozen(kw_only=True)
class Standing:
    """
    Where a campaign stands, in numbers of recipients; its sums always hold.

    ``planned`` is the sum of ``pending``, ``in_flight`` and the outcomes; ``read`` is
    ``planned`` with ``invalid``, ``duplicate`` and ``suppressed``.
    """

    campaign: str
    state: State
    #: Why it is in that state, where there is something to say.
    reason: str | None
    read: int
    planned: int
    pending: int
    #: Claimed by a dispatcher and not settled: under way, or lost with it.
    in_flight: int
    accepted: int
    rejected: int
    expired: int
    not_sent: int
    unknown: int
    invalid: int
    duplicate: int
    suppressed: int
    #: Of the unknown, those that their owner has given up.
    given_up: int = 0
    #: When it expires.
    expiry: datetime | None = None
    #: Destinations per second, as its owner wants it.
    rate: float | None = None
    #: Recipients per second, as its dispatcher measured it lately.
    speed: float | None = None
    #: Why nothing goes on although it is running, where that has lasted a while.
    waiting: str | None = None
    #: Since when.
    waiting_since: datetime | None = None

    @property
    def done(self) -> int:
        """
        How many have an outcome.
        """
        return self.planned - self.pending - self.in_flight

    def will_expire(self, now: datetime) -> int | None:
        """
        How many will expire unsent if it goes on as lately, where that is known.
        """
        speed = self.speed or self.rate
        if self.expiry is None or speed is None:
            return None
        left = max(0.0, (self.expiry - now).total_seconds())
        return max(0, self.pending - int(speed * left))


@attrs.frozen(kw_only=True)
class Found:
    """
    What a ledger knows of one recipient.
    """

    campaign: str
    result: Result
    #: Whether it is under way, or was when its dispatcher died.
    in_flight: bool
    #: Whether it is unknown and its owner has given it up.
    given_up: bool = False
    #: The key of its batch; each request of the batch bears it in the ids.
    batch: str
    #: How many requests were made for its batch.
    attempts: int
    #: When its batch was last claimed and settled.
    claimed: datetime | None
    settled: datetime | None


@attrs.frozen(kw_only=True)
class Doubt:
    """
    A request whose answer is not known, and what speaks for either side.
    """

    #: The key of its batch; each request of the batch bears it in the ids.
    batch: str
    #: How many recipients are unknown in it.
    unknown: int
    #: How many others of the same batch were accepted.
    accepted: int
    #: When it was claimed.
    claimed: datetime | None
    #: What is known of the reason, the most frequent first.
    reasons: tuple[str, ...]
