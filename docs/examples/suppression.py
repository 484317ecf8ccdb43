"""
Who must not be called is put on the list of a ledger, found there, and taken off it.
"""

import asyncio

import voicepush


async def main() -> None:
    """
    Put a number on the list, look it up, and take it off again.
    """
    person = (voicepush.Kind.MSISDN, ["+999000000007"])
    async with voicepush.open_ledger("june.db") as ledger:
        await ledger.suppress([person], category="no ads")
        print(await ledger.suppressed(*person))  # who of them, and why
        await ledger.unsuppress([person], reason="asked")
        print(await ledger.suppression_history())


asyncio.run(main())
