"""
What is only believed of a tenant, tried: with requests that ring nobody, and one call.
"""
