"""What became of everyone: summaries and statuses add up."""

from collections import Counter
from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import FINAL, MESSAGE, NOON, number, results
from making import batch_of

from voicepush.model.outcome import (
    MOST_FAILURES,
    MOST_REASONS,
    BatchResult,
    Outcome,
    Summary,
    Verdict,
)
from voicepush.model.recipients import Destination
from voicepush.model.status import CampaignState, CampaignStatus


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

    STATUS = CampaignStatus(
        campaign="june",
        state=CampaignState.RUNNING,
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
        assert 200 == self.STATUS.done

    @pytest.mark.parametrize(
        ("throughput", "rate", "seconds", "late"),
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
        self,
        throughput: float | None,
        rate: float | None,
        seconds: float,
        late: int | None,
    ) -> None:
        """
        What the throughput of lately, or else the rate, does not reach will expire.
        """
        status = attrs.evolve(
            self.STATUS,
            throughput=throughput,
            rate=rate,
            expiry=NOON + timedelta(seconds=seconds),
        )

        assert late == status.will_expire(NOON)

    def test_no_expiry(self) -> None:
        """
        Without an expiry, nobody can be told to expire.
        """
        status = attrs.evolve(self.STATUS, throughput=10.0)

        assert None is status.will_expire(NOON)
