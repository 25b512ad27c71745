"""The classifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from ..constraints import AnyOf, Constraint, Instance, Maybe, OneOf
from ..data import ClassLabels, as_targets, target_kind
from ..errors import DataError, ParameterError, did_you_mean
from ..losses import Loss, get_loss
from ._available import available_if
from ._contract import ClassifierMixin, DataConversionWarning
from .base import Array, Floats, NeuralEstimator
from .training import no_single_passes

__all__ = ["NeuralClassifier"]


def _no_probabilities(estimator: NeuralClassifier) -> str | None:
    try:
        if estimator.loss is None or get_loss(estimator.loss).probabilities:
            return None
    except ParameterError:
        pass
    return f"with loss={estimator.loss!r}, which gives no probabilities. Use a cross-entropy loss (loss=None picks one)."


class NeuralClassifier(ClassifierMixin, NeuralEstimator):
    """A neural network that predicts classes, with scikit-learn's interface.

    ``p = softmax(f(x))`` for three classes and more; ``p = σ(f(x))`` for two classes, and for each of several labels at once
    when y is a matrix of zeros and ones. The network f is Dense, activation, Dropout for each hidden layer, a last Dense.
    For texts, the network first looks up a vector for each token; the hidden layers take the mean of these vectors.

    Parameters
        hidden : numbers of units of the hidden layers, or one int = (100,) ; () makes a linear model
        layers : the whole network in place of ``hidden``, its last layer included: a list of layers, a Network, the name of
            an architecture such as "resnet20", or a function of (features, outputs) that returns a list of layers; features
            is the number of columns, or the shape of a sample, or the size of the vocabulary. Every fit trains a copy; a
            Network that has weights starts from them
        activation : name or layer = "relu" ; dropout : in [0, 1) = 0, after every hidden activation
        weight_init : Initializer or its name; None follows the activation
        architecture : the name of a ready network in place of ``hidden``: one for pictures such as "resnet20", or "minilm"
            for texts
        pretrained : begin with a body that has learned before; a new last layer learns from its features, after ``dropout``.
            True takes the ready weights of the architecture ("efficientnet_lite0", "minilm"); or the name of such a body, or
            the path of a file of your own, as chainrule.pretrained says. Preprocessing comes along: of texts the tokenizer,
            of pictures size and scale. Pictures have values from 0 to 255, or floats from 0 to 1
        fine_tune : bool = False ; whether the pretrained body learns along, at a tenth of the learning rate; else it is
            frozen, and its features are computed once
        tokenizer : for texts, "words", "characters", "byte_pairs" or a Tokenizer. Its vocabulary is learned from the texts
            of fit, unless the Tokenizer has one, and is saved with the model ; embedding : int = 64, length of the vector of
            each token. Layers of your own for texts get the vectors (T, embedding), unless they begin with an Embedding
        loss : a loss or its name. None: softmax_cross_entropy for three classes and more, else binary_cross_entropy
        class_weight : None; {label: weight}, 1 for labels not named; "balanced" = N / (K · count of the class). For several
            labels at once {number of the label: weight}, one weight a label, or "balanced", which makes the yes and the
            no of each label count alike
        optimizer : an Optimizer or its name = "adam"; its arguments are ``optimizer__momentum`` and so on ;
            learning_rate : number or schedule, None for the optimizer's own
        l2 : >= 0 = 0 ; adds ½ l2 Σ w² to the loss, over weights, not biases
        epochs : int >= 1 = 200, at most ; batch_size : int or "auto" = N / 50, but at least 32 and at most 200
        shuffle : bool = True, a new order of the samples for every epoch
        scale_inputs : "auto" brings rows of numbers to columns of mean 0 and standard deviation 1 where a network would
            learn
            badly from them as they are: when a column has a root mean square above 10, or a mean above 1 that is more than
            ten times its standard deviation, or all columns have standard deviations below 0.01. True does so always, False
            never. The first data decides; ``input_scale_`` tells. Layers of your own get X as it is, unless True
        early_stopping : bool = False ; hold out ``validation_fraction`` = 0.1 of the samples, stop when their loss has not
            improved for ``patience`` epochs, and keep the weights of the best epoch
        tolerance : >= 0 = 1e-4 ; without early stopping, fit ends when the training loss has not fallen by more than this
            for ``patience`` = 10 epochs. When all epochs pass before that and the loss still falls, a ConvergenceWarning
            says so. None runs all epochs
        warm_start : bool = False ; fit goes on from the last weights
        metrics : names or Metrics that ``history_`` has beside the loss = accuracy ; callbacks : of chainrule.training ;
            scikit-learn's own go to ``set_callbacks``
        verbose : 0 silent, 1 live progress, 2 one line an epoch
        random_state : int, numpy Generator or None ; equal ints give equal results to the bit
        engine, threads : see chainrule.engine.get_engine ; precision : "float32", "float64" (reference engine), "bfloat16"
    Attributes  (after fit)
        classes_ : (K,) the labels, sorted; for several labels at once their numbers 0 .. K − 1
        network_ : the trained Network ; history_ : History of the fit ; loss_curve_ : loss of each epoch
        n_iter_ : epochs done ; n_outputs_ : outputs of the network ; n_features_in_
        sample_shape_ : shape of one sample, (features,) for rows
        input_mean_, input_scale_ : (features,) the network sees ``(x − mean) / scale`` ; None where it sees x
        feature_names_in_ : when X was a DataFrame ; tokenizer_ : the fitted one for texts, else None
    Shapes      X (N, features), dense or a sparse matrix of SciPy, or N texts, or with ``layers`` also pictures (N, H,
    W, C), (N, H, W) and other arrays ;
                y (N,) of labels (text, ints, bools), or (N, K) of zeros and ones
    Raises      as ``fit`` says

    Example
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(200, 2))
        >>> y = np.where(X[:, 0] * X[:, 1] > 0, "same", "different")
        >>> model = NeuralClassifier(hidden=[32], learning_rate=0.02, random_state=0).fit(X, y)
        >>> model.score(X, y) > 0.95, model.classes_.tolist()
        (True, ['different', 'same'])
    """

    _state = (*NeuralEstimator._state, "classes_", "_kind")

    _constraints: ClassVar[dict[str, Constraint]] = {
        **NeuralEstimator._constraints,
        "class_weight": Maybe(
            AnyOf(
                OneOf("balanced"),
                Instance(Mapping, words="a dict"),
                Instance(list, tuple, np.ndarray, words="one weight a label"),
            )
        ),
    }

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
        class_weight: Any = None,
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
        self.class_weight = class_weight

    @available_if(no_single_passes)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One pass over (X, y) that goes on from weights, optimizer state and step count of the last call.

        Parameters
            X, y : as in fit ; sample_weight : (N,), factors of the losses, which are not normalised, so that the samples of
                one call can count more than those of another
            classes : all labels that will ever come, needed by the first call unless y is a matrix of zeros and ones
        Raises      as ``fit`` ; DataError for labels that are not among the classes
        """
        labels = None if classes is None else ClassLabels.fit(classes, name="classes")
        if labels is not None and self._is_fitted() and not np.array_equal(labels.classes, self.classes_):
            raise DataError(
                f"classes={labels.classes.tolist()!r} is not what the first call had, {self.classes_.tolist()!r}. "
                "Pass the same classes or none."
            )

        def first(y: Array, weight: Floats | None) -> None:
            if y.ndim == 2:
                self._learn_target(y, weight)
                return
            if labels is None:
                raise DataError(
                    "classes must be passed on the first call to partial_fit: the labels of all classes, also of those that "
                    "come later, such as classes=np.unique(y_all)."
                )
            self._set_classes(labels, "classes")
            labels.encode(y)

        return self._partial_fit(X, y, sample_weight, first)

    # ------------------------------------------------------------ predicting

    def predict(self, X: Any) -> Array:
        """The labels (N,), or zeros and ones (N, K) for several labels at once.

        Raises      NotFittedError ; ShapeError, DtypeError, DataError when X does not fit
        """
        decision = self._decide(self._outputs(X, "predict"))
        if self._kind == "multilabel":
            return np.asarray(decision > 0, np.int64)
        codes = (decision > 0).astype(np.int64) if decision.ndim == 1 else decision.argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def decision_function(self, X: Any) -> Floats:
        """The scores before they become probabilities, in float64.

        Shapes      (N, K), the class of the largest is predicted ; (N,) for two classes, the second is predicted above 0 ;
                    (N, K) for several labels at once, those above 0 are predicted
        """
        return self._decide(self._outputs(X, "decision_function"))

    @available_if(_no_probabilities)
    def predict_proba(self, X: Any) -> Floats:
        """The probabilities (N, K) of the classes in the order of ``classes_``, or of each of several labels at once.

        Only losses that give probabilities have this method: cross-entropies do, hinge losses do not. In float64.

        Raises      as ``predict`` ; DataError when the outputs of the network are not finite
        """
        z = self._outputs(X, "predict_proba")
        loss = self._fitted_loss()
        p = np.asarray(loss.prediction(z), np.float64)
        if self._kind == "multilabel":
            return p
        if z.shape[1] == 1:
            # σ(−z) is 1 − σ(z) without cancellation.
            other = 1 - p if getattr(loss, "from_probabilities", False) else np.asarray(loss.prediction(-z), np.float64)
            return np.hstack([other, p])
        if loss.threshold is not None:  # yes or no for each class by itself: the sum is not 1 yet
            total = p.sum(axis=1, keepdims=True)
            p = np.where(total > 0, p, 1.0)
            total = p.sum(axis=1, keepdims=True)
            p /= total
        return p

    @available_if(_no_probabilities)
    def predict_log_proba(self, X: Any) -> Floats:
        """The natural logarithms of ``predict_proba``; −inf where a probability is below the smallest float64."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.predict_proba(X)))

    def _decide(self, z: Floats) -> Floats:
        threshold = self._fitted_loss().threshold
        if self._kind == "multilabel":
            return z - (threshold or 0.0)
        if z.shape[1] == 1:
            return z[:, 0] - (threshold or 0.0)
        return z[:, 1] - z[:, 0] if len(self.classes_) == 2 else z

    # ------------------------------------------------------------ what targets mean

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.loss is not None:
            loss = get_loss(self.loss)
            loss.validate()
            if loss.kind not in ("exclusive", "independent"):
                raise ParameterError(
                    f"NeuralClassifier: {type(loss).__name__} is a loss of {loss.kind}, not of classes. Use "
                    "softmax_cross_entropy, binary_cross_entropy, hinge, multi_class_hinge or kl_divergence here, or a "
                    "NeuralRegressor."
                )

    def _read_target(self, y: Any) -> Array:
        labels: Array = as_targets(y, ndim=(1, 2))
        if labels.ndim == 2 and labels.shape[1] == 1:
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples,), "
                "for example using ravel().",
                DataConversionWarning,
                stacklevel=5,
            )
            labels = labels.ravel()
        if labels.ndim == 2 and target_kind(labels) != "multilabel":
            raise DataError(
                "Multioutput target data is not supported with label indicators other than 0 and 1: y has "
                f"shape {labels.shape}. Pass one label a sample, shape (N,), or zeros and ones for several labels at once."
            )
        return labels

    def _learn_target(self, y: Array, weight: Floats | None) -> None:
        if y.ndim == 2:
            self.classes_, self._kind = np.arange(y.shape[1]), "multilabel"
        else:
            self._set_classes(ClassLabels.fit(y), "y")

    def _set_classes(self, labels: ClassLabels, name: str) -> None:
        if labels.n_classes < 2:
            raise DataError(
                f"{name} has only 1 class, {labels.classes.tolist()[0]!r} (samples of weight 0 left out); a classifier "
                "needs samples of at least 2 classes."
            )
        self.classes_, self._kind = labels.classes, "binary" if labels.n_classes == 2 else "multiclass"

    def _check_known_target(self, y: Array) -> None:
        if (y.ndim == 2) != (self._kind == "multilabel") or (y.ndim == 2 and y.shape[1] != len(self.classes_)):
            was = f"(N, {len(self.classes_)})" if self._kind == "multilabel" else "(N,)"
            raise DataError(
                f"y has shape {y.shape}, and the first data had {was}. Pass the same kind of targets, or start anew by fit "
                "with warm_start=False."
            )
        if y.ndim == 1:
            ClassLabels(self.classes_).encode(y)

    def _choose_loss(self, outputs: int | None) -> tuple[Loss, int]:
        n = len(self.classes_)
        if self.loss is None:
            softmax = self._kind == "multiclass" or (self._kind == "binary" and outputs == 2)
            loss = get_loss("softmax_cross_entropy" if softmax else "binary_cross_entropy")
        else:
            loss = get_loss(self.loss)
        if self._kind == "multilabel" and loss.threshold is None:
            raise ParameterError(
                f"NeuralClassifier: {type(loss).__name__} is for classes that exclude each other, and y has {n} labels at "
                "once. Use binary_cross_entropy or hinge."
            )
        if self._kind == "binary":
            return loss, 2 if loss.threshold is None or outputs == 2 else 1
        return loss, n

    def _encode_target(self, y: Array, loss: Loss, outputs: int) -> Array:
        if self._kind == "multilabel":
            encoded = y.astype(np.int8)
        else:
            codes = ClassLabels(self.classes_).encode(y)
            if any(dtype == "int" for _, dtype in loss.target((2, outputs))):
                return codes
            encoded = codes[:, None].astype(np.int8) if outputs == 1 else np.eye(outputs, dtype=np.int8)[codes]
        no, yes = loss.no_and_yes
        return encoded if (no, yes) == (0, 1) else no + (yes - no) * encoded

    def _class_weights(self, y: Array, weight: Floats | None, *, whole: bool) -> tuple[Floats | None, Any]:
        given = self.class_weight
        if given is None:
            return None, None
        n = len(self.classes_)
        balanced = isinstance(given, str)
        if balanced and not whole:
            raise ParameterError(
                "class_weight 'balanced' is not supported for partial_fit, since it needs the counts in all of the data. "
                "Compute them once, for example by sklearn.utils.class_weight.compute_class_weight, and pass a dict."
            )
        if balanced and self._kind == "multilabel":
            return None, "balanced"
        if balanced:
            counts = np.bincount(ClassLabels(self.classes_).encode(y), weights=weight, minlength=n)
            by_class = np.where(counts > 0, counts.sum() / (n * np.maximum(counts, np.finfo(float).tiny)), 1.0)
        else:
            by_class = self._named_weights(given, n)
        if self._kind == "multilabel":
            return None, by_class
        by_sample = by_class[ClassLabels(self.classes_).encode(y)]
        if whole and not (by_sample if weight is None else by_sample * weight).any():
            raise DataError("class_weight and sample_weight together are zero for every sample; at least one must count.")
        return by_sample, None

    def _named_weights(self, given: Any, n: int) -> Floats:
        if isinstance(given, Mapping):
            known = {label: i for i, label in enumerate(self.classes_.tolist())}
            named = {label.item() if isinstance(label, np.generic) else label: value for label, value in given.items()}
            self._check_named(named, known)
            given = [named.get(label, 1.0) for label in known]
        try:
            by_class = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            by_class = np.full(n, np.nan)
        if by_class.shape != (n,) or not np.isfinite(by_class).all() or (by_class < 0).any():
            raise ParameterError(
                f"NeuralClassifier: class_weight must give each of {n} classes a finite number of at least 0. Got {given!r}."
            )
        return by_class

    @staticmethod
    def _check_named(named: Mapping[Any, Any], known: Mapping[Any, int]) -> None:
        """Refuses a label that names no class while another class has no weight, since the label is then misspelt.

        Where every class has a weight, further labels may have one, since a part of the data may lack a class. scikit-learn
        has the same rule.
        """
        strange = [label for label in named if label not in known]
        bare = [label for label in known if label not in named]
        if strange and bare:
            raise ParameterError(
                f"NeuralClassifier: class_weight names {strange[0]!r}, which is no "
                f"class.{did_you_mean(strange[0], [str(label) for label in bare])} "
                f"The classes are {', '.join(map(repr, list(known)[:20]))}."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = self.loss is None or get_loss(self.loss).threshold is not None
        return tags

    def _check_loaded(self, network: Any) -> None:
        if self._kind not in ("binary", "multiclass", "multilabel") or np.ndim(self.classes_) != 1:
            raise DataError("its classes are damaged.")
        super()._check_loaded(network)
