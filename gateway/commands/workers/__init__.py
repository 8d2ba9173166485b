"""Several processes behind one port: a supervisor that takes no batches, and workers that each are a gateway of their own.

Each worker has its own event loop and its own listener (SO_REUSEPORT: the kernel deals connections out), so nothing is shared
while batches run. The supervisor has the operators' port, asks its workers what to show there, and replaces the dead.
Workers are started afresh, not forked: when one is replaced the supervisor has an event loop and a thread, and a fork would
copy their locks as they stand. A worker sees its supervisor's end as the end of their channel.
"""
