"""Orthogonal weights: a linear layer that turns its input without stretching it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.constraints import Interval
from chainrule.errors import ShapeError
from chainrule.initializers.base import Initializer

__all__ = ["Orthogonal"]


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A uniformly random matrix with orthonormal rows or columns, whichever are fewer, times the gain.

    ``Wᵀ W = gain² 1`` when R >= O, ``W Wᵀ = gain² 1`` when R <= O, where W is the weight as a matrix of
    R rows and O columns. All its singular values are the gain, so with gain 1 a stack of such layers
    neither shrinks nor grows signal and gradient. From Gaussian G = Q R', with the columns of Q
    multiplied by the signs of the diagonal of R', which makes the law uniform (Haar's measure).

    Parameters  gain : float >= 0 = 1.0 ; √2 before ReLU
    Shapes      weight (R, O) ; a kernel (kh, kw, I, O) is taken as (kh kw I, O)
    Raises      ParameterError when gain is negative or not finite; ShapeError when the weight has fewer
                than two dimensions
    References  Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
                linear neural networks", 2013; Mezzadri, "How to generate random matrices from the
                classical compact groups", 2007

    Example
        >>> import numpy as np
        >>> w = Orthogonal()((4, 2), np.random.default_rng(0), fan_in=4, fan_out=2, dtype=np.float64)
        >>> np.allclose(w.T @ w, np.eye(2))
        True
    """

    gain: float = 1.0
    name: ClassVar[str] = "orthogonal"
    hyperparameters = {"gain": Interval(float, 0)}

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        if len(shape) < 2:
            raise ShapeError(
                f"{type(self).__name__} needs a weight of two or more dimensions. Got the shape {shape} instead. "
                "Use Zeros or Constant for a bias."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.where(np.diagonal(r) < 0.0, -1.0, 1.0)
        return (self.gain * (q if rows >= columns else q.T)).reshape(shape)
