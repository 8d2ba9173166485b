"""Wire formats: bytes to an envelope, results to bytes, a refusal in the format's own shape.

Pure: a dialect knows neither sockets nor clocks nor how a batch is run. A new one is one file here and one line in the
registry.
"""
