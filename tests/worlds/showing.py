"""
Which worlds have what it takes to show what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable

from setups import Deed, Fault, Setup

#: Says whether a world has.
Wants = Callable[[Setup], bool]


def any_world(_: Setup) -> bool:
    """
    Every world.
    """
    return True


def with_faults(*kinds: Fault) -> Wants:
    """
    Worlds in which some of these faults befall the first requests.
    """

    def wants(setup: Setup) -> bool:
        requests = len(setup.people) / setup.batch_size + 1
        return any(at < requests and kind in kinds for at, kind in setup.faults)

    return wants


def with_all(*all_of: Wants) -> Wants:
    """
    Worlds that have all of it.
    """

    def wants(setup: Setup) -> bool:
        return all(each(setup) for each in all_of)

    return wants


def stands_still(setup: Setup) -> bool:
    """
    Someone stands still for so long that they are taken for dead.
    """
    return any(seconds > 15 for _, _, seconds in setup.stops)


def lasts(setup: Setup) -> bool:
    """
    Whoever wakes finds another at work.
    """
    return setup.rate is not None and len(setup.people) > 10 * setup.rate / 2


def has_receipts(setup: Setup) -> bool:
    """
    The platform reports by itself.
    """
    return setup.receipts > 0


def has_deaths(setup: Setup) -> bool:
    """
    A dispatcher dies.
    """
    return bool(setup.deaths)


def never_retries(setup: Setup) -> bool:
    """
    7006 is not tried again.
    """
    return not setup.retry_internal_error


def has_batches(setup: Setup) -> bool:
    """
    Requests are for some people each.
    """
    return setup.batch_size > 3


def reuses(setup: Setup) -> bool:
    """
    Connections are used again.
    """
    return setup.reuse == "proven"


def resends(setup: Setup) -> bool:
    """
    The unknown are called again.
    """
    return setup.resend_unknown


def resolves(setup: Setup) -> bool:
    """
    Their owner calls the unknown again in the end.
    """
    return setup.resolve_resends


def has_doubles(setup: Setup) -> bool:
    """
    Someone stands in the list twice.
    """
    return len(set(setup.people)) < len(setup.people)


def has_windows(setup: Setup) -> bool:
    """
    There are hours in which nobody may be called.
    """
    return setup.gap is not None


def expires(setup: Setup) -> bool:
    """
    The message has an expiry.
    """
    return setup.expiry is not None


def with_deed(deed: Deed) -> Wants:
    """
    Worlds in which another process does *deed*.
    """

    def wants(setup: Setup) -> bool:
        return any(each is deed for _, each in setup.deeds)

    return wants
