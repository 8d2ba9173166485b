"""The operator edge, on a port of its own: health, metrics, and the jobs of all clients.

Never on the public port, and never able to send a batch. It reads the gateway's state through what it is given, and changes
nothing but jobs: it can end one, and have a callback made again.
"""
