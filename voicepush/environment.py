"""
Settings from the environment, where arguments do not say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from voicepush.errors import InputError
from voicepush.model.token import Token
from voicepush.settings import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    Settings,
    SettingsFields,
)

#: The environment variables that stand in for arguments; two more are known to
#: `Settings`, which names them where nothing is given.
ID_VARIABLE = "VOICEPUSH_SERVICE_ID"
SECRET_VARIABLE = "VOICEPUSH_SERVICE_SECRET"  # noqa: S105 -- a name
SECRET_FILE_VARIABLE = "VOICEPUSH_SERVICE_SECRET_FILE"  # noqa: S105 -- a name
BASE_URL_VARIABLE = "VOICEPUSH_BASE_URL"
REUSE_VARIABLE = "VOICEPUSH_REUSE_CONNECTIONS"
PROMPT_FIELD_VARIABLE = "VOICEPUSH_PROMPT_FIELD"


def from_environment(
    environment: Mapping[str, str] = os.environ,
    *,
    key_file: Path | None = None,
    service_id: str | None = None,
    secret_file: Path | None = None,
    **arguments: Unpack[SettingsFields],
) -> Settings:
    """
    Settings from *arguments*, with the key or what makes tokens, the base URL, the
    reuse of connections and the prompt's field from *environment* where those do not
    say.

    Args:
        key_file: Holds the service key; goes before the environment.
        service_id: The service for which tokens are made; goes before the environment.
        secret_file: Holds that service's secret; goes before the environment.

    Raises:
        InputError: One of them is given nowhere, or not usable, or both a key and a
            service id are given.
    """
    given: dict[str, Any] = dict(arguments)
    if given.get("service_key") is None and given.get("token") is None:
        given["token"] = _token(environment, service_id, secret_file)
        key = _key(environment, key_file)
        if key and given["token"] is not None:
            raise InputError(
                f"both a service key (--key-file, {KEY_VARIABLE}) and a service id "
                f"(--service-id, {ID_VARIABLE}) are given; leave one of them out"
            )
        given["service_key"] = key
    given["service_key"] = given.get("service_key") or ""
    if given.get("base_url") is None:
        given["base_url"] = environment.get(BASE_URL_VARIABLE, "")
    for name, variable in _BESIDES.items():
        if variable in environment:
            given.setdefault(name, environment[variable])
    return Settings(**given)


_BESIDES = {
    "reuse_connections": REUSE_VARIABLE,
    "prompt_field": PROMPT_FIELD_VARIABLE,
}


def _key(environment: Mapping[str, str], file: Path | None) -> str:
    named = file or environment.get(KEY_FILE_VARIABLE)
    key = None if file else environment.get(KEY_VARIABLE)
    return key or _text_of(named, "the service key", "--key-file")


def _token(
    environment: Mapping[str, str], service_id: str | None, file: Path | None
) -> Token | None:
    service_id = service_id or environment.get(ID_VARIABLE)
    named = file or environment.get(SECRET_FILE_VARIABLE)
    secret = None if file else environment.get(SECRET_VARIABLE)
    secret = secret or _text_of(
        named, "the secret of the service", "--service-secret-file"
    )
    if service_id and secret:
        return Token(service_id=service_id, secret=secret)
    if service_id:
        raise InputError(
            f"the secret of the service is needed beside its id; set {SECRET_VARIABLE},"
            " or name a file that holds it with --service-secret-file or "
            f"{SECRET_FILE_VARIABLE}"
        )
    if secret:
        raise InputError(
            "the id of the service is needed beside its secret; give it with "
            f"--service-id or {ID_VARIABLE}"
        )
    return None


def _text_of(name: Path | str | None, what: str, option: str) -> str:
    if not name:
        return ""
    try:
        return Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(
            f"{what} can't be read from {name} ({option}): {reason}"
        ) from error
