"""The regressor."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np

from ..constraints import Boolean, Constraint
from ..data import as_targets
from ..errors import DataError, ParameterError
from ..losses import Loss, get_loss
from ._available import available_if
from ._contract import RegressorMixin
from .base import Array, Floats, NeuralEstimator
from .scaling import mean_and_scale
from .training import no_single_passes

__all__ = ["NeuralRegressor"]


class NeuralRegressor(RegressorMixin, NeuralEstimator):
    """A neural network that predicts numbers, with scikit-learn's interface.

    ``ŷ = mean + scale · f(x)``: with ``scale_targets`` the network f learns targets of mean 0 and variance 1, so that a
    learning rate which is good for one target is good for another, in euros or in millimetres.

    Parameters
        loss : a loss or its name. None: squared_error. For counts "poisson" (ŷ is then the rate)
        scale_targets : bool = True ; bring each output of y to mean 0 and variance 1 for training. ``history_`` and the
            parameters of the loss (Huber's delta) are then in these units. Not done for losses of counts, such as Poisson
        others : see NeuralClassifier
    Attributes  (after fit)
        target_mean_, target_scale_ : (n_outputs_,) ; others : see NeuralClassifier
    Shapes      X (N, features), N texts, or with ``layers`` pictures and other arrays ; y (N,) or (N, outputs) ;
                predictions have the shape of y, in float64
    Raises      as ``fit`` says

    Example
        >>> import numpy as np
        >>> X = np.linspace(-1, 1, 100).reshape(-1, 1)
        >>> model = NeuralRegressor(hidden=[16], learning_rate=0.02, random_state=0).fit(X, 1000 * X[:, 0] ** 2)
        >>> model.score(X, 1000 * X[:, 0] ** 2) > 0.95
        True
    """

    _state = (*NeuralEstimator._state, "target_mean_", "target_scale_", "_flat_target")

    _constraints: ClassVar[dict[str, Constraint]] = {**NeuralEstimator._constraints, "scale_targets": Boolean()}

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
        scale_targets: bool = True,
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
        super().__init__(
            hidden,
            layers=layers,
            architecture=architecture,
            pretrained=pretrained,
            fine_tune=fine_tune,
            activation=activation,
            dropout=dropout,
            weight_init=weight_init,
            tokenizer=tokenizer,
            embedding=embedding,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            l2=l2,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            scale_inputs=scale_inputs,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            tolerance=tolerance,
            warm_start=warm_start,
            metrics=metrics,
            callbacks=callbacks,
            verbose=verbose,
            random_state=random_state,
            engine=engine,
            threads=threads,
            precision=precision,
        )
        self.scale_targets = scale_targets

    @available_if(no_single_passes)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One pass over (X, y) that goes on from weights, optimizer state and step count of the last call.

        The first call fixes the features and the scale of the targets.

        Parameters  X, y : as in fit ; sample_weight : (N,), factors of the losses, which are not normalised
        Raises      as ``fit``
        """
        return self._partial_fit(X, y, sample_weight, self._learn_target)

    def predict(self, X: Any) -> Floats:
        """The predictions, with the shape that y had in fit.

        Raises      NotFittedError ; ShapeError, DtypeError, DataError when X does not fit
        """
        z = self._outputs(X, "predict")
        y = np.asarray(self._fitted_loss().prediction(z), np.float64) * self.target_scale_ + self.target_mean_
        return y[:, 0] if self._flat_target else y

    # ------------------------------------------------------------ what targets mean

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._get_loss()

    def _get_loss(self) -> Loss:
        loss = get_loss("squared_error" if self.loss is None else self.loss)
        loss.validate()
        if loss.threshold is not None or loss.probabilities or any(d == "int" for _, d in loss.target((2, 2))):
            raise ParameterError(
                f"NeuralRegressor: {type(loss).__name__} is a loss of classes. Use squared_error, absolute_error, huber or "
                "poisson here, or NeuralClassifier."
            )
        return loss

    def _known_loss(self) -> Loss | None:
        """The loss, None where the parameter names none, which ``fit`` says."""
        try:
            return self._get_loss()
        except ParameterError:
            return None

    def _read_target(self, y: Any) -> Array:
        return as_targets(y, dtype=np.float64, ndim=(1, 2))

    def _learn_target(self, y: Array, weight: Floats | None) -> None:
        self._flat_target = y.ndim == 1
        columns = y.reshape(len(y), -1)
        n_outputs = columns.shape[1]
        self.target_mean_, self.target_scale_ = np.zeros(n_outputs), np.ones(n_outputs)
        if self.scale_targets and self._get_loss().kind != "counts":
            self.target_mean_, self.target_scale_ = mean_and_scale(columns, weight)

    def _check_known_target(self, y: Array) -> None:
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        if n_outputs != len(self.target_mean_):
            raise DataError(
                f"y has {n_outputs} output(s), and the first data had {len(self.target_mean_)}. "
                "Pass the same outputs, or start anew by fit with warm_start=False."
            )

    def _choose_loss(self, outputs: int | None) -> tuple[Loss, int]:
        return self._get_loss(), len(self.target_mean_)

    def _encode_target(self, y: Array, loss: Loss, outputs: int) -> Array:
        return as_targets((y.reshape(len(y), -1) - self.target_mean_) / self.target_scale_, dtype=self._dtype())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        loss = self._known_loss()
        tags.target_tags.positive_only = loss is not None and loss.kind == "counts"
        tags.input_tags.sparse = True
        return tags
