"""
One client sends to many, tells results while they come, and takes single numbers.
"""

import asyncio
from datetime import timedelta

import voicepush


async def main() -> None:
    """
    Send in the three ways that there are.
    """
    # Key and address come from the environment, or as service_key= and base_url=.
    async with voicepush.Client(rate=80) as client:
        message = voicepush.VoiceMessage(
            media="welcome", cli="999000000100", expiry=timedelta(hours=2)
        )

        # A list, an iterable or an async iterable, of any length.
        summary = await client.send(message, ["+999000000101", "+999000000102"])
        print(summary.accepted, summary.unknown, summary.failures)

        # Results while they come, in bounded memory.
        async with client.stream(message, ["+999000000103"]) as results:
            async for batch in results:
                for recipient, outcome, code, description, *ids in batch:
                    print(recipient, outcome, code, description, ids)

        # One number, joined with other callers' submissions into one request.
        result = await client.submit(message, "+999000000104")
        print(result.outcome)


asyncio.run(main())
