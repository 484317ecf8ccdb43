"""
Receipts are taken by an application of your own, into the ledger of your campaigns.
"""

import asyncio

from aiohttp import web

import voicepush


async def main() -> None:
    """
    Serve the notify URL below /hooks, for a moment.
    """
    async with voicepush.open_ledger("june.db") as ledger:
        # Signatures are of what was sent, so the server must not inflate it.
        app = web.Application(handler_args={"auto_decompress": False})
        receipts = voicepush.receipts_app(ledger, secret="the hub secret", told=print)
        app.add_subapp("/hooks", receipts)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        # Here a service would wait; receipts are posted to /hooks/receipts.
        await runner.cleanup()


asyncio.run(main())
