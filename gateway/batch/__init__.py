"""The nouns of a batch: operations, templates, references, the plan, the results and the answer.

Pure: this room knows no wire format, no sockets and no clock. Everything here is a value or a function of values.
"""
