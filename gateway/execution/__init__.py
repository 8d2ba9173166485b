"""Verbs: run a plan, and fill, send and judge each operation of it. Knows asyncio and nothing of sockets or wire formats."""
