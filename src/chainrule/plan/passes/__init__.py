"""Passes over a plan: each small, each a function from nodes to nodes."""

from ..plan import Plan
from .common import eliminate_common
from .dead_code import eliminate_dead_code
from .fuse import fuse
from .recompute import recompute

__all__ = ["eliminate_common", "eliminate_dead_code", "fuse", "optimise", "recompute"]


def optimise(plan: Plan) -> Plan:
    """All passes in their order."""
    nodes = eliminate_dead_code(plan.nodes, plan.outputs.values())
    nodes = eliminate_common(nodes, plan.outputs)
    nodes = eliminate_dead_code(nodes, plan.outputs.values())
    nodes = recompute(nodes, plan.outputs.values())
    return plan.replace(fuse(nodes, plan.outputs.values()))
