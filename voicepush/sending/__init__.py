"""
A batch becomes its result.
"""
