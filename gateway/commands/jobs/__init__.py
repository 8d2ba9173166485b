"""`gateway jobs`: what operators see and do of jobs, by way of the operators' port of a running gateway.

This folder is the verb, the asking, and the drawing. It knows that port and nothing of the rooms behind it.
"""

from gateway.commands.jobs.verb import add_arguments, main

__all__ = ["add_arguments", "main"]
