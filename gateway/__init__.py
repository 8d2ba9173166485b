"""The batch gateway: one HTTP request in, many named operations out, one ordered answer back.

The rooms, from the top: commands, app, the edges (server, admin, upstreams), the readers (metrics, logs, config),
pipeline, execution and dialects, batch, and the plain values everything is made of. Imports point down.
"""

__version__ = "0.1.0"
