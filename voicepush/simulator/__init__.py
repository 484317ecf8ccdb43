"""
A stand-in for the voice messaging API that can be told to misbehave.

It reads the API's document for itself and shares no code with the client, so a
mistake in one cannot hide in the other.
"""

from voicepush.simulator.answers import SHAPES
from voicepush.simulator.fates import ReceiptFault
from voicepush.simulator.options import ALGORITHMS
from voicepush.simulator.records import Record
from voicepush.simulator.replies import Fault, Reply
from voicepush.simulator.sequences import Ring
from voicepush.simulator.server import Simulator
from voicepush.simulator.tenant import PROMPT_FIELDS, TenantOptions
from voicepush.simulator.truth import STATES, CallTruth, Happened

__all__ = [
    "ALGORITHMS",
    "PROMPT_FIELDS",
    "SHAPES",
    "STATES",
    "CallTruth",
    "Fault",
    "Happened",
    "ReceiptFault",
    "Record",
    "Reply",
    "Ring",
    "Simulator",
    "TenantOptions",
]
