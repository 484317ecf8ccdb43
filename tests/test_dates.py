"""
Which campaigns there were when, and who did what to them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from conftest import Serve
from ledger_model import Store, Ticking, is_claimed, three_joined, two_planned
from mishaps import june, say, sending

from voicepush import InputError, VoiceMessage
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import CampaignState, Progress
from voicepush.report.listing import Listed, listed_as_text

pytestmark = pytest.mark.usefixtures("in_a_folder")


async def test_dates_of_a_campaign(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Planned, first and last claimed, and ended: each is the moment of what it names.
    """
    ticking = Ticking()
    ticking.patch(monkeypatch.setattr)
    ledger = store.ledger
    begun = ticking.now()
    worker = await three_joined(ledger)
    only_planned = (await ledger.dates())["june"]
    claims = []
    dues = await worker.due(3)
    assert isinstance(dues, Sequence)
    for batch in (each.known.batch for each in dues):
        ticking.move(3600)
        claims.append(ticking.now())
        claimed = is_claimed(await worker.claim(batch, range(len(batch))))
        result = BatchResult(batch, Verdict(Outcome.ACCEPTED, "1001"))
        ticking.move(60)
        await worker.record(claimed, result)
    running = (await ledger.dates())["june"]
    ticking.move(3600)
    await worker.leave(CampaignState.FINISHED)

    ended = (await ledger.dates())["june"]

    assert 0 <= only_planned.planned.timestamp() - begun < 1
    assert (None, None, None) == (
        only_planned.first_claimed,
        only_planned.last_claimed,
        only_planned.ended,
    )
    assert running.first_claimed is not None
    assert running.last_claimed is not None
    assert running.ended is None
    assert 0 <= running.first_claimed.timestamp() - claims[0] < 1
    assert 0 <= running.last_claimed.timestamp() - claims[2] < 1
    assert ended.ended is not None
    assert 0 <= ended.ended.timestamp() - (claims[2] + 60) < 1


async def test_the_end_of_a_cancelled_campaign(store: Store) -> None:
    """
    A campaign that is cancelled has ended when its worker left it.
    """
    _, worker = await two_planned(store.ledger)
    await worker.leave(CampaignState.CANCELLED)

    dates = (await store.ledger.dates())["june"]

    history = await store.ledger.history("june")
    assert history[-1].at == dates.ended


async def test_claims_that_were_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Where everyone was claimed again later, the minute of the first claim is still told.
    """
    ticking = Ticking()
    ticking.patch(monkeypatch.setattr)
    batch, worker = await two_planned(store.ledger)
    await worker.heartbeat(1.0, progress=Progress(2))
    minute = ticking.now() // 60 * 60
    ticking.move(7200)
    await worker.claim(batch, range(len(batch)))

    dates = (await store.ledger.dates())["june"]

    assert datetime.fromtimestamp(minute, UTC) == dates.first_claimed


def test_the_list_of_campaigns(serve: Serve) -> None:
    """
    Each campaign has its dates, its message and its source, as text and for programs.
    """
    simulator = serve()
    june(20)
    say(*sending(simulator))
    say(*sending(simulator, "--campaign", "july", "--rate", "1000"))

    text = say("campaigns")
    found = json.loads(say("campaigns", "--json").out)
    later = json.loads(say("campaigns", "--json", "--since", "1000d").out)
    none = say("campaigns", "--since", "2999-01-01")

    assert ["june", "july"] == [each["campaign"] for each in found]
    assert found == later
    assert {"x"} == {each["media"] for each in found}
    for each in found:
        assert each["planned_at"] <= each["first_claimed_at"] <= each["ended_at"]
        assert each["source"].endswith("june.csv")
    assert 6 == text.out.count("\n")
    assert "june: finished, 20 of 20 done" in text.out
    assert "first claim 20" in text.out
    assert "media x to " in text.out
    assert "no campaign yet\n" == none.out


def test_the_history_of_all_campaigns(serve: Serve) -> None:
    """
    What was done to which campaign stands in the order in which it was done.
    """
    simulator = serve()
    june(20)
    say(*sending(simulator))
    say(*sending(simulator, "--campaign", "july"))
    say("rate", "june", "40")

    everything = json.loads(say("history", "--json").out)
    one = json.loads(say("history", "june", "--json").out)
    text = say("history")

    assert [each["at"] for each in everything] == sorted(
        each["at"] for each in everything
    )
    assert {"june", "july"} == {each["campaign"] for each in everything}
    assert [each for each in everything if each["campaign"] == "june"] == one
    assert ["planned", "joined", "left", "told"] == [each["event"] for each in one]
    assert len(everything) == text.out.count("\n")
    assert "june  told  process " in text.out
    assert "nothing was done\n" == say("history", "--since", "2999-01-01").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("history", "may"), "there is no campaign"),
        (("history", "--since", "yesterday"), "--since 'yesterday' is no time"),
        (("campaigns", "--since", "2030-13-01"), "is no time; write how long ago"),
        (("campaigns", "--since", "2030-01-01T10:00"), "with its offset such as"),
    ],
)
def test_what_is_asked_wrongly(
    serve: Serve, arguments: tuple[str, ...], words: str
) -> None:
    """
    A campaign that is not there, and what is no time, are refused in one line.
    """
    june(2)
    say(*sending(serve()))

    said = say(*arguments)

    assert 2 == said.code
    assert words in said.complaint


async def test_a_campaign_that_was_never_sent() -> None:
    """
    Where nobody was claimed only the planning is told; a call flow is named as one.
    """
    ledger = MemoryLedger()
    await two_planned(ledger)
    (status,) = await ledger.campaigns()
    dates = (await ledger.dates())["june"]
    flow = VoiceMessage(callflow="f-1")

    text = listed_as_text([Listed(status, dates, flow, "june.csv")])

    assert "first claim" not in text
    assert "ended" not in text
    assert text.endswith("  call flow f-1 to june.csv")
    with pytest.raises(InputError, match="no campaign 'may'"):
        await ledger.history("may")
