"""
One module for each picture: its numbers, what it says, and how it is drawn.
"""
