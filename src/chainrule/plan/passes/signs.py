"""Products with signs of weights become products of their bits: what a binarised layer computes, in training, too.

A layer of signs states a product with the value 2 [w ≥ 0] − 1. Here the bits of w take its place. Where x is signs as well,
both are packed, and the sums are the same whole numbers; else each output adds and subtracts the inputs. Packed networks
compute with the same ops, so that their numbers are the same to the bit.
"""

from __future__ import annotations

from ...ops import Builder, Node, Value
from ...ops.compressed import product_with_signs, weights_of_signs
from ..plan import Plan
from ..signs import is_signs


def multiply_signs(plan: Plan) -> Plan:
    """Puts products of bits in the place of products with signs of weights."""
    bits: dict[int, Value] = {}
    found: list[Node] = []
    for node in plan.nodes:
        k = Builder()
        k.where = node.where
        weights = weights_of_signs(node)
        if weights is not None:
            # Directly behind the signs, since a later assignment to the weights must not change them.
            bits[id(node.outputs[0])] = k.sign_bits(weights)
            found += [node, *k.nodes]
        elif product_with_signs(k, node, bits, is_signs):
            *before, last = k.nodes
            found += [*before, Node(last.op, last.inputs, node.outputs, last.attrs, node.where)]
        else:
            found.append(node)
    return plan.replace(found)
