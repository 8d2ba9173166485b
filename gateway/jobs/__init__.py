"""Batches that run later: taken in, run chunk by chunk, finalised; resumed after a crash.

The store is the truth: everything here is written so that it may be cut short anywhere and done again. Knows values, `send` and
its ports (`ports.py`); no database, no wire format and no HTTP. `desk.py` and `shelf.py` are what clients ask for jobs and
files, `intake.py` reads what they gave, `running/` and `ending/` are the two halves of a job's life, `runner.py` does it all.
"""
