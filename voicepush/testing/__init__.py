"""
For tests of who uses voicepush: a stand-in for the API, and a clock to move.

The fixtures of the same names are in the pytest plugin, `pytest_voicepush`.
"""

from voicepush.testing.clock import VoiceClock
from voicepush.testing.settings import VoiceSettings
from voicepush.testing.values import PostedReceipt, RungCall, TakenRequest
from voicepush.testing.voice_api import UnusedRepliesError, VoiceApi

__all__ = [
    "PostedReceipt",
    "RungCall",
    "TakenRequest",
    "UnusedRepliesError",
    "VoiceApi",
    "VoiceClock",
    "VoiceSettings",
]
