"""
What the command line says of windows: before the start, while they are closed, and to
whoever types something else.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Serve
from mishaps import ended, process, say, wait_until
from nights import MOVED, Wall, at

pytestmark = pytest.mark.usefixtures("in_a_folder")

KOLKATA, NEW_YORK = "Asia/Kolkata", "America/New_York"

#: In the evening there, it is half past noon in New York.
EVENING = at("2027-06-01T22:00", KOLKATA)

#: Nobody serves there, and nobody is called.
NOWHERE = ("--base-url", "http://127.0.0.1:9")


def listed(**people: int) -> None:
    """
    A list of so many people in each zone.
    """
    zones = {"kolkata": KOLKATA, "york": NEW_YORK, "samoa": "Pacific/Pago_Pago"}
    rows = [
        f"+999{place:02}{number:07},{zones[name]}"
        for place, (name, many) in enumerate(people.items())
        for number in range(many)
    ]
    Path("june.csv").write_text("\n".join(["msisdn,zone", *rows]) + "\n")


def send(*options: str) -> list[str]:
    """
    The command that calls them in the day.
    """
    return ["send", "june.csv", "--media", "x", "--zone-column", "zone", *options]


def test_a_rehearsal_tells_who_waits(wall: Wall) -> None:
    """
    And who can't be reached, at the rate and before the expiry that are given.
    """
    wall.set(EVENING)
    listed(kolkata=1_000, york=3_000, samoa=10)
    options = ("--window", "09:00-21:00", "--rate", "0.1", "--expiry", "12h")
    said = say(*send("--dry-run", *NOWHERE, *options))
    found = json.loads(say(*send("--dry-run", "--json", *NOWHERE, *options)).out)
    far = say(*send("--dry-run", *NOWHERE, "--window", "mon 09:00-21:00"))

    assert "10 wait for 09:00 in Pacific/Pago_Pago, at 2027-06-01 20:00" in said.out
    assert "1,000 wait for 09:00 in Asia/Kolkata, at 2027-06-02 03:30" in said.out
    # New York and Samoa are done by then, and India has an hour: 360 of them.
    assert "640 can't be called at 0.1/s within their windows and the" in said.out
    assert "see voicepush windows" not in said.out
    assert [10, 1_000] == [each["people"] for each in found["waits"]]
    assert "2027-06-01T20:00:00Z" == found["waits"][0]["opens"]
    assert 640 == found["unreached"]
    assert "3,000 wait for 09:00 in America/New_York, at 2027-06-07" in far.out


@pytest.mark.slow
def test_status_tells_who_waits(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The same of a campaign that stands still in the night, as it was told when it was
    begun; and no more once its windows have changed and all are called.
    """
    wall = Wall(Path("clock"))
    wall.patch(monkeypatch.setattr)
    wall.set(EVENING)
    simulator = serve()
    url = ("--base-url", simulator.url)
    listed(kolkata=30, york=40)
    with process(*send(*url, "--window", "09:00-21:00"), first=MOVED) as running:
        wait_until(lambda: len(simulator.calls) == 40)
        stands = say("status", "june")
        found = json.loads(say("status", "june", "--json").out)
        running.terminate()
        planned = ended(running)
    other = say(*send(*url, "--window", "10:00-21:00"))
    changed = say("windows", "june", "--window", "08:00-23:00")
    went_on = say(*send(*url, "--window", "9:00-21:00"))
    over = say("status", "june")
    after = json.loads(say("status", "june", "--json").out)

    line = "30 wait for 09:00 in Asia/Kolkata, at 2027-06-02 03:30:00"
    assert line in planned.err
    assert line in stands.out
    assert [30] == [each["people"] for each in found["waits"]]
    assert 0 == found["unreached"]
    assert 2 == other.code
    assert "window" in other.complaint
    assert 0 == changed.code
    assert (0, 70) == (went_on.code, len(simulator.calls))
    assert "wait for" not in over.out
    assert "waits" not in after


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--window", "9-21"], "'9' is no day"),
        (["--window", "21:00-09:00"], "over midnight it is two windows"),
        (["--not-on", "25.12.2026"], "write it as 2026-12-25"),
        (["--zone", "Asia/Delhi"], "there is no time zone 'Asia/Delhi'"),
        (["--zone", KOLKATA, "--zone-column", "zone"], "either --zone or"),
        (["--any-hour", " "], "say why people are called at any hour"),
        (["--any-hour", "a dam", "--window", "09:00-10:00"], "leave it out to give"),
        (["--zone-column", "where"], "no column 'where'"),
    ],
)
def test_what_a_wrong_value_gets(options: list[str], words: str) -> None:
    """
    One line that says what is wrong, and what would be right; nothing is planned.
    """
    listed(kolkata=2)
    said = say("send", "june.csv", "--media", "x", *NOWHERE, *options)

    assert 2 == said.code
    assert words in said.complaint
    assert "is planned" not in said.err


def test_a_file_of_dates(wall: Wall, tmp_path: Path) -> None:
    """
    Holds one on each line, and may explain them; a wrong line is named.
    """
    wall.set(EVENING)
    listed(kolkata=5)
    days = tmp_path / "days.txt"
    days.write_text("\ufeff2027-06-02  # a holiday\n\n2027-06-03, 2027-06-04\n")
    said = say(
        *send("--dry-run", *NOWHERE, "--window", "09:00-21:00", "--not-on", str(days))
    )
    days.write_text("2027-06-02\n3rd of June\n")
    wrong = say(*send(*NOWHERE, "--not-on", str(days)))

    assert "5 wait for 09:00 in Asia/Kolkata, at 2027-06-05" in said.out
    assert "days.txt, row 2: '3rd' is no date" in wrong.complaint


def test_the_default_of_the_command_line(wall: Wall) -> None:
    """
    Is in force where it is not a service of this machine, and is asked for.
    """
    wall.set(EVENING)
    listed(kolkata=5)
    here = say("send", "june.csv", "--media", "x", "--dry-run", *NOWHERE)
    away = ("--base-url", "https://api.imiconnect.io")
    there = say(*send("--dry-run", *away))
    any_hour = say("send", "june.csv", "--media", "x", "--dry-run", *away)

    assert "wait for" not in here.out
    assert "5 wait for 08:00 in Asia/Kolkata" in there.out
    # Of their numbers nobody knows where they are.
    assert 2 == any_hour.code
    assert "time zone" in any_hour.err


def test_windows_of_a_campaign_for_any_hour(serve: Serve) -> None:
    """
    Can't be set later, and the reason is shown.
    """
    listed(kolkata=5)
    simulator = serve()
    say("send", "june.csv", "--media", "x", "--base-url", simulator.url)
    shown = say("windows", "june")
    refused = say("windows", "june", "--window", "09:00-21:00")
    nobody = say("windows", "may")

    assert "june: any hour" in shown.out
    assert (2, 2) == (refused.code, nobody.code)
    assert "planned to call at any hour" in refused.complaint
    assert "there is no campaign 'may'" in nobody.complaint
