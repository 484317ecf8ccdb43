"""
Tokens that stand for the service key: the only module that uses PyJWT.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from http import HTTPStatus

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.model.token import Token
from voicepush.sending.answer import Answer, ResponseItem
from voicepush.sending.codes import Meaning
from voicepush.sending.reply import Reply

#: A token counts for an hour; it is made anew some time before, in seconds.
_USED_FOR = 45 * 60.0

#: A token that is refused when it is so young, in seconds, is not refused for its age.
_YOUNG = 60.0

#: Clocks that differ by more, in seconds, are told of.
_DIFFER = 300.0


@attrs.frozen
class Bearer:
    """
    A token as a request carries it.
    """

    #: When it was made, in seconds since 1970.
    made_at: float
    text: str = attrs.field(repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """
        What a request carries.
        """
        return {"authorization": f"Bearer {self.text}"}


class Tokens:
    """
    Makes tokens, and knows what it means when one is refused.

    Args:
        now: The clock on the wall, in seconds since 1970, by which a token is dated.

    Raises:
        InputError: The library that signs is not there.
    """

    def __init__(self, token: Token, now: Callable[[], float] | None = None) -> None:
        # Few sign, and the library is an extra.
        try:
            import jwt  # noqa: PLC0415
        except ImportError as error:
            raise InputError(
                "tokens need a library that is not there: pip install 'voicepush[jwt]'"
            ) from error
        self._encode = jwt.encode
        self._token = token
        self._now = now or clock.now
        self._current: Bearer | None = None

    def current(self) -> Bearer:
        """
        One that counts for a quarter of an hour at least.
        """
        bearer, now = self._current, self._now()
        # One that was made in the future is made anew as well: the clock was set back.
        if bearer is None or not 0 <= now - bearer.made_at < _USED_FOR:
            bearer = self._current = Bearer(now, self._signed(int(now)))
        return bearer

    def judged(self, answer: Answer, reply: Reply, bearer: Bearer) -> Answer:
        """
        *answer* where it refuses the token of its request: that is tried again with a
        new one, unless it was new already. A clock that is wrong is told of.
        """
        if not any(_is_refusal(item, reply) for item in answer.items):
            return answer
        is_old = self._now() - bearer.made_at >= _YOUNG
        if is_old and bearer is self._current:
            self._current = None
        meaning = Meaning.UNREACHED if is_old else Meaning.STOP
        return attrs.evolve(
            answer,
            items=[
                item._replace(meaning=meaning, description=self._told(item, reply))
                if _is_refusal(item, reply)
                else item
                for item in answer.items
            ],
        )

    def _told(self, item: ResponseItem, reply: Reply) -> str:
        theirs = reply.served_at
        behind = 0.0 if theirs is None else theirs - self._now()
        if abs(behind) < _DIFFER:
            return item.description
        where = "behind" if behind > 0 else "ahead of"
        return (
            f"{item.description}; the clock of this machine is {abs(behind) / 60:,.0f} "
            f"minutes {where} the service's, and a token counts only for an hour from "
            "the time in it: set the clock"
        )

    def _signed(self, now: int) -> str:
        with warnings.catch_warnings():
            # How long the secret is, is for the platform to say, which gave it out.
            warnings.simplefilter("ignore")
            return self._encode(
                {"iss": self._token.service_id, "iat": now},
                self._token.signing_key,
                algorithm="HS256",
            )


def _is_refusal(item: ResponseItem, reply: Reply) -> bool:
    is_unauthorized = item.code is None and reply.status == HTTPStatus.UNAUTHORIZED
    return item.meaning is Meaning.STOP and (item.code == "7001" or is_unauthorized)
