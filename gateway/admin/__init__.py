"""The operator edge, on a port of its own: health and metrics.

Never on the public port, and never able to send a batch. It reads the gateway's state through what it is given, and changes
nothing.
"""
