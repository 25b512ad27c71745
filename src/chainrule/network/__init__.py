"""A network is a graph of layers over flat arenas of parameters."""

from .graph import Call, NetworkGraph
from .parameters import Arena, Entry
from .residual import Residual

__all__ = ["Arena", "Call", "Entry", "NetworkGraph", "Residual"]
