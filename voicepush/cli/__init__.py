"""
The operator's face: arguments become calls.
"""
