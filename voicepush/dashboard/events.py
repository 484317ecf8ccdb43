"""
What changes is sent to a browser for as long as it watches: server-sent events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count

from aiohttp import hdrs, web

from voicepush.dashboard.live import Parts, Viewer

#: Where nothing changes, the browser hears so often that we are there, in seconds.
_BEAT = 15.0

#: Who takes nothing for so long is gone.
_PATIENCE = 30.0

#: How long a browser waits until it comes again, in milliseconds.
_RETRY = 1000


async def send_events(
    request: web.Request, viewer: Viewer, seen: Callable[[float], str]
) -> web.StreamResponse:
    """
    Tell *viewer*, who asked with *request*, everything that is new, until they leave.

    Args:
        seen: How a moment is shown.
    """
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: "text/event-stream"})
    # Proxies must neither hold back nor compress what comes in drops.
    response.headers["X-Accel-Buffering"] = "no"
    await response.prepare(request)
    await response.write(f"retry: {_RETRY}\n\n".encode())
    numbers = count(1)
    try:
        while not viewer.is_over:
            parts = dict(await viewer.news(_BEAT))
            if viewer.looked_at:
                parts["seen"] = seen(viewer.looked_at)
            text = "".join(_events(parts, numbers)) or ": nothing was seen yet\n\n"
            async with asyncio.timeout(_PATIENCE):
                await response.write(text.encode())
    except (OSError, TimeoutError):
        pass  # they have left
    return response


def _events(parts: Parts, numbers: Iterator[int]) -> Iterator[str]:
    """
    *parts* as events, of which each has its number.
    """
    for name, text in parts.items():
        lines = "".join(f"data: {line}\n" for line in text.split("\n"))
        yield f"id: {next(numbers)}\nevent: {name}\n{lines}\n"
