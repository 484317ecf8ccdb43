"""
Where a campaign stands, for people and for programs.
"""
