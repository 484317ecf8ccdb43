"""
The dashboard: where the campaigns of a ledger stand, live in the browser.
"""
