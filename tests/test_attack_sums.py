"""
Numbers are numbers, whatever a ledger is kept in.
"""

from __future__ import annotations

import json

from conftest import Connect, Simulate
from dashboards import sent
from ledger_model import Store

from voicepush import VoiceMessage
from voicepush.campaign.overview import overview_of
from voicepush.report.account import account_of
from voicepush.report.html import page
from voicepush.report.json import as_object, dump
from voicepush.report.objects import report_as_object


async def test_sums_of_calls_are_whole_numbers(
    store: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    In JSON, where a program adds them up, and in what pictures are drawn from.
    """
    simulator = await simulate("7102@10%")
    client = await connect(simulator)
    status = await sent(store.ledger, client, message)
    account = account_of(await overview_of(store.ledger, "june"))
    told = json.loads(dump(as_object(status)))
    report = json.loads(dump(report_as_object([account], version="1")))
    (found,) = report["campaigns"]

    assert 7 == told["calls"]["reached"]
    assert told == {**found["status"], "will_expire": told["will_expire"]}
    rows = [row for each in found["figures"].values() for row in each["rows"]]
    assert 7 in [row.get("people") for row in rows]
    assert page([account], version="1")
