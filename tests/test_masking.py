"""What is hidden in texts that people read, and what is not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import MESSAGE, number
from making import batch_of

from voicepush.masking import mask, mask_numbers, shown
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Result, Summary, Verdict
from voicepush.model.recipients import Destination

e164 = st.from_regex(r"\+999[0-9]{4,12}", fullmatch=True)


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

    @pytest.mark.slow
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
