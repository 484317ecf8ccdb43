"""
A service on aiohttp that rings people: one client for the whole process.
"""

from collections.abc import AsyncIterator

from aiohttp import web

from voicepush import Client, Outcome, VoiceMessage
from voicepush import SettingsFields as ClientSettings

CLIENT = web.AppKey("client", Client)

WELCOME = VoiceMessage(media="welcome")


def make_app(settings: ClientSettings) -> web.Application:
    """
    The service, whose client has these *settings*.
    """

    async def opened(app: web.Application) -> AsyncIterator[None]:
        async with Client(**settings) as client:
            app[CLIENT] = client
            yield

    app = web.Application()
    app.cleanup_ctx.append(opened)
    app.router.add_post("/welcome/{number}", welcome)
    return app


async def welcome(request: web.Request) -> web.Response:
    """
    Ring someone, and say whether that is safe to be repeated.
    """
    number = request.match_info["number"]
    result = await request.app[CLIENT].submit(WELCOME, number)
    if result.outcome is Outcome.ACCEPTED:
        return web.Response(status=202, text=result.correlation_id)
    again = result.outcome is Outcome.NOT_SENT
    return web.json_response(
        {"outcome": result.outcome.value, "may_be_repeated": again}, status=502
    )
