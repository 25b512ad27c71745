"""How each node of ONNX becomes layers, one file for each family; importing them registers them."""

from . import elementwise, moving, products, recurrent, spatial

__all__ = ["elementwise", "moving", "products", "recurrent", "spatial"]
