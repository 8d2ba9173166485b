"""The gateway beside its peers, in one run. `make bench` prints ratios; absolute figures belong to one machine."""
