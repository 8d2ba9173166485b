"""Posts the results of jobs to the URLs that clients gave, and to no address that is the gateway's neighbourhood.

The receivers are nobody's: whatever one of them does, it costs an attempt. Knows URLs and bytes; what is posted when, and what
follows from an answer, is for `gateway.jobs.ending.delivery` to say.
"""
