"""
The stand-in for the API in the same process: faults on demand, counts of its own.
"""

import asyncio

import voicepush
from voicepush.simulator import Simulator


async def main() -> None:
    """
    Send to 5,000 made-up numbers past faults: nobody is rung twice.
    """
    async with Simulator(service_key="made-up", faults=["7006@20%"]) as simulator:
        simulator.next_replies(429, "drop")
        async with voicepush.Client(
            service_key="made-up", base_url=simulator.url
        ) as client:
            message = voicepush.VoiceMessage(media="welcome")
            await client.send(message, [f"+999{i:09d}" for i in range(5_000)])
        assert simulator.summary()["rung_twice"] == 0


asyncio.run(main())
