"""The fast engine: oneDNN's matrix products and compiled kernels, driven by one table of calls for each thread."""

from .engine import OneDNNEngine

__all__ = ["OneDNNEngine"]
