"""What is sent: messages, their expiry, and destinations; what they refuse."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import MESSAGE, NOON, number

from voicepush.errors import InputError
from voicepush.model.fields import check_correlation_id
from voicepush.model.message import Priority, VoiceMessage, parse_time
from voicepush.model.recipients import MOST_PER_REQUEST, Destination, Recipients

LONE_SURROGATE = "welcome \ud800"


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
