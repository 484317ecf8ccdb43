"""
The command that tries what is only believed of a tenant.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from voicepush.checking.checking import checked, look
from voicepush.checking.findings import Checked, Holds
from voicepush.checking.ringing import EXPIRY, Listening, joined, ring
from voicepush.checking.wording import as_object, as_text, as_toml
from voicepush.cli.call import normal_number
from voicepush.cli.configured import settings_inputs
from voicepush.cli.exit_status import (
    EVERYONE_ACCEPTED,
    NOT_EVERYONE,
    SERVICE_REFUSES,
)
from voicepush.cli.listening import HUB_SECRET_VARIABLE, host_and_port, secret_in
from voicepush.cli.options import Json, seconds
from voicepush.cli.outputs import check_output, writing
from voicepush.cli.service import PromptFieldOption, Tenant, secret_files
from voicepush.cli.terminal import say, tell, tell_json
from voicepush.errors import InputError
from voicepush.masking import mask
from voicepush.model.message import VoiceMessage

#: What a check writes into its file of settings.
_WRITTEN = (
    *("profile", "base-url", "checked"),
    *("key-file", "service-id", "service-secret-file"),
)

#: More than any tenant is believed to take.
_FASTEST = 1000


@Parameter(name="*", group="Call")
@attrs.frozen(kw_only=True)
class Call:
    """
    The options that ring someone.
    """

    call: str | None = None
    """Your own phone, which is rung; with + and the calling code."""
    media: str | None = None
    """The prompt id of the audio to play."""
    callflow: str | None = None
    """The id of the call flow to run, instead of --media."""
    cli: str | None = None
    """The caller line identity to show."""
    receipts: str | None = None
    """The notify URL of this call, which has to lead to --listen."""
    listen: str = "127.0.0.1:8090"
    """Where its receipts are taken, such as 0.0.0.0:8090."""
    path: str = "/receipts"
    """The path of the notify URL, as it arrives."""
    secret_file: Path | None = None
    """A file that holds the hub secret; VOICEPUSH_HUB_SECRET does as well."""
    wait: str = "2m"
    """How long receipts are waited for."""
    expired_call: Annotated[bool, Parameter(negative="")] = False
    """Send a second call whose expiry has passed, where nothing else has shown that one
    is honoured. It rings once more if it is not."""

    def message(self) -> VoiceMessage | None:
        """
        What is played, if anyone is rung.
        """
        if self.call is None:
            if self != Call(listen=self.listen, path=self.path, wait=self.wait):
                raise InputError(
                    "--media, --callflow, --cli, --receipts, --secret-file and "
                    "--expired-call are of no use without --call, since nobody is rung"
                )
            return None
        return VoiceMessage(
            media=self.media,
            callflow=self.callflow,
            cli=self.cli,
            notify_url=self.receipts,
        )

    def listening(self) -> Listening | None:
        """
        Where receipts are taken, if they are.
        """
        longest = seconds("--wait", self.wait)
        if self.receipts is None:
            return None
        host, port = host_and_port(self.listen)
        secret = secret_in("--secret-file", self.secret_file, HUB_SECRET_VARIABLE)
        return Listening(
            host=host, port=port, path=self.path, secret=secret, longest=longest
        )


async def check(
    *,
    tenant: Tenant | None = None,
    prompt_field: PromptFieldOption = "media",
    rate_up_to: int | None = None,
    answer_within: str = "30s",
    save: Path | None = None,
    call: Call | None = None,
    json: Json = False,
) -> int:
    """
    Try what is only believed of a tenant: key, address, answers, receipts.

    Nobody is rung, unless --call names your phone: all other requests lack what a call
    needs. Each finding is yes, no or unknown. Exit status: 0 nothing is no; 1 something
    is; 3 the service refuses everything.

    Parameters
    ----------
    prompt_field
        What the API calls the prompt id: media, or promptid where a tenant's does.
    rate_up_to
        Send so many requests in one second, at most, to find the rate that is taken.
    answer_within
        How long an answer may take, such as 30s.
    save
        Keep the result in this file, as a profile for --config, without the key.
    json
        Print one JSON object.
    """
    if rate_up_to is not None and not 1 <= rate_up_to <= _FASTEST:
        raise InputError(f"--rate-up-to must be from 1 to {_FASTEST}, not {rate_up_to}")
    tenant = tenant or Tenant()
    settings = attrs.evolve(
        tenant.settings(prompt_field=prompt_field),
        answer_timeout=seconds("--answer-within", answer_within),
    )
    check_output(save, "--save", [*settings_inputs(), *secret_files(tenant)])
    if save is not None:
        _check_replaceable(save)
    rings = call or Call()
    message, listening = rings.message(), rings.listening()
    msisdn = None if rings.call is None else normal_number(rings.call)
    found = await look(settings, rate_up_to=rate_up_to)
    findings = found.findings
    if msisdn is not None and message is not None and found.goes_on:
        expired = rings.expired_call and any(
            each.about == EXPIRY and each.holds is Holds.UNKNOWN for each in findings
        )
        once_more = ", and once more if an expiry in the past is not honoured"
        say(f"ringing {mask(msisdn)}{once_more if expired else ''}; kept in no ledger")
        rung = await ring(
            settings, message, msisdn, listening=listening, expired=expired
        )
        findings = [*joined(findings, rung)]
    result = checked(settings, findings, refuses=found.refuses)
    if json:
        tell_json(as_object(result))
    else:
        tell(as_text(result))
    if save is not None:
        with writing(save) as file:
            file.write(as_toml(result, save.stem or "checked", _kept(tenant)))
    return _status_of(result)


def _check_replaceable(save: Path) -> None:
    """
    Refuse a file that holds more than an earlier check has written.
    """
    try:
        kept = tomllib.loads(save.read_text("utf-8")) if save.is_file() else {}
        profiles = kept.pop("profiles", {})
        ours = profiles.pop(save.stem, {})
        names = [name for name in (*profiles, *kept, *ours) if name not in _WRITTEN]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError, TypeError):
        names = ["what is no file of settings"]
    if names:
        raise InputError(
            f"{save} holds {names[0]}, which would be lost; name another file with "
            "--save"
        )


def _kept(tenant: Tenant) -> dict[str, str]:
    """
    The options that say who sends, as far as they may stand in a file.
    """
    key, secret = tenant.key_file, tenant.service_secret_file
    found = {
        "key-file": key and str(key.absolute()),
        "service-id": tenant.service_id,
        "service-secret-file": secret and str(secret.absolute()),
    }
    return {name: each for name, each in found.items() if each}


def _status_of(result: Checked) -> int:
    if result.refuses:
        return SERVICE_REFUSES
    return NOT_EVERYONE if result.count(Holds.NO) else EVERYONE_ACCEPTED
