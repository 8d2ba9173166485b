"""The configuration: one YAML file in, frozen settings out, or every problem at once with its place in the file.

The order of the work: reading (text to nodes, variables filled in), settings (nodes to values), checks (values against
each other). This room starts nothing, resolves no names and knows no event loop; the environment is an argument.
"""
