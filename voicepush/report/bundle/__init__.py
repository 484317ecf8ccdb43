"""
One bundle that shows what was done in a campaign, and how it is checked.
"""
