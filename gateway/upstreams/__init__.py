"""The edge out: sends requests to upstreams, and turns everything the network does into an Outcome.

One file per layer, the order of the layers in `stack`, the transport in `wire` alone. It knows nothing of envelopes,
plans or dialects, and believes nothing an upstream says.
"""
