"""
One list whose people are played different messages.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from conftest import Connect, Serve, Simulate, numbers
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import Store
from mishaps import say

from voicepush import (
    Campaign,
    InputError,
    MessageColumn,
    Reason,
    Terms,
    VoiceMessage,
    read_file,
)
from voicepush.model.recipients import Kind, Recipients
from voicepush.screening.grouping import Grouping
from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

ENGLISH_OR_HINDI = "en=welcome_en,hi=welcome_hi"


def command(simulator: Simulator, *options: str) -> list[str]:
    """
    The command that sends june.csv.
    """
    return ["send", "june.csv", "--base-url", simulator.url, *options]


def write_list(path: str, languages: list[str]) -> list[str]:
    """
    A list of as many people as there are *languages*.
    """
    people = numbers(len(languages))
    rows = zip(people, languages, strict=True)
    lines = "".join(f'{number},"{language}"\n' for number, language in rows)
    Path(path).write_text(f"msisdn,language\n{lines}")
    return people


async def test_each_hears_their_own(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Requests are as full as the numbers of each message allow.
    """
    languages = [
        ["en", "hi", "EN ", " hi"][each * each % 7 % 4] for each in range(5000)
    ]
    people = write_list("june.csv", languages)
    simulator = await simulate()
    client = await connect(simulator)
    ids = {"en": "welcome_en", "hi": "welcome_hi"}
    campaign = await Campaign.plan(
        store.ledger,
        "june",
        VoiceMessage(media="welcome"),
        read_file("june.csv", keep=["language"]),
        terms=Terms(messages=MessageColumn("language", ids=ids)),
    )
    summary = await campaign.dispatch(client)
    counts = await store.ledger.group_counts("june")
    groups = await campaign.groups()

    heard = {
        correlation_id: request.played
        for request in simulator.requests
        for correlation_id in request.correlation_ids
    }
    sent_to = {each.correlation_id: each.recipient async for each in campaign.results()}
    heard = {sent_to[each]: played for each, played in heard.items()}
    wanted = {
        number: ids[language.strip().casefold()]
        for number, language in zip(people, languages, strict=True)
    }
    assert wanted == heard
    assert len(people) == summary.accepted
    by_message = Counter(wanted.values())
    assert len(simulator.requests) == sum(-(-n // 1000) for n in by_message.values())
    assert by_message == {
        groups[number].message.media: each.planned for number, each in counts.items()
    }
    assert all(each.accepted == each.planned for each in counts.values())


def test_the_command(serve: Serve) -> None:
    """
    Counts by message stand in status, report and export; who has none is refused.
    """
    simulator = serve()
    people = write_list("june.csv", ["en", "hi", "fr", "", "hi"])
    options = ["--media-column", "language", "--media-map", ENGLISH_OR_HINDI]
    sent = say(*command(simulator), *options, "--rejects", "bad.csv")
    status = json.loads(say("status", "june", "--json").out)
    report = say("report", "june").out
    exported = say("export", "june").out.splitlines()
    found = {row.split(",")[0]: row.split(",")[-1] for row in exported[1:]}

    assert 0 == sent.code
    assert (3, 2) == (status["accepted"], status["invalid"])
    assert 2 == Path("bad.csv").read_text().count("there is no message for what")
    assert {"welcome_en": 1, "welcome_hi": 2} == {
        played: counts["accepted"] for played, counts in status["messages"].items()
    }
    assert "welcome_hi: 2 of 2 done; 2 accepted" in say("status", "june").out
    assert "welcome_hi: 2 of 2 done; 2 accepted" in report
    assert "welcome_en" == found[people[0]]
    assert "welcome_hi" == found[people[4]]


def test_who_names_nothing_is_played_the_message(serve: Serve) -> None:
    """
    ``--media`` is for blank cells; call flows have a column of their own.
    """
    simulator = serve()
    write_list("june.csv", ["flow_1", "", "flow_2"])
    said = say(
        *command(simulator), "--media", "welcome", "--callflow-column",
        "language",
    )  # fmt: skip
    played = {request.played for request in simulator.requests}

    assert 0 == said.code
    assert {"flow_1", "flow_2", "welcome"} == played


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--media-column", "lang"], "there is no column 'lang'"),
        (["--media-column", "language", "--media-map", "en"], "write it like en="),
        (["--media-map", "en=x", "--media", "x"], "name it by --media-column"),
        (
            ["--media-column", "language", "--media-map", "en=x,EN=y"],
            "says two things of 'EN'",
        ),
        (
            ["--media-column", "language", "--callflow-column", "language"],
            "either --media-column or --callflow-column",
        ),
        (["--callflow-map", "en=x", "--media", "x"], "name it by --callflow-column"),
    ],
)
def test_options_that_contradict(serve: Serve, options: list[str], words: str) -> None:
    """
    One clear line, and nothing is planned.
    """
    write_list("june.csv", ["en"])
    said = say(*command(serve()), *options)

    assert 2 == said.code
    assert words in said.err
    assert 1 == len(said.err.strip().splitlines())


def test_another_map_is_another_campaign(serve: Serve) -> None:
    """
    The same one in another order is the same.
    """
    simulator = serve()
    write_list("june.csv", ["en", "hi"])
    options = [*command(simulator), "--media-column", "language"]
    first = say(*options, "--media-map", ENGLISH_OR_HINDI)
    again = say(
        *options, "--media-map", "HI=welcome_hi", "--media-map", "en=welcome_en"
    )
    other = say(*options, "--media-map", "en=welcome_en,hi=other")

    assert (0, 0, 2) == (first.code, again.code, other.code)
    assert "planned already, with --media-map en=welcome_en,hi=welcome_hi" in other.err
    assert 2 == len(simulator.requests)


def test_the_wrong_column_makes_no_million_messages() -> None:
    """
    A column of names or numbers is no column of messages.
    """
    recipients = Recipients(
        Kind.MSISDN, numbers(1001), kept={"name": [f"{each}" for each in range(1001)]}
    )
    grouping = Grouping(VoiceMessage(media="x"), messages=MessageColumn("name"))

    with pytest.raises(InputError, match="more than 1,000 messages"):
        grouping.group(recipients)


@given(st.lists(st.sampled_from(["en", " EN", "hi", "fr", "", "  "]), max_size=40))
def test_everyone_is_in_one_group_or_refused(languages: list[str]) -> None:
    """
    In the order of the list, each with their own message.
    """
    people = numbers(len(languages))
    recipients = Recipients(
        Kind.MSISDN, people, range(1, len(people) + 1), kept={"language": languages}
    )
    column = MessageColumn("language", ids={"en": "1", "hi": "2"})
    grouping = Grouping(VoiceMessage(media="x"), messages=column)
    grouped = grouping.group(recipients)

    played = {
        number: part.group.message.media
        for part in grouped.parts
        for number in part.recipients.values
    }
    known = {"en": "1", "hi": "2"}
    assert played == {
        number: known[language.strip().casefold()]
        for number, language in zip(people, languages, strict=True)
        if language.strip().casefold() in known
    }
    assert len(people) == len(played) + len(grouped.refusals)
    assert {Reason.NO_MESSAGE} >= {each.reason for each in grouped.refusals}
    for part in grouped.parts:
        rows = part.recipients.rows
        assert rows is not None
        assert list(rows) == sorted(rows)


@pytest.mark.parametrize("column", ["2", "LANGUAGE", " language "])
def test_a_column_is_named_as_any_other(serve: Serve, column: str) -> None:
    """
    By its place, or by its header in letters of any size.
    """
    simulator = serve()
    write_list("june.csv", ["en", "hi"])
    said = say(*command(simulator), "--media-column", column)

    assert 0 == said.code
    assert {"en", "hi"} == {each.played for each in simulator.requests}


def test_a_field_of_json_lines_is_named_likewise(serve: Serve) -> None:
    """
    And a wrong name is told with the option that named it.
    """
    simulator = serve()
    Path("june.jsonl").write_text('{"msisdn": "+999000000001", "Prompt": "en"}\n')
    options = ["--base-url", simulator.url, "--media-column"]
    wrong = say("send", "june.jsonl", *options, "language")
    said = say("send", "june.jsonl", *options, "prompt")

    assert (2, 0) == (wrong.code, said.code)
    assert "choose one with --media-column" in wrong.err
    assert ["en"] == [each.played for each in simulator.requests]


def test_nothing_to_be_played(serve: Serve) -> None:
    """
    The options that say it are named.
    """
    write_list("june.csv", ["en"])
    said = say(*command(serve()))

    assert 2 == said.code
    assert "say what is played: --media with a prompt id" in said.err
