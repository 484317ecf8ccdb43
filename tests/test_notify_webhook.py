"""
A webhook hears news by POST: tried again where that may help, and never shown whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY
from hearing import Hook
from servers import Tls, response

from voicepush.errors import InputError
from voicepush.sending.webhook import Webhook
from voicepush.settings import Settings

BODY = b'{"campaign":"june"}\n'

SECRET = "/path-of-mine?token=of-mine"


def webhook(url: str, *, longest: float = 10.0, **given: Any) -> Webhook:
    """
    A webhook that does not wait long between two tries.
    """
    given = {"service_key": KEY, "base_url": "https://api.example", **given}
    settings = Settings(**{"first_wait": 0.01, **given})
    return Webhook(url, settings, longest=longest)


async def tell(hook: Hook, **given: Any) -> str | None:
    """
    Tell *hook* that a campaign is finished.
    """
    async with hook:
        return await webhook(hook.url + SECRET, **given).tell("finished", "june", BODY)


async def test_news_are_posted() -> None:
    """
    One POST to path and query, with the event in a header, and without the service key.
    """
    hook = Hook()

    assert await tell(hook) is None
    [posted] = hook.posted
    assert f"POST {SECRET} HTTP/1.1" == posted.line
    assert BODY == posted.body
    assert "finished" == posted.event
    assert "application/json" == posted.headers["content-type"]
    assert KEY not in str(posted)
    assert "key" not in posted.headers


@pytest.mark.parametrize(
    "answers",
    [(500, 500, 200), (503, 204), (429, 200), (None, 200), (b"what?\r\n\r\n", 201)],
)
async def test_what_may_help_is_tried_again(
    answers: Sequence[int | bytes | None],
) -> None:
    """
    After errors of the server's own, refusals for speed and lost connections.
    """
    hook = Hook(answers=answers)

    assert await tell(hook) is None
    assert len(answers) == len(hook.posted)
    assert {BODY} == {each.body for each in hook.posted}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (500, "HTTP 500; it was tried 3 times"),
        (429, "HTTP 429; it was tried 3 times"),
        (
            None,
            "the service closed the connection without an answer; it was tried 3 times",
        ),
        ("", "no answer in time; it was tried 3 times"),
    ],
)
async def test_three_tries_are_enough(answer: int | str | None, words: str) -> None:
    """
    Then it is told in words what went wrong with the last.
    """
    hook = Hook(answers=[answer])

    assert words == await tell(hook, longest=0.2 if answer == "" else 10.0)
    assert 3 == len(hook.posted)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_a_refusal_is_taken_as_it_is(status: int) -> None:
    """
    What the server refuses for good is not tried again.
    """
    hook = Hook(answers=[status])

    assert await tell(hook) == f"HTTP {status}"
    assert 1 == len(hook.posted)


async def test_a_long_wait_is_not_begun() -> None:
    """
    A server that asks to wait for longer than all may take is not waited for.
    """
    asks = response(b"", 429, {"Retry-After": "600"})
    hook = Hook(answers=[asks])

    assert "HTTP 429" == await tell(hook)
    assert 1 == len(hook.posted)


async def test_a_redirect_is_not_followed() -> None:
    """
    The news go where their owner wants them, and nowhere else.
    """
    async with Hook() as elsewhere:
        moved = response(b"", 302, {"Location": f"{elsewhere.url}/there"})
        hook = Hook(answers=[moved])

        assert "HTTP 302, and redirects are not followed" == await tell(hook)
    assert 1 == len(hook.posted)
    assert [] == elsewhere.posted


async def test_nobody_listens(unused_tcp_port: int) -> None:
    """
    A connection that is refused is told without the path.
    """
    hook = webhook(f"http://127.0.0.1:{unused_tcp_port}{SECRET}")

    failure = await hook.tell("late", "june", BODY)

    assert failure is not None
    assert "no connection" in failure
    assert "mine" not in failure


async def test_certificates_and_proxy_are_those_of_the_settings(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    """
    A certificate that they trust is trusted here, and no other is.
    """
    owns = Tls(folder=tmp_path)
    hook = await stack.enter_async_context(Hook(tls=owns.tls))
    proxy = await stack.enter_async_context(Hook())

    trusted = await webhook(hook.url, tls=owns.trusting).tell("late", "june", BODY)
    stranger = await webhook(hook.url).tell("late", "june", BODY)
    through = webhook("http://127.0.0.1:9/there", proxy=proxy.url)
    proxied = await through.tell("late", "june", BODY)

    assert trusted is None
    assert stranger is not None
    assert "certificate of localhost is not trusted" in stranger
    assert ["late"] == hook.events
    assert proxied is None
    assert "POST http://127.0.0.1:9/there HTTP/1.1" == proxy.posted[0].line


def test_path_and_query_are_never_shown() -> None:
    """
    Name and repr tell scheme and host.
    """
    hook = webhook("https://hooks.example.org:8443" + SECRET)

    assert "--notify-webhook https://hooks.example.org:8443" == hook.name
    assert "mine" not in repr(hook)
    assert KEY not in repr(hook)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "whole address"),
        ("hooks.example.org/mine", "whole address"),
        ("ftp://hooks.example.org/mine", "whole address"),
        ("https:///mine", "whole address"),
        ("https://[hooks.example.org/mine", "whole address"),
        ("https://hooks.example.org:port/mine", "whole address"),
        ("https://hooks.example.org/of mine", "whole address"),
        ("https://hooks.example.org/\nmine", "whole address"),
        ("https://me:mine@hooks.example.org", "no user name"),
        ("https://mine@hooks.example.org", "no user name"),
        ("https://hooks.example.org/#mine", "no user name, password or fragment"),
        ("http://hooks.example.org/mine", "begin with https://"),
        ("http://10.0.0.1/mine", "begin with https://"),
    ],
)
def test_an_unusable_address_is_refused(url: str, words: str) -> None:
    """
    With the reason, and without what may be secret in it.
    """
    with pytest.raises(InputError, match=words) as caught:
        webhook(url)

    assert "mine" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8090/a?b=c", "http://localhost/", "https://h.example"]
)
def test_an_address_that_is_taken(url: str) -> None:
    """
    Any of https, and plain http to this machine.
    """
    assert webhook(url).name.startswith("--notify-webhook http")
