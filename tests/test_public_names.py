"""
The contents page: every public name, and nothing else.
"""

from __future__ import annotations

import inspect

import pytest

import voicepush


def test_every_name_is_there() -> None:
    """
    What ``__all__`` lists exists, once.
    """
    assert len(set(voicepush.__all__)) == len(voicepush.__all__)
    assert [] == [name for name in voicepush.__all__ if not hasattr(voicepush, name)]


def test_nothing_public_is_left_out() -> None:
    """
    Each class and function that the package imports from its modules is listed.
    """
    found = {
        name
        for name, value in vars(voicepush).items()
        if not name.startswith("_") and (inspect.isclass(value) or callable(value))
    }

    assert found <= set(voicepush.__all__)


@pytest.mark.parametrize("name", voicepush.__all__)
def test_each_has_a_docstring(name: str) -> None:
    """
    Classes and functions say what they are for.
    """
    value = getattr(voicepush, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)


def test_each_error_says_whether_trying_again_is_safe() -> None:
    """
    Of the delivery errors, exactly one is retryable and one is in batch.
    """
    assert voicepush.NotSentError.retryable
    assert not voicepush.NotSentError.in_doubt
    assert voicepush.InDoubtError.in_doubt
    assert not voicepush.InDoubtError.retryable
