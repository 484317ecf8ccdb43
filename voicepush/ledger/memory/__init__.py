"""
The ledger in memory: for tests, and for a campaign that leaves nothing behind.
"""
