"""
The console's logs settle who is unknown: here they are only counted.
"""

import asyncio

import voicepush
from voicepush.receipts.evidence.reading import read_evidence
from voicepush.receipts.evidence.settling import settle


async def main() -> None:
    """
    Read logs.csv for the campaign june.
    """
    async with voicepush.open_ledger("june.db") as ledger:
        logs = [read_evidence("logs.csv")]
        found = await settle(ledger, "june", logs, apply=False)
        print(found.proven, found.foreign, found.unreadable_rows)


asyncio.run(main())
