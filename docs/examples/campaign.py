"""
A campaign in code: what was planned and done stands in a ledger, and outlives a crash.
"""

import asyncio

import voicepush


async def main() -> None:
    """
    Plan a campaign of 2,500 made-up numbers, and dispatch it.
    """
    message = voicepush.VoiceMessage(media="welcome")
    numbers = (f"+999{number:09d}" for number in range(2_500))
    async with (
        voicepush.open_ledger("june.db") as ledger,
        voicepush.Client() as client,
    ):
        campaign = await voicepush.Campaign.plan(ledger, "june", message, numbers)
        await campaign.dispatch(client)  # call it again after a crash: it goes on
        print(await campaign.status())


asyncio.run(main())
