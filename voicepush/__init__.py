"""
Send voice messages in bulk: no one is called twice by us, and no one is lost.
"""

__version__ = "0.1.0"
