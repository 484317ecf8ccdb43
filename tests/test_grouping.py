"""
Who may share a request, and who can be in none, because nobody knows where they are.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import Connect, Simulate, numbers
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import PostgresStore, SQLiteStore, Store
from making import entries_in
from nights import Hours, People, Wall, at, check_hours
from phonenumbers.tzdata import TIMEZONE_DATA
from sums import check_sums
from test_second_round import BUSY, report

from voicepush import (
    Campaign,
    Destination,
    FollowUp,
    InputError,
    Ledger,
    Outcome,
    Terms,
    VoiceMessage,
    Windows,
)
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.model.recipients import Kind, Recipients
from voicepush.report.export import Wanted, csv_rows
from voicepush.screening import zones
from voicepush.screening.grouping import Grouping, Zoning
from voicepush.screening.refusals import Reason, Refusal
from voicepush.sources.files import read_file

DAY = Windows.parse("09:00-21:00")
KOLKATA, NEW_YORK, LONDON = "Asia/Kolkata", "America/New_York", "Europe/London"
INDIAN, AMERICAN, TOLL_FREE = "+919812345678", "+12125550101", "+18005550101"
MESSAGE = VoiceMessage(media="welcome")


async def pending_by_zones(ledger: Ledger, name: str) -> dict[tuple[str, ...], int]:
    """
    How many of a campaign are pending, by the time zones in which they may live.
    """
    counts, found = await ledger.group_counts(name), Counter[tuple[str, ...]]()
    for group in await ledger.groups(name):
        if group.number in counts and counts[group.number].pending:
            found[group.zones] += counts[group.number].pending
    return dict(found)


def grouping(windows: Windows = DAY, **zoning: str) -> Grouping:
    """
    Sorts by where people live.
    """
    return Grouping(MESSAGE, Zoning(windows, **zoning))


def block(*values: str, kind: Kind = Kind.MSISDN, **kept: list[str]) -> Recipients:
    """
    Some of a list, from row 7 on.
    """
    rows = range(7, 7 + len(values))
    return Recipients(kind, list(values), rows, None, None, {}, dict(kept))


def test_every_zone_of_the_numbers_has_a_clock() -> None:
    """
    Whatever the data spells in its own way is known to the machine, and no number
    stops the planning of a list.
    """
    known, _ = zones._zones()

    for names in set(known.values()) - {("Etc/Unknown",)}:
        for name in names:
            assert ZoneInfo(name).key == name


@pytest.mark.parametrize(
    ("number", "some", "many"),
    [
        (INDIAN, KOLKATA, 1),
        (AMERICAN, NEW_YORK, 1),
        ("+442071234567", LONDON, 1),
        (TOLL_FREE, "Pacific/Honolulu", 20),
        ("+79161234567", "Europe/Moscow", 1),
        ("+70001234567", "Asia/Kamchatka", 5),
    ],
)
def test_where_numbers_may_be(number: str, some: str, many: int) -> None:
    """
    In one zone or in as many as their country has; all of them at once are no other
    than one after the other.
    """
    found = zones.zones_of(number)

    assert some in found
    assert len(found) >= many
    assert [found, found] == zones.zones_of_all([number, number])


@given(st.data())
def test_digits_that_are_looked_at_are_enough(data: st.DataObject) -> None:
    """
    Numbers at once are no other than one after the other, whatever stands behind what
    the data tells apart.
    """
    prefixes = sorted(TIMEZONE_DATA)
    ends = st.text("0123456789", max_size=10)
    found = [
        f"+{data.draw(st.sampled_from(prefixes))}{data.draw(ends)}" for _ in range(5)
    ]

    assert list(map(zones.zones_of, found)) == zones.zones_of_all(found)


def test_people_with_the_same_zones_are_together() -> None:
    """
    In the order they came, with their rows.
    """
    sorts = grouping()
    first = sorts.group(block(INDIAN, AMERICAN, "+919812345679"))
    second = sorts.group(block("+12125550102"))

    assert [(KOLKATA,), (NEW_YORK,)] == [part.group.zones for part in first.parts]
    assert [[7, 9], [8]] == [list(part.recipients.rows or ()) for part in first.parts]
    assert first.parts[1].group is second.parts[0].group
    assert [1, 2] == [group.number for group in sorts.groups]


def test_who_can_be_in_no_group() -> None:
    """
    Is refused with the reason, by rows; nobody else is.
    """
    noon = Windows.parse("09:00-12:00")
    sorts = grouping(noon, column="zone")
    given_ = ["", "Asia/Delhi", "  ", LONDON, " Europe/London "]
    found = sorts.group(
        block(TOLL_FREE, INDIAN, "+9990000001", "+9990000002", INDIAN, zone=given_)
    )
    ids = grouping().group(block("a-customer", kind=Kind.CUSTOMER_ID))
    here = grouping(zone=LONDON).group(block("a-customer", kind=Kind.CUSTOMER_ID))

    assert [
        Refusal(7, TOLL_FREE, Reason.NEVER_OPEN),
        Refusal(8, INDIAN, Reason.NOT_A_ZONE),
        Refusal(9, "+9990000001", Reason.NO_ZONE),
    ] == list(found.refusals)
    (part,) = found.parts
    assert ((LONDON,), 2) == (part.group.zones, len(part.recipients))
    assert [Reason.NO_ZONE] == [each.reason for each in ids.refusals]
    assert [(LONDON,)] == [each.group.zones for each in here.parts]


def test_one_of_several_values() -> None:
    """
    Is called only when all of them may be; one that is nowhere leaves out the others.
    """
    both = Destination(msisdn=[INDIAN, AMERICAN])
    lost = Destination(msisdn=[INDIAN, "+9990000001"])
    found = grouping().group(Recipients.of(both, lost, Destination(msisdn=INDIAN)))

    assert [(NEW_YORK, KOLKATA), (KOLKATA,)] == [
        part.group.zones for part in found.parts
    ]
    assert [2, 1] == [part.recipients.size for part in found.parts]
    assert [INDIAN, "+9990000001"] == [each.recipient for each in found.refusals]


def test_a_column_that_is_not_there() -> None:
    """
    Is named.
    """
    with pytest.raises(InputError, match="no column 'zone' with time zones"):
        grouping(column="zone").group(block(INDIAN))
    with pytest.raises(InputError, match="no time zone 'Asia/Delhi'"):
        Zoning(DAY, zone="Asia/Delhi")


def test_time_zones_in_small_letters() -> None:
    """
    Are the same zones, so that their people share requests.
    """
    names = ["asia/kolkata", "Asia/Kolkata", " ASIA/KOLKATA"]
    named = block(INDIAN, AMERICAN, TOLL_FREE, zone=names)
    found = grouping(column="zone").group(named)

    assert [(KOLKATA,)] == [part.group.zones for part in found.parts]
    assert KOLKATA == Zoning(DAY, zone="asia/kolkata").zone


_ANYONE = st.sampled_from([INDIAN, AMERICAN, TOLL_FREE, "+9990000001", "+442071234567"])


@given(blocks=st.lists(st.lists(_ANYONE, max_size=6), max_size=5), plain=st.booleans())
def test_nobody_is_lost_or_doubled(blocks: list[list[str]], plain: bool) -> None:
    """
    Everyone is in one group or refused, also of blocks that are sorted together.
    """
    sorts = Grouping(MESSAGE) if plain else grouping()
    parts = [block(*some, zone=["x"] * len(some)) for some in blocks]
    found: Counter[str] = Counter()
    for some in sorts.together(parts):
        grouped = sorts.group(some)
        for part in grouped.parts:
            assert plain or part.group.zones
            found.update(values[0] for _, values, _ in entries_in(part.recipients))
            assert len(part.recipients.kept["zone"]) == len(part.recipients)
        found.update(each.recipient for each in grouped.refusals)

    assert Counter(value for some in blocks for value in some) == found


@given(
    widths=st.lists(st.integers(1, 3), min_size=1, max_size=8),
    keys=st.lists(st.integers(0, 2), min_size=8, max_size=8),
)
def test_those_at_some_places(widths: list[int], keys: list[int]) -> None:
    """
    Keep all of their columns, whatever their widths.
    """
    many = len(widths)
    values = numbers(sum(widths))
    whole = Recipients(
        *(Kind.MSISDN, values, range(5, 5 + many)),
        *([f"id-{place}" for place in range(many)], widths),
        *({place: f"as {place}" for place in range(0, many, 2)},),
        *({"name": [f"name {place}" for place in range(many)]},),
        list(range(100, 100 + many)),
    )
    found = whole.by_key(keys[:many])

    assert set(keys[:many]) == set(found)
    for key, part in found.items():
        places = [place for place in range(many) if keys[place] == key]
        assert [5 + place for place in places] == list(part.rows or ())
        assert [f"id-{place}" for place in places] == part.correlation_ids
        assert [widths[place] for place in places] == part.widths
        assert [100 + place for place in places] == part.origins
        assert [f"name {place}" for place in places] == part.kept["name"]
        assert whole.values_at(places) == part.values
        assert {
            new: f"as {old}" for new, old in enumerate(places) if old % 2 == 0
        } == part.as_came


# Whole campaigns


HOURS = Hours("09:00", "21:00")
NOON = at("2027-06-01T12:00", "UTC")


@pytest.mark.parametrize("store", ["sqlite", "memory"], indirect=True)
async def test_what_is_told_of_a_campaign_with_groups(
    store: Store,
    wall: Wall,
    tmp_path: Path,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
) -> None:
    """
    Everyone is found, exported and counted, in whichever group they are.
    """
    wall.set(NOON)
    simulator = await simulate(rings=["heard"])
    people = People(tmp_path, 20, [KOLKATA, NEW_YORK, LONDON])
    campaign = await people.planned(store.ledger, HOURS, message, batch_size=7)
    # In New York it is 08:00 yet.
    wall.set(at("2027-06-01T09:00", NEW_YORK))
    await campaign.dispatch(await connect(simulator))
    check_hours(simulator, HOURS, people.zones)
    status = await campaign.status()
    results = [each async for each in campaign.results(Outcome.ACCEPTED)]
    wanted = Wanted(outcomes=frozenset(Outcome), states=[], kept=["zone"])
    exported = "".join(
        [csv_rows(each, wanted, None) async for each in campaign.batches()]
    )
    found = await store.ledger.lookup(results[0].recipient)

    check_sums(status)
    assert 60 == status.accepted == len(results)
    assert set(people.zones) == {each.recipient for each in results}
    for number, (zone,) in people.zones.items():
        (line,) = [line for line in exported.splitlines() if number in line]
        assert zone in line
    assert [Outcome.ACCEPTED] == [each.result.outcome for each in found]
    assert {} == await pending_by_zones(store.ledger, "june")


@pytest.mark.parametrize("store", ["sqlite", "memory"], indirect=True)
async def test_a_second_round_in_the_day(
    store: Store,
    wall: Wall,
    tmp_path: Path,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
) -> None:
    """
    Knows where people live by the column that was kept, and says so where none was.
    """
    wall.set(NOON)
    simulator = await simulate(rings=["heard"])
    people = People(tmp_path, 3, [KOLKATA, LONDON])
    client = await connect(simulator)
    june = await people.planned(store.ledger, HOURS, message)
    await june.dispatch(client)
    await report(store.ledger, people.zones, BUSY)
    follow = FollowUp(store.ledger, "june")
    with pytest.raises(InputError, match="no column 'where' with time zones"):
        await Campaign.plan(
            *(store.ledger, "july", message, follow),
            terms=Terms(zoning=Zoning(DAY, column="where")),
        )
    july = await Campaign.plan(
        *(store.ledger, "july", message, FollowUp(store.ledger, "june")),
        terms=Terms(zoning=Zoning(DAY, column="zone")),
    )
    waiting = await pending_by_zones(store.ledger, "july")
    await july.dispatch(client)
    status = await july.status()

    assert {(KOLKATA,): 3, (LONDON,): 3} == waiting
    assert 6 == status.accepted
    assert {2} == set(simulator.calls.values())
    check_hours(simulator, HOURS, people.zones)


async def test_a_move_takes_groups_and_windows_with_it(
    wall: Wall,
    tmp_path: Path,
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
) -> None:
    """
    From a file to a database, and back; those who are asleep are called by neither.
    """
    wall.set(NOON)
    simulator = await simulate(rings=["heard"])
    people = People(tmp_path, 5, [KOLKATA, "Pacific/Auckland"])
    stores = []
    for kind, name in ((SQLiteStore, "a"), (PostgresStore, "b"), (SQLiteStore, "c")):
        (tmp_path / name).mkdir()
        store = kind(tmp_path / name)
        await store.open()
        assert isinstance(store.ledger, SQLLedger)
        stores.append(store.ledger)
    await people.planned(stores[0], HOURS, message)
    for source, target in pairwise(stores):
        await source.move("june", target, to="there").go()
    last = stores[-1]
    plan = await last.plan("june")
    waiting = await pending_by_zones(last, "june")
    wall.set(at("2027-06-02T16:00", "Pacific/Auckland"))  # 09:30 in Kolkata
    campaign = await Campaign.open(last, "june")
    await campaign.dispatch(await connect(simulator))
    check_hours(simulator, HOURS, people.zones)
    for ledger in stores:
        await ledger.close()

    assert plan is not None
    assert plan.windows == Windows.parse(HOURS.text)
    assert {(KOLKATA,): 5, ("Pacific/Auckland",): 5} == waiting
    assert set(people.zones) == set(simulator.calls)


async def test_a_list_whose_blocks_differ(store: Store, tmp_path: Path) -> None:
    """
    What reads it raises is told after those who were refused before.
    """
    file = tmp_path / "june.csv"
    file.write_text(f"msisdn\n{INDIAN}\n+9990000001\n")
    refused: list[Refusal] = []
    campaign = await Campaign.plan(
        *(store.ledger, "june", MESSAGE, read_file(file)),
        terms=Terms(zoning=Zoning(DAY)),
        refused=refused.extend,
    )
    status = await campaign.status()

    assert [Reason.NO_ZONE] == [each.reason for each in refused]
    assert (2, 1, 1) == (status.read, status.planned, status.invalid)
    check_sums(status)
