"""
The contents page: every public name, and nothing else.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from typing import Any

import attrs
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
    Of the delivery errors, exactly one is retryable and one is in doubt.
    """
    assert voicepush.NotSentError.retryable
    assert not voicepush.NotSentError.in_doubt
    assert voicepush.InDoubtError.in_doubt
    assert not voicepush.InDoubtError.retryable


#: Types of ours that stand in a signature, and that nobody makes or looks into.
_WITHIN = {"Facts", "Seen"}


def _ours(hint: object) -> Iterator[type]:
    """
    The types of ours in *hint*.
    """
    if isinstance(hint, type) and hint.__module__.startswith("voicepush"):
        yield hint
    for part in typing.get_args(hint):
        yield from _ours(part)


def _signatures(value: type) -> Iterator[object]:
    """
    The class with its fields, and its public methods and properties.
    """
    yield value
    for name, member in inspect.getmembers(value):
        if name.startswith("_") and name not in ("__init__", "__iter__", "__next__"):
            continue
        if isinstance(member, property):
            yield member.fget
        elif inspect.isroutine(member) and hasattr(member, "__annotations__"):
            yield member


@pytest.mark.parametrize("name", voicepush.__all__)
def test_public_signatures_use_public_types(name: str) -> None:
    """
    What stands in a public signature can be imported from voicepush.
    """
    value = getattr(voicepush, name)
    signatures = _signatures(value) if inspect.isclass(value) else iter([value])
    public = {id(getattr(voicepush, each)) for each in voicepush.__all__}
    used = {
        found.__name__
        for each in signatures
        if callable(each)
        for hint in typing.get_type_hints(each).values()
        for found in _ours(hint)
        if id(found) not in public
    }

    assert set() == used - _WITHIN


def _holds_any(hint: object) -> bool:
    """
    Whether anything goes somewhere in *hint*.
    """
    return hint is Any or any(map(_holds_any, _parts(hint)))


def _parts(hint: object) -> list[object]:
    return list(hint) if isinstance(hint, list) else list(typing.get_args(hint))


@pytest.mark.parametrize("name", voicepush.__all__)
def test_public_signatures_say_what_they_take(name: str) -> None:
    """
    No public argument, field or answer is of any type.
    """
    value = getattr(voicepush, name)
    signatures = _signatures(value) if inspect.isclass(value) else iter([value])
    found = [
        f"{getattr(each, '__qualname__', each)}: {argument}"
        for each in signatures
        if callable(each)
        for argument, hint in typing.get_type_hints(each).items()
        if _holds_any(hint)
    ]

    assert [] == found


def test_keywords_are_the_settings_fields() -> None:
    """
    A client takes each field of the settings as a keyword, and no other.
    """
    fields = {each.name for each in attrs.fields(voicepush.Settings)}

    assert fields == typing.get_type_hints(voicepush.SettingsFields).keys()
