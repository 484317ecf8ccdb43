"""
Until when people have agreed to be called: asked when planning, and kept.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path

import attrs
import pytest
from bundles import files_in, rows_of
from conftest import Serve, numbers
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import (
    ANSWERS,
    MESSAGE,
    TAG,
    Store,
    Ticking,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
)
from making import batch_of
from mishaps import say, sending, stand

from voicepush import Campaign, InputError, Ledger, VoiceMessage, read_file
from voicepush.model.consent import end_of
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.recipients import Destination, Kind, Recipient, Recipients
from voicepush.screening.refusals import Reason, RefusalKind
from voicepush.screening.screening import Screened, Screening
from voicepush.screening.suppression import Suppressed
from voicepush.sources.blocks import Block

pytestmark = pytest.mark.usefixtures("in_a_folder")

#: By the clock of `Ticking` it is in May 2033.
GONE, TO_COME = "2033-01-01", "2034-01-01"


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that is moved.
    """
    ticking = Ticking()
    ticking.patch(monkeypatch.setattr)
    return ticking


def at(text: str) -> float:
    """
    A moment in seconds since 1970.
    """
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2031-01-31", "2031-02-01T00:00:00+00:00"),
        ("2031-12-31", "2032-01-01T00:00:00+00:00"),
        ("  2031-01-31\t", "2031-02-01T00:00:00+00:00"),
        # As spreadsheets and databases write a day.
        ("2031-01-31 00:00:00", "2031-02-01T00:00:00+00:00"),
        ("2031-01-31T00:00", "2031-02-01T00:00:00+00:00"),
        ("2031-01-31T00:00:00Z", "2031-01-31T00:00:00+00:00"),
        ("2031-01-31T12:30Z", "2031-01-31T12:30:00+00:00"),
        ("2031-01-31t12:30:15.5z", "2031-01-31T12:30:15.500000+00:00"),
        ("2031-01-31 12:30:15+05:30", "2031-01-31T12:30:15+05:30"),
        ("2031-01-31T12:30:15-0500", "2031-01-31T12:30:15-05:00"),
    ],
)
def test_what_is_understood(text: str, end: str) -> None:
    """
    A day counts to its end in UTC; a time has an offset.
    """
    assert at(end) == end_of(text)


def test_the_last_day_of_the_calendar() -> None:
    """
    Databases write it for what has no end.
    """
    assert at("9999-12-31T00:00:00+00:00") + 86_400 == end_of("9999-12-31")


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "no", "true", "1", "0", "-", "n/a", "2031", "2031-01", "01/02/2031"),
        *("31.01.2031", "1.2.2031", "2031-1-31", "20310131", "2031-W05-5", "2031-031"),
        *("2031-02-30", "2031-13-01", "0000-01-01", "2031-01-31T12:30"),
        *("2031-01-31 12:30:15", "2031-01-31T25:00Z", "2031-01-31T12:30:15.1234567Z"),
        *(
            "1956528000",
            "2031-01-31Z",
            "2031-01-31 until further notice",
            "\N{ARABIC-INDIC DIGIT TWO}031-01-31",
        ),
    ],
)
def test_what_is_not_understood(text: str) -> None:
    """
    Whatever may be read in two ways, or has no offset, or says no date, is refused.
    """
    assert end_of(text) is None


@given(
    moment=st.datetimes(
        datetime(1971, 1, 1),  # noqa: DTZ001 -- the zone is drawn, too
        datetime(9998, 1, 1),  # noqa: DTZ001
        timezones=st.builds(
            timezone, st.integers(-23 * 60, 23 * 60).map(lambda m: timedelta(minutes=m))
        ),
    ),
    separator=st.sampled_from("T "),
)
def test_any_moment(moment: datetime, separator: str) -> None:
    """
    Whatever moment Python writes with its offset is understood as that.
    """
    assert moment.timestamp() == end_of(moment.isoformat(separator))


@given(day=st.dates(date(1971, 1, 1), date(9998, 1, 1)))
def test_any_day(day: date) -> None:
    """
    A day ends when the next one begins in UTC.
    """
    next_day = datetime.combine(day + timedelta(days=1), time(), UTC)

    assert next_day.timestamp() == end_of(day.isoformat())


@given(text=st.text() | st.text("0123456789-:+TZ. ", max_size=30))
def test_any_text(text: str) -> None:
    """
    Whatever it is, it ends at some moment, or says none.
    """
    assert end_of(text) is None or isinstance(end_of(text), float)


def screened(
    screening: Screening, *rows: tuple[str | Destination, str], **more: Sequence[str]
) -> Screened:
    """
    What *screening* makes of *rows*, each with its consent.
    """
    recipients = Recipients.of(*(each for each, _ in rows))
    kept = {"until": [consent for _, consent in rows], **more}
    return screening.screen(Block(attrs.evolve(recipients, kept=kept)))


@pytest.mark.usefixtures("ticking")
def test_who_is_refused() -> None:
    """
    A blank or past consent is counted as suppressed, one that says no date as invalid;
    the others are kept with the people, under one name.
    """
    screening = Screening(international=True, consent=True)
    a, b, c, d, e = numbers(5)

    found = screened(
        screening, (a, TO_COME), (b, ""), (c, GONE), (d, "yes"), (e, f" {TO_COME} ")
    )

    assert [a, e] == found.recipients.values
    assert {"consent": [TO_COME, f" {TO_COME} "]} == found.recipients.kept
    assert [
        (b, Reason.NO_CONSENT, RefusalKind.SUPPRESSED),
        (c, Reason.CONSENT_ENDS, RefusalKind.SUPPRESSED),
        (d, Reason.NOT_A_CONSENT, RefusalKind.INVALID),
    ] == [(each.recipient, each.reason, each.kind) for each in found.refusals]
    assert (5, 1, 0, 2) == (
        *(screening.read, screening.invalid, screening.duplicate),
        screening.suppressed,
    )


def test_until_when_it_must_hold(ticking: Ticking) -> None:
    """
    Where the campaign expires, it must hold until then; otherwise now, to the instant.
    """
    now = ticking.microseconds // 1_000_000
    rows = [
        (number, datetime.fromtimestamp(now + seconds, UTC).isoformat())
        for number, seconds in zip(numbers(4), (-1, 50, 100, 150), strict=True)
    ]

    left = []
    for until in (None, now + 100.0, now - 100.0):
        screening = Screening(international=True, consent=True)
        needed = screening.hold_until(until)
        left.append(len(screened(screening, *rows).recipients))

    assert needed
    assert [3, 2, 3] == left
    assert not Screening().hold_until(None)


@pytest.mark.usefixtures("ticking")
def test_what_goes_before_what() -> None:
    """
    The list of those not to call goes before; a row that was refused for its consent
    does not make a later one a duplicate.
    """
    a, b = numbers(2)
    screening = Screening(
        international=True,
        consent=True,
        suppressed=Suppressed({a}),
    )

    found = screened(screening, (a, ""), (b, GONE), (b, TO_COME), (b, TO_COME))

    assert [b] == found.recipients.values
    assert [Reason.SUPPRESSED, Reason.CONSENT_ENDS, Reason.DUPLICATE] == [
        each.reason for each in found.refusals
    ]


@pytest.mark.usefixtures("ticking")
def test_destinations_of_several() -> None:
    """
    One consent stands for all who share a row.
    """
    screening = Screening(international=True, consent=True)
    a, b, c, d = numbers(4)

    found = screened(
        screening, (Destination((a, b)), GONE), (Destination((c, d)), TO_COME)
    )

    assert [c, d] == found.recipients.values
    assert [a, b] == [each.recipient for each in found.refusals]


@pytest.mark.usefixtures("ticking")
def test_customer_ids() -> None:
    """
    Who is called by customer id agrees in the same way.
    """
    screening = Screening(consent=True)
    recipients = Recipients(
        Kind.CUSTOMER_ID, ["a", "b"], kept={"consent": ["", TO_COME]}
    )

    found = screening.screen(Block(recipients))

    assert ["b"] == found.recipients.values


@pytest.mark.usefixtures("ticking")
def test_correlation_ids_that_are_repeated() -> None:
    """
    Where nobody is left of a part of a block, the other parts keep their consents.
    """
    screening = Screening(international=True, consent=True)
    people = [Destination((each,), correlation_id="x") for each in numbers(3)]

    found = screened(screening, *((each, TO_COME) for each in people))

    assert {"consent": [TO_COME]} == found.recipients.kept
    assert [Reason.REPEATED_ID] * 2 == [each.reason for each in found.refusals]


@given(data=st.data())
def test_what_is_kept_stays_with_its_owner(data: st.DataObject) -> None:
    """
    Whatever is refused for whatever reason, everyone who is left has their own consent
    and it holds; the sums hold, too.
    """
    one = st.tuples(
        st.sampled_from([*numbers(6), "no number", ""]),
        st.sampled_from(["2999-01-01", "2999-01-02", "", "yes", "2001-01-01"]),
        st.sampled_from(["", "", "a", "b"]),
    )
    screening = Screening(international=True, consent=True)
    owners: dict[int, str] = {}
    refused = left = 0
    for rows in data.draw(st.lists(st.lists(one, min_size=1, max_size=8), max_size=4)):
        recipients = Recipients(
            Kind.MSISDN,
            [each for each, _, _ in rows],
            range(len(owners) + 1, len(owners) + len(rows) + 1),
            [own_id for _, _, own_id in rows],
            kept={
                "until": [consent for _, consent, _ in rows],
                "name": ["n"] * len(rows),
            },
        )
        owners |= dict(enumerate((consent for _, consent, _ in rows), len(owners) + 1))
        found = screening.screen(Block(recipients))
        refused += len(found.refusals)
        left += found.recipients.size
        taken = found.recipients
        assert ["consent", "name"] == list(taken.kept)
        assert [owners[row] for row in taken.rows or ()] == taken.kept["consent"]
        assert all(each.startswith("2999") for each in taken.kept["consent"])
    assert screening.read == len(owners) == left + refused
    assert refused == screening.invalid + screening.duplicate + screening.suppressed


def test_lists_without_consents() -> None:
    """
    Where nothing is kept, and where two columns would have its name, that is said.
    """
    a = numbers(1)[0]
    screening = Screening(international=True, consent=True)

    with pytest.raises(InputError, match="no column that says until when"):
        screening.screen(Block(Recipients.of(a)))
    with pytest.raises(InputError, match="--keep consent: what --consent-column"):
        screened(screening, (a, TO_COME), consent=["x"])
    assert 0 == len(screening.screen(Block(Recipients(Kind.MSISDN, ()))).recipients)


def _two_named() -> None:
    Path("june.csv").write_text(
        "msisdn,name,until\n+999000000001,ann,2999-01-01\n+999000000002,ben,\n"
    )


async def test_a_campaign_in_code(ledger: Ledger, message: VoiceMessage) -> None:
    """
    The first column that is kept is the one that is asked.
    """
    _two_named()
    campaign = await Campaign.plan(
        *(ledger, "june", message),
        read_file("june.csv", keep=["until", "name"]),
        screening=Screening(international=True, consent=True),
    )

    status = await campaign.status()
    (batch,) = [each async for each in campaign.batches()]
    (found,) = await ledger.lookup("+999000000001")
    assert (2, 1, 1) == (status.read, status.planned, status.suppressed)
    assert {"consent": ["2999-01-01"], "name": ["ann"]} == batch.batch.recipients.kept
    assert {"consent": "2999-01-01", "name": "ann"} == found.kept


async def test_it_is_asked_again_at_each_claim(store: Store, ticking: Ticking) -> None:
    """
    Whose consent has ended since the campaign was planned is left out when it is their
    turn, and counted as suppressed; a consent that lasts to this instant holds.
    """
    now = ticking.microseconds / 1_000_000
    ends_at = [
        datetime.fromtimestamp(now + seconds, UTC).isoformat()
        for seconds in (60, 120, 3600)
    ]
    people: list[Recipient] = ["+9991", Destination(("+9992", "+9993")), "+9994"]
    batch = batch_of(MESSAGE, f"{TAG}-0", people)
    kept = {"consent": ends_at, "name": ["a", "b", "c"]}
    plan = attrs.evolve(planned_as(), given={"consent-column": "until"})
    with_consent = attrs.evolve(
        batch, recipients=attrs.evolve(batch.recipients, kept=kept)
    )
    await publish(store.ledger, plan, with_consent)
    worker = await store.ledger.join("june", load)
    ticking.move(90)

    claimed = is_claimed(await worker.claim(batch, [0, 1, 2]))
    results = [claimed.left_out.get(place, ANSWERS[0]) for place in range(3)]
    await worker.record(claimed, BatchResult.of_places(batch, results, attempts=1))

    status = await status_of(store.ledger)
    assert [1, 2] == sorted(claimed.places)
    assert {0: (Outcome.SUPPRESSED, None, "the consent has ended")} == claimed.left_out
    assert (3, 3, 1) == (status.planned, status.accepted, status.suppressed)


async def test_nobody_agrees_any_more(store: Store, ticking: Ticking) -> None:
    """
    Where all consents have ended nobody is claimed.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"])
    kept = {"consent": ["2033-05-20", "2033-05-21"]}
    plan = attrs.evolve(planned_as(), given={"consent-column": "until"})
    with_consent = attrs.evolve(
        batch, recipients=attrs.evolve(batch.recipients, kept=kept)
    )
    await publish(store.ledger, plan, with_consent)
    worker = await store.ledger.join("june", load)
    ticking.move(7 * 86_400)

    claimed = is_claimed(await worker.claim(batch, [0, 1]))

    assert ([], {0, 1}) == (list(claimed.places), set(claimed.left_out))


async def test_a_plan_without_what_was_kept(store: Store) -> None:
    """
    Where consent is needed and none is kept, nobody is called.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"])
    plan = attrs.evolve(planned_as(), given={"consent-column": "until"})
    await publish(store.ledger, plan, batch)
    worker = await store.ledger.join("june", load)

    claimed = is_claimed(await worker.claim(batch, [0, 1]))

    assert ([], {0, 1}) == (list(claimed.places), set(claimed.left_out))


async def test_what_is_kept_is_looked_up(store: Store) -> None:
    """
    Every ledger tells what is kept of someone.
    """
    batch = batch_of(VoiceMessage(media="x"), "ab-0", ["+9991", "+9992"])
    kept = attrs.evolve(batch.recipients, kept={"consent": ["a", "b"]})
    await publish(
        store.ledger, planned_as(tag="ab"), attrs.evolve(batch, recipients=kept)
    )

    (found,) = await store.ledger.lookup("+9992")

    assert {"consent": "b"} == found.kept


def _list(name: str = "june.csv") -> list[str]:
    """
    Four in june.csv: one agrees for long, one for an hour, one not, one says yes.
    """
    listed = numbers(4)
    soon = datetime.now(UTC) + timedelta(hours=1)
    consents = ["2999-12-30", soon.isoformat(), "", "yes"]
    rows = [",".join(each) for each in zip(listed, consents, strict=True)]
    Path(name).write_text("\n".join(["msisdn,Agreed until", *rows]) + "\n")
    return listed


def test_from_the_command_line(serve: Serve) -> None:
    """
    Who does not agree long enough is not called; the rejects say why, and the consents
    of the others stand in export, lookup and evidence.
    """
    listed = _list()
    simulator = serve()

    said = say(
        *sending(simulator, "--consent-column", "agreed_until", "--expiry", "2h"),
        *("--rejects", "rejected.csv"),
    )

    with Path("rejected.csv").open() as file:
        rejected = [
            (row["row"], row["kind"], row["reason"]) for row in csv.DictReader(file)
        ]
    exported = csv.DictReader(
        io.StringIO(say("export", "june", "--with", "consent").out)
    )
    text = say("lookup", listed[0]).out
    as_json = json.loads(say("lookup", listed[0], "--json").out)
    say("evidence", "june", "--output", "june.zip")
    files = files_in(Path("june.zip"))
    assert 0 == said.code
    assert [listed[0]] == list(simulator.calls)
    assert [
        ("3", "suppressed", str(Reason.CONSENT_ENDS)),
        ("4", "suppressed", str(Reason.NO_CONSENT)),
        ("5", "invalid", str(Reason.NOT_A_CONSENT)),
    ] == rejected
    assert {"read": 4, "planned": 1, "invalid": 1, "suppressed": 2} == {
        name: stand()[name] for name in ("read", "planned", "invalid", "suppressed")
    }
    assert ["2999-12-30"] == [row["consent"] for row in exported]
    assert "  kept consent: 2999-12-30\n" in text
    assert {"consent": "2999-12-30"} == as_json[0]["kept"]
    assert ["2999-12-30"] == [row["consent"] for row in rows_of(files)]
    assert "consent: until when this person has agreed" in files["README.txt"].decode()
    assert b'"consent-column": "agreed_until"' in files["manifest.json"]


def test_a_rehearsal_asks_as_well(serve: Serve) -> None:
    """
    A dry run tells the same counts.
    """
    _list()
    command = [*sending(serve(), "--consent-column", "Agreed until"), "--json"]

    found = json.loads(say(*command, "--expiry", "2h", "--dry-run").out)
    without_expiry = json.loads(say(*command, "--dry-run").out)

    assert (1, 2) == (found["planned"], found["suppressed"])
    assert (2, 1) == (without_expiry["planned"], without_expiry["suppressed"])


def test_the_same_again(serve: Serve) -> None:
    """
    Another column under the same name is refused, naming both; left out, it goes on.
    """
    _list()
    simulator = serve()
    say(*sending(simulator, "--consent-column", "Agreed until"))

    other = say(*sending(simulator, "--consent-column", "msisdn"))
    again = say(*sending(simulator))

    assert 2 == other.code
    assert "with --consent-column Agreed until, not with --consent-column msisdn" in (
        other.complaint
    )
    assert 0 == again.code


def test_a_second_round(serve: Serve) -> None:
    """
    Who is called again must agree for that round, too; nobody has to say so again.
    """
    listed = _list()
    simulator = serve("mix:7102=100%")
    say(*sending(simulator, "--consent-column", "Agreed until"))
    for number in listed[:2]:
        _not_reached(number)

    second = say(
        *("send", "--from-campaign", "june", "--media", "x", "--expiry", "2h"),
        *("--base-url", simulator.url),
    )
    third = say(
        *("send", "--from-campaign", "june", "--media", "x", "--expiry", "2h"),
        *("--base-url", simulator.url, "--consent-column", "consent"),
    )

    found = stand("june-2")
    assert (2, 1, 1) == (found["read"], found["planned"], found["suppressed"])
    assert second.code in (0, 1)
    assert "--consent-column says how to read a file" in third.complaint
    assert "consent" in say("export", "june-2", "--with", "consent").out


def _not_reached(number: str) -> None:
    import asyncio  # noqa: PLC0415 -- here alone

    from test_calls_shown import report  # noqa: PLC0415

    asyncio.run(report([(number, "7401", 5.0)]))


def test_json_lines(serve: Serve) -> None:
    """
    A field of JSON objects does as well; where it is missing, nobody agrees.
    """
    listed = numbers(2)
    lines = [{"msisdn": listed[0], "until": "2999-01-01"}, {"msisdn": listed[1]}]
    Path("june.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    simulator = serve()

    say(
        *("send", "june.jsonl", "--media", "x", "--base-url", simulator.url),
        *("--consent-column", "until"),
    )

    assert [listed[0]] == list(simulator.calls)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--consent-column", "untill"),
            "there is no column 'untill'; the columns are",
        ),
        (("--consent-column", "untill"), "Agreed until; choose one with --consent-col"),
        (("--consent-column", "7"), "there is no column '7'"),
        (
            ("--consent-column", "Agreed until", "--keep", "agreed until"),
            "--keep agreed until: --consent-column keeps it already, as consent",
        ),
        (
            ("--consent-column", "Agreed until", "--keep", "Consent"),
            "--keep Consent: what --consent-column names is kept under that name",
        ),
        (("--keep", "x"), "choose one with --keep"),
    ],
)
def test_wrong_use(serve: Serve, options: tuple[str, ...], words: str) -> None:
    """
    What can't be is said in one line, with the option's name.
    """
    _list()

    said = say(*sending(serve(), *options))

    assert 2 == said.code
    assert words in said.complaint


def test_fields_that_are_not_there(serve: Serve) -> None:
    """
    So it is for JSON lines.
    """
    Path("june.jsonl").write_text('{"msisdn": "+999000000001"}\n')

    said = say(
        *("send", "june.jsonl", "--media", "x", "--base-url", serve().url),
        *("--consent-column", "until"),
    )

    assert "there is no field 'until'" in said.complaint
    assert "--consent-column" in said.complaint


def test_nobody_agrees(serve: Serve) -> None:
    """
    A list in which nobody agrees plans nothing, and says why.
    """
    Path("june.csv").write_text("msisdn,until\n+999000000001,\n")

    said = say(*sending(serve(), "--consent-column", "until"))

    assert 2 == said.code
    assert "1 times: no consent: it is blank (--consent-column)" in said.complaint
