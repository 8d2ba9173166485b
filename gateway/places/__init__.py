"""What is served at the paths of the public port: a place takes a request and gives the answer to it.

A new one is one file here and one line where the configuration is read for it (`app/places.py`).
"""
