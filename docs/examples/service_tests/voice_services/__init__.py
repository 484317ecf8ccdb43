"""
Two small services that ring people: one on FastAPI, one on aiohttp.
"""
