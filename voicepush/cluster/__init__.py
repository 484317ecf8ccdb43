"""
The same campaign on many machines: the engine that hands out batches, and the workers
that send them.
"""
