"""What networks reach on known data sets, each a command: ``python -m benchmarks.accuracy.cora``."""
