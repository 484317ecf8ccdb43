"""
What happens, as lines of a log: for people, and for programs as JSON.
"""

from voicepush.logs.events import log_event
from voicepush.logs.json_lines import JsonFormatter

__all__ = ["JsonFormatter", "log_event"]
