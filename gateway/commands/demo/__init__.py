"""`gateway demo`: three small services, a gateway in front of them, and the example batch sent through it.

This folder is the services, how they are run, and the verb itself.
"""

from gateway.commands.demo.verb import add_arguments, main

__all__ = ["add_arguments", "main"]
