"""The edge down: where jobs are kept. Records in SQLite, objects in a folder, and a queue in the process that works on them.

Fills the ports of `gateway.jobs`. Everything it says is done is on the disk; everything that goes wrong is a StorageError. It
does not know what a job does, nor HTTP.
"""
