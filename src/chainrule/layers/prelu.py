"""The rectified linear unit with a learned slope."""

from __future__ import annotations

from typing import Any

from ..constraints import Boolean
from ..ops.value import Shape
from .base import Activation, Builder, Parameter, Saved, ShapeError, Value


class PReLU(Activation):
    """Parametric rectified linear unit ``a = z where z > 0, else w z`` with a learned slope w.

    The slope takes no part in L1, L2 and weight decay, which would pull the unit towards a ReLU.

    Parameters  shared : bool = False ; one slope for all features instead of one a feature (the last axis)
                init : number, Initializer or its name = 0.25 ; where the slopes start
    Shapes      z, a (N, ..., I) ; slope w (I,), or (1,) where shared
    Backward    dz = da ⊙ (1 where z > 0, else w) ;  dw = Σ da ⊙ min(z, 0) over all axes but that of w
    Raises      ShapeError when z has no feature axis ; ParameterError when shared is not a bool
    References  He et al., Delving deep into rectifiers, ICCV 2015

    Example
        >>> PReLU(shared=True)
        PReLU(shared=True)
    """

    activation_name = "prelu"
    hyperparameters = {"shared": Boolean()}

    def __init__(self, *, shared: bool = False, init: Any = 0.25):
        self.shared, self.init = shared, init

    def parameters(self, *shapes: Shape) -> dict[str, Parameter]:
        if len(shapes[0]) < 2:
            raise ShapeError(f"PReLU: expected input (N, ..., I), got {shapes[0]}; give each sample at least one feature.")
        return {"slope": Parameter((1,) if self.shared else shapes[0][-1:], self.init, decay=False)}

    def apply(self, k: Builder, z: Value) -> tuple[Value, Saved]:
        w = k.param("slope")
        return k.where_(k.greater(z, 0.0), z, k.multiply(z, w)), Saved(z=z, w=w)

    def derivative(self, k: Builder, saved: Saved) -> Value:
        return k.where_(k.greater(saved.z, 0.0), 1.0, saved.w)

    def backward(self, k: Builder, saved: Saved, dy: Value) -> Value:
        k.grad("slope", k.sum_to(k.multiply(dy, k.minimum(saved.z, 0.0)), saved.w.shape))
        return super().backward(k, saved, dy)
