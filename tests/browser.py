"""
A real Chromium without a window, and pages of it that are watched.

A test that looks at a page runs in the loop of the whole session, since the browser
does: ``pytestmark = pytest.mark.asyncio(loop_scope="session")``. The simulator of
`serve` runs in a thread, and commands are processes; fixtures that are asynchronous
would run in another loop.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Literal, Protocol
from urllib.parse import urlsplit

import attrs
import pytest
from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    HttpCredentials,
    Page,
    Response,
    async_playwright,
    expect,
)

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))

#: Whatever a page asks for, nothing but this machine is found.
_ARGUMENTS = [
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

#: No fact is waited for any longer, in milliseconds.
_PATIENCE = 20_000

expect.set_options(timeout=_PATIENCE)

#: Narrower ones are those of phones.
_PHONES_END = 600


@attrs.frozen
class Screen:
    """
    What a page is looked at with.
    """

    width: int
    scheme: Literal["light", "dark"] = "light"

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"

    @property
    def is_phone(self) -> bool:
        """
        Whether it is held in a hand.
        """
        return self.width < _PHONES_END


WIDE = Screen(1440)

PHONE = Screen(360)

#: What every page must be fit for.
SCREENS = [WIDE, PHONE, Screen(1440, "dark"), Screen(360, "dark")]


@attrs.define(eq=False, slots=False)  # playwright keeps something with its listeners
class Watched:
    """
    A page, and everything that it did which a page should not do.
    """

    page: Page
    screen: Screen
    #: Errors and warnings in the console; broken security policies are told there.
    told: list[str] = attrs.field(factory=list)
    #: Errors that no script caught.
    errors: list[str] = attrs.field(factory=list)
    #: Questions that hold the page up until they are answered.
    dialogs: list[str] = attrs.field(factory=list)
    #: Answers that tell of a failure.
    failed: list[str] = attrs.field(factory=list)
    #: Every address that was asked for, the page's own first.
    requests: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(error.message))
        self.page.on("dialog", self._on_dialog)
        self.page.on("response", self._on_response)
        self.page.on("request", lambda request: self.requests.append(request.url))

    @property
    def strangers(self) -> list[str]:
        """
        The addresses that it asked for and that are not of the page's own origin; a
        file has none but itself.
        """
        own = _origin(self.page.url)
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme not in {"data", "blob"} and _origin(url) != own
        ]

    @property
    def faults(self) -> list[str]:
        """
        Everything that it should not have done.
        """
        kinds = {
            "console": self.told,
            "error": self.errors,
            "dialog": self.dialogs,
            "answer": self.failed,
            "request to elsewhere": self.strangers,
        }
        return [f"{kind}: {each}" for kind, found in kinds.items() for each in found]

    def forgive(self) -> None:
        """
        Forget the faults up to now, which a test has brought about.
        """
        for found in (self.told, self.errors, self.dialogs, self.failed):
            found.clear()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.told.append(f"{message.type}: {message.text}")

    async def _on_dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(f"{dialog.type}: {dialog.message}")
        await dialog.dismiss()

    def _on_response(self, response: Response) -> None:
        if response.status >= HTTPStatus.BAD_REQUEST:
            self.failed.append(f"{response.status} {response.url}")


class Watch(Protocol):
    """
    Opens a page for a screen, of one who knows the password.
    """

    async def __call__(self, screen: Screen, *, password: str | None = None) -> Watched:
        """
        The page, empty yet.
        """
        ...


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """
    The browser.

    Without one the test is skipped, and fails in CI, where nothing may be skipped.
    """
    _look_for_it()
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(
            executable_path=CHROMIUM, args=_ARGUMENTS
        ) as browser,
    ):
        yield browser


@asynccontextmanager
async def watching(browser: Browser) -> AsyncIterator[Watch]:
    """
    What opens pages that share nothing, and closes them in the end.
    """
    async with AsyncExitStack() as stack:

        async def watch(screen: Screen, *, password: str | None = None) -> Watched:
            login = HttpCredentials(username="me", password=password or "")
            context = await browser.new_context(
                viewport={"width": screen.width, "height": 900},
                is_mobile=screen.is_phone,
                has_touch=screen.is_phone,
                color_scheme=screen.scheme,
                reduced_motion="reduce",
                locale="en-US",
                timezone_id="UTC",
                http_credentials=None if password is None else login,
            )
            context.set_default_timeout(_PATIENCE)
            await stack.enter_async_context(context)
            return Watched(await context.new_page(), screen)

        yield watch


def _look_for_it() -> None:
    if CHROMIUM.exists():
        return
    reason = (
        f"{CHROMIUM} is missing: 'apt-get install chromium fonts-dejavu-core', or "
        "name another one in the environment, as CHROMIUM"
    )
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.path if parts.scheme == "file" else parts.netloc
