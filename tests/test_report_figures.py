"""
What each picture says, and that its numbers are those of the campaign's status.
"""

from __future__ import annotations

import json
from datetime import time, timedelta
from itertools import pairwise
from typing import Any

import attrs
import overviews
import pytest
from overviews import BEGIN, overview

from voicepush.model.call import Calls, CallState
from voicepush.model.outcome import Outcome
from voicepush.model.overview import CallsAt, LocalHours, OutcomesAt, Overview, Timeline
from voicepush.model.status import Minute, Progress
from voicepush.report.account import account_of
from voicepush.report.figures.calls import calls
from voicepush.report.figures.figure import Figure
from voicepush.report.figures.flow import flow, steps
from voicepush.report.figures.hours import Window, hours
from voicepush.report.figures.outcomes import outcomes
from voicepush.report.figures.speed import speed
from voicepush.report.figures.waiting import waiting

NINE = BEGIN.timestamp()

DAY = Window(time(9), time(21))
NIGHT = Window(time(21), time(6))


def sums(figure: Figure) -> dict[str, int]:
    """
    What the columns of *figure* come to.
    """
    found: dict[str, int] = {}
    for row in figure.table.objects():
        for name, value in row.items():
            if isinstance(value, int):
                found[name] = found.get(name, 0) + value
    return found


def texts(spec: Any) -> list[str]:
    """
    Every text in *spec*.
    """
    if isinstance(spec, dict):
        return [each for value in spec.values() for each in texts(value)]
    if isinstance(spec, list | tuple):
        return [each for value in spec for each in texts(value)]
    return [spec] if isinstance(spec, str) else []


ALL = [
    overviews.small(),
    overviews.paused(),
    overviews.unheard(),
    overviews.hostile(),
    overviews.large(),
]


@pytest.mark.parametrize("found", ALL, ids=lambda each: each.status.campaign[:8])
def test_numbers_are_those_of_the_status(found: Overview) -> None:
    """
    Outcomes and calls in the tables add up to what ``status`` says.
    """
    status = found.status

    told = sums(outcomes(found))
    assert (status.accepted, status.rejected, status.unknown) == (
        told["accepted"],
        told["rejected"],
        told["unknown"],
    )
    if status.calls is None:
        return
    last = calls(found).table.objects()[-1]
    counted = {name: n for name, n in attrs.asdict(status.calls).items() if n}
    counted.pop("on_its_way")
    last.pop("until")
    assert counted == last


@pytest.mark.parametrize("found", ALL, ids=lambda each: each.status.campaign[:8])
def test_every_step_of_the_flow_adds_up(found: Overview) -> None:
    """
    Who came as far and who did not are together those of the step before.
    """
    way = steps(found.status)

    for before, step in pairwise(way):
        left = sum(loss.number for loss in step.losses)
        assert before.number == step.number + left


@pytest.mark.parametrize("found", ALL, ids=lambda each: each.status.campaign[:8])
def test_pictures_are_small_and_plain(found: Overview) -> None:
    """
    At most some sixty bars, whatever happened; what a picture is drawn from is JSON and
    holds no text from outside.
    """
    window = None if found is ALL[0] else DAY
    for figure in (
        flow(found.status),
        outcomes(found),
        calls(found),
        hours(found, window),
        speed(found),
        waiting(found),
    ):
        assert len(figure.table.rows) <= 62
        assert figure.table.rows or not figure.spec
        json.dumps(figure.spec)
        assert not any("script" in each for each in texts(figure.spec))


def test_nothing_is_drawn_of_a_campaign_that_nobody_began() -> None:
    """
    Where there is nothing to be seen, a sentence says so.
    """
    found = overviews.planned()
    empty = [outcomes(found), calls(found), hours(found), speed(found), waiting(found)]

    assert all(not each.spec and each.says.endswith(".") for each in empty)
    assert "Nobody was called yet." == outcomes(found).says
    assert flow(found.status).spec


def test_an_empty_list_is_told() -> None:
    """
    A list that holds nobody has no flow.
    """
    assert "The list holds nobody." == flow(overviews.status()).says


def test_without_receipts_it_is_said_how_to_get_them() -> None:
    """
    No receipt yet: the pictures of calls are left out, with what to do.
    """
    found = overviews.unheard()

    assert not calls(found).spec
    assert "voicepush receipts" in calls(found).says
    assert "voicepush receipts" in waiting(found).says
    assert "no receipt has come" in flow(found.status).notes[0]


def test_receipts_of_others_only_are_told_apart() -> None:
    """
    The receiver works, and this campaign's calls are silent.
    """
    heard = overviews.small().receipts
    found = attrs.evolve(overviews.unheard(), receipts=heard)

    assert "voicepush poll" in calls(found).says


def test_calls_that_ended_together_are_compared_by_their_states() -> None:
    """
    Where everything happened within seconds there is no course to be drawn, but what
    became of whom.
    """
    found = overviews.small()
    at_once = [each._replace(at=NINE) for each in found.timeline.calls]
    figure = calls(
        attrs.evolve(found, timeline=attrs.evolve(found.timeline, calls=at_once))
    )

    assert {"agent": 975, "reached": 10_920, "not reached": 7_482} == dict(
        figure.bars[:3]
    )
    assert not figure.keys


def test_strange_stamps_are_told_and_stretch_nothing() -> None:
    """
    Calls that a platform stamps with 1970 or 2099 stand at the edge of the picture.
    """
    found = overviews.small()
    strange = [
        CallsAt(0.0, CallState.REACHED, "7519", 4),
        CallsAt(4e9, CallState.NOT_REACHED, "7401", 3),
    ]
    figure = calls(
        attrs.evolve(
            found,
            timeline=attrs.evolve(
                found.timeline, calls=[*found.timeline.calls, *strange]
            ),
        )
    )

    assert figure.notes[0].startswith("7 calls bear a time outside")
    until = figure.table.objects()[-1]["until"]
    assert until < found.made_at + timedelta(minutes=5)  # type: ignore[operator]


def test_a_clock_that_was_wrong_stretches_no_outcomes() -> None:
    """
    What was recorded before the campaign was planned is told of, too.
    """
    found = overviews.small()
    early = OutcomesAt(5.0, {Outcome.ACCEPTED: 6})
    figure = outcomes(
        attrs.evolve(
            found,
            timeline=attrs.evolve(
                found.timeline, outcomes=[early, *found.timeline.outcomes]
            ),
        )
    )

    assert figure.notes[0].startswith("6 records bear a time outside")


def test_without_history_the_first_record_begins_it() -> None:
    """
    The time of a campaign whose history is gone begins with its first record.
    """
    found = attrs.evolve(overviews.small(), history=())

    assert outcomes(found).table == outcomes(overviews.small()).table
    nothing = attrs.evolve(overviews.planned(), history=())
    assert not outcomes(nothing).spec


def local(**hours_: Any) -> Overview:
    """
    A campaign of which only local hours are known.
    """
    return attrs.evolve(overviews.planned(), local_hours=LocalHours(**hours_))


def at_hours(**numbers: int) -> list[int]:
    """
    So many calls at the hours of these names, such as ``at9``.
    """
    return [numbers.get(f"at{hour}", 0) for hour in range(24)]


@pytest.mark.parametrize(
    ("window", "says"),
    [
        (DAY, "30 of 130 calls (23 %) fell outside 09:00-21:00."),
        (NIGHT, "100 of 130 calls (77 %) fell outside 21:00-06:00."),
        (Window(time(8), time(22)), "No call fell outside 08:00-22:00."),
        (
            Window(time(9, 30), time(22)),
            "No call fell outside 09:30-22:00; 100 more were made in an hour that",
        ),
        (Window(time(9), time(0)), "No call fell outside 09:00-00:00."),
        (None, "Most calls, 77 %, were made from 9:00 to 10:00 by the clock of the"),
    ],
)
def test_calls_outside_the_window_are_counted(window: Window | None, says: str) -> None:
    """
    An hour that the window cuts is told apart: calls are known by the hour only.
    """
    found = local(calls=at_hours(at9=100, at21=30), called=130)

    assert hours(found, window).says.startswith(says)


def test_the_window_is_shaded_only_where_there_is_one() -> None:
    """
    Over midnight it has two parts.
    """
    found = local(calls=at_hours(at9=100, at21=30), called=130)

    def shades(window: Window | None) -> int:
        layers = hours(found, window).spec["layer"]
        return sum(
            len(each["data"]["values"])
            for each in layers
            if each["mark"]["type"] == "rect"
        )

    assert (0, 1, 2) == (shades(None), shades(DAY), shades(NIGHT))


def test_hours_say_whom_they_leave_out() -> None:
    """
    Of a large campaign some are looked at; not every number tells of one time zone.
    """
    found = local(calls=at_hours(at9=100), several=7, unplaced=3, called=1_000)
    none = local(unplaced=50, called=50)

    assert 3 == len(hours(found).notes)
    assert hours(found).says.startswith("All calls were made from 9:00 to 10:00")
    assert "are not known" in hours(none).says


def slow(**progress: Any) -> Overview:
    """
    Ten people within ten minutes.
    """
    minutes = [
        Minute(BEGIN + timedelta(minutes=i), Progress(recipients=1, **progress))
        for i in range(10)
    ]
    return attrs.evolve(
        overviews.planned(),
        made_at=BEGIN + timedelta(minutes=11),
        timeline=Timeline(minutes=minutes),
    )


def test_refusals_for_speed_are_marked() -> None:
    """
    The rate, the limit and the refusals are told, also where it went slowly.
    """
    limited = speed(slow(rate=0.5, throttled=1))
    free = speed(slow())

    assert limited.says.startswith("At most 0.017 people per second had their answer")
    assert "the limit was 0.5 at most; 10 requests refused for speed." in limited.says
    assert "no limit was set; no request was refused for speed." in free.says
    assert ["accepted", "limit", "refusals"] == [each.colour for each in limited.keys]
    assert ["accepted"] == [each.colour for each in free.keys]
    assert 10 == sums(limited)["refused"]


def test_a_short_campaign_is_shown_by_the_second() -> None:
    """
    One minute makes no picture; what was recorded by the second does.
    """
    assert len(speed(overviews.small()).table.rows) == 40


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ({3: 50, 30: 50}, "within 4 seconds of their request, 90 % within 31 seconds."),
        ({0: 10, 600: 1}, "90 % of those who picked up did so within 1 second of"),
        ({119: 1, 120: 9}, "90 % of those who picked up did so within 3 minutes of"),
    ],
)
def test_how_long_it_took_is_told(after: dict[int, int], says: str) -> None:
    """
    Half and nine of ten, by the second up to two minutes and by the minute from then.
    """
    figure = waiting(
        attrs.evolve(overviews.small(), timeline=Timeline(picked_up_after=after))
    )

    assert says in figure.says
    assert sum(after.values()) == sums(figure)["people"]


def test_one_bar_is_no_picture() -> None:
    """
    If all picked up equally soon, a sentence says it.
    """
    alike = Timeline(picked_up_after={0: 7})
    found = attrs.evolve(overviews.small(), timeline=alike)

    assert not waiting(found).spec
    assert "within 1 second" in waiting(found).says


def test_nobody_who_picked_up_is_told() -> None:
    """
    Receipts came, and nobody picked up.
    """
    found = attrs.evolve(overviews.small(), timeline=Timeline())

    assert "No call was picked up yet" in waiting(found).says
    assert Calls() != found.status.calls


def test_who_expired_had_no_answer() -> None:
    """
    They stand in the picture, and not among those who had one.
    """
    found = overviews.small()
    last = found.timeline.outcomes[-1]
    late = OutcomesAt(last.at + 1, {Outcome.EXPIRED: 1_000_000})
    times = [*found.timeline.outcomes, late]
    changed = attrs.evolve(found, timeline=attrs.evolve(found.timeline, outcomes=times))

    assert "1,000,000 people had their answer" not in outcomes(changed).says
    assert outcomes(found).says.partition("at most")[2] in outcomes(changed).says
    assert "1,000,000 people per second" not in speed(changed).says


def test_the_limit_that_was_set_is_told() -> None:
    """
    Not what it was when a minute ended, which may have been the service's doing.
    """
    found = overviews.large()
    found = attrs.evolve(found, status=attrs.evolve(found.status, rate=10_000.0))

    assert "the limit is set to 10,000, and was" in speed(found).says


def test_the_windows_of_a_campaign_are_those_of_its_report() -> None:
    """
    Unless others were asked for.
    """
    found = overview(people=1000, seconds=60, batches=1)
    kept = attrs.evolve(found, window=(540, 1260))
    asked, by_default, other = (
        account_of(each, window).figures
        for each, window in ((found, DAY), (kept, None), (kept, NIGHT))
    )

    assert [each.says for each in asked] == [each.says for each in by_default]
    assert [each.says for each in asked] != [each.says for each in other]
    assert Window.of_minutes(1200, 1440) == Window(time(20), time(0))
