"""
Serves what Prometheus reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from voicepush.telemetry.exposition import CONTENT_TYPE, Figures, exposition


def metrics_app(look: Callable[[], Awaitable[Figures]]) -> web.Application:
    """
    An application with ``/metrics``.

    Args:
        look: Gives what is to be told at the moment.
    """

    async def metrics(_: web.Request) -> web.Response:
        text = exposition(await look())
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app
