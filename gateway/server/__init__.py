"""The public edge: the port that clients send batches to.

It turns HTTP into bytes and a Context, hands them on, and writes the answer; it guards the process against clients that are
slow, greedy or malformed. It knows no wire format beyond the table of dialects, and nothing of upstreams.
"""
