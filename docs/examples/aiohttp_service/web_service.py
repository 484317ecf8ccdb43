"""
The same with aiohttp.web; PORT says where it listens.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import web

import voicepush

log = logging.getLogger("service")

MESSAGE = voicepush.VoiceMessage(media="welcome", expiry=timedelta(seconds=20))
CLIENT = web.AppKey("client", voicepush.Client)


async def client(app: web.Application) -> AsyncIterator[None]:
    """
    One client for as long as the application runs.
    """
    async with voicepush.Client(
        answer_timeout=10, most_waiting=10_000, when_full="refuse"
    ) as app[CLIENT]:
        yield
        log.info("closed: %s", await app[CLIENT].close(drain=30))


async def call(request: web.Request) -> web.Response:
    """
    Ring someone, and tell what became of that; 503 says that nobody was rung.
    """
    order = await request.json()
    try:
        result = await request.app[CLIENT].submit(MESSAGE, str(order["number"]))
    except (voicepush.BusyError, voicepush.ClientClosedError) as error:
        return web.json_response({"detail": str(error)}, status=503)
    return web.json_response({"number": result.recipient, "outcome": result.outcome})


def main() -> None:
    """
    Serve until SIGTERM or SIGINT.
    """
    app = web.Application()
    app.cleanup_ctx.append(client)
    app.router.add_post("/calls", call)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        access_log=None,
        shutdown_timeout=35,
    )


if __name__ == "__main__":
    main()
