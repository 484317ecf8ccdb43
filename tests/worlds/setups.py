"""
What a world is like before it begins: everything that its seed decides, as a value.
"""

from __future__ import annotations

import enum
from random import Random

import attrs

from voicepush.model.recipients import Kind

#: Of every campaign.
NAME = "june"

#: The wall shows this when a world begins, in seconds since 1970: 03:33:20.
BEGINNING = 2_000_000_000

#: So many people keep several workers busy.
_TOGETHER = 10

#: A process with a database takes so many more steps.
_STEPS = 8

#: Faults befall so many requests at most; after them the service is sound.
_LAST_FAULT = 60


class Fault(enum.StrEnum):
    """
    What goes wrong with one request. Where it says so, everyone in it is rung.
    """

    RESET_BEFORE = "the connection breaks before it arrives"
    RESET_AFTER = "rung, and the connection breaks"
    CUT = "rung, and the answer breaks off"
    CLOSED = "the connection is closed without an answer"
    LOST = "rung, and the answer never comes"
    LATE = "rung, and the answer comes after the time-out"
    SLOW = "rung, and the answer takes long"
    TOO_MANY_REQUESTS = "429 with Retry-After"
    UNAVAILABLE = "503 with Retry-After"
    RATE = "7020, the rate"
    BAD_GATEWAY = "502, and perhaps rung"
    BUSY = "503 without Retry-After, and perhaps rung"
    INTERNAL = "7006"
    RANG_7006 = "rung, and 7006"
    PROVIDER = "7010, and perhaps rung"
    TOO_MANY = "7009"
    TOO_LARGE = "7022"
    REFUSED = "7004"
    MIXED = "some 1001, some 7006, some 7102"
    PARTLY = "rung, and the answer leaves some out"
    ANOTHERS = "perhaps rung, and the answer has another request's ids"
    TWICE = "rung or 7006, and the answer comes twice"
    GARBAGE = "rung, and the answer is no JSON"
    GOODBYE = "rung, and the connection is closed after the answer"
    STOPPED = "7007"


class Deed(enum.StrEnum):
    """
    What another process does while the campaign is dispatched.
    """

    PAUSE = "pause"
    CANCEL = "cancel"
    RATE = "another rate"
    SUPPRESS = "someone must not be called any more"
    SECOND = "a second dispatcher"
    WINDOWS = "other windows"
    REPORT = "receipts"
    CLOCK = "the clock on the wall is set"


@attrs.frozen(kw_only=True)
class Setup:
    """
    What a world is like before it begins.
    """

    seed: int
    ledger: str = "memory"
    #: Whether who is ready goes in any order.
    shuffles: bool = False
    #: Destinations by their values, as the list has them.
    people: tuple[tuple[str, ...], ...]
    kind: Kind
    #: Of each destination its owner's id; empty where it has none.
    own_ids: tuple[str, ...] = ()
    batch_size: int
    concurrency: int
    rate: float | None = None
    #: In seconds from when it is planned.
    expiry: float | None = None
    patience: float
    first_wait: float
    answer_timeout: float
    reuse: str = "proven"
    retry_internal_error: bool = True
    resend_unknown: bool = False
    #: Whether those who are unknown in the end are called again once.
    resolve_resends: bool = False
    #: A gap in the hours of calling, in minutes after it is planned.
    gap: tuple[int, int] | None = None
    starts_in: float | None = None
    #: By requests, in the order in which they leave.
    faults: tuple[tuple[int, Fault], ...] = ()
    #: Connections that are refused, and those of which nothing comes.
    refused: frozenset[int] = frozenset()
    silent: frozenset[int] = frozenset()
    #: After so many steps the first process that plans dies.
    planner_dies: int | None = None
    #: By dispatchers in their order: after how many steps each one dies.
    deaths: tuple[tuple[int, int], ...] = ()
    #: By dispatcher: after how many steps it stands still, for how many seconds.
    stops: tuple[tuple[int, int, float], ...] = ()
    #: By what is asked of the ledger, in its order: how often it fails.
    ledger_faults: tuple[tuple[int, int], ...] = ()
    #: In which turns of the disk, counted from 1, the machine loses its power.
    cuts: tuple[int, ...] = ()
    #: Of so many calls the platform reports by itself, and by so many receipts more.
    receipts: float = 0.0
    #: When, in seconds after the beginning, what is done.
    deeds: tuple[tuple[float, Deed], ...] = ()
    #: So many dispatch at a time beside each other; 0 where one does so alone. These
    #: and what follows are for ledgers in a database.
    workers: int = 1
    #: Whether each process runs on a machine of its own.
    machines: bool = False
    #: With which statements, counted from 1, a connection is lost.
    losses: tuple[int, ...] = ()
    #: When the database is gone, and for how many seconds.
    outages: tuple[tuple[float, float], ...] = ()

    @property
    def size(self) -> int:
        """
        How much there is to be understood when it fails.
        """
        many = (self.faults, self.refused, self.silent, self.deaths, self.stops)
        others = (
            *(self.ledger_faults, self.cuts, self.deeds, self.people),
            *(self.losses, self.outages),
        )
        return sum(map(len, (*many, *others)))


def made(seed: int, ledger: str = "memory") -> Setup:
    """
    The world of that *seed*.
    """
    chance = Random(f"setup {seed}")  # noqa: S311 -- chance, not secrecy
    some, number, pick = chance.random, chance.randint, chance.choice
    kind = pick((Kind.MSISDN, Kind.MSISDN, Kind.CUSTOMER_ID))
    people = _people(chance, kind)
    # Few kinds of faults, and often, make more of a world than all of them seldom.
    faults = chance.sample(tuple(Fault), number(1, 5))
    often = pick((0.0, 0.1, 0.3, 0.6))
    deaths = pick((0, 0, 0, 1, 2, 4))
    stops = pick((0, 0, 1, 3))
    failing = pick((0, 0, 0, 1, 2))
    setup = Setup(
        seed=seed,
        ledger=ledger,
        shuffles=some() < 0.5,
        people=people,
        kind=kind,
        own_ids=_own_ids(chance, people),
        batch_size=number(1, 8),
        concurrency=number(1, 6),
        rate=pick((None, None, 2.0, 10.0, 50.0)),
        expiry=pick((None, None, None, 20.0, 120.0, 900.0)),
        patience=pick((60.0, 300.0, 900.0)),
        first_wait=pick((0.05, 1.0)),
        answer_timeout=pick((15.0, 40.0)),
        reuse=pick(("proven", "proven", "never")),
        retry_internal_error=some() < 0.75,
        resend_unknown=some() < (0.4 if stops else 0.1),
        resolve_resends=some() < 0.3,
        gap=pick((None, None, (number(0, 2), number(3, 6)))),
        starts_in=pick((None, None, None, None, 30.0)),
        faults=tuple((at, pick(faults)) for at in range(_LAST_FAULT) if some() < often),
        refused=frozenset(at for at in range(_LAST_FAULT) if some() < often / 6),
        silent=frozenset(at for at in range(_LAST_FAULT) if some() < often / 20),
        planner_dies=number(10, 30) if some() < 0.1 else None,
        deaths=tuple((at, int(10 ** (1.2 + 1.5 * some()))) for at in range(deaths)),
        stops=tuple(
            (number(0, 2), int(10 ** (1.2 + 1.5 * some())), pick((2.0, 20.0, 40.0)))
            for _ in range(stops)
        ),
        ledger_faults=tuple((number(0, 60), number(1, 8)) for _ in range(failing)),
        cuts=tuple(number(5, 150) for _ in range(pick((0, 0, 1, 3)))),
        receipts=pick((0.0, 0.0, 0.2, 0.8)),
        deeds=tuple((60 * some() ** 3, pick(_DEEDS)) for _ in range(number(0, 6))),
    )
    return _shared(setup, chance) if ledger == "postgres" else setup


def _shared(setup: Setup, chance: Random) -> Setup:
    """
    The same where several processes work on it.
    """
    some, number, pick = chance.random, chance.randint, chance.choice
    # They are at work together for a while.
    people = setup.people
    while len(people) < _TOGETHER:
        people = _people(chance, setup.kind)
    return attrs.evolve(
        setup,
        people=people,
        own_ids=_own_ids(chance, people),
        batch_size=number(1, 4),
        rate=pick((None, 2.0, 4.0, 10.0)),
        resend_unknown=False,  # that is refused where others may have claimed them
        gap=setup.gap if some() < 0.3 else None,  # all of them look while they wait
        deaths=tuple((at, steps * _STEPS) for at, steps in setup.deaths),
        stops=tuple((at, steps * _STEPS, time) for at, steps, time in setup.stops),
        workers=pick((0, 1, 2, 2, 3, 3)),
        machines=some() < 0.7,
        losses=tuple(int(10 ** (1.5 + 2 * some())) for _ in range(pick((0, 0, 1, 4)))),
        outages=tuple(
            (1.0 + 40 * some(), pick((1.0, 5.0, 12.0, 30.0)))
            for _ in range(pick((0, 0, 0, 1, 2)))
        ),
    )


_DEEDS = (
    *[Deed.REPORT] * 4,
    *[Deed.SECOND] * 4,
    *[Deed.SUPPRESS] * 3,
    *[Deed.PAUSE] * 3,
    *[Deed.RATE] * 2,
    *[Deed.WINDOWS] * 2,
    *[Deed.CLOCK] * 2,
    Deed.CANCEL,
)


def _people(chance: Random, kind: Kind) -> tuple[tuple[str, ...], ...]:
    many = chance.choice((1, 3, 10, 10, 25, 40))
    is_wide = chance.random() < 0.25
    name = "+9995550{:05}" if kind is Kind.MSISDN else "customer-{}"
    people: list[tuple[str, ...]] = []
    values = iter(range(10 * many))
    for _ in range(many):
        width = chance.randint(1, 3) if is_wide else 1
        people.append(tuple(name.format(next(values)) for _ in range(width)))
    if many > 3 and not is_wide and chance.random() < 0.3:
        people.append(people[1])  # it is refused
    return tuple(people)


def _own_ids(chance: Random, people: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    if chance.random() < 0.7:
        return ()
    return tuple(
        f"order-{at}" if chance.random() < 0.9 else "" for at in range(len(people))
    )
