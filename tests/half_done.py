"""
A ledger in which a campaign stands in the middle of everything.
"""

from __future__ import annotations

import attrs
from ledger_model import ANSWERS, MESSAGE, TAG, is_claimed, planned_as, publish
from making import batch_of

from voicepush.ledger import Ledger
from voicepush.model.call import Receipt, Report
from voicepush.model.outcome import BatchResult
from voicepush.model.recipients import Destination
from voicepush.model.status import CampaignState
from voicepush.receipts.call_state import call_of
from voicepush.sending.request import dump_message, load_message

ACCEPTED, AGAIN, REJECTED, _, IN_DOUBT = ANSWERS[:5]


async def half_done(ledger: Ledger) -> None:
    """
    Plan june, send some of it, lose an answer, and hear of some calls.
    """
    wide = [
        Destination(msisdn=["+9990000001", "+9990000002"], correlation_id="order\n1"),
        Destination(msisdn="+9990000003", correlation_id="order-2"),
    ]
    plain = [[f"+9990000{n}{at}" for at in range(3)] for n in range(4, 8)]
    batches = [
        batch_of(MESSAGE, f"{TAG}-0", wide),
        *(
            batch_of(MESSAGE, f"{TAG}-{number}", values)
            for number, values in enumerate(plain, 1)
        ),
    ]
    plan = attrs.evolve(planned_as(), message=dump_message(MESSAGE))
    await publish(ledger, plan, *batches)
    worker = await ledger.join("june", load_message)
    results = [
        BatchResult(batches[0], ACCEPTED, {1: REJECTED}, ("t-1",), 1),
        BatchResult(batches[1], ACCEPTED, {2: AGAIN}, ("a", "b", ""), 2),
        BatchResult(batches[2], IN_DOUBT, {}, (), 1),
    ]
    for result in results:
        places = range(len(result.batch))
        claimed = is_claimed(await worker.claim(result.batch, places))
        await worker.record(claimed, result, due_at=5.0)
    said = [("0-0", "7519"), ("1-0", "7402"), ("1-2", "7408"), ("2-1", "7409")]
    for names, code in said:
        call = call_of(code, "", "", 9.0)
        number, place = names.split("-")
        own = "order\n1" if number == "0" else f"{TAG}-{number}-{place}"
        report = Report(call=call, correlation_id=own, recipient="9990000001")
        body = f"the body of {names}".encode()
        await ledger.receive([Receipt(body=body, received_at=9.0, reports=[report])])
    await worker.leave(CampaignState.PAUSED, "enough for today")
