"""
Who has not agreed is left out: the list june.csv says until when each one has.
"""

import asyncio
from datetime import timedelta

import voicepush


async def main() -> None:
    """
    Plan a campaign with the column that says until when people have agreed.
    """
    message = voicepush.VoiceMessage(media="welcome", expiry=timedelta(hours=2))
    async with voicepush.open_ledger("june.db") as ledger:
        screening = voicepush.Screening(international=True, consent=True)
        recipients = voicepush.read_file("june.csv", keep=["agreed until"])
        campaign = await voicepush.Campaign.plan(
            ledger, "june", message, recipients, screening=screening
        )
        print(await campaign.status())


asyncio.run(main())
