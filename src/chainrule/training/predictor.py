"""What a network computes for samples: outputs, scores, gradients, and copies of it that only predict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from .finite_outputs import require_numbers
from .packed import PackedNetwork
from .prediction import predict_repeated
from .session import Session
from .trainable import Trainable

__all__ = ["Predictor", "raw_outputs"]


class Predictor(Trainable):
    """A network that predicts. Parameters and attributes  as of Trainable"""

    def predict(self, X: Any, *, batch_size: int | None = None) -> Any:
        """The raw outputs for any number of samples, as (N, ...); a tuple of arrays for several outputs. Outputs for each
        step of Sequences are Sequences again.

        Raw means before the loss's link: logits for cross-entropies. ``net.loss_.prediction(z)`` makes them probabilities.

        Parameters  X : as in fit ; batch_size : samples computed at a time, None chooses the number
        Raises      NotFittedError before the shapes are known ; ShapeError, DtypeError, DataError when X does not fit, or
                    where an output is not a number (NaN), with the layer that this comes from
        """
        found = raw_outputs(self, X, batch_size)
        require_numbers(self, X, found)
        return found

    def pack(self, *, in_place: bool = False) -> PackedNetwork:
        """The network for predictions alone, with its weights as they are now; later fits do not change it.

        Weights that are mostly zero are kept as sparse matrices, signs as one bit and whole numbers of 8 bits as such, so it
        is smaller and faster.

        Parameters  in_place : let ``predict`` and ``evaluate`` of this network use it, too, until the next fit. Weights that
                    are changed by hand meanwhile make no difference to them
        Raises      NotFittedError before the shapes are known ; DataError when a parameter is not finite
        """
        packed = PackedNetwork(self, self._runtime.engine())
        if in_place:
            self._packed = packed
        return packed

    def quantize(self, X: Any, *, layers: Iterable[str] | None = None) -> Self:
        """A copy whose weights are whole numbers of 8 bits, for predictions: a quarter of the size, and packed often faster.

        Each output of a layer has a scale of its own. The inputs of the layers are rounded, too, when the copy is packed
        (``net.quantize(X).pack()``): to whole numbers from 0 to 127, at scales that give the least squared error on these
        samples. The packed copy uses the kernels for 8 bits in those layers, and for those batch sizes, for which they are
        measured to be faster here than those of float32; ``predict`` of the copy itself rounds the weights alone.

        Parameters
            X : samples as in fit, or a data set, of the kind that will be predicted; some hundreds are enough
            layers : names of the layers whose weights become whole numbers; None: all that multiply by a matrix or a kernel
        Raises
            NotFittedError before the shapes are known ; DataError when a parameter or X is not finite ; ParameterError when
            no layer has such weights ; others as ``predict``

        Example
            >>> import numpy as np
            >>> from chainrule import Dense, Network, ReLU
            >>> X = np.random.default_rng(0).normal(size=(200, 8)).astype("float32")
            >>> net = Network([Dense(64), ReLU(), Dense(3)], random_state=0).build((8,))
            >>> small = net.quantize(X).pack()
            >>> bool(np.abs(small.predict(X) - net.predict(X)).max() < 0.1)
            True
        """
        from .quantization import quantize

        return quantize(self, X, self._runtime.engine(), layers=layers)

    def evaluate(
        self,
        X: Any,
        y: Any = None,
        *,
        loss: Any = None,
        metrics: Any = None,
        batch_size: int | None = None,
        sample_weight: Any = None,
    ) -> dict[str, float]:
        """{"loss": mean over the samples, metric name: its value}, with Dropout and the like as in prediction.

        Parameters
            X, y : as in fit ; loss, metrics : those of the last fit by default ; batch_size : samples computed at a time
            sample_weight : (N,) ; the metrics are means with these weights, the loss is weighted as in fit (not normalised)
        Raises      NotFittedError before the shapes are known ; ShapeError, DtypeError, DataError when X or y does not fit
        """
        return Session(self).evaluate(
            X, y, loss=loss, metrics=metrics, batch_size=batch_size, sample_weight=sample_weight
        )  # fmt: skip

    def input_gradient(self, X: Any, y: Any, *, loss: Any = None, batch_size: int | None = None) -> Any:
        """dJ/dX of the mean loss J over all given samples, as (N, ...); a tuple of arrays for several inputs.

        Layers act as in prediction. Nothing is learned. The gradient of the loss of sample n alone is N times its row.

        Parameters  X, y : as in fit ; loss : that of the last fit by default ; batch_size : samples computed at a time
        Raises      as ``evaluate`` ; ParameterError when an input has no gradient (indices, a sparse matrix)
        """
        return _one_or_all(Session(self).loss_and_input_gradient(X, y, loss=loss, batch_size=batch_size)[1])


def raw_outputs(network: Predictor, X: Any, batch_size: int | None = None) -> Any:
    """What ``Network.predict`` gives, whether it is numbers or not."""
    if network._packed is not None:
        return network._packed.raw_outputs(X, batch_size)
    repeated = predict_repeated(network, network._runtime, X, batch_size)
    if repeated is not None:
        return repeated
    return _one_or_all(Session(network).predict(X, batch_size))


def _one_or_all(found: list[Any]) -> Any:
    return found[0] if len(found) == 1 else tuple(found)
