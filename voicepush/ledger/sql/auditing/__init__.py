"""
A ledger is held against itself: sums, verdicts, receipts and the index.
"""
