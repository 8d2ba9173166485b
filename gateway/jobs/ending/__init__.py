"""The end of jobs, and what follows: their results, the callback that tells of them, and their removal."""
