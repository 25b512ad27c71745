"""A classifier of sounds from Python, with scikit-learn's words."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...constraints import POSITIVE, Interval
from ...data import ClassLabels, RaggedData
from ...errors import DataError, NotFittedError, ParameterError
from ...optimizers import AdamW, Cosine
from ...registry import Configurable
from ...sounds import SoundAugmentation, as_waves
from ...training.interrupt import sigterm_at_end
from .sound_model import SoundModel
from .training import make_sound_network

__all__ = ["SoundClassifier"]

Array = NDArray[Any]


class SoundClassifier(Configurable):
    """Which of several classes a sound of any length belongs to, with the methods of scikit-learn's classifiers.

    A mel spectrogram as the first layer, convolutions over time and frequency, and the mean and the largest of every channel
    over time (see ``chainrule.architectures.sound_networks``). Batches hold sounds of about one length, and padding changes
    nothing. Constructors only store their arguments.

    Parameters
        rate : float = 16000, samples a second; files are brought to it, and arrays have it
        mels : int = 40, bands, a multiple of 4 ; width : int = 32, channels of the first convolution
        augment : str = "light", random changes in training, or "none"; see SoundAugmentation.from_text
        epochs : int = 30 ; batch_size : int = 32 ; learning_rate : float = 0.003, which falls to 0 over the epochs
        random_state : int or None ; verbose : 0, 1 or 2 ; engine, threads : see chainrule.engine.get_engine
    Attributes  (after fit) classes_ ; history_ ; model_ : a SoundModel, which ``chainrule.load`` gives for a file
    Raises      SoundError, DataError, ShapeError, DtypeError naming the sound ; ParameterError ; NotFittedError

    Example
        >>> t = np.arange(800) / 4000
        >>> tones = [np.sin(2 * np.pi * f * t[:n]) for f in (300, 1500) for n in range(400, 800, 40)]
        >>> model = SoundClassifier(rate=4000, mels=16, width=4, augment="none", epochs=8, random_state=0)
        >>> model.fit(tones, ["low"] * 10 + ["high"] * 10).predict(tones[:1])
        array(['low'], dtype='<U4')
    """

    hyperparameters = {
        "rate": Interval(float, 1),
        "mels": Interval(int, 4),
        "width": Interval(int, 1),
        "epochs": Interval(int, 1),
        "batch_size": Interval(int, 1),
        "learning_rate": POSITIVE,
    }

    def __init__(
        self,
        *,
        rate: float = 16000.0,
        mels: int = 40,
        width: int = 32,
        augment: str = "light",
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 0.003,
        random_state: int | None = None,
        verbose: int = 0,
        engine: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.rate, self.mels, self.width, self.augment = rate, mels, width, augment
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.random_state, self.verbose, self.engine, self.threads = random_state, verbose, engine, threads

    def validate(self) -> None:
        super().validate()
        if self.mels % 4:
            raise ParameterError(f"SoundClassifier: mels must be a multiple of 4. Got {self.mels}.")

    @sigterm_at_end()
    def fit(self, sounds: Any, y: Any, *, callbacks: Any = ()) -> Self:
        """Learns from sounds and their classes.

        Parameters  sounds : a list of arrays (T,) and of files, or an array (N, T) ; y : (N,) labels
        """
        self.validate()
        labels = ClassLabels.fit(np.asarray(y))
        if labels.n_classes < 2:
            raise DataError("SoundClassifier: y has one class only. At least two are needed to tell sounds apart.")
        none = self.augment.strip().lower() in ("none", "")
        change = None if none else SoundAugmentation.from_text(self.augment, rate=float(self.rate))
        data = RaggedData(as_waves(sounds, self.rate), labels.encode(np.asarray(y)), change=change)
        network = make_sound_network(
            labels, float(self.rate), mels=self.mels, width=self.width, random_state=self.random_state, dtype="float32"
        )
        batch = min(int(self.batch_size), data.n_samples)
        if data.n_samples % batch == 1 and batch > 2:  # of a last sound alone no layer could find a variance
            batch -= 1
        network.fit(
            data,
            loss="softmax_cross_entropy",
            optimizer=AdamW(Cosine(float(self.learning_rate), total=int(self.epochs), unit="epochs")),
            epochs=int(self.epochs),
            batch_size=batch,
            callbacks=callbacks,
            verbose=int(self.verbose),
            engine=self.engine,
            threads=self.threads,
        )
        self.classes_, self.history_ = labels.classes, network.history_
        self.model_ = SoundModel(network, float(self.rate), labels, {"rows": data.n_samples, "augmentation": self.augment})
        return self

    def _fitted(self, what: str) -> SoundModel:
        if not hasattr(self, "model_"):
            raise NotFittedError(f"This SoundClassifier has learned nothing yet. Call fit before {what}.")
        return self.model_

    def predict(self, sounds: Any, **reading: Any) -> Array:
        """The class of each sound (N,). Parameters  as of ``SoundModel.predict``"""
        return self._fitted("predict").predict(sounds, **reading)

    def predict_proba(self, sounds: Any, **reading: Any) -> Array:
        """The probabilities of the classes (N, K)."""
        return self._fitted("predict_proba").predict_proba(sounds, **reading)

    def score(self, sounds: Any, y: Any) -> float:
        """The share of sounds whose class is right."""
        return self._fitted("score").score(sounds, y)

    def evaluate(self, sounds: Any, y: Any = None, **reading: Any) -> dict[str, float]:
        """Accuracy, log loss and macro F1."""
        return self._fitted("evaluate").evaluate(sounds, y, **reading)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to one file; ``chainrule.load`` gives its SoundModel."""
        self._fitted("save").save(path)
