"""
One message to one list, planned in a ledger under a name, and dispatched.
"""
