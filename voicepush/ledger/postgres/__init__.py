"""
Campaigns in PostgreSQL, which several machines share.
"""
