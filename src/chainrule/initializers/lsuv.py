"""Layer-sequential unit variance: weights scaled by what the layer really puts out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.constraints import Interval
from chainrule.errors import DataError
from chainrule.initializers.base import Initializer
from chainrule.initializers.orthogonal import Orthogonal

__all__ = ["LSUV"]


@dataclass(frozen=True)
class LSUV(Initializer):
    """Orthogonal weights, then ``W <- W / √Var z`` from the first layer to the last, until ``|Var z - 1| < tolerance``.

    z is the layer's output on a batch of the data, so the law holds for any activation and any data.
    Called, it gives the orthogonal weights; the network does the rest: for at most max_iterations a
    layer it measures z and calls `rescale`.

    Parameters  tolerance : float >= 0 = 0.1 ; largest distance of the variance of z from 1
                max_iterations : int >= 1 = 10 ; measurements a layer
    Shapes      weight as for `Orthogonal` ; z of any shape, its variance is over all elements
    Raises      ParameterError when a parameter is outside its range
    References  Mishkin, Matas, "All you need is a good init", 2015, algorithm 1

    Example
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> x = 5.0 * rng.standard_normal((256, 20))
        >>> law = LSUV()
        >>> w = law((20, 10), rng, fan_in=20, fan_out=10)
        >>> w, done = law.rescale(w, x @ w)
        >>> done, f"{(x @ w).var():.2f}"
        (False, '1.00')
        >>> law.rescale(w, x @ w)[1]
        True
    """

    tolerance: float = 0.1
    max_iterations: int = field(default=10, kw_only=True)
    name: ClassVar[str] = "lsuv"
    data_dependent: ClassVar[bool] = True
    hyperparameters = {
        "tolerance": Interval(float, 0),
        "max_iterations": Interval(int, 1),
    }

    def _draw(self, shape: tuple[int, ...], rng: np.random.Generator, fan_in: int, fan_out: int) -> NDArray[np.float64]:
        return Orthogonal()._draw(shape, rng, fan_in, fan_out)

    def rescale(self, weight: NDArray[Any], output: NDArray[Any]) -> tuple[NDArray[Any], bool]:
        """One step: the weight, and whether it was good already (then it is returned as it came).

        Parameters  weight : the layer's weight ; output : its z for the batch, finite
        Returns     (weight, True) when ``|Var z - 1| < tolerance``, else (weight / √Var z, False), a new array
        Raises      DataError when z is constant, empty or not finite
        """
        with np.errstate(invalid="ignore", over="ignore"):  # an infinite output gets the error below
            spread = float(np.std(output, dtype=np.float64)) if np.size(output) else 0.0
        if not math.isfinite(spread) or spread == 0.0:
            what = "not finite" if not math.isfinite(spread) else "constant" if np.size(output) else "empty"
            raise DataError(
                "LSUV needs a layer's output to be finite and to vary over the batch. "
                f"Got an output of shape {np.shape(output)} that is {what}. "
                "Look for missing, constant or unscaled features, or use HeNormal or GlorotUniform, which need no data."
            )
        if abs(spread * spread - 1.0) < self.tolerance:
            return weight, True
        return (weight / spread).astype(weight.dtype), False
