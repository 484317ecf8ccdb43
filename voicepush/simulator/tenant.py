"""Who may send to the simulator, and how its tenant spells what it takes."""

import base64
import time
import warnings
from collections.abc import Mapping

import attrs

from voicepush.simulator.options import ReceiptOptions

#: The ways in which tenants call the prompt id.
PROMPT_FIELDS = ("media", "promptid")

#: How long a token counts from the time in it, in seconds.
_HOUR = 3600


@attrs.define(kw_only=True, eq=False, repr=False)
class TenantOptions(ReceiptOptions):
    """
    The key and the tokens that are taken, and what the prompt id is called.
    """

    #: The key that requests have to bear, unless they bear a token.
    service_key: str
    #: The id and the secret of the service, in base64, whose tokens are taken as well;
    #: where there are both, the token counts.
    token: tuple[str, str] | None = attrs.field(default=None)
    #: What the prompt id is called, one of `PROMPT_FIELDS`; the other is refused.
    prompt_field: str = attrs.field(default="media")

    @prompt_field.validator
    def _is_known(self, _: object, name: str) -> None:
        if name not in PROMPT_FIELDS:
            message = f"{name!r} is none of {', '.join(PROMPT_FIELDS)}."
            raise ValueError(message)

    @token.validator
    def _is_base64(self, _: object, token: tuple[str, str] | None) -> None:
        if token is not None:
            base64.b64decode(token[1], validate=True)

    def refuse(self, headers: Mapping[str, str]) -> tuple[str, str] | None:
        """
        The code for who may not come in, and why; None for who may.

        Args:
            headers: Looked up without regard to case.
        """
        authorization = headers.get("authorization", "")
        if authorization and self.token is not None:
            scheme, _, token = authorization.partition(" ")
            why = _why_not(token, *self.token) if scheme == "Bearer" else "no Bearer"
            return None if why is None else ("7001", f"the token is refused: {why}")
        key = headers.get("key")
        if not key:
            return "7002", "there is no header key"
        return None if key == self.service_key else ("7001", "the key is another")


def _why_not(token: str, service_id: str, secret: str) -> str | None:
    import jwt  # noqa: PLC0415 -- few have tokens

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of secrets that are short
        try:
            claims = jwt.decode(
                token,
                base64.b64decode(secret),
                algorithms=["HS256"],
                issuer=service_id,
                # Its time is looked at by the clock that all else goes by.
                options={"require": ["iss", "iat"], "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            return str(error)
    if not isinstance(claims["iat"], int):
        return "iat is no number of seconds"
    age = time.time() - claims["iat"]
    return None if 0 <= age <= _HOUR else "its hour has ended, or not begun"
