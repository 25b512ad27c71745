"""A generator of pictures: a network that makes new ones, and the critic that it learned from."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...constraints import Boolean, Constraint, Interval, Maybe, OneOf
from ...errors import DataError, ModelFileError, NotFittedError, ParameterError, ShapeError
from ...images.writing import as_pixels
from ...layers import Conv2D, Dense, Flatten, Input, MaxPool2D, Noise, ReLU
from ...model import Network, load
from ...network.files import load as load_with_extra
from ...optimizers import Adam
from ...training import History, Turn, Turns
from ...training.interrupt import sigterm_at_end
from .faults import GenerationFault, Watched, faults_of
from .networks import critic_network, generator_network
from .sample_metrics import frechet_distance, kernel_distance, precision_and_recall, variety

__all__ = ["OBJECTIVES", "PictureGenerator"]

Array = NDArray[Any]
Path = str | os.PathLike[str]
#: For each objective: loss, targets and factors of the critic for real and made pictures; loss, target and factor of the
#: generator.
OBJECTIVES: dict[str, tuple[tuple[str, list[Any], list[float]], tuple[str, Any, float]]] = {
    "non-saturating": (("binary_cross_entropy", [1, 0], [1, 1]), ("binary_cross_entropy", 1, 1)),
    "least-squares": (("squared_error", [1, 0], [1, 1]), ("squared_error", 1, 1)),
    "hinge": (("hinge", [1, -1], [1, 1]), ("output", None, -1)),
    "wasserstein": (("output", [None, None], [-1, 1]), ("output", None, -1)),
}
#: How many pictures are looked at after each epoch.
_WATCHED = 128
_SEEDS = 2**32


class PictureGenerator:
    """Makes new pictures like those that it has seen: a generative adversarial network of two convolutional networks.

    A generator G makes pictures G(z) from noise z ~ N(0, 1); a critic D gives high scores to real pictures and low ones to
    made ones. They learn in turn, each from the other. With labels both are told the class, and pictures of a class can be
    asked for. What is kept of G is the moving average of its weights, which makes steadier pictures than any moment of them.

    Parameters
        objective : of critic and generator, with scores D:
            "non-saturating"  −log σ(D(x)) − log(1 − σ(D(G(z)))) ;  −log σ(D(G(z)))
            "least-squares"   (D(x) − 1)² + D(G(z))² ;  (D(G(z)) − 1)²
            "hinge"           max(0, 1 − D(x)) + max(0, 1 + D(G(z))) ;  −D(G(z))
            "wasserstein"     −D(x) + D(G(z)) ;  −D(G(z)), where D needs spectral normalisation
        width : int = 32, channels of the largest level; each level has twice as many as the one before
        noise : int = 64, length of z ; spectral : bool = True, spectral normalisation of the critic
        epochs : int = 20 ; batch_size : int = 64 ; critic_steps : int = 1, of the critic for each of the generator
        learning_rate : number = 0.002, of the generator ; critic_rate : of the critic, None for the same
        average : d in (0, 1) = 0.998 of the moving average, None for the last weights
        random_state : int or None ; verbose : 0, 1 or 2 ; engine, threads : see chainrule.engine.get_engine
    Attributes  (after fit)
        network_ : the generator ; critic_ : the critic, after a fit and not in files ; classes_ : the labels, or None
        history_ ; faults_ : what went wrong, if anything: a list of GenerationFault
    References  Goodfellow et al., Generative adversarial nets, 2014 ; Radford et al., ICLR 2016 ; Mao et al., Least squares
                generative adversarial networks, ICCV 2017 ; Lim and Ye, Geometric GAN, 2017 ; Arjovsky et al., Wasserstein
                GAN, ICML 2017 ; Miyato et al., ICLR 2018

    Example
        >>> X = np.random.default_rng(0).uniform(0.4, 0.6, (64, 8, 8, 1)) > 0.5
        >>> model = PictureGenerator(width=4, noise=4, epochs=1, random_state=0).fit(X.astype(np.float32))
        >>> model.sample(3, random_state=0).shape
        (3, 8, 8, 1)
    """

    file_key = "picture generator"
    _constraints: ClassVar[dict[str, Constraint]] = {
        "objective": OneOf(*OBJECTIVES), "width": Interval(int, 1), "noise": Interval(int, 1), "spectral": Boolean(),
        "epochs": Interval(int, 1), "batch_size": Interval(int, 2), "critic_steps": Interval(int, 1),
        "learning_rate": Interval(float, 0, closed="neither"),
        "critic_rate": Maybe(Interval(float, 0, closed="neither")),
        "average": Maybe(Interval(float, 0, 1, closed="neither")), "random_state": Maybe(Interval(int, 0)),
    }  # fmt: skip

    def __init__(
        self,
        *,
        objective: str = "hinge",
        width: int = 32,
        noise: int = 64,
        spectral: bool = True,
        epochs: int = 20,
        batch_size: int = 64,
        critic_steps: int = 1,
        learning_rate: float = 0.002,
        critic_rate: float | None = None,
        average: float | None = 0.998,
        random_state: int | None = None,
        verbose: int = 0,
        engine: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.objective, self.width, self.noise, self.spectral = objective, width, noise, spectral
        self.epochs, self.batch_size, self.critic_steps = epochs, batch_size, critic_steps
        self.learning_rate, self.critic_rate, self.average = learning_rate, critic_rate, average
        self.random_state, self.verbose, self.engine, self.threads = random_state, verbose, engine, threads

    network_: Network
    critic_: Network
    history_: History
    faults_: list[GenerationFault]
    classes_: Array | None

    def _arguments(self) -> dict[str, Any]:
        names = (
            "objective", "width", "noise", "spectral", "epochs", "batch_size", "critic_steps", "learning_rate",
            "critic_rate", "average", "random_state", "verbose", "engine", "threads",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    # ------------------------------------------------------------ fitting

    @sigterm_at_end()
    def fit(self, X: Any, y: Any = None, *, callbacks: Any = ()) -> Self:
        """Learns from pictures.

        Parameters
            X : pictures (N, H, W), (N, H, W, 1) or (N, H, W, 3) of one size, bytes or numbers in [0, 1], whose sides can be
                halved until they are at most 8 ; y : a label for each picture, None to make pictures of no class
            callbacks : as of ``Network.fit``
        Raises      ShapeError, DataError for pictures or labels that do not fit ; ParameterError ; DivergenceError
        """
        for name, constraint in self._constraints.items():
            constraint.check("PictureGenerator", name, getattr(self, name))
        pictures = _pictures(X)
        if len(pictures) < 2:
            raise DataError(f"PictureGenerator: one picture has no variety to learn. Got {len(pictures)}; give many.")
        labels = None
        self.classes_ = None
        if y is not None:
            if len(y) != len(pictures):
                raise DataError(f"PictureGenerator: {len(pictures)} pictures need as many labels. Got {len(y)}.")
            given = np.asarray(y)
            if given.ndim != 1 or (given.dtype.kind == "f" and not np.isfinite(given).all()):
                raise DataError(
                    f"PictureGenerator: y must be one label for each picture, names or finite numbers. Got an array of "
                    f"shape {given.shape}, {given.dtype}."
                )
            self.classes_, labels = np.unique(given, return_inverse=True)
        rng = np.random.default_rng(self.random_state)
        shape, classes = pictures.shape[1:], 0 if self.classes_ is None else len(self.classes_)
        self.network_ = generator_network(
            shape, classes, noise=self.noise, width=self.width, random_state=int(rng.integers(_SEEDS))
        )  # fmt: skip
        self.critic_ = critic_network(
            shape, classes, width=self.width, spectral=self.spectral, random_state=int(rng.integers(_SEEDS))
        )  # fmt: skip
        turns = self._turns(shape, classes, int(rng.integers(_SEEDS)))
        data = [pictures] if labels is None else [pictures, labels.astype(np.int32)]
        chosen = rng.permutation(len(pictures))[:_WATCHED]
        shown = [one[chosen] for one in data[1:]]
        noise = rng.normal(size=(len(chosen), self.noise)).astype(np.float32)
        watched = Watched(
            lambda: self.network_.predict([noise, *shown] if shown else noise),
            lambda one: self.critic_.predict([one, *shown] if shown else one),
            pictures[chosen],
        )
        own = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
        turns.fit(
            data if classes else pictures, epochs=self.epochs, batch_size=min(self.batch_size, len(pictures)),
            engine=self.engine, threads=self.threads, verbose=int(self.verbose), callbacks=[watched, *own],
        )  # fmt: skip
        if self.average is not None:
            turns.take_average()
        self.history_ = self.network_.history_ = turns.history_
        self.faults_ = faults_of(watched.record, variety(pictures[chosen]))
        return self

    def _turns(self, shape: tuple[int, ...], classes: int, seed: int) -> Turns:
        x = Input(shape)
        label = [Input((), dtype="int")] if classes else []
        made = self.network_(Noise(int(self.noise))(x), *label)
        (loss, targets, factors), (own, target, factor) = OBJECTIVES[self.objective]
        rate = self.learning_rate if self.critic_rate is None else self.critic_rate
        scores = self.critic_(made, *label)
        return Turns(
            [
                Turn(
                    [self.critic_(x, *label), scores], loss, targets=targets, loss_weights=factors, learns=self.critic_,
                    optimizer=Adam(rate, beta1=0.5), steps=self.critic_steps, name="critic",
                ),
                Turn(
                    scores, own, targets=target, loss_weights=[factor], learns=self.network_,
                    optimizer=Adam(self.learning_rate, beta1=0.5), average=self.average, name="generator",
                ),
            ],
            inputs=[x, *label],
            random_state=seed,
        )  # fmt: skip

    # ------------------------------------------------------------ making

    def sample(
        self, n: int = 1, *, labels: Any = None, truncation: float | None = None, random_state: int | None = None
    ) -> Array:
        """New pictures (n, H, W, C), bytes.

        Parameters
            n : int >= 1 ; labels : of what classes, one for all or one for each; None takes all classes by turns
            truncation : numbers of the noise above this size are drawn again: smaller ones make more typical pictures of
                less variety ; random_state : int or None
        Raises      NotFittedError ; ParameterError, DataError for labels that were not learned
        """
        self._require_fitted("sample")
        n = Interval(int, 1).check("sample", "n", n)
        Maybe(Interval(float, 0, closed="neither")).check("sample", "truncation", truncation)
        rng = np.random.default_rng(random_state)
        z = rng.normal(size=(n, self.noise))
        while truncation is not None and (far := np.abs(z) > truncation).any():
            z[far] = (
                rng.normal(size=int(far.sum()))
                if truncation > 0.05
                else rng.uniform(-truncation, truncation, int(far.sum()))
            )
        return self._made(z, self._numbers(labels, n))

    def interpolate(
        self, stops: int = 5, *, frames: int = 12, label: Any = None, random_state: int | None = None
    ) -> Array:  # fmt: skip
        """Pictures on a way from sample to sample and back to the first: (stops · frames, H, W, C), bytes.

        The noise goes along great circles, so that its length, which nearly all samples of it share, stays.

        Parameters  stops : int >= 2 ; frames : from one to the next ; label : one class, where there are classes
        """
        self._require_fitted("interpolate")
        stops = Interval(int, 2).check("interpolate", "stops", stops)
        frames = Interval(int, 1).check("interpolate", "frames", frames)
        points = np.random.default_rng(random_state).normal(size=(stops, self.noise))
        way = []
        for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
            cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
            angle = np.arccos(np.clip(cosine, -1, 1))
            for t in np.arange(frames) / frames:
                if angle < 1e-6:
                    way.append((1 - t) * a + t * b)
                else:
                    way.append((np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle))
        chosen = label if label is not None or self.classes_ is None else self.classes_[0]
        return self._made(np.array(way), self._numbers(chosen, len(way)))

    def _numbers(self, labels: Any, n: int) -> Array | None:
        if self.classes_ is None:
            if labels is not None:
                raise ParameterError("PictureGenerator: it was trained without labels, so none can be asked for.")
            return None
        if labels is None:
            return (np.arange(n) % len(self.classes_)).astype(np.int32)
        given = np.atleast_1d(np.asarray(labels))
        given = np.repeat(given, n) if len(given) == 1 else given
        if len(given) != n:
            raise DataError(f"PictureGenerator: {n} pictures need one label, or one for each. Got {len(given)}.")
        known = {str(name): i for i, name in enumerate(self.classes_)}
        unknown = [str(one) for one in given if str(one) not in known]
        if unknown:
            raise DataError(f"PictureGenerator: no class is named {unknown[0]!r}. It knows {', '.join(known)}.")
        return np.array([known[str(one)] for one in given], np.int32)

    def _made(self, z: Array, labels: Array | None) -> Array:
        noise = np.asarray(z, np.float32)
        made = self.network_.predict(noise if labels is None else [noise, labels])
        return as_pixels((made + 1) / 2)

    # ------------------------------------------------------------ measuring

    def evaluate(self, X: Any, y: Any = None, *, body: Network | None = None, n: int = 2000) -> dict[str, float]:
        """How like real pictures the samples are: "frechet", "kernel", "precision", "recall", and beside them
        "frechet of real", between two halves of the real pictures, which is what can be reached.

        Parameters
            X : real pictures that were not learned, as in ``fit`` ; y : their labels, if any
            body : a Network from pictures in [−1, 1] to features (N, F); None trains a small one, to tell the classes apart,
                or without labels how far a picture was turned ; n : the most pictures of each kind
        """
        self._require_fitted("evaluate")
        pictures = _pictures(X)
        if pictures.shape[1:] != self.network_.output_shapes[0]:
            raise ShapeError(f"evaluate: it makes pictures of {self.network_.output_shapes[0]}. Got {pictures.shape[1:]}.")
        features = feature_network(pictures, y) if body is None else body
        real = pictures[np.random.default_rng(0).permutation(len(pictures))[:n]]
        labels = None
        if self.classes_ is not None:
            labels = self._numbers(None if y is None else np.asarray(y)[: len(real)], len(real))
        noise = np.random.default_rng(1).normal(size=(len(real), self.noise))
        made = self._made(noise, labels).astype(np.float32) / 127.5 - 1
        a, b = features.predict(real), features.predict(made)
        precision, recall = precision_and_recall(a, b)
        half = len(a) // 2
        return {
            "frechet": frechet_distance(a, b), "frechet of real": frechet_distance(a[:half], a[half:]),
            "kernel": kernel_distance(a, b), "precision": precision, "recall": recall,
        }  # fmt: skip

    # ------------------------------------------------------------ files

    @property
    def network(self) -> Network:
        """The generator. Raises  NotFittedError before a fit"""
        self._require_fitted("network")
        return self.network_

    def _require_fitted(self, what: str) -> None:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"This PictureGenerator has learned nothing yet. Call fit before {what}.")

    def save(self, path: Path) -> None:
        """Writes the generator to one file (safetensors and JSON), atomically; ``load`` reads it. The critic is not kept."""
        self._require_fitted("save")
        kept = {
            "arguments": self._arguments(),
            "classes": None if self.classes_ is None else [str(one) for one in self.classes_],
            "history": self.history_.state(),
        }
        self.network_.save(path, extra={self.file_key: kept})

    @classmethod
    def load(cls, path: Path) -> PictureGenerator:
        """What ``save`` wrote; labels are texts then. No code from the file is run.

        Raises      ModelFileError when the file is missing, damaged, foreign, or holds something else
        """
        network, state = load(path), load_with_extra(path, Network)[1].get(cls.file_key)
        where = f"The model file {os.fspath(path)!r}"
        if not isinstance(state, dict):
            raise ModelFileError(f"{where} holds no PictureGenerator.")
        try:
            made = cls(**state["arguments"])
            made.network_, made.history_, made.faults_ = network, History.from_state(state["history"]), []
            made.classes_ = None if state["classes"] is None else np.array([str(one) for one in state["classes"]])
            shapes = [(made.noise,), *([()] if made.classes_ is not None else [])]
            if network.input_shapes != shapes or len(network.output_shapes[0]) != 3:
                raise ModelFileError(f"{where} is damaged: its network takes {network.input_shapes}, not {shapes}.")
        except ModelFileError:
            raise
        except Exception as error:
            # The values come from the file and nobody has checked them: whatever they lead to, the file is bad.
            raise ModelFileError(f"{where} is damaged: {type(error).__name__}: {error}.") from error
        return made


def feature_network(pictures: Array, y: Any = None, *, random_state: int = 0) -> Network:
    """A small network from pictures in [−1, 1] to 64 features, trained on these: to tell their classes apart, or without
    labels by which of four right angles each was turned (Gidaris et al., ICLR 2018).
    """
    if y is None:
        if pictures.shape[1] == pictures.shape[2]:
            turned = [np.rot90(pictures, i, axes=(1, 2)) for i in range(4)]
        else:
            turned = [pictures, pictures[:, ::-1], pictures[:, :, ::-1], pictures[:, ::-1, ::-1]]
        numbers = np.repeat(np.arange(4), len(pictures))
        given = np.ascontiguousarray(np.concatenate(turned))
    else:
        given, numbers = pictures, np.unique(np.asarray(y), return_inverse=True)[1]
    body = Network(
        [Conv2D(16, 5, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3, padding="same"), ReLU(), MaxPool2D(2), Flatten(),
         Dense(64), ReLU()],
        random_state=random_state,
    )  # fmt: skip
    order = np.random.default_rng(random_state).permutation(len(given))[:20_000]
    Network([body, Dense(int(numbers.max()) + 1)], random_state=random_state).fit(
        given[order], numbers[order], epochs=max(2, min(20, 20_000 // len(order))), batch_size=64, verbose=0
    )
    return body


def _pictures(X: Any) -> Array:
    """Pictures as numbers in [−1, 1]."""
    array = np.asarray(X)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or array.dtype.kind not in "uifb":
        raise ShapeError(
            f"PictureGenerator: X must be pictures of one size, (N, H, W), (N, H, W, 1) or (N, H, W, 3). Got an array of "
            f"shape {array.shape}, {array.dtype}."
        )
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(127.5) - 1
    found = array.astype(np.float32)
    if not np.isfinite(found).all():
        raise DataError("PictureGenerator: X holds numbers that are not finite. Remove these pictures.")
    if found.size and (found.min() < 0 or found.max() > 1):
        raise DataError(
            f"PictureGenerator: pictures are bytes, or numbers in [0, 1]. Got numbers from {found.min():.4g} to "
            f"{found.max():.4g}."
        )
    return 2 * found - 1
