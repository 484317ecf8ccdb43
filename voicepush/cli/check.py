"""
The command that tries what is only believed of a tenant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from voicepush.checking.checking import checked, look
from voicepush.checking.findings import Checked, Holds
from voicepush.checking.wording import as_object, as_text, as_toml
from voicepush.cli.exit_status import (
    EVERYONE_ACCEPTED,
    NOT_EVERYONE,
    SERVICE_REFUSES,
)
from voicepush.cli.options import Json, seconds
from voicepush.cli.outputs import check_output, writing
from voicepush.cli.terminal import tell, tell_json
from voicepush.errors import InputError
from voicepush.settings import KEY_FILE_VARIABLE, from_environment

#: More than any tenant is believed to take.
_FASTEST = 1000


async def check(
    *,
    base_url: Annotated[str | None, Parameter(env_var="VOICEPUSH_BASE_URL")] = None,
    key_file: Annotated[Path | None, Parameter(env_var=KEY_FILE_VARIABLE)] = None,
    rate_up_to: int | None = None,
    answer_within: str = "30s",
    save: Path | None = None,
    json: Json = False,
) -> int:
    """
    Try what is only believed of a tenant: key, address, answers, expiry, rate.

    Nobody is rung: all requests lack what a call needs. Each finding is yes, no or
    unknown. Exit status: 0 nothing is no; 1 something is; 3 the service refuses
    everything.

    Parameters
    ----------
    base_url
        The tenant's address, such as https://api.imiconnect.io.
    key_file
        A file that holds the service key; VOICEPUSH_SERVICE_KEY does as well.
    rate_up_to
        Send so many requests in one second, at most, to find the rate that is taken.
    answer_within
        How long an answer may take, such as 30s.
    save
        Keep the result in this file, as TOML, without the key.
    json
        Print one JSON object.
    """
    if rate_up_to is not None and not 1 <= rate_up_to <= _FASTEST:
        raise InputError(f"--rate-up-to must be from 1 to {_FASTEST}, not {rate_up_to}")
    settings = attrs.evolve(
        from_environment(base_url=base_url, key_file=key_file),
        answer_timeout=seconds("--answer-within", answer_within),
    )
    if key_file is not None:
        check_output(save, "--save", [("the file of the service key", key_file)])
    found = await look(settings, rate_up_to=rate_up_to)
    result = checked(settings, found.findings, refuses=found.refuses)
    if json:
        tell_json(as_object(result))
    else:
        tell(as_text(result))
    if save is not None:
        with writing(save) as file:
            file.write(as_toml(result))
    return _status_of(result)


def _status_of(result: Checked) -> int:
    if result.refuses:
        return SERVICE_REFUSES
    return NOT_EVERYONE if result.count(Holds.NO) else EVERYONE_ACCEPTED
