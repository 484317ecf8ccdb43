"""
Options that say where the service is, who sends, and how fast.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Unpack

import attrs
from cyclopts import Parameter

from voicepush.cli.configured import surroundings
from voicepush.environment import (
    BASE_URL_VARIABLE,
    ID_VARIABLE,
    PROMPT_FIELD_VARIABLE,
    SECRET_FILE_VARIABLE,
    from_environment,
)
from voicepush.settings import KEY_FILE_VARIABLE, Settings, SettingsFields

PromptFieldOption = Annotated[
    str, Parameter(env_var=PROMPT_FIELD_VARIABLE, group="Service")
]


@Parameter(name="*", group="Service")
@attrs.frozen(kw_only=True)
class Tenant:
    """
    The options that say where the service is, and who sends.
    """

    base_url: Annotated[str | None, Parameter(env_var=BASE_URL_VARIABLE)] = None
    """The tenant's address, such as https://api.imiconnect.io."""
    key_file: Annotated[Path | None, Parameter(env_var=KEY_FILE_VARIABLE)] = None
    """A file that holds the service key; VOICEPUSH_SERVICE_KEY does as well."""
    service_id: Annotated[str | None, Parameter(env_var=ID_VARIABLE)] = None
    """The id of the service, where tokens (JWT) stand in place of its key."""
    service_secret_file: Annotated[
        Path | None, Parameter(env_var=SECRET_FILE_VARIABLE)
    ] = None
    """A file that holds the secret of that service, which signs tokens;
    VOICEPUSH_SERVICE_SECRET does as well."""

    def settings(self, **more: Unpack[SettingsFields]) -> Settings:
        """
        The settings that they, the environment and *more* describe.
        """
        more["base_url"] = self.base_url
        return from_environment(
            surroundings(),
            key_file=self.key_file,
            service_id=self.service_id,
            secret_file=self.service_secret_file,
            **more,
        )


@Parameter(name="*", group="Service")
@attrs.frozen(kw_only=True)
class Service(Tenant):
    """
    The options that say how to reach the service, and how fast.
    """

    prompt_field: PromptFieldOption = "media"
    """What the API calls the prompt id: media, or promptid where a tenant's does."""
    concurrency: int = 32
    """How many requests are under way at once."""
    rate: float | None = None
    """Destinations per second; without it, as fast as the service takes them."""
    batch_size: int = 1000
    """The most recipients of one request."""

    def build(self) -> Settings:
        """
        The settings that they, and the environment, describe.
        """
        return self.settings(
            prompt_field=self.prompt_field,
            concurrency=self.concurrency,
            rate=self.rate,
            batch_size=self.batch_size,
        )

    def rehearsed(self) -> Settings:
        """
        The same where nothing is sent, so that key and address are not needed yet.
        """
        return Settings(
            service_key="none",
            base_url=self.base_url or "https://none.invalid",
            prompt_field=self.prompt_field,
            concurrency=self.concurrency,
            rate=self.rate,
            batch_size=self.batch_size,
        )


@Parameter(name="*", group="Service")
@attrs.frozen(kw_only=True)
class SharedService(Service):
    """
    The same for those who share a rate with others, and have none of their own.
    """

    # It is said why, to those who give one all the same.
    rate: Annotated[float | None, Parameter(show=False)] = None


def typed_batch_size(service: Service | None) -> str | None:
    """
    The size of batches, if it was typed.
    """
    size = None if service is None else service.batch_size
    return None if size in (None, Service().batch_size) else str(size)


def secret_files(tenant: Tenant) -> Iterator[tuple[str, Path]]:
    """
    The files of *tenant* that no output may name, each in words and as a path.
    """
    if key := tenant.key_file or os.environ.get(KEY_FILE_VARIABLE):
        yield "the file of the service key", Path(key)
    if tenant.service_secret_file is not None:
        yield "the file of the service's secret", tenant.service_secret_file
