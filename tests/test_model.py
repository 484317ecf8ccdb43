"""What is sent and what becomes of it: what is refused, what adds up, what is hid."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import batch_of

from voicepush.errors import InputError
from voicepush.masking import mask, mask_numbers, shown
from voicepush.model.fields import check_correlation_id
from voicepush.model.message import Priority, VoiceMessage, parse_time
from voicepush.model.outcome import (
    MOST_FAILURES,
    MOST_REASONS,
    BatchResult,
    Outcome,
    Result,
    Summary,
    Verdict,
)
from voicepush.model.recipients import (
    MOST_PER_REQUEST,
    Destination,
    Recipient,
    Recipients,
)
from voicepush.model.status import Standing, State

MESSAGE = VoiceMessage(media="welcome")
NOON = datetime(2030, 4, 12, 12, 0, tzinfo=UTC)
LONE_SURROGATE = "welcome \ud800"

#: What can become of a recipient in the end.
FINAL = [outcome for outcome in Outcome if outcome is not Outcome.PENDING]

e164 = st.from_regex(r"\+999[0-9]{4,12}", fullmatch=True)

final_verdicts = st.builds(
    Verdict,
    st.sampled_from(FINAL),
    st.sampled_from([None, "1001", "7004", "7006"]),
    st.sampled_from(["", "Queued", "invalid parameters"]),
)


def number(place: int) -> str:
    """
    A number that belongs to nobody.
    """
    return f"+999555{place:04}"


@st.composite
def results(draw: st.DrawFn, most: int = 12) -> BatchResult:
    """
    A batch of strings and of destinations with several values, and its verdicts.
    """
    weights = draw(st.lists(st.integers(0, 3), min_size=1, max_size=most))
    recipients: list[Recipient] = [
        Destination([number(10 * place + each) for each in range(weight)])
        if weight
        else number(10 * place)
        for place, weight in enumerate(weights)
    ]
    verdicts = draw(
        st.lists(final_verdicts, min_size=len(recipients), max_size=len(recipients))
    )
    return BatchResult.of_places(batch_of(MESSAGE, "k-0", recipients), verdicts)


class TestVoiceMessage:
    """
    What a message takes and what it refuses.
    """

    @pytest.mark.parametrize(
        "fields",
        [{}, {"media": "welcome", "callflow": "flow"}, {"cli": "18005550100"}],
    )
    def test_media_or_callflow(self, fields: dict[str, Any]) -> None:
        """
        A message has either media or a call flow: not both, and not neither.
        """
        with pytest.raises(InputError, match="either media or callflow, and not both"):
            VoiceMessage(**fields)

    @pytest.mark.parametrize("name", ["media", "callflow", "cli", "callback_data"])
    @pytest.mark.parametrize("value", ["", "   ", "\n", 5, b"welcome", ["welcome"]])
    def test_texts_that_say_nothing(self, name: str, value: object) -> None:
        """
        A field that is blank or no text is refused by its name.
        """
        fields: dict[str, Any] = {"media": "welcome", name: value}

        with pytest.raises(InputError, match=f"{name} must be a text"):
            VoiceMessage(**fields)

    @pytest.mark.parametrize(
        "name", ["media", "callflow", "cli", "callback_data", "correlation_id"]
    )
    def test_lone_surrogate(self, name: str) -> None:
        """
        A text that UTF-8 can't hold is refused before it meets an encoder.
        """
        fields: dict[str, Any] = {name: LONE_SURROGATE}

        with pytest.raises(InputError, match="UTF-8"):
            VoiceMessage(**fields)

    def test_lone_surrogate_in_notify_url(self) -> None:
        """
        A notify URL that UTF-8 can't hold is refused like any other text.
        """
        with pytest.raises(InputError):
            VoiceMessage(media="welcome", notify_url=f"https://h.test/{LONE_SURROGATE}")

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "/receipts",
            "example.test/receipts",
            "ftp://example.test/receipts",
            "https://",
            "https:///receipts",
            5,
        ],
    )
    def test_notify_url_that_is_none(self, url: Any) -> None:
        """
        A notify URL is a whole http or https address.
        """
        with pytest.raises(InputError, match="notify_url must be a whole http"):
            VoiceMessage(media="welcome", notify_url=url)

    def test_notify_url_that_cannot_be_parsed(self) -> None:
        """
        A notify URL with half a pair of brackets is refused as any other mistake is.
        """
        with pytest.raises(InputError, match="notify_url must be a whole http"):
            VoiceMessage(media="welcome", notify_url="https://[receipts")

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:8080/r", "https://example.test/r?x=1"]
    )
    def test_notify_url(self, url: str) -> None:
        """
        A notify URL is kept as it is given.
        """
        assert url == VoiceMessage(media="welcome", notify_url=url).notify_url

    @pytest.mark.parametrize("value", ["a" * 50, "é" * 25, "😀" * 12 + "ab"])
    def test_correlation_id_of_fifty_bytes(self, value: str) -> None:
        """
        A correlation id of exactly 50 bytes is taken.
        """
        assert value == VoiceMessage(media="m", correlation_id=value).correlation_id
        assert value == check_correlation_id(value)

    @pytest.mark.parametrize("value", ["a" * 51, "é" * 26, "😀" * 13])
    def test_correlation_id_too_long_in_bytes(self, value: str) -> None:
        """
        The limit of a correlation id counts bytes, not characters.
        """
        with pytest.raises(InputError, match="at most 50 bytes"):
            VoiceMessage(media="m", correlation_id=value)

    def test_correlation_id_in_the_error_is_masked(self) -> None:
        """
        An id that is too long and holds a number does not show it in the error.
        """
        value = "+18005550100" * 5

        with pytest.raises(InputError) as caught:
            check_correlation_id(value)

        assert "8005550100" not in str(caught.value)

    def test_empty_correlation_id(self) -> None:
        """
        A correlation id is left out or says something.
        """
        with pytest.raises(InputError, match="not empty"):
            VoiceMessage(media="m", correlation_id="")

    @pytest.mark.parametrize("value", [5, b"id"])
    def test_correlation_id_that_is_no_text(self, value: Any) -> None:
        """
        A correlation id that is no text is refused, like the other fields.
        """
        with pytest.raises(InputError, match="must be a text"):
            VoiceMessage(media="m", correlation_id=value)

    @pytest.mark.parametrize(
        ("value", "priority"),
        [
            (1, Priority.LOW),
            (2, Priority.MEDIUM),
            (3, Priority.HIGH),
            ("1", Priority.LOW),
            ("3", Priority.HIGH),
            ("low", Priority.LOW),
            ("Medium", Priority.MEDIUM),
            ("HIGH", Priority.HIGH),
            (Priority.HIGH, Priority.HIGH),
            (None, None),
        ],
    )
    def test_priority(self, value: Any, priority: Priority | None) -> None:
        """
        A priority is given by name, by number, or not at all.
        """
        assert priority is VoiceMessage(media="m", priority=value).priority

    @pytest.mark.parametrize("value", [0, 4, "", "urgent", "1.0", True, 2.5])
    def test_priority_that_is_none(self, value: Any) -> None:
        """
        A priority that the platform would silently replace is refused.
        """
        with pytest.raises(InputError, match="none of low, medium, high"):
            VoiceMessage(media="m", priority=value)

    def test_equal_messages_are_one_key(self) -> None:
        """
        Equal messages are equal keys, whatever form their expiry was given in.
        """
        one = VoiceMessage(media="m", expiry="2030-04-12T12:00:00Z")
        other = VoiceMessage(media="m", expiry="2030-04-12T17:30:00+5:30")

        assert {one: 1} == {other: 1}
        assert one != VoiceMessage(media="m", expiry="2030-04-12T12:00:01Z")

    def test_cannot_be_changed(self) -> None:
        """
        A message is a value.
        """
        with pytest.raises(AttributeError):
            MESSAGE.media = "other"  # type: ignore[misc]


class TestExpiry:
    """
    When a message is too late.
    """

    @pytest.mark.parametrize(
        "text",
        [
            "2015-04-12T13:00:19.456Z",
            "2015-04-12T18:30:19.456+5:30",
            "2015-04-12T18:30:19.456+05:30",
            "2015-04-12T09:30:19.456-3:30",
            " 2015-04-12T13:00:19.456Z\n",
        ],
    )
    def test_forms_of_the_api(self, text: str) -> None:
        """
        Both forms of the API name the same moment; the offset's hour may be short.
        """
        moment = datetime(2015, 4, 12, 13, 0, 19, 456_000, tzinfo=UTC)

        assert moment == parse_time(text)
        assert moment == VoiceMessage(media="m", expiry=text).expiry
        assert timedelta(0) == parse_time(text).utcoffset()

    def test_without_fractions(self) -> None:
        """
        The fractions of a second may be left out.
        """
        assert NOON == parse_time("2030-04-12T12:00:00Z")

    @pytest.mark.parametrize(
        "text", ["2030-04-12T12:00:00", "2030-04-12T12:00:00.000", "2030-04-12"]
    )
    def test_text_without_offset(self, text: str) -> None:
        """
        A time without an offset from UTC is refused, with what to write instead.
        """
        with pytest.raises(InputError, match=r"no offset from UTC.*end it with Z"):
            VoiceMessage(media="m", expiry=text)

    def test_naive_datetime(self) -> None:
        """
        A naive datetime is refused.
        """
        naive = NOON.replace(tzinfo=None)

        with pytest.raises(InputError, match="no offset from UTC"):
            VoiceMessage(media="m", expiry=naive)

    @pytest.mark.parametrize("text", ["", "soon", "12:00Z", "2030-13-01T00:00:00Z"])
    def test_no_time(self, text: str) -> None:
        """
        A text that is no time is refused with an example of one.
        """
        with pytest.raises(InputError, match="write it like 2030"):
            VoiceMessage(media="m", expiry=text)

    @pytest.mark.parametrize(
        "text", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:30"]
    )
    def test_beyond_the_calendar(self, text: str) -> None:
        """
        A moment that UTC's calendar does not have is refused as any other mistake is.
        """
        with pytest.raises(InputError):
            parse_time(text)

    def test_datetime_beyond_the_calendar(self) -> None:
        """
        So is such a moment that is given as a datetime.
        """
        never = datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))

        with pytest.raises(InputError):
            VoiceMessage(media="m", expiry=never)

    def test_duration_beyond_the_calendar(self) -> None:
        """
        A duration that no calendar holds is refused, at the latest when it begins.
        """
        with pytest.raises(InputError):
            VoiceMessage(media="m", expiry=timedelta.max).starting(NOON)

    @given(st.text(max_size=30))
    def test_any_text(self, text: str) -> None:
        """
        Whatever is read as a time, it is an aware one or an `InputError`.
        """
        try:
            moment = parse_time(text)
        except InputError:
            return

        assert timedelta(0) == moment.utcoffset()

    def test_aware_datetime(self) -> None:
        """
        An aware datetime is taken in any zone, and kept as the same moment in UTC.
        """
        there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))

        expiry = VoiceMessage(media="m", expiry=there).expiry

        assert NOON == expiry
        assert isinstance(expiry, datetime)
        assert timedelta(0) == expiry.utcoffset()

    @pytest.mark.parametrize("seconds", [0, -1, -0.001])
    def test_duration_that_is_over(self, seconds: float) -> None:
        """
        A duration of 0 or less is refused.
        """
        with pytest.raises(InputError, match="duration above 0"):
            VoiceMessage(media="m", expiry=timedelta(seconds=seconds))

    @pytest.mark.parametrize("value", [3600, 3.5, date(2030, 4, 12)])
    def test_of_another_kind(self, value: Any) -> None:
        """
        An expiry that is neither a moment nor a duration is refused at once.
        """
        with pytest.raises(InputError):
            VoiceMessage(media="m", expiry=value)

    def test_starting(self) -> None:
        """
        A duration counts from the moment at which sending begins.
        """
        message = VoiceMessage(media="m", cli="1", expiry=timedelta(hours=2))

        started = message.starting(NOON)

        assert None is message.deadline
        assert NOON + timedelta(hours=2) == started.expiry
        assert (NOON + timedelta(hours=2)).timestamp() == started.deadline
        assert ("m", "1") == (started.media, started.cli)

    @pytest.mark.parametrize("expiry", [None, NOON])
    def test_starting_what_has_a_moment(self, expiry: datetime | None) -> None:
        """
        A message without a duration starts as it is.
        """
        message = VoiceMessage(media="m", expiry=expiry)

        assert message == message.starting(NOON - timedelta(days=1))

    def test_deadline(self) -> None:
        """
        The deadline is the expiry in seconds since 1970; without one there is none.
        """
        assert 1.5 == VoiceMessage(media="m", expiry="1970-01-01T00:00:01.5Z").deadline
        assert None is MESSAGE.deadline


class TestDestination:
    """
    What stands for one entry of a request.
    """

    def test_values(self) -> None:
        """
        A single value and several are the same kind of thing.
        """
        assert (number(1),) == Destination(number(1)).values
        assert (number(1), number(2)) == Destination([number(1), number(2)]).values
        assert ("Ann", "Bo") == Destination(customer_id=["Ann", "Bo"]).values
        assert ("Ann",) == Destination(customer_id="Ann").values
        assert [number(1)] == Recipients.of(number(1)).values

    @pytest.mark.parametrize(
        ("msisdn", "customer_id"), [((), ()), ("", ()), (number(1), "Ann")]
    )
    def test_one_kind(
        self, msisdn: str | Sequence[str], customer_id: str | Sequence[str]
    ) -> None:
        """
        A destination holds msisdns or customer ids: not both, and not nobody.
        """
        with pytest.raises(InputError):
            Destination(msisdn, customer_id=customer_id)

    def test_empty_value(self) -> None:
        """
        No value of a destination is empty.
        """
        with pytest.raises(InputError, match="not empty"):
            Destination([number(1), ""])
        with pytest.raises(InputError, match="not empty"):
            Destination(customer_id=[""])

    def test_most_values(self) -> None:
        """
        A destination holds as many values as a request may, and no more.
        """
        values = [number(place) for place in range(MOST_PER_REQUEST + 1)]

        assert MOST_PER_REQUEST == len(Destination(values[:-1]).values)
        with pytest.raises(InputError, match="at most 1000 values, this one 1001"):
            Destination(values)

    def test_lone_surrogate(self) -> None:
        """
        A value that UTF-8 can't hold is refused.
        """
        with pytest.raises(InputError, match="UTF-8"):
            Destination(customer_id=["Ann", LONE_SURROGATE])

    @pytest.mark.parametrize("value", ["", "é" * 26, LONE_SURROGATE])
    def test_correlation_id(self, value: str) -> None:
        """
        A destination's own correlation id has the limits of any.
        """
        with pytest.raises(InputError, match="correlation id"):
            Destination(number(1), correlation_id=value)


class TestHiding:
    """
    That no whole number is shown where a log might keep it.
    """

    def test_as_designed(self) -> None:
        """
        A masked number keeps its country and its last four digits.
        """
        assert "+91******5678" == mask("+919812345678")

    @pytest.mark.parametrize(
        ("value", "masked"),
        [
            ("", "*"),
            ("7", "*"),
            ("Bo", "*o"),
            ("Ann", "*nn"),
            ("123456789", "*" * 7 + "89"),
        ],
    )
    def test_short_values(self, value: str, masked: str) -> None:
        """
        Of a short value no more than the last two characters are left.
        """
        assert masked == mask(value)

    @given(st.text())
    def test_mask_keeps_little(self, value: str) -> None:
        """
        A masked value is as long as it was, and shows its end and little else.
        """
        masked = mask(value)

        assert max(1, len(value)) == len(masked)
        assert len(value) < 2 or masked.count("*") >= min(3, len(value) - 2)
        shown = 7 if len(value) >= 10 else 2
        assert len(value) - masked[: len(value)].count("*") <= shown

    @given(st.text(), e164, st.text())
    def test_mask_numbers(self, before: str, value: str, after: str) -> None:
        """
        No run of seven digits survives, wherever in a text it stands.
        """
        masked = mask_numbers(before + value + after)

        assert value not in masked
        assert value.lstrip("+") not in masked
        assert not re.search(r"\d{7}", masked)

    @given(st.from_regex(r"[^0-9+]*([0-9]{1,6}[^0-9+]+)*", fullmatch=True))
    def test_mask_numbers_leaves_the_rest(self, text: str) -> None:
        """
        Codes, times and words stay as they are.
        """
        if not re.search(r"(?:\d[ ()\u00a0-]{0,2}){7}", text):
            assert text == mask_numbers(text)

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("call +91 98765 43210 now", "call +91********3210 now"),
            ("+1 (800) 555-0101", "+1 **********0101"),
            ("800-555-0101", "800*****0101"),
            ("until 2026-11-24 18:20:35", "until 2026-11-24 18:20:35"),
            ("7006 at 127.0.0.1:8080", "7006 at 127.0.0.1:8080"),
        ],
    )
    def test_mask_numbers_as_people_write_them(self, text: str, masked: str) -> None:
        """
        Spaces, hyphens and brackets hide no number, and dates stay as they are.
        """
        assert masked == mask_numbers(text)

    def test_repr_of_a_message(self) -> None:
        """
        The caller line and the owner's data are hidden.
        """
        found = repr(VoiceMessage(media="m", cli="18005550100", callback_data="Ann"))

        assert "8005550100" not in found
        assert "Ann" not in found
        assert "media='m'" in found

    @pytest.mark.parametrize(
        ("text", "seen"),
        [
            ("accepted 1\naccepted 20,000", "accepted 1 accepted 20,000"),
            ("\x1b[2J\u202eabc\u2028", " [2J abc "),
            ("é" * 400, "é" * 250),
        ],
    )
    def test_texts_are_shown_on_one_line(self, text: str, seen: str) -> None:
        """
        A text from outside can forge no line of ours, nor fill the memory.
        """
        assert seen == shown(text, 500)

    @given(e164)
    def test_repr(self, value: str) -> None:
        """
        Nothing that stands for a recipient shows the whole number in its ``repr``.
        """
        verdict = Verdict(Outcome.REJECTED, "7004", f"{value} is no {value}.")
        batch = batch_of(MESSAGE, "k-0", [value, Destination([value, number(1)])])
        result = BatchResult(batch, verdict, {1: verdict}, ["t"])
        summary = Summary()
        summary.add(result)

        shown = repr(
            [
                Destination(value),
                Destination(customer_id=[value, "Ann"]),
                verdict,
                Result(value, Outcome.REJECTED, "7004", value, "t", value),
                batch,
                result,
                list(result),
                summary,
                summary.failures,
                summary.reasons,
            ]
        )

        assert value.lstrip("+") not in shown

    @given(e164)
    def test_repr_of_destination_with_number_as_id(self, value: str) -> None:
        """
        A number that serves as its own correlation id is hidden there as well.
        """
        assert value.lstrip("+") not in repr(Destination(value, correlation_id=value))

    @given(e164)
    def test_repr_of_stop_reason(self, value: str) -> None:
        """
        A number in the words with which the API stops everything is hidden, too.
        """
        stopped = BatchResult(
            batch_of(MESSAGE, "k-0", ["Ann"]),
            Verdict(Outcome.NOT_SENT),
            stop_reason=f"7127 not allowed to call {value}",
        )
        summary = Summary()
        summary.add(stopped)

        assert value.lstrip("+") not in repr(stopped)
        assert value.lstrip("+") not in repr(summary)

    def test_repr_tells_what_matters(self) -> None:
        """
        What is not secret is told.
        """
        verdict = Verdict(Outcome.REJECTED, "7004", "invalid parameters")
        result = Result(number(1), *verdict, "t-1", "k-0-0")
        batch = batch_of(MESSAGE, "k-0", [number(1), number(2)])

        assert (
            "Verdict(rejected, code='7004', description='invalid parameters')"
            == repr(verdict)
        )
        assert "rejected, code='7004'" in repr(result)
        assert "transaction_id='t-1'" in repr(result)
        assert "recipients=Recipients(kind=<Kind.MSISDN: 'msisdn'>, values=<2>" in repr(
            batch
        )


class TestBatch:
    """
    The unit that is sent.
    """

    def test_generated_ids(self) -> None:
        """
        A correlation id that nobody gave is the batch's key and the place.
        """
        batch = batch_of(MESSAGE, "tag-7", [number(1), number(2), number(3)])

        assert ["tag-7-0", "tag-7-1", "tag-7-2"] == batch.correlation_ids

    def test_own_ids(self) -> None:
        """
        A given correlation id stands at its place; the others count on.
        """
        batch = batch_of(
            MESSAGE,
            "tag-7",
            [
                number(1),
                Destination(number(2), correlation_id="own"),
                Destination([number(3), number(4)]),
            ],
        )

        assert ["tag-7-0", "own", "tag-7-2"] == batch.correlation_ids

    def test_ids_of_a_full_batch(self) -> None:
        """
        The ids of a full batch are all there, and all different.
        """
        batch = batch_of(MESSAGE, "t-0", [number(each) for each in range(1000)])

        assert 1000 == len(set(batch.correlation_ids))
        assert "t-0-999" == batch.correlation_ids[-1]

    def test_too_many(self) -> None:
        """
        A batch never holds more than a request may.
        """
        with pytest.raises(InputError, match="at most 1000 destinations"):
            batch_of(MESSAGE, "t-0", [number(each) for each in range(1001)])

    def test_one_value_each(self) -> None:
        """
        A batch of bare msisdns weighs one per place, and needs no column for that.
        """
        batch = batch_of(MESSAGE, "k", [number(1), number(2)])

        assert batch.recipients.widths is None
        assert [1, 1] == [batch.weigh([place]) for place in range(2)]
        assert (2, 2) == (batch.size, len(batch))

    def test_several_values(self) -> None:
        """
        A batch weighs what its destinations hold in values.
        """
        batch = batch_of(
            MESSAGE,
            "k",
            [
                number(1),
                Destination([number(2), number(3), number(4)]),
                Destination(number(5)),
            ],
        )

        assert [1, 3, 1] == list(batch.recipients.widths or ())
        assert [1, 3, 1] == [batch.weigh([place]) for place in range(3)]
        assert (5, 3) == (batch.size, len(batch))

    def test_one_kind(self) -> None:
        """
        Numbers and customer ids never share a batch.
        """
        with pytest.raises(InputError, match="can't stand in one block"):
            batch_of(MESSAGE, "k", [number(1), Destination(customer_id="Ann")])

    def test_weigh(self) -> None:
        """
        Some places weigh what stands at them.
        """
        bare = batch_of(MESSAGE, "k", [number(1), number(2), number(3)])
        mixed = batch_of(MESSAGE, "k", [number(1), Destination([number(2), number(3)])])

        assert [0, 2, 3] == [bare.weigh(places) for places in ([], [0, 2], range(3))]
        assert [0, 2, 3] == [mixed.weigh(places) for places in ([], [1], range(2))]


class TestBatchResult:
    """
    What became of a batch.
    """

    def test_untried(self) -> None:
        """
        Before its first attempt, everyone in a batch is pending.
        """
        result = BatchResult.untried(batch_of(MESSAGE, "k", [number(1), number(2)]))

        assert {Outcome.PENDING: 2} == result.counts()
        assert [0, 1] == result.places(Outcome.PENDING)
        assert [] == result.places(Outcome.ACCEPTED)
        assert (0, None) == (result.attempts, result.stop_reason)

    def test_of_places(self) -> None:
        """
        The most frequent verdict is the rule, the others are exceptions to it.
        """
        accepted = Verdict(Outcome.ACCEPTED, "1001", "Queued")
        rejected = Verdict(Outcome.REJECTED, "7004", "invalid parameters")
        batch = batch_of(MESSAGE, "k", [number(each) for each in range(3)])

        result = BatchResult.of_places(
            batch,
            [accepted, rejected, accepted],
            ["a", "", "c"],
            attempts=2,
            stop_reason="7007",
        )

        assert accepted == result.verdict
        assert {1: rejected} == result.exceptions
        assert [accepted, rejected, accepted] == [result.at(each) for each in range(3)]
        assert ["a", None, "c"] == [result.transaction_id(each) for each in range(3)]
        assert (2, "7007") == (result.attempts, result.stop_reason)

    def test_iteration(self) -> None:
        """
        Each value has a row, in order; values of one destination share its fate.
        """
        batch = batch_of(
            MESSAGE,
            "k",
            [
                Destination([number(1), number(2)], correlation_id="pair"),
                number(3),
                number(4),
            ],
        )
        accepted = Verdict(Outcome.ACCEPTED, "1001", "Queued")
        rejected = Verdict(Outcome.REJECTED, "7004", "no")
        result = BatchResult.of_places(
            batch, [accepted, rejected, accepted], ["t0", "", "t2"]
        )

        assert [
            (number(1), *accepted, "t0", "pair"),
            (number(2), *accepted, "t0", "pair"),
            (number(3), *rejected, None, "k-0-1"),
            (number(4), *accepted, "t2", "k-0-2"),
        ] == list(result)
        assert 4 == len(result)
        assert {accepted: 3, rejected: 1} == result.reasons()
        assert {Outcome.ACCEPTED: 3, Outcome.REJECTED: 1} == result.counts()

    def test_one_transaction_for_all(self) -> None:
        """
        One transaction id stands for all whom the answer decided on.

        Whoever is to be sent again, or was not, has none.
        """
        outcomes = list(Outcome)
        batch = batch_of(MESSAGE, "k", list(map(number, range(len(outcomes)))))
        result = BatchResult.of_places(batch, list(map(Verdict, outcomes)), ["t"])

        assert {Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN} == {
            row.outcome for row in result if row.transaction_id == "t"
        }
        assert {"t", None} == {row.transaction_id for row in result}

    @pytest.mark.parametrize("ids", [[], [""], ["", ""]])
    def test_no_transaction(self, ids: list[str]) -> None:
        """
        Where the API gave no transaction id, there is none.
        """
        batch = batch_of(MESSAGE, "k", [number(1), number(2)])
        accepted = Verdict(Outcome.ACCEPTED, "1001")

        for result in (
            BatchResult(batch, accepted, transaction_ids=ids),
            BatchResult.of_places(batch, [accepted] * 2, ids),
        ):
            assert [None, None] == [row.transaction_id for row in result]

    @given(results())
    def test_everything_agrees(self, result: BatchResult) -> None:
        """
        Rows, counts, reasons and places tell the same story.
        """
        rows = list(result)

        assert len(result) == len(rows) == result.batch.size
        assert Counter(row.outcome for row in rows) == result.counts()
        assert (
            Counter(Verdict(row.outcome, row.code, row.description) for row in rows)
            == result.reasons()
        )
        assert list(range(len(result.batch))) == sorted(
            place for outcome in Outcome for place in result.places(outcome)
        )
        assert all(
            outcome is result.at(place).outcome
            for outcome in Outcome
            for place in result.places(outcome)
        )
        assert 0 not in result.reasons().values()

    def test_exceptions_everywhere(self) -> None:
        """
        A rule that holds for nobody is no reason.
        """
        rejected = Verdict(Outcome.REJECTED, "7004")
        result = BatchResult(
            batch_of(MESSAGE, "k", [number(1)]), Verdict(Outcome.PENDING), {0: rejected}
        )

        assert [(rejected, 1)] == list(result.reasons().items())
        assert [(Outcome.REJECTED, 1)] == list(result.counts().items())

    @given(results())
    def test_of_places_gives_back_the_places(self, result: BatchResult) -> None:
        """
        Packing verdicts by place loses none of them.
        """
        verdicts = [result.at(place) for place in range(len(result.batch))]

        again = BatchResult.of_places(result.batch, verdicts)

        assert verdicts == [again.at(place) for place in range(len(result.batch))]
        assert len(again.exceptions) <= len(verdicts) - verdicts.count(again.verdict)


class TestSummary:
    """
    What became of many.
    """

    @given(st.lists(results(), max_size=6))
    def test_adds_up(self, added: list[BatchResult]) -> None:
        """
        Every value that was added is in exactly one number.
        """
        summary = Summary()
        for result in added:
            summary.add(result)

        rows = [row for result in added for row in result]
        counted = Counter(row.outcome for row in rows)
        others = [row for row in rows if row.outcome is not Outcome.ACCEPTED]
        assert len(rows) == summary.total
        assert {outcome: counted[outcome] for outcome in FINAL} == {
            outcome: getattr(summary, outcome.value) for outcome in FINAL
        }
        assert others == summary.failures
        assert 0 == summary.failures_left_out
        assert len(others) == sum(summary.reasons.values())

    def test_since(self) -> None:
        """
        Of a batch that goes on, only what is new is counted and listed.
        """
        batch = batch_of(MESSAGE, "k", [Destination([number(1), number(2)]), number(3)])
        earlier = BatchResult(
            batch,
            Verdict(Outcome.PENDING),
            {0: Verdict(Outcome.REJECTED, "7004")},
            attempts=2,
        )
        result = BatchResult(
            batch,
            Verdict(Outcome.REJECTED, "7004"),
            {1: Verdict(Outcome.UNKNOWN)},
            attempts=3,
        )
        summary = Summary()
        summary.add(result, earlier)

        assert (0, 1, 1) == (summary.rejected, summary.unknown, summary.total)
        assert 1 == summary.requests
        assert [number(3)] == [row.recipient for row in summary.failures]

    def test_since_nothing_was_sent(self) -> None:
        """
        Nor is what had expired before the first request of its batch counted again.
        """
        batch = batch_of(MESSAGE, "k", [number(1), number(2)])
        expired = Verdict(Outcome.EXPIRED)
        earlier = BatchResult(batch, Verdict(Outcome.PENDING), {0: expired})
        summary = Summary()
        summary.add(BatchResult(batch, expired), earlier)

        assert [number(2)] == [row.recipient for row in summary.failures]
        assert 1 == summary.expired

    def test_requests_and_stop(self) -> None:
        """
        Requests are counted, and the first reason to stop is kept.
        """
        batch = batch_of(MESSAGE, "k", [number(1)])
        summary = Summary()
        for attempts, reason in [(2, None), (1, "7001 first"), (1, "7007 second")]:
            summary.add(
                BatchResult(
                    batch,
                    Verdict(Outcome.NOT_SENT),
                    attempts=attempts,
                    stop_reason=reason,
                )
            )

        assert (4, "7001 first") == (summary.requests, summary.stopped)

    def test_reasons_are_masked_together(self) -> None:
        """
        Descriptions that differ in the number only are one reason.
        """
        batch = batch_of(MESSAGE, "k", [number(1), number(2)])
        verdicts = [
            Verdict(Outcome.REJECTED, "7004", f"+99955501{place:02}1234 is no number")
            for place in range(2)
        ]
        summary = Summary()

        summary.add(BatchResult.of_places(batch, verdicts))

        assert [2] == list(summary.reasons.values())

    def test_failures_are_bounded(self) -> None:
        """
        Failures beyond the most that are listed are counted only.
        """
        batch = batch_of(MESSAGE, "k", [number(each) for each in range(1000)])
        summary = Summary()
        for _ in range(11):
            summary.add(BatchResult(batch, Verdict(Outcome.UNKNOWN)))

        assert MOST_FAILURES == len(summary.failures)
        assert 11_000 - MOST_FAILURES == summary.failures_left_out
        assert 11_000 == summary.unknown == summary.total
        assert f"failures=<{MOST_FAILURES}>" in repr(summary)

    def test_reasons_are_bounded(self) -> None:
        """
        An API that words each refusal differently does not fill the memory.
        """
        batch = batch_of(MESSAGE, "k", [number(each) for each in range(1000)])
        verdicts = [
            Verdict(Outcome.REJECTED, "7004", f"refused for reason {place}")
            for place in range(1000)
        ]
        summary = Summary()
        summary.add(BatchResult.of_places(batch, verdicts))

        assert MOST_REASONS + 1 == len(summary.reasons)
        assert 1000 == sum(summary.reasons.values())
        assert 1000 - MOST_REASONS == max(summary.reasons.values())

    def test_reasons_are_bounded_whatever_the_codes(self) -> None:
        """
        Nor does an API that makes up a code for each refusal.
        """
        batch = batch_of(MESSAGE, "k", [number(each) for each in range(1000)])
        verdicts = [Verdict(Outcome.REJECTED, f"x{place}") for place in range(1000)]
        summary = Summary()
        summary.add(BatchResult.of_places(batch, verdicts))

        assert len(summary.reasons) <= MOST_REASONS + len(FINAL)
        assert 1000 == sum(summary.reasons.values())


class TestStanding:
    """
    Where a campaign stands.
    """

    STANDING = Standing(
        campaign="june",
        state=State.RUNNING,
        reason=None,
        read=2_000,
        planned=1_500,
        pending=1_000,
        in_flight=300,
        accepted=100,
        rejected=40,
        expired=30,
        not_sent=20,
        unknown=10,
        invalid=300,
        duplicate=100,
        suppressed=100,
    )

    def test_done(self) -> None:
        """
        Done is whoever has an outcome.
        """
        assert 200 == self.STANDING.done

    @pytest.mark.parametrize(
        ("speed", "rate", "seconds", "late"),
        [
            (10.0, 500.0, 30, 700),
            (None, 10.0, 30, 700),
            (10.0, None, 100, 0),
            (10.0, None, 1e6, 0),
            (10.0, None, -5, 1_000),
            (None, None, 30, None),
        ],
    )
    def test_will_expire(
        self, speed: float | None, rate: float | None, seconds: float, late: int | None
    ) -> None:
        """
        What the speed of lately, or else the rate, does not reach will expire.
        """
        standing = attrs.evolve(
            self.STANDING,
            speed=speed,
            rate=rate,
            expiry=NOON + timedelta(seconds=seconds),
        )

        assert late == standing.will_expire(NOON)

    def test_no_expiry(self) -> None:
        """
        Without an expiry, nobody can be told to expire.
        """
        standing = attrs.evolve(self.STANDING, speed=10.0)

        assert None is standing.will_expire(NOON)
