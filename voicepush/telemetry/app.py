"""
Serves what Prometheus reads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from voicepush.telemetry.exposition import CONTENT_TYPE, Figures, exposition


def metrics_app(
    look: Callable[[], Awaitable[Figures]], guards: Sequence[Middleware] = ()
) -> web.Application:
    """
    An application with ``/metrics``.

    Args:
        look: Gives what is to be told at the moment.
        guards: Stand before it, and say who may read.
    """

    async def metrics(_: web.Request) -> web.Response:
        text = exposition(await look())
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(middlewares=guards)
    app.router.add_get("/metrics", metrics)
    return app
