"""What the neural estimators share: the network they make, and what they do with it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Sequences
from ..data.text import PADDING
from ..errors import DataError, ParameterError, ShapeError
from ..layers import Dense, Dropout, Embedding, GlobalAveragePool, Input, Layer, Tensor, get_activation
from ..losses import Loss
from ..network import NetworkGraph
from ..training import History
from ..training.finite_outputs import source_of
from ..training.predictor import raw_outputs
from ..training.sklearn_callbacks import CallbackSupport
from ._contract import EstimatorNotFittedError
from .files import Files
from .parameters import units_of
from .training import Array, Floats, Training

if TYPE_CHECKING:
    from ..model import Network

__all__ = ["Array", "Floats", "NeuralEstimator"]

#: Predictions are computed for at least so many rows at a time. Matrix products of fewer rows add in another order, and then
#: the prediction for a sample would depend, in its last digits, on how many others it was asked with.
_FEWEST_ROWS = 8


class NeuralEstimator(CallbackSupport, Training, Files):
    """Base of the estimators, which describe the parameters.

    A subclass says what its targets mean: ``_read_target``, ``_learn_target``, ``_check_known_target``,
    ``_encode_target`` and ``_choose_loss``.
    """

    def __init__(
        self,
        hidden: Any = (100,),
        *,
        layers: Any = None,
        architecture: str | None = None,
        pretrained: Any = False,
        fine_tune: bool = False,
        activation: Any = "relu",
        dropout: float = 0.0,
        weight_init: Any = None,
        tokenizer: Any = "words",
        embedding: int = 64,
        loss: Any = None,
        optimizer: Any = "adam",
        learning_rate: Any = None,
        l2: float = 0.0,
        epochs: int = 200,
        batch_size: int | str = "auto",
        shuffle: bool = True,
        scale_inputs: bool | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        tolerance: float | None = 1e-4,
        warm_start: bool = False,
        metrics: Any = None,
        callbacks: Any = (),
        verbose: int = 0,
        random_state: Any = None,
        engine: str = "auto",
        threads: int | None = None,
        precision: str = "float32",
    ) -> None:
        self.hidden = hidden
        self.layers = layers
        self.architecture = architecture
        self.pretrained = pretrained
        self.fine_tune = fine_tune
        self.activation = activation
        self.dropout = dropout
        self.weight_init = weight_init
        self.tokenizer = tokenizer
        self.embedding = embedding
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.l2 = l2
        self.epochs = epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.scale_inputs = scale_inputs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.tolerance = tolerance
        self.warm_start = warm_start
        self.metrics = metrics
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state
        self.engine = engine
        self.threads = threads
        self.precision = precision

    history_: History

    def _choose_loss(self, outputs: int | None) -> tuple[Loss, int]:
        """The loss, and how many outputs it needs. Parameters  outputs : of a network that is there, None before"""
        raise NotImplementedError

    def _keep(self, network: Network) -> None:
        self.network_ = network
        self.n_outputs_ = int(network.output_shapes[0][0])
        self.history_ = network.history_
        self.loss_curve_ = list(self.history_["loss"]) if "loss" in self.history_ else []
        self.n_iter_ = len(self.history_.epochs)

    def _fitted_attributes(self, network: Network) -> dict[str, Any]:
        """What makes a copy of this estimator, in the middle of a fit, ready to predict."""
        return {"network_": copy.deepcopy(network), "n_outputs_": int(network.output_shapes[0][0])}

    # ------------------------------------------------------------ from parameters to objects

    def _make_network(self) -> Network:
        from ..model import Network

        dtype, rng = self._dtype(), self._generator()
        if self._is_pretrained:
            network = self._pretrained_network(dtype, rng)
        elif self._given_layers is None and self._takes_texts():
            pooled = [*self._embedding_layers(), GlobalAveragePool()]
            network = Network([*pooled, *self._hidden_layers(self._choose_loss(None)[1])], random_state=rng, dtype=dtype)
        elif self._given_layers is None:
            network = Network(self._hidden_layers(self._choose_loss(None)[1]), random_state=rng, dtype=dtype)
        elif isinstance(self.layers, NetworkGraph):
            if self.layers.dtype != dtype:
                raise ParameterError(
                    f"{type(self).__name__}: precision={self.precision!r} needs a {dtype} network; layers is a "
                    f"{self.layers.dtype} one."
                )
            network = copy.deepcopy(self.layers)  # type: ignore[assignment]
            if self.random_state is not None or self.layers.random_state is None:
                network.random_state = network.rng = rng
        elif isinstance(self._given_layers, str):
            network = self._named_network(self._given_layers, dtype, rng)
        else:
            made = self._called_layers() if callable(self.layers) else self.layers
            given = list(made) if isinstance(made, Sequence) else made
            if self._takes_texts() and isinstance(given, list) and not (given and isinstance(given[0], Tensor)):
                own = bool(given) and isinstance(given[0], Layer) and given[0].index_limit() is not None
                given = [*(self._embedding_layers()[:1] if own else self._embedding_layers()), *given]
            network = Network(copy.deepcopy(given), random_state=rng, dtype=dtype)
        if len(network.input_ids) != 1 or len(network.output_ids) != 1:
            raise ShapeError(
                f"{type(self).__name__}: layers must have one input and one output. Got {len(network.input_ids)} and "
                f"{len(network.output_ids)}; for more use Network.fit."
            )
        network.build((None,) if self._takes_texts() else self.sample_shape_)
        return network

    def _called_layers(self) -> Any:
        """What the user's function of (features, outputs) returns, as ``layers`` may be."""
        features: Any = len(self._vocabulary()) if self._takes_texts() else self.sample_shape_
        if isinstance(features, tuple) and len(features) == 1:
            (features,) = features
        made = self.layers(features, self._choose_loss(None)[1])
        if isinstance(made, NetworkGraph) or not isinstance(made, (Sequence, Tensor)) or isinstance(made, str):
            raise ParameterError(
                f"{type(self).__name__}: the function that is given as layers must return a list of layers. Got "
                f"{type(made).__name__}."
            )
        return made

    def _pretrained_network(self, dtype: str, rng: np.random.Generator) -> Network:
        """A body that has learned before, with its preprocessing, and a new last layer."""
        from ..pretrained import for_arrays, with_head

        body = self._body()
        if self._takes_texts():
            network = body.network
        else:
            height, width, channels = self.sample_shape_
            network = for_arrays(body, (height, width, channels), self.pixel_range_)
        outputs = self._choose_loss(None)[1]
        return with_head(
            network, outputs, dropout=float(self.dropout), fine_tune=bool(self.fine_tune), random_state=rng
        )  # fmt: skip

    def _named_network(self, name: str, dtype: str, rng: np.random.Generator) -> Network:
        """An architecture for pictures of the shape of X, or for texts."""
        from ..architectures import get_architecture
        from ..architectures.registry import TEXT_ARCHITECTURES

        if name in TEXT_ARCHITECTURES and self._takes_texts():
            outputs, size = self._choose_loss(None)[1], len(self._vocabulary())
            return TEXT_ARCHITECTURES[name](outputs, vocabulary=size, dropout=self.dropout, random_state=rng, dtype=dtype)
        make = get_architecture(name)
        if self._takes_texts() or len(self.sample_shape_) != 3:
            got = "texts" if self._takes_texts() else f"samples of shape {self.sample_shape_}"
            raise ShapeError(f"{type(self).__name__}: layers={name!r} takes pictures (N, H, W, C) or (N, H, W). Got {got}.")
        return make(self._choose_loss(None)[1], input_shape=self.sample_shape_, random_state=rng, dtype=dtype)

    def _embedding_layers(self) -> list[Any]:
        """What the network of texts begins with: indices of any number, a vector each, and Dropout on these."""
        rows, width = len(self._vocabulary()), int(self.embedding)
        found = [Input((None,), dtype="int"), Embedding(rows, width, padding=PADDING)]
        return [*found, Dropout(self.dropout)] if self.dropout else found

    def _hidden_layers(self, outputs: int) -> list[Any]:
        found: list[Any] = []
        for units in units_of(self.hidden):
            found += [Dense(units, weight_init=self._weight_init()), copy.deepcopy(get_activation(self.activation))]
            if self.dropout:
                found.append(Dropout(self.dropout))
        return [*found, Dense(outputs, weight_init=self._weight_init())]

    def _weight_init(self) -> Any:
        return copy.deepcopy(self.weight_init)

    def _loss_for(self, network: Network) -> tuple[Loss, int]:
        """The loss, once it is sure that the network's outputs fit it."""
        shape = network.output_shapes[0]
        outputs = int(shape[0]) if len(shape) == 1 else 0
        loss, needed = self._choose_loss(outputs)
        if outputs != needed:
            places = " after Flatten() or GlobalAveragePool()" * (len(shape) > 1)
            raise ShapeError(
                f"{type(self).__name__}: the targets and {type(loss).__name__} need {needed} output(s), and the network "
                f"gives {' × '.join(map(str, shape)) or 'none'}. Let layers end with Dense({needed}){places}."
            )
        return loss, outputs

    # ------------------------------------------------------------ using

    def _is_fitted(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_fitted()

    def _require_fitted(self, what: str) -> None:
        if not self._is_fitted():
            raise EstimatorNotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call fit(X, y) before {what}."
            )

    def _outputs(self, X: Any, what: str) -> Floats:
        """The network's raw outputs (N, outputs), in float64 so that no precision is lost from here on."""
        self._require_fitted(what)
        X = self._scaled(self._features(X, reset=False))
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is found below
            found = self._predicted(X)
        good = np.asarray(np.isfinite(found.reshape(len(found), -1)).all(axis=1))
        if not good.all():
            row = int(good.argmin())
            source = source_of(self.network_, X, row)
            raise DataError(
                f"{what}: the outputs of the network are not finite for {int((~good).sum())} of {len(good)} samples, first "
                f"for X[{row}]{self._largest_value(X, row)}. {source}Look for wrong values in X there; they are far from "
                "those that the network was trained on."
            )
        return found

    @staticmethod
    def _largest_value(X: Any, row: int) -> str:
        if not isinstance(X, np.ndarray) or X.dtype.kind != "f":
            return ""
        return f", whose largest value, as the network takes it, is {float(np.abs(X[row]).max()):.3g}"

    def _predicted(self, X: Any) -> Floats:
        if isinstance(X, Sequences):
            return np.asarray(raw_outputs(self.network_, X), np.float64)
        n = len(X)
        if n < _FEWEST_ROWS and self.network_.samples is None:  # the nodes of a graph are as many as they are
            X = X[np.minimum(np.arange(_FEWEST_ROWS), n - 1)]  # the last row again and again
        # Whatever n is, no batch may be left with fewer rows than that either.
        most = self.network_.samples_at_once([X.shape[1:]])
        batch = next((b for b in range(most, most // 2, -8) if not 0 < len(X) % b < _FEWEST_ROWS), most)
        return np.asarray(raw_outputs(self.network_, X, batch), np.float64)[:n]

    def _fitted_loss(self) -> Loss:
        loss = self.network_.loss_
        assert isinstance(loss, Loss)  # the network has one output
        return loss

    @property
    def network(self) -> Network:
        """The fitted Network, ``network_`` under the name that all that ``chainrule.load`` gives has for it.

        Raises      NotFittedError before a fit
        """
        self._require_fitted("network")
        return self.network_

    def equations(self, **options: Any) -> Any:
        """The chain rule of the fitted network: forward, loss, backward and update with shapes. See Network.equations.

        Its x is X as the network sees it: ``(X − input_mean_) / input_scale_`` where columns are scaled.
        """
        self._require_fitted("equations")
        return self.network_.equations(**options)
