"""
A stand-in for the voice messaging API that can be told to misbehave.

It reads the API's document for itself and shares no code with the client, so a
mistake in one cannot hide in the other.
"""

from voicepush.simulator.answers import SHAPES
from voicepush.simulator.replies import Fault, Reply
from voicepush.simulator.server import Record, Simulator

__all__ = ["SHAPES", "Fault", "Record", "Reply", "Simulator"]
