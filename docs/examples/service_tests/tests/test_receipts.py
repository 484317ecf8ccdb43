"""
A campaign, and what the platform reports of its calls.
"""

from aiohttp.test_utils import TestServer

from voicepush import Campaign, Client, Ledger, VoiceMessage, receipts_app
from voicepush.testing import VoiceApi


async def test_who_picked_up(
    voice_api: VoiceApi, voice_client: Client, memory_ledger: Ledger
) -> None:
    """
    A lost answer is settled by a receipt: whoever has one was called.
    """
    voice_api.next_replies("drop")
    async with TestServer(receipts_app(memory_ledger)) as server:
        voice_api.report_to(str(server.make_url("/receipts")))
        voice_api.phones("busy@50%")
        message = VoiceMessage(media="welcome")
        people = [f"+999{number:09}" for number in range(20)]
        campaign = await Campaign.plan(memory_ledger, "june", message, people)
        await campaign.dispatch(voice_client)
        await voice_api.receipts_done()
        status = await campaign.status()

    busy = [call for call in voice_api.calls if call.state == "not_reached"]
    assert status.accepted == 20
    assert status.calls is not None
    assert status.calls.not_reached == len(busy)
    assert status.calls.reached == 20 - len(busy)
    assert all(receipt.taken for receipt in voice_api.receipts)
    assert not voice_api.rung_twice
