"""How the estimators train: the way from X and y to a fit of their network, and back to the estimator."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..data import Sequences, as_targets, check_lengths
from ..data.sparse import SparseRows
from ..errors import DataError, DivergenceError, ParameterError, ShapeError
from ..losses import Loss
from ..optimizers import Schedule, get_optimizer
from ..training import EarlyStopping
from ..training.interrupt import sigterm_at_end
from ..training.settings import FitSettings
from ..training.sklearn_callbacks import SklearnCallbacks, with_callbacks
from ._contract import ConvergenceWarning
from .features import Features

if TYPE_CHECKING:
    from ..cures import Cure
    from ..diagnosis import Diagnosis
    from ..model import Network

__all__ = ["Array", "Floats", "Training", "chosen_arguments", "no_single_passes"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
#: Weights that are whole numbers are repetitions of samples, as long as the data grows to at most so many times its size.
_MOST_REPETITIONS = 10
#: Data of more samples, or of more bytes, is not brought into an order of its own before it is shuffled.
_ORDERED_SAMPLES, _ORDERED_BYTES = 100_000, 64 * 2**20
#: Arguments of a fit that fine-tuning does not share: how long it is, and what decides its end.
_OF_A_WHOLE_FIT = ("epochs", "early_stopping", "validation_split", "metrics", "callbacks")
#: A loss that falls by more than this share of itself, over the last epochs, still falls.
_STILL_FALLING = 0.01


def chosen_arguments(settings: FitSettings) -> dict[str, Any]:
    """The arguments that the settings were explicitly given, by name."""
    return {name: getattr(settings, name) for name in settings.given}


@dataclass(frozen=True, eq=False)
class Prepared:
    """A fit before it is done. Parameters  network ; data : (X, y) as Network.fit takes them ; settings : of the fit"""

    network: Network
    data: tuple[Any, Any]
    settings: FitSettings

    def arguments(self) -> dict[str, Any]:
        """The arguments of the fit that were chosen."""
        return chosen_arguments(self.settings)


class Training(Features):
    """Fits the network of an estimator. A subclass says what its targets mean, and makes the network."""

    network_: Network

    def _read_target(self, y: Any) -> Array:
        """y as a checked array."""
        raise NotImplementedError

    def _learn_target(self, y: Array, weight: Floats | None) -> None:
        """What the first data fixes: the classes, or the scale of y."""
        raise NotImplementedError

    def _check_known_target(self, y: Array) -> None:
        """Raises when y does not go on from the targets that were learned first."""
        raise NotImplementedError

    def _encode_target(self, y: Array, loss: Loss, outputs: int) -> Array:
        """y as the network learns it."""
        raise NotImplementedError

    def _class_weights(self, y: Array, weight: Floats | None, *, whole: bool) -> tuple[Floats | None, Any]:
        """Factors of the samples by their class, and factors by output. ``whole`` : y is all of the data."""
        return None, None

    def _make_network(self) -> Network:
        raise NotImplementedError

    def _loss_for(self, network: Network) -> tuple[Loss, int]:
        raise NotImplementedError

    def _keep(self, network: Network) -> None:
        """Takes the network and what its fit left as fitted attributes."""
        raise NotImplementedError

    def _require_fitted(self, what: str) -> None:
        raise NotImplementedError

    def _fitted_attributes(self, network: Network) -> dict[str, Any]:
        raise NotImplementedError

    def _is_fitted(self) -> bool:
        return hasattr(self, "network_")

    # ------------------------------------------------------------ fitting

    @with_callbacks  # type: ignore[untyped-decorator]
    @sigterm_at_end()
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Trains on all of (X, y), from new start weights unless ``warm_start``.

        Parameters
            X : array, DataFrame or list of rows (N, features), a sparse matrix of SciPy, or a list, array or Series of N
                texts ;
                with ``layers`` also pictures (N, H, W, C) or (N, H, W), sequences (N, T, C) or volumes
            y : targets, one entry a sample
            sample_weight : (N,) of numbers >= 0, how much each sample counts. Whole numbers are repetitions: a sample of
                weight 3 is the sample three times, and one of weight 0 is left out. Of other numbers only the
                proportions matter
            X_val, y_val, sample_weight_val : samples to validate on, in place of those that ``early_stopping`` holds out.
                ``history_`` then has "val_loss", also without early stopping. As for scikit-learn's
                HistGradientBoosting: a Pipeline transforms X_val by ``transform_input=["X_val"]``
        Raises
            ShapeError, DtypeError, DataError : X, y or the weights do not fit ; ParameterError : a parameter is out of range
            DivergenceError : a number stopped being finite; the estimator then has the weights from before that step
        Warns       ConvergenceWarning when the epochs ran out while the loss was still falling
        """
        going_on = bool(self.warm_start) and self._is_fitted()
        validation = _validation(X_val, y_val, sample_weight_val)
        made = self._prepared(X, y, sample_weight, validation, going_on=going_on)
        network = made.network
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        bridge = SklearnCallbacks(
            self, X, y, metadata=metadata, reconstruct=lambda: self._fitted_attributes(network)
        )  # fmt: skip
        arguments = made.arguments() | {"callbacks": [*self._own_callbacks(), bridge], "verbose": int(self.verbose)}
        try:
            network.fit(*made.data, **arguments)
        except DivergenceError:
            self._keep(network)
            raise
        self._keep(network)
        self._warn_if_still_falling()
        return self

    def _prepared(self, X: Any, y: Any, sample_weight: Any, validation: Any = None, *, going_on: bool) -> Prepared:
        """What a fit does, before it is done. Parameters  going_on : with the network and targets that were learned
        before
        """
        self._check_parameters()
        X, y, weight = self._read(X, y, sample_weight, reset=not going_on)
        X, y, weight = _repeated(*_drop_weightless(X, y, weight))
        if self.shuffle:
            X, y, weight = _in_own_order(X, y, weight, self._dtype())
        if self.early_stopping and validation is None and len(X) < 2:
            raise DataError(
                f"{type(self).__name__}: early_stopping=True holds samples out, so it needs at least 2; got n_samples = 1."
            )
        if going_on:
            self._check_known_target(y)
            network = self.network_
        else:
            self._learn_scale(X)
            self._learn_target(y, weight)
            network = self._make_network()
        by_sample, by_output = self._class_weights(y, weight, whole=True)
        loss, outputs = self._loss_for(network)
        chosen: dict[str, Any] = {"class_weight": by_output, "learning_rate_factors": self._rate_factors(network)}
        if validation is not None:
            chosen["validation_data"] = self._validated_on(validation, loss, outputs)
        elif self.early_stopping:
            chosen["validation_split"] = float(self.validation_fraction)
        weight, targets = _normalised(_product(weight, by_sample)), self._encode_target(y, loss, outputs)
        chosen["sample_weight"] = weight
        return Prepared(network, (self._scaled(X), targets), self._settings(loss, len(X)).replace(**chosen))

    def _rate_factors(self, network: Network) -> dict[str, float] | None:
        """Those of a pretrained body that learns along."""
        if not (self._is_pretrained and self.fine_tune):
            return None
        from ..pretrained import body_rates

        return body_rates(network)

    def _settings(self, loss: Loss, n: int) -> FitSettings:
        """How n samples are trained on, as far as the parameters say it."""
        return FitSettings.of(
            {
                "loss": loss,
                "optimizer": self._make_optimizer(),
                "epochs": int(self.epochs),
                "batch_size": self._batch_size(n),
                "shuffle": bool(self.shuffle),
                "metrics": self.metrics,
                "early_stopping": self._make_early_stopping(),
                **self._machine(),
            }
        )

    def _validated_on(self, validation: tuple[Any, Any, Any], loss: Loss, outputs: int) -> Any:
        """The user's validation data as Network.fit takes it."""
        try:
            X, y, weight = self._read(*validation, reset=False)
            self._check_known_target(y)
        except (ShapeError, DataError) as error:
            raise type(error)(f"X_val, y_val: {error}") from error
        X, targets = self._scaled(X), self._encode_target(y, loss, outputs)
        return (X, targets) if weight is None else (X, targets, weight)

    def _machine(self) -> dict[str, Any]:
        precision = "bfloat16" if self.precision == "bfloat16" else "float32"
        return {"engine": self.engine, "threads": self.threads, "precision": precision}

    def _warn_if_still_falling(self) -> None:
        """Warns when the epochs ran out before the rule that ends a fit applied, and the loss went on falling to the end."""
        history, name = self.network_.history_, "val_loss" if self.early_stopping else "loss"
        losses = history.get(name, [])
        if history.stopped or history.interrupted or len(losses) < 2 or (self.tolerance is None and not self.early_stopping):
            return
        last = min(int(self.patience), len(losses) // 2)
        before, after = min(losses[:-last]), min(losses[-last:])
        if before - after > max(float(self.tolerance or 0.0), _STILL_FALLING * abs(before)):
            which = "validation" if self.early_stopping else "training"
            cure = (
                "" if self.early_stopping else ", or tolerance=None to train for exactly these epochs without this warning"
            )
            warnings.warn(
                f"{type(self).__name__}: the {len(losses)} epochs ran out while the {which} loss was still falling: from "
                f"{before:.4g} to {after:.4g} over the last {last} epoch{'s' * (last > 1)}. Set more epochs, or a larger "
                f"learning_rate{cure}.",
                ConvergenceWarning,
                stacklevel=4,
            )

    @sigterm_at_end()
    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, first: Callable[[Array, Floats | None], None]) -> Self:
        """One pass over the data. ``first`` is called before the first data is learned from."""
        self._check_parameters()
        begun = self._is_fitted()
        X, y, weight = self._read(X, y, sample_weight, reset=not begun)
        if begun:
            self._check_known_target(y)
            network = self.network_
        else:
            self._learn_scale(X)
            first(y, weight)
            network = self._make_network()
        by_sample, by_output = self._class_weights(y, weight, whole=False)
        loss, outputs = self._loss_for(network)
        optimizer = self._make_optimizer()
        rate = optimizer.learning_rate
        weight, batch_size = _product(weight, by_sample), self._batch_size(len(X))
        X = self._scaled(X)
        targets: Any = self._encode_target(y, loss, outputs)
        try:
            network.partial_fit(
                X,
                targets,
                loss=loss,
                optimizer=optimizer,
                # A number given by itself changes the rate and keeps the optimizer's state; a schedule has its own state.
                learning_rate=None if isinstance(rate, Schedule) or callable(rate) else rate,
                learning_rate_factors=self._rate_factors(network),
                batch_size=batch_size,
                shuffle=bool(self.shuffle),
                sample_weight=weight,
                class_weight=by_output,
                metrics=self.metrics,
                **self._machine(),
            )
        except DivergenceError:
            self._keep(network)
            raise
        self._keep(network)
        return self

    def _read(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> tuple[Any, Array, Floats | None]:
        """X, y and the weights, checked; weights are None where none are given."""
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
        if self._given_layers is None:
            return size
        # No sample may be left over alone: layers of the user's own may normalise by the batch.
        learned = n - math.ceil(round(n * float(self.validation_fraction), 9)) if self.early_stopping else n
        return next((b for b in range(size, size + 9) if learned % b != 1), size)

    # ------------------------------------------------------------ why it does not learn

    def diagnose(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Diagnosis:
        """What keeps this estimator from learning these samples, if anything. See Network.diagnose.

        Before a fit, it looks at a trial of the training that fit would do; after a fit, at that fit, with its weights and
        its history. Nothing is changed.

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
        made = subject._prepared(X, y, sample_weight, going_on=self._is_fitted())
        found: Diagnosis = made.network.diagnose(*made.data, **{**made.arguments(), **options})
        return found

    def cure(
        self, X: Any, y: Any, sample_weight: Any = None, *, time_budget: float = 60.0, **options: Any
    ) -> Self:  # fmt: skip
        """A new estimator that learns, fitted on (X, y), with the evidence in its attribute ``cure_``. See Network.cure.

        The changes that won are in the parameters of the new estimator: in ``layers`` where they change the network, else in
        the optimizer, the epochs and so on. So it can be cloned and fitted again, in a pipeline or a search. When no change
        wins, the parameters are the same as before. This estimator is not changed.

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
        made = subject._prepared(X, y, sample_weight, going_on=False)
        asked = {"time_budget": time_budget, "verbose": int(bool(self.verbose)), **options, "refit": False}
        found = made.network.cure(*made.data, **(made.arguments() | asked))
        changed = subject._cured_params(found)
        better = type(self)(**{**self._copied_params(callbacks=True), **changed})
        better.fit(X, y, **({} if sample_weight is None else {"sample_weight": sample_weight}))
        better.cure_ = found
        return better

    def prune(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Self:
        """A copy of this fitted estimator with fewer weights, and with the measurements in its attribute ``frontier_``.

        Its network is pruned further and further, with fine-tuning after each step, and the copy has the sparsest network
        that is within the tolerance. This estimator is not changed.

        Parameters
            X, y, sample_weight : as in fit ; options : of chainrule.sparsity.frontier, such as ``sparsities=(0.5, 0.9)``,
            ``structure="units"``, ``tolerance=0.005`` and ``epochs``
        Raises      NotFittedError before a fit ; others as ``fit`` and ``frontier``

        Example
            >>> import numpy as np
            >>> from chainrule import NeuralClassifier
            >>> X = np.random.default_rng(0).normal(size=(300, 2))
            >>> fitted = NeuralClassifier(hidden=[64], epochs=20, random_state=0, tolerance=None).fit(X, X[:, 0] > 0)
            >>> small = fitted.prune(X, X[:, 0] > 0, sparsities=(0.5,), tolerance=0.1)
            >>> small.network_.sparsity().sparsity
            0.5
        """
        from ..sparsity import frontier

        self._require_fitted("prune")
        made = self._prepared(X, y, sample_weight, going_on=True)
        own = {name: value for name, value in made.arguments().items() if name not in _OF_A_WHOLE_FIT}
        found = frontier(made.network, *made.data, **(own | options))
        small = self.with_network(found.network)
        small.frontier_ = found
        return small

    def quantize(self, X: Any) -> Self:
        """A copy of this fitted estimator whose weights are whole numbers of 8 bits.

        It predicts by the kernels for them, in the layers where these are faster on this processor. This estimator is not
        changed. See ``Network.quantize``.

        Parameters  X : samples as in fit, of the kind that will be predicted; some hundreds are enough
        Raises      NotFittedError before a fit ; others as ``predict`` and ``Network.quantize``

        Example
            >>> import numpy as np
            >>> from chainrule import NeuralClassifier
            >>> X = np.random.default_rng(0).normal(size=(300, 2))
            >>> fitted = NeuralClassifier(hidden=[64], epochs=40, random_state=0, tolerance=None).fit(X, X[:, 0] > 0)
            >>> fitted.quantize(X).score(X, X[:, 0] > 0) > 0.95
            True
        """
        self._require_fitted("quantize")
        features = self._scaled(self._features(X, reset=False))
        network = self.network_.quantize(features)
        network.pack(in_place=True)
        return self.with_network(network)

    def prepared(self, X: Any, y: Any) -> Prepared:
        """A further fit of this fitted estimator, before it is done: its network, and the data as the network takes them."""
        return self._prepared(X, y, None, going_on=True)

    def with_network(self, network: Network) -> Self:
        """A copy of this fitted estimator that has another network for the same inputs and outputs."""
        other = copy.copy(self)
        other._keep(network)
        return other

    def _copied_params(self, *, callbacks: bool = False) -> dict[str, Any]:
        params = self.get_params(deep=False)
        kept = params.pop("callbacks")
        return {**copy.deepcopy(params), **({"callbacks": kept} if callbacks else {})}

    def _blank(self) -> Self:
        """The same estimator, not fitted, without callbacks, and with its own copy of the random state."""
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
            if getattr(self, "input_scale_", None) is not None:
                found["scale_inputs"] = True  # which "auto" does not do for layers of the user's own
        return found


def no_single_passes(estimator: Training) -> str | None:
    """Why there is no partial_fit, for ``available_if``."""
    if estimator.early_stopping:
        return "with early_stopping=True, since single passes hold no data out. Use fit, or early_stopping=False."
    try:
        optimizer = get_optimizer(estimator.optimizer)
    except ParameterError:
        return None  # fit says what is wrong with it
    if optimizer.full_batch:
        return (
            f"with the optimizer {type(optimizer).__name__}, whose every step needs all of the data. Use fit, or an "
            "optimizer "
            'such as "adam".'
        )
    return None


# ---------------------------------------------------------------- small helpers


def _validation(X: Any, y: Any, weight: Any) -> tuple[Any, Any, Any] | None:
    if X is None and y is None and weight is None:
        return None
    if X is None or y is None:
        raise ParameterError("fit: X_val and y_val belong together. Give both, or neither.")
    return X, y, weight


def _drop_weightless(X: Any, y: Array, weight: Floats | None) -> tuple[Any, Array, Floats | None]:
    """Only the samples that count, so that a weight of 0 is the same as leaving the sample out."""
    if weight is None or weight.all() or isinstance(X, np.memmap):
        return X, y, weight  # a memory map is not copied: its samples of weight 0 just add nothing
    kept = weight > 0
    return X[kept], y[kept], weight[kept]


def _repeated(X: Any, y: Array, weight: Floats | None) -> tuple[Any, Array, Floats | None]:
    """Samples as often as their weights say, where these are whole numbers and the data does not grow too large."""
    if weight is None or isinstance(X, np.memmap) or (weight != np.rint(weight)).any():
        return X, y, weight
    if weight.sum() > _MOST_REPETITIONS * len(weight):
        return X, y, weight
    rows = np.repeat(np.arange(len(y)), weight.astype(np.int64))
    return X[rows], y[rows], None


def _in_own_order(X: Any, y: Array, weight: Floats | None, dtype: str) -> tuple[Any, Array, Floats | None]:
    """The samples in an order that depends on the samples alone, not on the order in which they came.

    So equal data gives equal networks, in whatever order it comes, and a sample of weight 3 the same network as the sample
    three times. Every epoch shuffles that order anew.

    Parameters  dtype : of the numbers in the network
    """
    size = X.matrix.data.nbytes if isinstance(X, SparseRows) else X.values.nbytes if isinstance(X, Sequences) else X.nbytes
    if len(X) > _ORDERED_SAMPLES or size > _ORDERED_BYTES or isinstance(X, np.memmap):
        return X, y, weight
    if isinstance(X, SparseRows):
        matrix = X.matrix.copy()
        matrix.sum_duplicates()
        places, values = matrix.indices, matrix.data
        samples = [places[a:b].tobytes() + values[a:b].tobytes() for a, b in pairwise(matrix.indptr)]
    elif isinstance(X, Sequences):
        samples = [X.values[a:b].tobytes() for a, b in pairwise(X.offsets)]
    else:
        return _by_bytes(X, y, weight, dtype)
    targets = [str(one) for one in y] if y.dtype == object else [one.tobytes() for one in y]
    weights = np.ones(len(y)) if weight is None else weight
    order = np.array(sorted(range(len(y)), key=lambda i: (samples[i], targets[i], weights[i])), np.int64)
    return X[order], y[order], None if weight is None else weight[order]


def _by_bytes(X: Array, y: Array, weight: Floats | None, dtype: str) -> tuple[Array, Array, Floats | None]:
    """The same for an array, whose samples have equally many bytes."""
    # By what the network sees first, so that float64 and float32 of the same numbers are in the same order.
    with np.errstate(over="ignore"):
        seen = X.astype(dtype) if X.dtype.kind == "f" else X
    codes = np.unique(y.astype(str), return_inverse=True)[1] if y.dtype == object else y
    parts = [seen, X, codes, *([] if weight is None else [weight])]
    rows = np.hstack([np.ascontiguousarray(part).reshape(len(y), -1).view(np.uint8) for part in parts])
    order = rows.view(np.dtype((np.void, rows.shape[1]))).reshape(-1).argsort(kind="stable")
    return X[order], y[order], None if weight is None else weight[order]


def _product(a: Floats | None, b: Floats | None) -> Floats | None:
    return b if a is None else a if b is None else a * b


def _normalised(weight: Floats | None) -> Floats | None:
    """Weights of mean 1, so that the size of a step does not depend on their unit."""
    if weight is None or not weight.any():
        return weight
    if weight.min() == weight.max():
        return None
    return np.asarray(weight * (len(weight) / weight.sum()))
