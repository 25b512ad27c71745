"""Activations with a slope that goes to 0 on both sides, and its largest value."""

from __future__ import annotations

#: {name: largest σ'(z)}
BOUNDED = {"sigmoid": 0.25, "tanh": 1.0, "softsign": 1.0, "hard_sigmoid": 0.2}
