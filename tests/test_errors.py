"""
The tree of errors.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest

from voicepush.errors import (
    CampaignHeldError,
    SourceError,
    VoicepushError,
)
from voicepush.model.outcome import RecipientsError, Summary


def tree(cls: type[VoicepushError] = VoicepushError) -> Iterator[type[VoicepushError]]:
    """
    The class and everything that is made from it.
    """
    yield cls
    for each in cls.__subclasses__():
        yield from tree(each)


def example(cls: type[VoicepushError]) -> VoicepushError:
    """
    An error of *cls* with something in each attribute.
    """
    if issubclass(cls, CampaignHeldError):
        return cls("june", "host a, process 7")
    if issubclass(cls, SourceError):
        return cls("is not utf-8", source="june.csv", row=7)
    error = cls("it happened")
    if isinstance(error, RecipientsError):
        error.summary = Summary(accepted=3)
    return error


@pytest.mark.parametrize("cls", list(tree()), ids=lambda cls: cls.__name__)
def test_errors_cross_to_another_process(cls: type[VoicepushError]) -> None:
    """
    Each error can be pickled and copied, with its text and everything in it.
    """
    error = example(cls)
    error.add_note("a note")

    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 -- ours
        assert cls is type(again)
        assert str(error) == str(again)
        assert error.args == again.args
        assert vars(error) == vars(again)
    assert vars(error) == vars(copy.deepcopy(error))
