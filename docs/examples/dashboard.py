"""
The dashboard in an application of your own, below a path.
"""

import asyncio

from aiohttp import web

import voicepush


async def main() -> None:
    """
    Serve the dashboard below /voice, for a moment.
    """
    async with voicepush.open_ledger("june.db") as ledger:
        app = web.Application()
        dashboard = voicepush.dashboard_app(ledger, token="made-up-and-long-enough")
        app.add_subapp("/voice", dashboard)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        # Here a service would wait; the page is at /voice/.
        await runner.cleanup()


asyncio.run(main())
