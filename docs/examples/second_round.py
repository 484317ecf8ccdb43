"""
People who were not reached by one campaign are called again by another.
"""

import asyncio
from datetime import timedelta

import voicepush


async def main() -> None:
    """
    Call everyone, and two hours after the platform has told of it those not reached.
    """
    message = voicepush.VoiceMessage(media="welcome")
    async with (
        voicepush.open_ledger("june.db") as ledger,
        voicepush.Client() as client,
    ):
        numbers = ["+999100000001", "+999100000002"]
        campaign = await voicepush.Campaign.plan(ledger, "june", message, numbers)
        await campaign.dispatch(client)

        follow = voicepush.FollowUp(
            ledger,
            "june",
            states=[voicepush.CallState.NOT_REACHED],
            after=timedelta(hours=2),
            rounds=3,
        )
        try:
            again = await voicepush.Campaign.plan(ledger, "june-2", message, follow)
        except voicepush.NobodyToCallError as error:
            print(error)  # no receipt has said so yet
        else:
            await again.dispatch(client)


asyncio.run(main())
