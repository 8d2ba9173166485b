"""Batches that run later: taken in, run chunk by chunk, finalised; resumed after a crash.

The store is the truth: everything here is written so that it may be cut short anywhere and done again. Knows values, `send` and
its ports (`ports.py`); no database, no wire format and no HTTP.
"""
