"""The fully connected layer with weights of one bit."""

from __future__ import annotations

from typing import Any

from ..constraints import Boolean, Interval
from ..ops.value import Shape
from ._binary import NO_GRADIENT, as_signs
from .base import Parameter
from .dense import Dense


class BinaryDense(Dense):
    """Affine map ``z = x sign(W) + b`` with weights that are −1 or 1 for whatever reads them.

    Fits change the stored weights W by the gradient of the sign where ``|W| ≤ clip``, as if it were W itself, and keep them
    in [−clip, clip]. After a ``Sign`` activation x is −1 or 1, too, and ``net.pack()`` multiplies bits. The first layer of a
    network takes inputs as they are. Batch normalisation after the layer takes the place of the bias.

    With ``scaled=True`` each output has the factor ``α = mean |W|`` of its weights, as in XNOR-Net:
    ``z = (x sign(W)) ⊙ α + b``.

    Parameters  units : int >= 1, number of outputs O ; clip : number > 0 = 1 ; bias : bool = False
                scaled : bool = False, whether the signs of an output have the mean size of its weights
                weight_init, bias_init : Initializer or its name
    Shapes      x (N, I) or (N, ..., I) ; weight W (I, O) ; bias (O,) ; z (N, O) or (N, ..., O)
    Backward    dx = dz sign(W)ᵀ ;  dW = xᵀ dz ⊙ [|W| ≤ clip] ;  db = Σₙ dz
    Raises      as Dense ; ParameterError when clip is not above 0
    References  Courbariaux, Hubara, Soudry, El-Yaniv, Bengio, Binarized neural networks, 2016 ;
                Rastegari, Ordonez, Redmon, Farhadi, XNOR-Net, ECCV 2016

    Example
        >>> BinaryDense(1024)
        BinaryDense(1024)
    """

    hyperparameters = {"clip": Interval(float, 0, closed="neither", hint=NO_GRADIENT), "scaled": Boolean()}

    def __init__(
        self,
        units: int,
        *,
        clip: float = 1.0,
        scaled: bool = False,
        bias: bool = False,
        weight_init: Any = "glorot_uniform",
        bias_init: Any = "zeros",
    ):
        super().__init__(units, bias=bias, weight_init=weight_init, bias_init=bias_init)
        self.clip, self.scaled = clip, scaled

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        return as_signs(super().parameters(*shapes), self.clip, self.scaled)
