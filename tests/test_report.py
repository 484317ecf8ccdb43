"""Numbers as people and programs read them."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush.model.outcome import Outcome, Result, Summary, Verdict
from voicepush.model.status import CampaignState, CampaignStatus, Lookup
from voicepush.report.json import as_object, dump, lookup_as_object
from voicepush.report.text import (
    as_line,
    as_text,
    duration,
    forecast,
    lookup_as_text,
    outcomes_of,
    reasons_of,
)


def as_json(status: CampaignStatus | list[CampaignStatus]) -> str:
    """
    Where one campaign stands, or several do, as the command line prints it.
    """
    if isinstance(status, list):
        return dump([as_object(each) for each in status])
    return dump(as_object(status))


#: What the documents promise of ``status --json``.
PROMISED = {
    "campaign",
    "state",
    "read",
    "planned",
    "pending",
    "in_flight",
    "accepted",
    "rejected",
    "expired",
    "not_sent",
    "unknown",
    "invalid",
    "duplicate",
    "suppressed",
}

#: Each number differs, so that none can stand in for another.
STATUS = CampaignStatus(
    campaign="june",
    state=CampaignState.PAUSED,
    reason="7007 service inactive",
    read=11_170_038,
    planned=11_161_136,
    pending=1_000_001,
    in_flight=102,
    accepted=10_000_003,
    rejected=10_004,
    expired=1_005,
    not_sent=100_006,
    unknown=50_015,
    invalid=8_007,
    duplicate=808,
    suppressed=87,
)

NOBODY = CampaignStatus(
    campaign="empty",
    state=CampaignState.PLANNED,
    reason=None,
    read=0,
    planned=0,
    pending=0,
    in_flight=0,
    accepted=0,
    rejected=0,
    expired=0,
    not_sent=0,
    unknown=0,
    invalid=0,
    duplicate=0,
    suppressed=0,
)


class TestJson:
    """
    What a program reads.
    """

    def test_keys(self) -> None:
        """
        Everything that is promised is there, under its name and with its value.
        """
        told = msgspec.json.decode(as_json(STATUS))

        assert PROMISED <= told.keys()
        assert {name: getattr(STATUS, name) for name in PROMISED} == {
            name: told[name] for name in PROMISED
        }
        assert STATUS.reason == told["reason"]
        assert "paused" == told["state"]

    def test_numbers_add_up(self) -> None:
        """
        The two sums of the promise hold in what is told.
        """
        told = Counter(msgspec.json.decode(as_json(STATUS)))

        assert told["planned"] == sum(
            told[name]
            for name in PROMISED
            & {"pending", "in_flight", *(outcome.value for outcome in Outcome)}
            - {"suppressed"}
        )

    def test_several(self) -> None:
        """
        Several campaigns are a list, and so are none and one in a list.
        """
        assert ["june", "empty"] == [
            each["campaign"] for each in msgspec.json.decode(as_json([STATUS, NOBODY]))
        ]
        assert [] == msgspec.json.decode(as_json([]))
        assert isinstance(msgspec.json.decode(as_json([STATUS])), list)

    def test_one_line(self) -> None:
        """
        JSON is one line, whatever is in it.
        """
        assert 1 == len(dump({"text": "two\nlines"}).splitlines())


class TestText:
    """
    What a person reads.
    """

    def test_every_number(self) -> None:
        """
        Every number is in exactly one line, beside its name.
        """
        lines = as_text(STATUS).splitlines()

        for name in PROMISED - {"campaign", "state"}:
            label = name.replace("_", " ")
            number = f"{getattr(STATUS, name):,}"
            assert 1 == sum(
                bool(re.fullmatch(rf" *{label} +{number}", line)) for line in lines
            )
        assert "campaign june: paused" == lines[0]
        assert "because 7007 service inactive" in as_text(STATUS)
        assert "are not sent again" in lines[-1]

    def test_nothing_to_tell(self) -> None:
        """
        Zeros are left out where nobody would look for them.
        """
        lines = as_text(NOBODY).splitlines()

        assert ["read", "planned", "pending", "accepted"] == [
            line.split()[0] for line in lines[1:]
        ]

    def test_line(self) -> None:
        """
        One line tells how far it has come.
        """
        line = as_line(STATUS)

        assert 1 == len(line.splitlines())
        assert line.startswith("june: paused, ")
        assert f"{STATUS.done:,} of {STATUS.planned:,} done" in line
        for name in ("accepted", "rejected", "expired", "not_sent", "unknown"):
            assert f"{getattr(STATUS, name):,} {name.replace('_', ' ')}" in line
        assert "102 in flight" in line

    def test_outcomes(self) -> None:
        """
        Only what occurred is told.
        """
        one = attrs.evolve(NOBODY, read=5, planned=5, pending=2, accepted=3)

        assert "3 accepted" == outcomes_of(one)
        assert "no one called yet" == outcomes_of(NOBODY)

    def test_unknown_that_are_given_up(self) -> None:
        """
        What the owner has decided on already is not brought up again.
        """
        given_up = attrs.evolve(STATUS, given_up=STATUS.unknown)

        assert "voicepush resolve june" in as_text(STATUS)
        assert "resolve" not in as_text(given_up)

    def test_will_expire(self) -> None:
        """
        If it will not be done in time, it says so, at the throughput of lately.
        """
        soon = datetime.now(UTC) + timedelta(seconds=100.5)
        slow = attrs.evolve(STATUS, rate=500.0, throughput=10.0, expiry=soon)
        said = as_text(slow)
        late = re.search(r"at 10/s, ([\d,]+) of 1,000,001 pending will expire", said)

        assert late is not None
        assert 999_001 == pytest.approx(int(late[1].replace(",", "")), abs=500)
        assert msgspec.json.decode(as_json(slow))["will_expire"] == pytest.approx(
            999_001, abs=500
        )
        assert "will expire" not in as_text(STATUS)
        assert None is msgspec.json.decode(as_json(STATUS))["will_expire"]


class TestOneRecipient:
    """
    What is known of one recipient, for whoever asked for the number.
    """

    FOUND = Lookup(
        campaign="june",
        result=Result("+9995550100", Outcome.REJECTED, "7004", "no", None, "k-7-0"),
        in_flight=False,
        batch="k-7",
        attempts=2,
        claimed=datetime(2030, 4, 12, 12, 0, 5, tzinfo=UTC),
        recorded=None,
    )

    def test_text(self) -> None:
        """
        Was it called, when, by which request, and what came of it.
        """
        said = lookup_as_text(self.FOUND)

        assert said.startswith("+9995550100: rejected in campaign june (7004 no)")
        for fact in (
            "claimed 2030-04-12 12:00:05Z, recorded never",
            "2 requests for its batch k-7",
            "correlation id k-7-0",
            "transaction id none",
        ):
            assert fact in said

    def test_in_flight(self) -> None:
        """
        Who is under way has no outcome, whatever the ledger holds so far.
        """
        pending = self.FOUND.result._replace(
            outcome=Outcome.PENDING, code=None, description=""
        )
        found = attrs.evolve(self.FOUND, in_flight=True, result=pending)

        assert lookup_as_text(found).startswith(
            "+9995550100: in flight in campaign june\n"
        )

    def test_object(self) -> None:
        """
        A program reads the same.
        """
        told = msgspec.json.decode(dump(lookup_as_object(self.FOUND)))

        assert self.FOUND.result._asdict().items() <= told.items()
        assert ("june", False, "k-7", 2, "2030-04-12T12:00:05Z", None) == tuple(
            told[name]
            for name in (
                "campaign",
                "in_flight",
                "batch",
                "attempts",
                "claimed",
                "recorded",
            )
        )


class TestReasons:
    """
    Why recipients were not accepted.
    """

    def test_most_frequent_first(self) -> None:
        """
        Each reason has its number, its outcome, its code and its words.
        """
        summary = Summary(
            reasons=Counter(
                {
                    Verdict(Outcome.EXPIRED): 2,
                    Verdict(Outcome.REJECTED, "7004", "invalid parameters"): 1234,
                    Verdict(Outcome.NOT_SENT, None, "stopped"): 7,
                }
            )
        )

        assert [
            "1,234  rejected: 7004 invalid parameters",
            "7  not sent: stopped",
            "2  expired: no reason given",
        ] == [line.strip() for line in reasons_of(summary, NOBODY)]

    def test_others_are_summed_up(self) -> None:
        """
        However many reasons there are, the numbers in the lines add up.
        """
        counted = Counter(
            {Verdict(Outcome.REJECTED, str(7100 + each)): each for each in range(1, 30)}
        )
        lines = reasons_of(Summary(reasons=counted), NOBODY)

        assert 9 == len(lines)
        assert lines[-1].endswith("for other reasons")
        assert counted.total() == sum(int(line.split()[0]) for line in lines)

    def test_none(self) -> None:
        """
        Where everyone was accepted, there is nothing to say.
        """
        assert [] == reasons_of(Summary(accepted=5), NOBODY)

    def test_those_of_others_are_told_of(self) -> None:
        """
        What a summary does not tell is from before, so lines and sums agree.
        """
        expired = Verdict(Outcome.EXPIRED, None, "the expiry has passed")
        summary = Summary(reasons=Counter({expired: 1_000}))

        assert [
            "1,000  expired: the expiry has passed",
            "10,004  rejected: in an earlier run, or with another process",
            "5  expired: in an earlier run, or with another process",
            "100,006  not sent: in an earlier run, or with another process",
            "50,015  unknown: in an earlier run, or with another process",
        ] == [line.strip() for line in reasons_of(summary, STATUS)]


class TestForecast:
    """
    What will come.
    """

    def test_no_rate(self) -> None:
        """
        Without a rate, it says how to get a forecast.
        """
        assert "set --rate" in forecast(1000, None, 60)

    def test_no_expiry(self) -> None:
        """
        Without an expiry, it says how long it takes.
        """
        assert "at 80/s, 3,000,000 take 10:25:00" == forecast(3_000_000, 80, None)

    def test_too_many(self) -> None:
        """
        Whoever can't be reached in time is announced.
        """
        said = forecast(3_000_000, 80, 3 * 3600)

        assert "2,136,000 of 3,000,000 will expire unsent, 3:00:00 from now" in said

    def test_in_time(self) -> None:
        """
        If all can be reached, it says so.
        """
        said = forecast(1000, 100, 3600)

        assert "1,000 take 10 s" in said
        assert "within the expiry 1:00:00 from now" in said
        assert "unsent" not in said

    def test_barely_in_time(self) -> None:
        """
        What ends with the expiry itself is not called well within it.
        """
        assert "well within" not in forecast(1000, 10, 100)

    @given(st.integers(0, 10**8), st.floats(0.1, 10_000), st.floats(-(10**6), 10**6))
    def test_late(self, planned: int, rate: float, left: float) -> None:
        """
        No more will expire than there are, and nobody expires if there is time.
        """
        said = forecast(planned, rate, left)
        late = re.search(r"([\d,]+) of ([\d,]+) will expire", said)

        if late is None:
            assert planned <= rate * max(0, left) + 1
        else:
            unsent = int(late[1].replace(",", ""))
            assert 0 < unsent <= planned
            assert unsent == pytest.approx(planned - rate * max(0, left), abs=1)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "0:01:00"),
        (3661, "1:01:01"),
        (2 * 86400 + 1, "2 days, 0:00:01"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    """
    Seconds are told as people say them.
    """
    assert said == duration(seconds)
