"""
Files, streams and iterables become blocks of recipients.
"""
