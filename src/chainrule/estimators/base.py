"""What the neural estimators share: parameters, checks, making the network, fitting, saving.

A subclass says what its targets mean:

    _read_target(y)                  y as a checked array
    _learn_target(y, weight)         what the first data fixes: the classes, or the scale of y
    _choose_loss(outputs)            the loss, and how many outputs it needs
    _encode_target(y, loss, outputs) y as the network learns it
"""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..data import Sequences, as_features, as_targets, check_features, check_lengths
from ..data.text import PADDING, Tokenizer, as_texts, get_tokenizer, is_text
from ..errors import DataError, DivergenceError, DtypeError, ModelFileError, ParameterError, ShapeError
from ..layers import Dense, Dropout, Embedding, GlobalAveragePool, Input, Layer, Tensor, get_activation
from ..losses import Loss
from ..network import NetworkGraph
from ..ops.value import FREE
from ..optimizers import Optimizer, Schedule, get_optimizer
from ..training import EarlyStopping
from ..training.sklearn_callbacks import CallbackSupport, SklearnCallbacks, with_callbacks
from ._contract import BaseEstimator, EstimatorNotFittedError, check_feature_names
from .names import check_names, with_checked_names

if TYPE_CHECKING:
    from ..cures import Cure
    from ..diagnosis import Diagnosis
    from ..model import Network

__all__ = ["Array", "Floats", "NeuralEstimator", "holds_out", "is_integer", "units_of"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Path = str | os.PathLike[str]
#: A memory map of fewer bytes than this is read whole, so that training does not go to the disk for every batch.
_SMALL_MAP_BYTES = 256 * 2**20
#: Predictions are computed for at least so many rows at a time. Matrix products of fewer rows add in another order, and then
#: the prediction for a sample would depend, in its last digits, on how many others it was asked with.
_FEWEST_ROWS = 8
_FILE_KEY = "estimator"
#: Parameters that a file does not keep: ``layers`` are the network itself, and callbacks are code.
_NOT_SAVED = ("layers", "callbacks")


class NeuralEstimator(CallbackSupport, BaseEstimator):
    """Base of NeuralClassifier and NeuralRegressor, which describe the parameters."""

    def __init__(
        self,
        hidden: Any = (100,),
        *,
        layers: Any = None,
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
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        tolerance: float | None = 1e-4,
        warm_start: bool = False,
        callbacks: Any = (),
        verbose: int = 0,
        random_state: Any = None,
        engine: str = "auto",
        threads: int | None = None,
        precision: str = "float32",
    ) -> None:
        self.hidden = hidden
        self.layers = layers
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
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.tolerance = tolerance
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state
        self.engine = engine
        self.threads = threads
        self.precision = precision

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = with_checked_names(cls.__init__)  # type: ignore[method-assign]

    def set_params(self, **params: Any) -> Self:
        """Changes parameters by name, those of a parameter that is itself an object by ``name__parameter``.

        Raises      UnknownNameError for a name that is not a parameter
        """
        check_names(type(self).__name__, (name.partition("__")[0] for name in params), self.get_params(deep=False))
        super().set_params(**params)
        return self

    #: The fitted tokenizer of texts, None for numbers.
    tokenizer_: Tokenizer | None

    # ------------------------------------------------------------ what a subclass says

    #: Names of the fitted attributes that say what the outputs mean; saved with the network.
    _target_attributes: ClassVar[tuple[str, ...]] = ()

    def _read_target(self, y: Any) -> Array:
        raise NotImplementedError

    def _learn_target(self, y: Array, weight: Floats | None) -> None:
        raise NotImplementedError

    def _choose_loss(self, outputs: int | None) -> tuple[Loss, int]:
        raise NotImplementedError

    def _encode_target(self, y: Array, loss: Loss, outputs: int) -> Array:
        raise NotImplementedError

    def _check_known_target(self, y: Array) -> None:
        """Raises when y does not go on from the targets that were learned first."""
        raise NotImplementedError

    def _class_weights(self, y: Array, weight: Floats | None, *, whole: bool) -> tuple[Floats | None, Any]:
        """Factors of the samples by their class, and factors by output. ``whole`` : y is all of the data."""
        return None, None

    # ------------------------------------------------------------ fitting

    @with_callbacks  # type: ignore[untyped-decorator]
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains on all of (X, y), from new start weights unless ``warm_start``.

        Parameters
            X : array, DataFrame or list of rows (N, features), or a list, array or Series of N texts ; with ``layers`` also
                pictures (N, H, W, C) or (N, H, W), sequences (N, T, C) or volumes
            y : targets, one entry a sample
            sample_weight : (N,) of numbers >= 0, how much each sample counts; only their proportions matter. A sample of
                weight 0 is left out
        Raises
            ShapeError, DtypeError, DataError : X, y or the weights do not fit ; ParameterError : a parameter is out of range
            DivergenceError : a number stopped being finite; the estimator then has the weights from before that step
        """
        going_on = bool(self.warm_start) and self._is_fitted()
        network, data, arguments = self._training(X, y, sample_weight, going_on=going_on)
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        bridge = SklearnCallbacks(
            self, X, y, metadata=metadata, reconstruct=lambda: self._fitted_attributes(network)
        )  # fmt: skip
        try:
            network.fit(*data, **arguments, callbacks=[*self._own_callbacks(), bridge], verbose=int(self.verbose))
        except DivergenceError:
            self._keep(network)
            raise
        self._keep(network)
        return self

    def _training(
        self, X: Any, y: Any, sample_weight: Any, *, going_on: bool
    ) -> tuple[Network, tuple[Any, Any], dict[str, Any]]:  # fmt: skip
        """What a fit does, before it is done: the network, its data, and the arguments of ``Network.fit``.

        Parameters  going_on : with the network and the targets that were learned before
        """
        self._check_parameters()
        X, y, weight = self._take(X, y, sample_weight, reset=not going_on)
        if weight is not None:
            X, y, weight = _drop_weightless(X, y, weight)
        if self.early_stopping and len(X) < 2:
            raise DataError(
                f"{type(self).__name__}: early_stopping=True holds samples out, so it needs at least 2; got n_samples = 1."
            )
        if going_on:
            self._check_known_target(y)
            network = self.network_
        else:
            self._learn_target(y, weight)
            network = self._make_network()
        by_sample, by_output = self._class_weights(y, weight, whole=True)
        loss, outputs = self._loss_for(network)
        arguments = {
            "loss": loss,
            "optimizer": self._make_optimizer(),
            "epochs": int(self.epochs),
            "batch_size": self._batch_size(len(X)),
            "validation_split": float(self.validation_fraction) if self.early_stopping else 0.0,
            "shuffle": bool(self.shuffle),
            "sample_weight": _normalised(_product(weight, by_sample)),
            "class_weight": by_output,
            "early_stopping": self._make_early_stopping(),
            "engine": self.engine,
            "threads": self.threads,
            "precision": "bfloat16" if self.precision == "bfloat16" else "float32",
        }
        return network, (X, self._encode_target(y, loss, outputs)), arguments

    # ------------------------------------------------------------ why it does not learn

    def diagnose(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Diagnosis:
        """What keeps this estimator from learning these samples, if anything. See Network.diagnose.

        Before a fit a training such as fit's is looked at, after it the fit itself, with its weights and its history.
        Nothing is changed or learned.

        Parameters  X, y, sample_weight : as in fit ; options : of Network.diagnose, such as ``rules``
        Raises      as ``fit``

        Example
            >>> import numpy as np
            >>> from chainrule import NeuralClassifier
            >>> X = np.random.default_rng(0).normal(size=(200, 2))
            >>> slow = NeuralClassifier(hidden=[16], learning_rate=1e-7, epochs=20, random_state=0)
            >>> slow.diagnose(X, X[:, 0] > 0).cause.name
            'learning-rate-too-small'
        """
        subject = self if self._is_fitted() else self._blank()
        network, (features, targets), arguments = subject._training(X, y, sample_weight, going_on=self._is_fitted())
        found: Diagnosis = network.diagnose(features, targets, **{**arguments, **options})
        return found

    def cure(
        self, X: Any, y: Any, sample_weight: Any = None, *, time_budget: float = 60.0, **options: Any
    ) -> Self:  # fmt: skip
        """A new estimator that learns, fitted on (X, y), with the evidence in its attribute ``cure_``. See Network.cure.

        Its parameters are those with the changes that won: ``layers`` where the network is another, else the optimizer,
        the epochs and so on. So it can be cloned and fitted again, in a pipeline or a search. When nothing wins, they are
        as they were. This estimator is not changed.

        Parameters  X, y, sample_weight : as in fit ; time_budget : seconds for the search ; options : of Network.cure
        Raises      as ``fit``

        Example
            >>> import numpy as np
            >>> from chainrule import NeuralClassifier
            >>> from chainrule.diagnosis import Change
            >>> X = np.random.default_rng(0).normal(size=(200, 2))
            >>> slow = NeuralClassifier(hidden=[16], learning_rate=1e-7, epochs=20, random_state=0)
            >>> faster = Change("learning_rate", {"value": 0.05})
            >>> better = slow.cure(X, X[:, 0] > 0, changes=[faster], verbose=0)
            >>> better.cure_.improved, better.score(X, X[:, 0] > 0) > 0.9
            (True, True)
        """
        subject = self._blank()
        network, (features, targets), arguments = subject._training(X, y, sample_weight, going_on=False)
        arguments |= {"time_budget": time_budget, "verbose": int(bool(self.verbose)), **options, "refit": False}
        held_out = arguments.pop("validation_split")
        if held_out and "validation_split" not in options:
            arguments["validation_split"] = held_out
        elif "validation_split" in options:
            arguments["validation_split"] = options["validation_split"]
        found = network.cure(features, targets, **arguments)
        better = type(self)(**{**self._copied_params(callbacks=True), **self._cured_params(found)})
        better.fit(X, y, **({} if sample_weight is None else {"sample_weight": sample_weight}))
        better.cure_ = found
        return better

    def _copied_params(self, *, callbacks: bool = False) -> dict[str, Any]:
        params = self.get_params(deep=False)
        kept = params.pop("callbacks")
        return {**copy.deepcopy(params), **({"callbacks": kept} if callbacks else {})}

    def _blank(self) -> Self:
        """The same estimator, not fitted, with nobody who listens and random numbers of its own."""
        return type(self)(**self._copied_params())

    def _cured_params(self, cure: Cure) -> dict[str, Any]:
        """The parameters that make the changes of a cure."""
        from ..model import Network

        if not cure.changes:
            return {}
        before, after, found = cure.before, cure.after, dict[str, Any]()
        changed = {name for name in after.fit if after.fit[name] is not before.fit[name]}
        for name in changed.intersection(("loss", "epochs", "batch_size", "shuffle", "class_weight")):
            found[name] = after.fit[name]
        if "optimizer" in changed or after.range_test:
            found |= {"optimizer": cure.network.optimizer_ if cure.network.fit_config_ else after.fit["optimizer"],
                      "learning_rate": None, "l2": 0.0}  # fmt: skip
        if "early_stopping" in changed:
            found |= {"early_stopping": True, "patience": int(after.fit["early_stopping"])}
        if after.definition.source() != before.definition.source() or after.weights is not before.weights:
            network, names = after.definition.build(Network, random_state=None)
            if after.weights:
                network.build(*cure.network.buildable_shapes)
                after.definition.put_weights(network, names, after.weights)
            found["layers"] = network
        return found

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, first: Any) -> Self:
        """One pass over the data. ``first`` is called before the first data is learned from."""
        self._check_parameters()
        begun = self._is_fitted()
        X, y, weight = self._take(X, y, sample_weight, reset=not begun)
        if begun:
            self._check_known_target(y)
            network = self.network_
        else:
            first(y, weight)
            network = self._make_network()
        by_sample, by_output = self._class_weights(y, weight, whole=False)
        loss, outputs = self._loss_for(network)
        optimizer = self._make_optimizer()
        rate = optimizer.learning_rate
        try:
            network.partial_fit(
                X,
                self._encode_target(y, loss, outputs),
                loss=loss,
                optimizer=optimizer,
                # A number given by itself changes the rate and keeps the optimizer's state; a schedule has its own state.
                learning_rate=None if isinstance(rate, Schedule) or callable(rate) else rate,
                batch_size=self._batch_size(len(X)),
                shuffle=bool(self.shuffle),
                sample_weight=_product(weight, by_sample),
                class_weight=by_output,
                engine=self.engine,
                threads=self.threads,
                precision="bfloat16" if self.precision == "bfloat16" else "float32",
            )
        except DivergenceError:
            self._keep(network)
            raise
        self._keep(network)
        return self

    def _take(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> tuple[Any, Array, Floats | None]:
        """Checked X, y and weights (None where they are all alike)."""
        X = self._features(X, reset=reset)
        y = self._read_target(y)
        weight = None
        if sample_weight is not None:
            if isinstance(sample_weight, Real):
                sample_weight = np.full(len(X), float(sample_weight))
            weight = as_targets(sample_weight, name="sample_weight", dtype=np.float64)
            if weight.ndim != 1:
                raise ShapeError(
                    f"sample_weight must have one weight a sample, shape ({len(X)},). Got shape {weight.shape}."
                )
        check_lengths(X=X, y=y, sample_weight=weight)
        if weight is not None:
            if weight.min() < 0:
                raise DataError(
                    f"sample_weight must not be negative. Got {weight.min()} at row {int(weight.argmin())}. "
                    "Leave a sample out by the weight 0."
                )
            if not weight.any():
                raise DataError(
                    "Sample weights must contain at least one non-zero number: sample_weight is 0 for every sample, so "
                    "there is nothing to learn from."
                )
        return X, y, weight

    def _features(self, X: Any, *, reset: bool) -> Any:
        if is_text(X):
            return self._indices(X, reset=reset)
        if reset:
            if isinstance(X, (str, bytes)):
                as_texts(X)
            self.tokenizer_ = None
        elif self._takes_texts():
            if isinstance(X, (list, tuple, np.ndarray)) and not len(X):
                as_texts([])
            found = repr(X) if isinstance(X, str) and len(X) < 40 else type(X).__name__
            raise DtypeError(f"X must be a list of texts, as in fit. Got {found}. A single text goes into a list: [text].")
        check_feature_names(self, X, reset=reset)
        # Rows of numbers for hidden layers; layers of the user's own may take pictures, sequences or volumes.
        axes = (2,) if self.layers is None else (2, 3, 4, 5)
        whole = isinstance(X, np.memmap) and X.ndim in axes and X.dtype.kind in "biuf" and X.nbytes > _SMALL_MAP_BYTES
        # A large memory map stays on disk: the network checks and converts it part by part.
        array = X if whole else as_features(_in_memory(X), dtype=self._feature_dtype(), ndim=axes)
        given = array.shape
        if array.ndim == 3 and self._takes_channels(reset=reset):
            array = array[..., None]  # grey pictures (N, H, W)
        if reset:
            self.sample_shape_ = tuple(int(size) for size in array.shape[1:])
            self.n_features_in_ = math.prod(self.sample_shape_)
        elif len(self.sample_shape_) == 1 and array.ndim == 2:
            check_features(array, self.n_features_in_, owner=type(self).__name__)
        elif array.shape[1:] != self.sample_shape_:
            wanted = ", ".join(map(str, ("N", *self.sample_shape_)))
            alone = given in (self.sample_shape_, self.sample_shape_[:-1])
            cure = (
                "Pass a single one as X[None]." if alone else "Bring them to that shape, such as pictures by resizing them."
            )
            raise ShapeError(
                f"X has shape {given}, but this {type(self).__name__} was fitted on samples of shape ({wanted}). {cure}"
            )
        return array

    def _takes_channels(self, *, reset: bool) -> bool:
        """Whether a sample is a picture (H, W, C), so that one without channels lacks its last axis."""
        if not reset:
            return len(self.sample_shape_) == 3
        if isinstance(self.layers, str):
            return True  # an architecture for pictures
        first = self.layers
        while isinstance(first, (NetworkGraph, list, tuple)) and not isinstance(first, Tensor):
            if isinstance(first, NetworkGraph):
                shapes = first.declared_input_shapes()
                if shapes is not None:
                    return len(shapes[0]) == 3
                first = first.calls[0].layer if first.calls else None
            else:
                first = first[0] if first else None
        if isinstance(first, Tensor):
            return first.shape is not None and len(first.shape) == 3
        return getattr(first, "axes", None) == 2  # convolution and pooling of pictures

    def _takes_texts(self) -> bool:
        """Whether it was fitted on texts."""
        return getattr(self, "tokenizer_", None) is not None

    def _indices(self, X: Any, *, reset: bool) -> Sequences:
        """Texts as sequences of indices of the vocabulary, which the first ones fix."""
        texts = as_texts(X)
        if reset:
            for name in ("n_features_in_", "sample_shape_", "feature_names_in_"):
                if hasattr(self, name):
                    delattr(self, name)
            made = copy.deepcopy(get_tokenizer(self.tokenizer))
            # A tokenizer that has a vocabulary already, such as one of other texts, keeps it.
            self.tokenizer_ = made if hasattr(made, "vocabulary_") else made.fit(texts)
        elif not self._takes_texts():
            raise DtypeError(
                f"X holds texts, but this {type(self).__name__} was fitted on {self.n_features_in_} features: numbers."
            )
        return self._vocabulary().encode(texts)

    def _vocabulary(self) -> Tokenizer:
        assert self.tokenizer_ is not None
        return self.tokenizer_

    def _feature_dtype(self) -> Any:
        """Numbers in the network's precision; indices for a network that takes indices."""
        network = self.layers if isinstance(self.layers, NetworkGraph) else None
        if network is None and isinstance(self.layers, Sequence) and not isinstance(self.layers, str) and len(self.layers):
            first = self.layers[0]
            indices = isinstance(first, Layer) and first.index_limit() is not None
            return np.int32 if indices or getattr(first, "dtype", None) == "int" else self._dtype()
        if network is not None and network.input_dtypes[0] == "int":
            return np.int32
        return self._dtype()

    def _dtype(self) -> str:
        return "float64" if self.precision == "float64" else "float32"

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
        if self.layers is None and self._takes_texts():
            pooled = [*self._embedding_layers(), GlobalAveragePool()]
            network = Network([*pooled, *self._hidden_layers(self._choose_loss(None)[1])], random_state=rng, dtype=dtype)
        elif self.layers is None:
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
        elif isinstance(self.layers, str):
            network = self._named_network(self.layers, dtype, rng)
        else:
            given = list(self.layers) if isinstance(self.layers, Sequence) else self.layers
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

    def _named_network(self, name: str, dtype: str, rng: np.random.Generator) -> Network:
        """An architecture for pictures of the shape of X."""
        from ..architectures import get_architecture

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
        for units in units_of(type(self).__name__, self.hidden):
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

    def _make_optimizer(self) -> Optimizer:
        optimizer = copy.deepcopy(get_optimizer(self.optimizer))
        if self.learning_rate is not None:
            optimizer.learning_rate = copy.deepcopy(self.learning_rate)
        if self.l2:
            optimizer.l2 = float(self.l2)
        optimizer.validate()
        return optimizer

    def _make_early_stopping(self) -> EarlyStopping | None:
        if self.early_stopping:
            return EarlyStopping("val_loss", patience=int(self.patience), min_delta=float(self.tolerance or 0.0))
        if self.tolerance is None:
            return None
        return EarlyStopping("loss", patience=int(self.patience), min_delta=float(self.tolerance), restore_best=False)

    def _own_callbacks(self) -> list[Any]:
        return list(self.callbacks) if isinstance(self.callbacks, Sequence) else [self.callbacks]

    def _batch_size(self, n: int) -> int:
        # About 50 steps an epoch, with batches of 32 to 200: small data sets need many steps, large ones big batches.
        if self.batch_size != "auto":
            return int(self.batch_size)
        size = min(200, max(32, n // 50))
        if self.layers is None:
            return size
        # No sample may be left over alone: layers of the user's own may normalise by the batch.
        learned = n - math.ceil(round(n * float(self.validation_fraction), 9)) if self.early_stopping else n
        return next((b for b in range(size, size + 9) if learned % b != 1), size)

    def _generator(self) -> np.random.Generator:
        state = self.random_state
        if isinstance(state, np.random.Generator):
            return state
        if isinstance(state, np.random.RandomState):
            return np.random.default_rng(state.randint(2**31, size=4))
        return np.random.default_rng(None if state is None else int(state))

    def _check_parameters(self) -> None:
        """ParameterError (or UnknownNameError) for parameters that no data can make good."""
        owner = type(self).__name__

        def require(name: str, good: bool, expected: str) -> None:
            if not good:
                raise ParameterError(f"{owner}: {name} must be {expected}. Got {getattr(self, name)!r}.")

        if self.layers is None:
            units_of(owner, self.hidden)
            get_activation(self.activation)
            require("dropout", _is_number(self.dropout) and 0 <= self.dropout < 1, "a number from 0 to below 1")
        size: Any = self.batch_size
        good_size = size == "auto" if isinstance(size, str) else is_integer(size) and size >= 1
        require("batch_size", good_size, 'an int of at least 1, or "auto"')
        require("epochs", is_integer(self.epochs) and self.epochs >= 1, "an int of at least 1")
        require("patience", is_integer(self.patience) and self.patience >= 1, "an int of at least 1")
        fraction = self.validation_fraction
        require("validation_fraction", _is_number(fraction) and 0 < fraction < 1, "a number between 0 and 1")
        tolerance = self.tolerance
        require(
            "tolerance", tolerance is None or (_is_number(tolerance) and tolerance >= 0), "None or a number of at least 0"
        )
        require("l2", _is_number(self.l2) and self.l2 >= 0, "a finite number of at least 0")
        rate = self.learning_rate
        good_rate = rate is None or isinstance(rate, Schedule) or callable(rate) or (_is_number(rate) and rate > 0)
        require("learning_rate", good_rate, "None, a positive number, or a schedule")
        get_tokenizer(self.tokenizer).validate()
        require("embedding", is_integer(self.embedding) and self.embedding >= 1, "an int of at least 1")
        for name in ("shuffle", "early_stopping", "warm_start"):
            require(name, isinstance(getattr(self, name), (bool, np.bool_)), "True or False")
        require("verbose", is_integer(self.verbose, bools=True) and self.verbose in (0, 1, 2), "0, 1 or 2")
        require("precision", self.precision in ("float32", "float64", "bfloat16"), '"float32", "float64" or "bfloat16"')
        state = self.random_state
        kinds = (np.random.Generator, np.random.RandomState)
        good_state = state is None or isinstance(state, kinds) or (is_integer(state) and state >= 0)
        require("random_state", good_state, "None, an int of at least 0, or a numpy Generator")
        self._make_optimizer()

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
        X = self._features(X, reset=False)
        if isinstance(X, Sequences):
            return np.asarray(self.network_.predict(X), np.float64)
        n = len(X)
        if n < _FEWEST_ROWS and self.network_.samples is None:  # the nodes of a graph are as many as they are
            X = np.concatenate([X, np.repeat(X[-1:], _FEWEST_ROWS - n, axis=0)])
        # Whatever n is, no batch may be left with fewer rows than that either.
        most = self.network_.samples_at_once([X.shape[1:]])
        batch = next((b for b in range(most, most // 2, -8) if not 0 < len(X) % b < _FEWEST_ROWS), most)
        return np.asarray(self.network_.predict(X, batch_size=batch), np.float64)[:n]

    def _fitted_loss(self) -> Loss:
        loss = self.network_.loss_
        assert isinstance(loss, Loss)  # the network has one output
        return loss

    def equations(self, **options: Any) -> Any:
        """The chain rule of the fitted network: forward, loss, backward and update with shapes. See Network.equations."""
        self._require_fitted("equations")
        return self.network_.equations(**options)

    # ------------------------------------------------------------ keeping

    def save(self, path: Path) -> None:
        """Writes the fitted estimator to one file (safetensors), atomically; ``load`` reads it.

        Callbacks and a random state other than an int are not kept, since they are no plain data.

        Raises      NotFittedError ; ParameterError when a parameter cannot be written as data ; ModelFileError when the file
                    cannot be written
        """
        extra = self.to_extra()
        self.network_.save(path, extra=extra)

    def to_extra(self) -> dict[str, Any]:
        """What a file keeps beside the network, for ``Network.save``. Raises as ``save``."""
        self._require_fitted("save")
        params = {name: value for name, value in self.get_params(deep=False).items() if name not in _NOT_SAVED}
        if not is_integer(self.random_state):
            params["random_state"] = None
        if isinstance(self.tokenizer, Tokenizer):
            params["tokenizer"] = self.tokenizer.name  # its settings are in the state of the fitted one
        if callable(self.learning_rate) and not isinstance(self.learning_rate, Schedule):
            params["learning_rate"] = None
        state = {
            "class": type(self).__name__,
            "params": {name: _to_plain(value) for name, value in params.items()},
            "custom": self.layers is not None,
            "n_features_in": getattr(self, "n_features_in_", None),
            "sample_shape": list(getattr(self, "sample_shape_", [])),
            "tokenizer": self._vocabulary().state() if self._takes_texts() else None,
            "feature_names_in": self.feature_names_in_.tolist() if hasattr(self, "feature_names_in_") else None,
            "target": {name: _to_plain(getattr(self, name)) for name in self._target_attributes},
            "history": self.history_.state(),
        }
        # As one entry, since a mapping with just the keys "class" and "args" would be read as an object.
        return {_FILE_KEY: state}

    @classmethod
    def load(cls, path: Path) -> Self:
        """The estimator that ``save`` wrote. No code from the file is run.

        Raises      ModelFileError when the file is missing, damaged, foreign, or holds something else than this estimator
        """
        from ..model import Network
        from ..network.files import load
        from ..training import History

        network, extra = load(path, Network)
        where = f"The model file {os.fspath(path)!r}"
        state = extra.get(_FILE_KEY)
        if not isinstance(state, dict):
            raise ModelFileError(f"{where} holds a Network, no {cls.__name__}. Use chainrule.load.")
        if state.get("class") != cls.__name__:
            raise ModelFileError(f"{where} holds a {state.get('class')!r:.60}, no {cls.__name__}.")
        try:
            params = {name: _from_plain(value) for name, value in state["params"].items()}
            if state["custom"]:
                # The same layers, without the weights: a new fit starts anew as it did with the layers once given.
                inputs, outputs = network._tensors
                params["layers"] = Network(inputs=inputs, outputs=outputs, dtype=network.dtype)
            tokenizer = state.get("tokenizer")
            tokenizer = None if tokenizer is None else Tokenizer.from_state(tokenizer)
            if tokenizer is not None:
                params["tokenizer"] = type(tokenizer)(**tokenizer.config())
            found = cls(**params)
            found.tokenizer_ = tokenizer
            if tokenizer is None and state["n_features_in"] is not None:
                found.n_features_in_ = int(state["n_features_in"])
                found.sample_shape_ = tuple(int(size) for size in state.get("sample_shape", [found.n_features_in_]))
            if state["feature_names_in"] is not None:
                found.feature_names_in_ = np.array(state["feature_names_in"], dtype=object)
            for name in cls._target_attributes:
                setattr(found, name, _from_plain(state["target"][name]))
            fitted = extra["fit"]
            (network.loss_,) = fitted["loss"]
            network.optimizer_, network.loss_weights_ = fitted["optimizer"], fitted["loss_weights"]
            network.history_ = History.from_state(state["history"])
            network._trained = True
            found._check_loaded(network)
            found._keep(network)
        except ModelFileError:
            raise
        except Exception as error:
            # The values come from the file and nobody has checked them: whatever they lead to, the file is bad.
            raise ModelFileError(
                f"{where} is damaged: its part {_FILE_KEY!r} does not fit ({type(error).__name__}: {error})."
            ) from error
        return found

    def _check_loaded(self, network: Network) -> None:
        """Raises when the loaded parts do not belong together."""
        if self._takes_texts():
            (limit,), size = network.index_limits(), len(self._vocabulary())
            # An embedding of the user's own may have room for more.
            if network.input_shapes != [(FREE,)] or limit is None or limit < size or (limit > size and self.layers is None):
                raise ModelFileError("its network and its vocabulary do not belong together.")
        elif network.input_shapes != [self.sample_shape_]:
            raise ModelFileError(f"the network takes {network.input_shapes}, the estimator {self.sample_shape_}.")
        self._loss_for(network)


def holds_out(estimator: NeuralEstimator) -> str | None:
    """Why there is no partial_fit, for ``available_if``."""
    if not estimator.early_stopping:
        return None
    return "with early_stopping=True, since single passes hold no data out. Use fit, or early_stopping=False."


# ---------------------------------------------------------------- small helpers


def units_of(owner: str, hidden: Any) -> list[int]:
    """The numbers of units of the hidden layers, from an int or a sequence of them."""
    given = [hidden] if isinstance(hidden, Integral) else hidden
    try:
        units = [] if isinstance(given, (str, bytes, Mapping)) else list(given)
    except TypeError:
        units = [None]
    wrong = [u for u in units if not is_integer(u) or u < 1]
    if wrong or isinstance(given, (str, bytes, Mapping)):
        raise ParameterError(
            f"{owner}: hidden must be the numbers of units of the hidden layers, each an int of at least 1, such as "
            f"[128, 64]. Got {hidden!r}."
        )
    return [int(u) for u in units]


def is_integer(value: Any, *, bools: bool = False) -> bool:
    return isinstance(value, Integral) and (bools or not isinstance(value, (bool, np.bool_)))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and bool(np.isfinite(float(value)))


def _in_memory(X: Any) -> Any:
    return np.array(X) if isinstance(X, np.memmap) else X


def _drop_weightless(X: Array, y: Array, weight: Floats) -> tuple[Array, Array, Floats]:
    """Only the samples that count, so that a weight of 0 is the same as leaving the sample out."""
    kept = weight > 0
    if kept.all() or isinstance(X, np.memmap):  # a memory map is not copied: its samples of weight 0 just add nothing
        return X, y, weight
    return X[kept], y[kept], weight[kept]


def _product(a: Floats | None, b: Floats | None) -> Floats | None:
    return b if a is None else a if b is None else a * b


def _normalised(weight: Floats | None) -> Floats | None:
    """Weights of mean 1: then a sample of weight 2 counts as the sample twice, at an unchanged learning rate."""
    if weight is None or not weight.any():
        return weight
    if weight.min() == weight.max():
        return None
    return np.asarray(weight * (len(weight) / weight.sum()))


def _to_plain(value: Any) -> Any:
    """The value so that it survives JSON: tuples, mappings and arrays are told apart from lists."""
    if isinstance(value, tuple):
        return {"tuple": [_to_plain(v) for v in value]}
    if isinstance(value, list):
        return [_to_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {"mapping": [[_to_plain(k), _to_plain(v)] for k, v in value.items()]}
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_plain(v) for v in value]
    if isinstance(value, dict) and len(value) == 1:
        if "tuple" in value:
            return tuple(_from_plain(v) for v in value["tuple"])
        if "mapping" in value:
            return {_from_plain(k): _from_plain(v) for k, v in value["mapping"]}
    return value
