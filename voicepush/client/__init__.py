"""
The client of an async service: the way of the data with the ledger left out.
"""
