"""
Evidence from elsewhere: what the console exports settles who is unknown.
"""
