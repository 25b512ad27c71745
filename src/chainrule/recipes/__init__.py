"""Whole tasks: the data, the network, how it is used and how good it is. Each is built of the public parts alone."""
