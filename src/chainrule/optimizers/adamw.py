"""Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from .adam import Adam


class AdamW(Adam):
    """Adam after shrinking the weights: ``w ← w − η λ w``, then Adam's update.

    The decay λ is no part of the gradient, so it is not divided by √v̂ as an L2 penalty would be. Biases are not decayed.

    Parameters  learning_rate η : > 0 = 0.001 ; weight_decay λ : >= 0 = 0.01 ; beta1, beta2 : in [0, 1) = 0.9, 0.999 ;
                epsilon : > 0 = 1e-8 ; others : see Optimizer
    Raises      ParameterError when a number is out of its range
    References  Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019

    Example
        >>> AdamW(weight_decay=0.1)
        AdamW(weight_decay=0.1)
    """

    name = "adamw"

    def __init__(self, learning_rate: Any = 0.001, *, weight_decay: float = 0.01, **common: Any):
        super().__init__(learning_rate, weight_decay=weight_decay, **common)
