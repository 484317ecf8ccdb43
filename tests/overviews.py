"""
Made-up overviews of campaigns, as a ledger would give them.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from math import exp, log, sin
from typing import Any

import attrs

from voicepush.model.call import Calls, CallState, ReceiptCounts
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.overview import (
    CallsAt,
    LocalHours,
    OutcomesAt,
    Overview,
    Timeline,
)
from voicepush.model.status import (
    CampaignState,
    CampaignStatus,
    HistoryEntry,
    Minute,
    Progress,
    UnknownBatch,
)

#: When the first call of each was made.
BEGIN = datetime(2030, 6, 4, 9, 0, tzinfo=UTC)

WHO = "process 4211 on dialler-1"

#: What a browser, a terminal or a spreadsheet might take for something else.
HOSTILE = (
    "<script>alert(1)</script><b>&amp;\"'--><img src=x onerror=alert(2)> {{ 7*7 }} "
    "\x1b[31mred\x07\r\n\u202egnp.exe\u2066 +999000012345 " + "W" * 400
)

#: The parts of a call's states in what the platform's codes say.
_CODES = {
    CallState.REACHED: "7519",
    CallState.AGENT: "7411",
    CallState.NOT_REACHED: "7401",
    CallState.DROPPED: "7409",
    CallState.EXPIRED: "7005",
}


def status(**changed: Any) -> CampaignStatus:
    """
    Where a campaign stands in which nothing has happened yet.
    """
    numbers = (
        *("read", "planned", "pending", "in_flight", "accepted", "rejected"),
        *("expired", "not_sent", "unknown", "invalid", "duplicate", "suppressed"),
    )
    found: dict[str, Any] = dict.fromkeys(numbers, 0)
    found |= {"campaign": "june", "state": CampaignState.PLANNED, "reason": None}
    return CampaignStatus(**{**found, **changed})


def spread(total: int, parts: int) -> list[int]:
    """
    *total* as so many *parts*, as even as can be.
    """
    so_far = [total * i // parts for i in range(parts + 1)]
    return [after - before for before, after in pairwise(so_far)]


def uneven(total: int, parts: int) -> list[int]:
    """
    The same as it goes in a day: now more, now less.
    """
    weights = [1 + 0.3 * sin(i / parts * 9) + 0.1 * sin(i * 2.3) for i in range(parts)]
    so_far = [0.0, *accumulate(weights)]
    edges = [int(total * each / so_far[-1] + 0.5) for each in so_far]
    return [after - before for before, after in pairwise(edges)]


def overview(  # noqa: PLR0913 -- what makes a campaign
    *,
    people: int,
    seconds: float,
    batches: int,
    calls: bool = True,
    name: str = "june",
    state: CampaignState = CampaignState.FINISHED,
    done: float = 1.0,
    begin: datetime = BEGIN,
    rate: float | None = None,
    follows: str | None = None,
    reached: float = 0.61,
) -> Overview:
    """
    A campaign that called *people* by so many *batches* within *seconds*.

    Args:
        calls: Whether receipts came.
        done: How much of it was done.
        reached: Which part of those who were called picked up.
    """
    invalid, duplicate = people // 250, people // 400
    planned = people - invalid - duplicate
    tried = int(planned * done)
    rejected, unknown = tried // 60, tried // 500
    accepted = tried - rejected - unknown
    outcomes = {
        Outcome.ACCEPTED: uneven(accepted, batches),
        Outcome.REJECTED: spread(rejected, batches),
        Outcome.UNKNOWN: spread(unknown, batches),
    }
    first = begin.timestamp()
    moments = [first + seconds * i / batches for i in range(batches)]
    pace = rate or 1.4 * planned / seconds
    found = status(
        campaign=name,
        state=state,
        read=people,
        planned=planned,
        pending=planned - tried,
        accepted=accepted,
        rejected=rejected,
        unknown=unknown,
        invalid=invalid,
        duplicate=duplicate,
        expiry=begin + timedelta(seconds=2 * seconds),
        rate=rate,
        throughput=pace if state is CampaignState.RUNNING else None,
        calls=_calls(accepted, reached) if calls else None,
        follows=follows,
    )
    made_at = begin + timedelta(seconds=seconds + 900)
    doubtful = min(3, batches) if unknown else 0
    return Overview(
        made_at=made_at,
        status=found,
        source=f"/srv/lists/{name}.csv (contents abcdefghijkl)",
        settings={
            "media": "welcome",
            "expires": f"{found.expiry:%Y-%m-%d %H:%M} +0000",
            "rate": f"{pace:,.0f} per second",
            "batch size": "1000",
            "callbacks": "https://voice.example.org/receipts",
        },
        timeline=Timeline(
            outcomes=[
                OutcomesAt(
                    float(int(at)),
                    {what: each[i] for what, each in outcomes.items() if each[i]},
                )
                for i, at in enumerate(moments)
            ],
            calls=_calls_at(found, moments) if calls else (),
            picked_up_after=_picked_up(found) if calls else {},
            minutes=_minutes(tried, seconds, pace, begin),
        ),
        reasons=Counter(
            {
                Verdict(Outcome.ACCEPTED, "1001", "Queued"): accepted,
                Verdict(Outcome.REJECTED, "7102", "Invalid address"): rejected,
                Verdict(Outcome.UNKNOWN, None, "no answer in time"): unknown,
            }
        ),
        local_hours=_hours(accepted + unknown, begin, seconds),
        unknown=[
            UnknownBatch(
                batch=f"0123456789-{i}",
                unknown=part,
                accepted=0,
                size=part,
                claimed=begin + timedelta(seconds=seconds * i / 3),
                reasons=("no answer in time",),
                receipts=part if i == 0 else 0,
                last_receipt=made_at if i == 0 else None,
            )
            for i, part in enumerate(spread(unknown, doubtful))
        ],
        receipts=ReceiptCounts(
            received=3 * accepted if calls else 0,
            last_at=made_at.timestamp() if calls else None,
        ),
        history=[
            HistoryEntry(begin - timedelta(minutes=9), WHO, "planned"),
            HistoryEntry(begin - timedelta(seconds=1), WHO, "joined"),
            HistoryEntry(
                begin + timedelta(seconds=seconds / 2), WHO, "changed", "rate 80/s"
            ),
            HistoryEntry(begin + timedelta(seconds=seconds), WHO, "left", "finished"),
        ],
    )


def _calls(accepted: int, reached: float) -> Calls:
    agent, dropped, expired = accepted // 20, accepted // 300, accepted // 500
    picked_up = int(accepted * reached) - agent
    on_its_way = accepted // 1000
    return Calls(
        reached=picked_up,
        agent=agent,
        dropped=dropped,
        expired=expired,
        on_its_way=on_its_way,
        not_reached=accepted - picked_up - agent - dropped - expired - on_its_way,
    )


def _calls_at(found: CampaignStatus, moments: list[float]) -> list[CallsAt]:
    assert found.calls is not None
    told = []
    # Ten seconds each; the last phones ring a while after the last request.
    span = moments[-1] - moments[0] + 38
    parts = max(4, min(7200, int(span // 10)))
    for state, code in _CODES.items():
        number = getattr(found.calls, state.value)
        for i, part in enumerate(uneven(number, parts)):
            if part:
                told.append(
                    CallsAt(moments[0] + 4 + span * i / parts, state, code, part)
                )
    return told


def _picked_up(found: CampaignStatus) -> dict[int, int]:
    assert found.calls is not None
    total = found.calls.reached + found.calls.agent
    after = [*range(2, 120), *range(120, 3600, 60)]
    # Most phones are picked up some twelve seconds after their request.
    weights = [exp(-((log(each / 12) / 0.6) ** 2)) / each for each in after]
    numbers = [int(total * each / sum(weights)) for each in weights]
    numbers[10] += total - sum(numbers)
    return {each: number for each, number in zip(after, numbers, strict=True) if number}


def _minutes(tried: int, seconds: float, pace: float, begin: datetime) -> list[Minute]:
    number = max(1, -(-int(seconds) // 60))
    return [
        Minute(
            begin + timedelta(minutes=i),
            Progress(
                recipients=part,
                throttled=7 if i % 50 == 0 else 0,
                rate=pace * (0.85 if i % 50 == 0 else 1.0),
            ),
        )
        for i, part in enumerate(uneven(tried, number))
    ]


def _hours(called: int, begin: datetime, seconds: float) -> LocalHours:
    looked_at = min(called, 1_000_000)
    hours = [0] * 24
    several, unplaced = looked_at // 200, looked_at // 500
    parts = max(1, int(seconds // 3600))
    for i, part in enumerate(uneven(looked_at - several - unplaced, parts)):
        hours[(begin.hour + i) % 24] += part
    return LocalHours(calls=hours, several=several, unplaced=unplaced, called=called)


def small() -> Overview:
    """
    20,000 people within 40 s, as the demo calls them.
    """
    return overview(people=20_000, seconds=40, batches=80, name="demo", rate=900)


def large() -> Overview:
    """
    10 million people by 10,000 batches within 20 hours.
    """
    return overview(people=10_000_000, seconds=72_000, batches=10_000, name="all")


def planned() -> Overview:
    """
    One that nobody has begun.
    """
    return Overview(
        made_at=BEGIN,
        status=status(read=1_000, planned=990, pending=990, invalid=10),
        source="/srv/lists/june.csv",
        settings={"media": "welcome"},
        timeline=Timeline(),
        reasons={},
        local_hours=LocalHours(),
        unknown=(),
        receipts=ReceiptCounts(),
        history=[HistoryEntry(BEGIN, WHO, "planned")],
    )


def paused() -> Overview:
    """
    One that has paused itself in the middle.
    """
    found = overview(
        people=50_000,
        seconds=5_400,
        batches=200,
        state=CampaignState.PAUSED,
        done=0.4,
        name="july",
    )
    words = "most of the last 20 requests failed: 7006 internal error"
    return attrs.evolve(found, status=attrs.evolve(found.status, reason=words))


def unheard() -> Overview:
    """
    One of which no receipt has come.
    """
    return overview(people=5_000, seconds=600, batches=50, calls=False, name="august")


def rounds() -> list[Overview]:
    """
    A list, and two rounds of calling again those who were not reached.
    """
    first = overview(people=9_000, seconds=900, batches=90)
    second = overview(
        people=first.status.calls.not_reached if first.status.calls else 0,
        seconds=400,
        batches=40,
        name="june-2",
        follows="june",
        begin=BEGIN + timedelta(hours=5),
        reached=0.4,
    )
    third = overview(
        people=second.status.calls.not_reached if second.status.calls else 0,
        seconds=200,
        batches=20,
        name="june-3",
        follows="june-2",
        begin=BEGIN + timedelta(days=1),
        reached=0.3,
    )
    return [first, second, third]


def hostile() -> Overview:
    """
    One in whose texts stands everything that must not work.
    """
    found = overview(people=3_000, seconds=300, batches=30, name=HOSTILE)
    refused = found.status.rejected
    return attrs.evolve(
        found,
        status=attrs.evolve(
            found.status,
            state=CampaignState.PAUSED,
            reason=HOSTILE,
            follows=HOSTILE,
            waiting=HOSTILE,
        ),
        source=HOSTILE,
        settings={HOSTILE: HOSTILE},
        reasons={
            Verdict(Outcome.ACCEPTED, "1001", HOSTILE): found.status.accepted,
            Verdict(Outcome.REJECTED, HOSTILE, HOSTILE): refused,
            Verdict(Outcome.UNKNOWN, None, HOSTILE): found.status.unknown,
        },
        timeline=attrs.evolve(
            found.timeline,
            calls=[each._replace(code=HOSTILE) for each in found.timeline.calls],
        ),
        unknown=[
            attrs.evolve(each, batch=HOSTILE, reasons=(HOSTILE, HOSTILE))
            for each in found.unknown
        ],
        history=[
            HistoryEntry(BEGIN, HOSTILE, HOSTILE, HOSTILE),
            *found.history[1:],
        ],
    )
