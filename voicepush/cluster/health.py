"""
Says over HTTP whether a worker can work.
"""

from __future__ import annotations

from aiohttp import web

from voicepush.cluster.worker import ClusterWorker


def health_app(worker: ClusterWorker) -> web.Application:
    """
    An application with ``/healthz``: 200 while *worker* can work, 503 while its ledger
    can't be used; with the names of its campaigns, and what it has done.
    """

    async def healthz(_: web.Request) -> web.Response:
        failure = worker.failure
        told = {
            "state": "ok" if failure is None else "waiting",
            "reason": failure and str(failure),
            "campaigns": worker.campaigns,
            **worker.counts,
        }
        return web.json_response(told, status=200 if failure is None else 503)

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    return app
