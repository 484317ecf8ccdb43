"""
Receipts: what the platform reports of each call, taken, understood and kept.
"""
