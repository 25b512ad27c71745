"""The reference engine: NumPy, readable as a textbook, float32 and float64, on any machine."""

from .engine import ReferenceEngine

__all__ = ["ReferenceEngine"]
