"""The autoencoder: learns codes of samples without labels."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..constraints import Accepted, Anything, Constraint, Interval, Maybe, OneOf
from ..data import as_features
from ..errors import DataError, DivergenceError, DtypeError, ModelFileError, ParameterError, ShapeError
from ..layers import (
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    GaussianDivergence,
    GaussianNoise,
    GaussianSample,
    Input,
    MaxNorm,
    ReLU,
    Rescale,
    Reshape,
    Sigmoid,
    Subtract,
    get_activation,
)
from ..losses import Loss, get_loss
from ..network import NetworkGraph
from ..training import EarlyStopping, History, Turn, Turns
from ..training.interrupt import sigterm_at_end
from ._contract import ClassNamePrefixFeaturesOutMixin, EstimatorNotFittedError, TransformerMixin
from .features import Floats
from .files import Files
from .parameters import SHARED, units_of
from .scaling import mean_and_scale, needs_scaling

if TYPE_CHECKING:
    from ..model import Network

__all__ = ["Autoencoder"]

#: Codes are computed for at least so many rows at a time; see ``estimators.base``.
_FEWEST_ROWS = 8
#: The step of the finite difference by which the contractive penalty is estimated.
_SMALL_STEP = 0.03
_KINDS = ("plain", "denoising", "sparse", "contractive", "variational")


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Files):
    """Learns to describe each sample by a few numbers, its code, from which the sample can be made again.

    An encoder f makes the code h = f(x), a decoder g makes the reconstruction x̂ = g(h), and both learn to make the error of
    x̂ small. With linear layers that is the principal component analysis; with hidden layers the codes lie on curved
    surfaces, and describe as much with fewer numbers. Kinds of autoencoders differ in what else they are asked for:

        plain        J = ‖x − x̂‖² / D                                       the code is narrow, nothing else
        denoising    x̂ is made of x + noise · n, n ~ N(0, 1)                  it learns what samples look like without noise
        sparse       J + strength · Σ|h|, h ≥ 0, weights after h of norm ≤ 1  few numbers of a code are not 0
        contractive  J + strength · ‖∂h/∂x‖²                                  codes change little with small changes of x
        variational  ½ ‖x − x̂‖² + strength · KL(N(μ, σ²) ‖ N(0, 1))          codes are normally distributed: ``sample`` makes
                                                                             new samples

    Parameters
        code : int >= 1 = 2, how many numbers describe a sample
        hidden : units of the encoder's hidden layers = (128,), or of a convolutional encoder the channels of its levels,
            each of which halves the sides of a picture; the decoder is its mirror image
        body : "dense", or "convolutional" for pictures (N, H, W, C) or (N, H, W)
        layers : (encoder, decoder) in place of hidden and body, each a list of layers or a Network. The encoder ends with
            ``code`` outputs, in a variational autoencoder with the layers before them
        kind : "plain", "denoising", "sparse", "contractive" or "variational"
        strength : number >= 0 of what the kind adds. None: 1e-3 (sparse), 1e-3 (contractive); of a variational one, where it
            is the variance of the noise that the decoder expects, a tenth of the mean variance of the numbers (1 with
            binary_cross_entropy)
        noise : number >= 0 = 0.3, the standard deviation of a denoising one's noise, in the units that the network sees
        activation : of the hidden layers = "relu" ; dropout : in [0, 1) = 0, after each of them
        output : "linear", "sigmoid", or "auto": a sigmoid where all numbers lie in [0, 1] and are not scaled
        loss : squared_error by default; "binary_cross_entropy" for numbers in [0, 1]
        optimizer, learning_rate, l2, epochs, batch_size, shuffle, patience, tolerance, callbacks, verbose, random_state,
        engine, threads, precision : as of NeuralRegressor
        scale_inputs : "auto" scales columns that a network would learn badly from; errors are then in these units
    Attributes  (after fit)
        encoder_, decoder_ : Networks that share the weights of network_ ; history_ ; n_features_in_, feature_names_in_ ;
        input_mean_, input_scale_ : None where nothing is scaled ; n_iter_
    Shapes      X (N, features), or arrays (N, ...) ; codes (N, code), in float64
    Raises      as ``fit`` says
    References  Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, Science 2006 ;
                Vincent et al., Extracting and composing robust features with denoising autoencoders, ICML 2008 ;
                Rifai et al., Contractive auto-encoders, ICML 2011 ; Kingma and Welling, ICLR 2014

    Example
        >>> angle = np.random.default_rng(0).uniform(0, 6.28, 300)
        >>> X = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], axis=1)
        >>> model = Autoencoder(2, hidden=[32], epochs=60, random_state=0, learning_rate=0.01).fit(X)
        >>> model.transform(X).shape, model.score(X) > -0.02
        ((300, 2), True)
    """

    _state: ClassVar[tuple[str, ...]] = (
        "n_features_in_", "sample_shape_", "feature_names_in_", "tokenizer_", "input_mean_", "input_scale_",
    )  # fmt: skip
    _constraints: ClassVar[dict[str, Constraint]] = {
        **{name: SHARED[name] for name in (
            "hidden", "activation", "dropout", "optimizer", "learning_rate", "l2", "epochs", "batch_size", "shuffle",
            "scale_inputs", "patience", "tolerance", "callbacks", "verbose", "random_state", "engine", "threads",
            "precision",
        )},
        "code": Interval(int, 1),
        "body": OneOf("dense", "convolutional"),
        "layers": Anything("None, or (encoder, decoder)"),
        "kind": OneOf(*_KINDS),
        "strength": Maybe(Interval(float, 0)),
        "noise": Interval(float, 0),
        "output": OneOf("auto", "linear", "sigmoid"),
    }  # fmt: skip
    _constraints["loss"] = Accepted(lambda loss: get_loss(loss).validate(), "a loss or its name")

    history_: History

    def __init__(
        self,
        code: int = 2,
        *,
        hidden: Any = (128,),
        body: str = "dense",
        layers: Any = None,
        kind: str = "plain",
        strength: float | None = None,
        noise: float = 0.3,
        activation: Any = "relu",
        dropout: float = 0.0,
        output: str = "auto",
        loss: Any = "squared_error",
        optimizer: Any = "adam",
        learning_rate: Any = None,
        l2: float = 0.0,
        epochs: int = 100,
        batch_size: int | str = "auto",
        shuffle: bool = True,
        scale_inputs: bool | str = "auto",
        patience: int = 10,
        tolerance: float | None = 1e-5,
        callbacks: Any = (),
        verbose: int = 0,
        random_state: Any = None,
        engine: str = "auto",
        threads: int | None = None,
        precision: str = "float32",
    ) -> None:
        self.code = code
        self.hidden = hidden
        self.body = body
        self.layers = layers
        self.kind = kind
        self.strength = strength
        self.noise = noise
        self.activation = activation
        self.dropout = dropout
        self.output = output
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.l2 = l2
        self.epochs = epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.scale_inputs = scale_inputs
        self.patience = patience
        self.tolerance = tolerance
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state
        self.engine = engine
        self.threads = threads
        self.precision = precision

    # ------------------------------------------------------------ fitting

    @sigterm_at_end()
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learns codes of the samples, from new start weights.

        Parameters  X : array, DataFrame or list of rows (N, features); arrays (N, ...) with body="convolutional" or layers ;
                    y : not read, for the sake of scikit-learn's pipelines
        Raises      ShapeError, DtypeError, DataError : X does not fit ; ParameterError : a parameter is out of range ;
                    DivergenceError : a number stopped being finite
        """
        self._check_parameters()
        array = self._read(X, reset=True)
        if len(array) < 2:
            raise DataError(f"Autoencoder: codes are learned from at least 2 samples. Got n_samples = {len(array)}.")
        self._learn_scale(array)
        seen = self._scaled(array)
        turns, network = self._make(seen)
        arguments: dict[str, Any] = {
            "epochs": int(self.epochs), "batch_size": self._size_of_batch(len(seen)), "shuffle": bool(self.shuffle),
            "engine": self.engine, "threads": self.threads, "verbose": int(self.verbose),
            "precision": "bfloat16" if self.precision == "bfloat16" else "float32",
            "callbacks": [*self._own_callbacks(), *self._stopping()],
        }  # fmt: skip
        try:
            turns.fit(seen, **arguments)
        except DivergenceError:
            self._keep(network, turns.history_)
            raise
        self._keep(network, turns.history_)
        return self

    def _own_callbacks(self) -> list[Any]:
        return list(self.callbacks) if isinstance(self.callbacks, Sequence) else [self.callbacks]

    def _stopping(self) -> list[Any]:
        if self.tolerance is None:
            return []
        return [EarlyStopping("loss", patience=int(self.patience), min_delta=float(self.tolerance), restore_best=False)]

    def _size_of_batch(self, n: int) -> int:
        return min(n, min(200, max(32, n // 50)) if self.batch_size == "auto" else int(self.batch_size))

    def _read(self, X: Any, *, reset: bool) -> Any:
        array = self._features(X, reset=reset)
        if not isinstance(array, np.ndarray):
            raise DataError("Autoencoder: X must be a dense array of numbers. Give X.toarray() of a sparse matrix.")
        return array

    def _takes_channels(self, *, reset: bool) -> bool:
        return (self.body == "convolutional" and self.layers is None) or super()._takes_channels(reset=reset)

    def _axes(self) -> tuple[int, ...]:
        return (2, 3, 4, 5) if self.layers is not None else (3, 4) if self.body == "convolutional" else (2,)

    def _learn_scale(self, X: Any) -> None:
        self.input_mean_ = self.input_scale_ = None
        if X.ndim == 2 and self.layers is None and self.scale_inputs is not False:
            mean, scale = mean_and_scale(X)
            if self.scale_inputs is True or needs_scaling(X, mean, scale):
                self.input_mean_, self.input_scale_ = mean, scale

    # ------------------------------------------------------------ the networks

    def _make(self, X: Any) -> tuple[Turns, Network]:
        """What is trained, and the network of encoder and decoder side by side."""
        from ..model import Network

        dtype, rng, shape = self._dtype(), self._generator(), X.shape[1:]
        before, after = self._bodies(shape, self._output_activation(X))
        common: dict[str, Any] = {"random_state": rng, "dtype": dtype}
        encoding, decoding = Network(before, **common).build(shape), Network(after, **common).build((int(self.code),))
        ends, made = encoding.output_shapes[0], decoding.output_shapes[0]
        if self.kind != "variational" and ends != (int(self.code),):
            raise ShapeError(f"Autoencoder: the encoder must end with the {self.code} numbers of a code. Got {ends}.")
        if made != tuple(shape):
            raise ShapeError(f"Autoencoder: the decoder must end with samples of shape {tuple(shape)}. Got {made}.")
        x, z = Input(shape), Input((int(self.code),))
        features, outputs, losses, targets, factors = encoding(x), [], list[Any](), list[Any](), []
        loss = get_loss(self.loss)
        strength = self._chosen_strength(X, loss)
        learned: list[Any] = [encoding, decoding]
        if self.kind == "variational":
            head, spread = Dense(int(self.code)), Dense(int(self.code), weight_init="zeros")
            code = head(features)
            logarithm = spread(features)
            drawn = GaussianSample()(code, logarithm)
            outputs, losses, targets = [GaussianDivergence()(code, logarithm)], ["output"], [None]
            factors, learned = [strength], [*learned, head, spread]
            reconstructed = decoding(drawn)
        elif self.kind == "denoising":
            code = features
            reconstructed = decoding(encoding(GaussianNoise(float(self.noise))(x)))
        else:
            code = features
            reconstructed = decoding(code)
            if self.kind == "sparse":
                outputs, losses, targets, factors = [code], ["absolute_error"], [0.0], [strength * int(self.code)]
            elif self.kind == "contractive":
                moved = encoding(GaussianNoise(_SMALL_STEP)(x))
                difference = Rescale(1 / _SMALL_STEP)(Subtract()(moved, code))
                outputs, losses, targets, factors = [difference], ["squared_error"], [0.0], [strength * int(self.code)]
        # Of a variational one both terms are sums over a sample's numbers.
        own = prod(shape) / 2 if self.kind == "variational" and loss.reduction == "mean" else 1.0
        turn = Turn(
            [reconstructed, *outputs], [loss, *losses], targets=[x, *targets], loss_weights=[own, *factors],
            learns=learned, optimizer=self._make_optimizer(), name="error",
        )  # fmt: skip
        turns = Turns(turn, inputs=x, **common)
        turns.network.build(shape)
        network = Network(inputs=[x, z], outputs=[code, decoding(z)], **common)
        network.build(shape, (int(self.code),))
        return turns, network

    def _chosen_strength(self, X: Any, loss: Loss) -> float:
        if self.strength is not None:
            return float(self.strength)
        if self.kind != "variational" or loss.reduction != "mean":
            return {"sparse": 1e-3, "contractive": 1e-3, "variational": 1.0}.get(self.kind, 0.0)
        return max(0.1 * float(np.var(X.reshape(len(X), -1), axis=0, dtype=np.float64).mean()), 1e-6)

    def _output_activation(self, X: Any) -> bool:
        """Whether the decoder ends with a sigmoid."""
        loss = get_loss(self.loss)
        if loss.own_activation(X[0].size) == "sigmoid":
            low, high = float(X.min()), float(X.max())
            if low < 0 or high > 1:
                raise DataError(
                    f"Autoencoder: {loss.name} needs numbers in [0, 1], and X has {low:.4g} to {high:.4g}"
                    f"{' after its columns were scaled' if self.input_scale_ is not None else ''}. Use squared_error, or "
                    f"bring X into [0, 1] with scale_inputs=False."
                )
        if loss.reads_logits:
            return False  # ``inverse_transform`` makes numbers of them
        if self.output != "auto":
            return self.output == "sigmoid"
        return self.input_scale_ is None and float(X.min()) >= 0 and float(X.max()) <= 1

    def _bodies(self, shape: tuple[int, ...], sigmoid: bool) -> tuple[Any, Any]:
        """The encoder and the decoder as lists of layers."""
        ends: list[Any] = [] if self.kind == "variational" else [Dense(int(self.code))]
        ends += [ReLU()] if self.kind == "sparse" else []
        # Otherwise the penalty of a sparse code would shrink it, and the weights after it would grow as much.
        bounded: dict[str, Any] = {"weight_constraint": MaxNorm(1.0, axes=1)} if self.kind == "sparse" else {}
        last: list[Any] = [Sigmoid()] if sigmoid else []
        if self.layers is not None:
            if not isinstance(self.layers, (tuple, list)) or len(self.layers) != 2:
                raise ParameterError(f"Autoencoder: layers must be (encoder, decoder). Got {type(self.layers).__name__}.")
            first, second = ([one] if isinstance(one, NetworkGraph) else list(one) for one in copy.deepcopy(self.layers))
            return [*first, *([ReLU()] if self.kind == "sparse" else [])], second
        units = units_of(self.hidden)
        if self.body == "convolutional":
            return self._convolutional(shape, units, ends, last, bounded)
        encoder: list[Any] = []
        for width in units:
            encoder += [Dense(width), self._activation(), *self._dropout()]
        decoder: list[Any] = []
        for width in reversed(units):
            decoder += [Dense(width, **bounded), self._activation(), *self._dropout()]
            bounded = {}
        return [*encoder, *ends], [*decoder, Dense(prod(shape), **bounded), *last]

    def _convolutional(
        self, shape: tuple[int, ...], widths: list[int], ends: list[Any], last: list[Any], bounded: dict[str, Any]
    ) -> tuple[Any, Any]:
        height, width, channels = shape
        step = 2 ** len(widths)
        if height % step or width % step:
            raise ShapeError(
                f"Autoencoder: {len(widths)} levels halve a picture {len(widths)} times, so its sides must be multiples of "
                f"{step}. Got {height} × {width}; give fewer levels (hidden), or pad the pictures."
            )
        encoder: list[Any] = []
        for units in widths:
            encoder += [Conv2D(units, 4, stride=2, padding=1), self._activation(), *self._dropout()]
        deepest = (height // step, width // step, widths[-1] if widths else channels)
        decoder: list[Any] = [Dense(prod(deepest), **bounded), self._activation(), Reshape(deepest)]
        for units in widths[-2::-1]:
            decoder += [ConvTranspose2D(units, 4, stride=2, padding=1), self._activation(), *self._dropout()]
        if widths:
            decoder += [ConvTranspose2D(channels, 4, stride=2, padding=1)]
        return [*encoder, Flatten(), *ends], [*decoder, *last]

    def _activation(self) -> Any:
        return copy.deepcopy(get_activation(self.activation))

    def _dropout(self) -> list[Any]:
        return [Dropout(float(self.dropout))] if self.dropout else []

    def _indices(self, X: Any, *, reset: bool) -> Any:
        raise DtypeError("Autoencoder: X must hold numbers. Got texts; bring them into numbers first, such as TF-IDF.")

    def _keep(self, network: Network, history: History | None = None) -> None:
        from ..model import Network

        self.network_ = network
        network._trained = True
        network._runtime.wanted = (self.engine, self.threads, network.dtype if network.dtype == "float64" else "float32")
        (x, z), (code, made) = network._tensors
        self.encoder_ = Network(inputs=x, outputs=code, dtype=network.dtype)
        self.decoder_ = Network(inputs=z, outputs=made, dtype=network.dtype)
        for part, shape in ((self.encoder_, self.sample_shape_), (self.decoder_, network.output_shapes[0])):
            part.build(shape)
            part._trained = True
        if history is not None:
            network.history_ = history
        self.history_ = network.history_
        self.n_iter_ = len(self.history_.epochs)

    # ------------------------------------------------------------ using

    def transform(self, X: Any) -> Floats:
        """The codes (N, code) of samples.

        Raises      NotFittedError ; ShapeError, DtypeError, DataError when X does not fit
        """
        self._require_fitted("transform")
        return self._computed(self.encoder_, self._scaled(self._read(X, reset=False)), "transform")

    def inverse_transform(self, X: Any) -> Floats:
        """The samples that codes stand for, in the units of the samples of ``fit``. Parameters  X : codes (N, code)"""
        self._require_fitted("inverse_transform")
        codes = as_features(X, dtype=self._dtype(), ndim=2)
        if codes.shape[1] != int(self.code):
            raise ShapeError(f"inverse_transform: a code has {self.code} numbers. Got shape {codes.shape}.")
        found = self._computed(self.decoder_, codes, "inverse_transform")
        if not get_loss(self.loss).predicts_raw:
            found = np.asarray(get_loss(self.loss).prediction(found), np.float64)
        if self.input_scale_ is not None and self.input_mean_ is not None:
            found = found * self.input_scale_ + self.input_mean_
        return found

    def reconstruct(self, X: Any) -> Floats:
        """The samples made again from their codes, ``inverse_transform(transform(X))``; without noise where X has some."""
        return self.inverse_transform(self.transform(X))

    def score_samples(self, X: Any) -> Floats:
        """For each sample −‖x − x̂‖² / D, of D numbers as the network sees them (scaled): the lower, the less the sample is
        like those that were learned. ``-score_samples(X)`` is a measure of anomaly.
        """
        self._require_fitted("score_samples")
        array = self._scaled(self._read(X, reset=False))
        found = self._computed(self.decoder_, self._computed(self.encoder_, array, "score_samples"), "score_samples")
        if not get_loss(self.loss).predicts_raw:
            found = np.asarray(get_loss(self.loss).prediction(found), np.float64)
        error: Floats = np.square(found - array).reshape(len(array), -1).mean(axis=1)
        return -error

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of ``score_samples``: minus the mean squared error of a number of the reconstruction."""
        return float(self.score_samples(X).mean())

    def sample(self, n: int = 1, *, random_state: Any = None) -> Floats:
        """New samples, made of codes drawn from N(0, 1). Only of a variational autoencoder.

        Parameters  n : int >= 1 ; random_state : int, numpy Generator or None
        """
        self._require_fitted("sample")
        if self.kind != "variational":
            raise ParameterError(
                f'Autoencoder: only kind="variational" knows how codes are distributed. This is {self.kind!r}.'
            )
        n = Interval(int, 1).check("sample", "n", n)
        return self.inverse_transform(np.random.default_rng(random_state).normal(size=(n, int(self.code))))

    def _computed(self, network: Network, X: Any, what: str) -> Floats:
        """The outputs of encoder or decoder; the same for a sample whatever others it comes with."""
        n = len(X)
        X = np.asarray(X, self._dtype())
        if n < _FEWEST_ROWS:
            X = np.concatenate([X, np.repeat(X[-1:], _FEWEST_ROWS - n, axis=0)])
        most = network.samples_at_once([X.shape[1:]])
        batch = next((b for b in range(most, most // 2, -8) if not 0 < len(X) % b < _FEWEST_ROWS), most)
        found = np.asarray(network.predict(X, batch_size=batch), np.float64)[:n]
        if not np.isfinite(found).all():
            row = int(np.isfinite(found.reshape(n, -1)).all(axis=1).argmin())
            raise DataError(f"{what}: the outputs are not finite, first for X[{row}]. Look for wrong values in X there.")
        return found

    def _is_fitted(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_fitted()

    def _require_fitted(self, what: str) -> None:
        if not self._is_fitted():
            raise EstimatorNotFittedError(
                f"This Autoencoder instance is not fitted yet. Call fit(X) before {what}."
            )  # fmt: skip

    # ------------------------------------------------------------ files

    @staticmethod
    def _layers_of(network: Network) -> Any:
        from ..model import Network

        ends = zip(*network._tensors, strict=True)
        return tuple(Network(inputs=given, outputs=made, dtype=network.dtype) for given, made in ends)

    def _check_loaded(self, network: Network) -> None:
        shapes = [tuple(self.sample_shape_), (int(self.code),)]
        if network.input_shapes != shapes or network.output_shapes != shapes[::-1]:
            raise ModelFileError(f"the network takes {network.input_shapes}, the estimator {shapes}.")
        self._check_scales()

    @property
    def network(self) -> Network:
        """``network_``, encoder and decoder side by side, under the name that all that ``chainrule.load`` gives has."""
        self._require_fitted("network")
        return self.network_

    @property
    def _n_features_out(self) -> int:
        return int(self.code)
