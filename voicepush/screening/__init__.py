"""
Who may be called.
"""
