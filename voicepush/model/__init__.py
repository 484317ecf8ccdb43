"""
Values that know nothing of JSON, HTTP or SQL.
"""
