"""
What every store does that speaks SQL: the same statements on any connection.
"""
