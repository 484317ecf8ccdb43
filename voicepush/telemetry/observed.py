"""
What can be observed, as far as that has to be known here.
"""

from __future__ import annotations

from typing import Protocol

from voicepush.model.events import Observers


class Load(Protocol):
    """
    What is on its way.
    """

    @property
    def requests(self) -> int:
        """
        Requests that have no answer yet.
        """
        ...

    @property
    def waiting(self) -> int:
        """
        Batches without a request under way.
        """
        ...


class Paced(Protocol):
    """
    What knows how fast it goes.
    """

    @property
    def rate(self) -> float | None:
        """
        Destinations per second at present; None for no limit.
        """
        ...


class Sends(Protocol):
    """
    What sends batches.
    """

    @property
    def observers(self) -> Observers:
        """
        Hear what happens.
        """
        ...

    @property
    def base_url(self) -> str:
        """
        The address of the service.
        """
        ...

    @property
    def pacer(self) -> Paced:
        """
        How fast it goes.
        """
        ...

    @property
    def load(self) -> Load:
        """
        What it has on its way.
        """
        ...


class HasSender(Protocol):
    """
    What sends through a sender, as a client does.
    """

    @property
    def sender(self) -> Sends:
        """
        The sender.
        """
        ...
