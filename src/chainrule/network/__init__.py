"""A network is a graph of layers over flat arenas of parameters."""

from .bidirectional import Bidirectional
from .definition import Definition
from .graph import Call, NetworkGraph
from .parameters import Arena, Entry
from .representation import Bits, Int8, LowPrecision, Masked, Representation, Sign, SpectrallyNormalised
from .residual import Residual
from .transformer import TransformerDecoderBlock, TransformerEncoderBlock

__all__ = [
    "Arena",
    "Bidirectional",
    "Bits",
    "Call",
    "Definition",
    "Entry",
    "Int8",
    "LowPrecision",
    "Masked",
    "NetworkGraph",
    "Representation",
    "Residual",
    "Sign",
    "SpectrallyNormalised",
    "TransformerDecoderBlock",
    "TransformerEncoderBlock",
]
