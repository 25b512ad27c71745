"""Restoration of pictures from Python, with scikit-learn's words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...constraints import POSITIVE, Interval, Maybe, OneOf
from ...errors import DataError, NotFittedError
from ...registry import Configurable
from ...training import Callback, History
from ...training.interrupt import sigterm_at_end
from .restoration_model import RestorationModel, as_picture
from .settings import TASKS, RestorationSettings

__all__ = ["PictureRestorer"]

Array = NDArray[Any]


class PictureRestorer(Configurable):
    """Learns from good pictures to make them again from spoilt ones.

    "denoise": normal noise of a strength that the network is not told is added to patches, anew at every step. A network of
    3×3 convolutions (DnCNN) finds the noise, which is subtracted.
    "colour": a U-Net makes the colours a and b of Lab from the lightness L. Lab is scikit-image's.
    "enlarge": the convolutions of DnCNN find the detail that bicubic interpolation of a small picture lacks.

    Parameters
        task : "denoise", "colour" or "enlarge"
        sigma : (lowest, highest) = (0, 55), the standard deviation of the noise in bytes, or one number
        factor : 2, 3 or 4 = 2, how many times larger a picture becomes on each side
        colours : "classes": probabilities of classes of colours, of which rare ones count more, and their annealed mean ;
            "mean": by the squared error, which gives paler colours
        width : int = 48, channels of the convolutions ; of the first ones of the U-Net half as many
        depth : int = 10, convolutions of the network that finds noise or detail
        patch : side of the patches, None chooses ; patches : int = 4000 of an epoch
        epochs : int = 30 ; batch_size : int = 16 ; learning_rate : number = 0.002, the peak of one cycle
        random_state : int = 0 ; verbose : 0, 1 or 2 ; engine, threads : see chainrule.engine.get_engine
    Attributes  (after fit) history_ ; model_ : a RestorationModel, which ``chainrule.load`` gives for a file
    Raises      ParameterError, ShapeError, DataError ; NotFittedError ; MissingDependencyError
    References  Zhang et al., Beyond a Gaussian denoiser, IEEE TIP 2017 ; Zhang, Isola, Efros, Colorful image colorization,
                ECCV 2016 ; Ronneberger et al., U-Net, MICCAI 2015 ; Shi et al., sub-pixel convolution, CVPR 2016

    Example
        >>> photos = [np.tile(np.linspace(0, 1, 48), (48, 1)) for _ in range(4)]
        >>> model = PictureRestorer(width=4, depth=3, patch=16, patches=32, epochs=1, random_state=0).fit(photos)
        >>> model.predict(photos[0]).shape
        (48, 48, 1)
    """

    hyperparameters = {
        "task": OneOf(*TASKS),
        "factor": OneOf(2, 3, 4),
        "colours": OneOf("classes", "mean"),
        "width": Interval(int, 2),
        "depth": Interval(int, 2),
        "patch": Maybe(Interval(int, 16)),
        "patches": Interval(int, 1),
        "epochs": Interval(int, 1),
        "batch_size": Interval(int, 1),
        "learning_rate": POSITIVE,
        "random_state": Maybe(Interval(int, 0)),
    }

    def __init__(
        self,
        task: str = "denoise",
        *,
        sigma: float | Sequence[float] = (0.0, 55.0),
        factor: int = 2,
        colours: str = "classes",
        width: int = 48,
        depth: int = 10,
        patch: int | None = None,
        patches: int = 4000,
        epochs: int = 30,
        batch_size: int = 16,
        learning_rate: float = 0.002,
        random_state: int | None = 0,
        verbose: int = 0,
        engine: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.task, self.sigma, self.factor, self.colours = task, sigma, factor, colours
        self.width, self.depth, self.patch, self.patches = width, depth, patch, patches
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.random_state, self.verbose, self.engine, self.threads = random_state, verbose, engine, threads

    history_: History
    model_: RestorationModel

    @sigterm_at_end()
    def fit(self, pictures: Any, *, validation_data: Any = None, callbacks: Sequence[Callback] = ()) -> Self:
        """Learns from good pictures.

        Parameters  pictures : a list of files and arrays (H, W), (H, W, 1) or (H, W, 3) of any sizes from that of a patch
                    up, bytes or numbers in [0, 1]; for "colour" they have colours. Or an array of them, or a folder
                    validation_data : likewise, for the loss that is shown after each epoch ; callbacks : of the fit
        """
        from .training import divided, prepare, read

        self.validate()
        sigma = (self.sigma, self.sigma) if isinstance(self.sigma, (int, float)) else tuple(self.sigma)
        own: dict[str, dict[str, Any]] = {
            "denoise": {"sigma": sigma}, "colour": {"colours": self.colours}, "enlarge": {"factor": self.factor}
        }  # fmt: skip
        seed = int(np.random.default_rng().integers(2**31)) if self.random_state is None else self.random_state
        folder = isinstance(pictures, (str, os.PathLike))
        settings = RestorationSettings(
            data=Path(pictures) if folder else Path("the pictures"), task=self.task, **own.get(self.task, {}),
            width=self.width, depth=self.depth, patch=self.patch, patches=self.patches, epochs=self.epochs,
            batch_size=self.batch_size, learning_rate=self.learning_rate, seed=seed, test_fraction=0.0,
            validation_fraction=0.0, engine=self.engine, threads=self.threads,
        )  # fmt: skip
        if folder:
            parts = read(settings)
        else:
            given = {"train": _sources(pictures, "picture")}
            if validation_data is not None:
                given["validation"] = _sources(validation_data, "validation picture")
            parts = divided(given, settings, [])
        prepared = prepare(parts, settings)
        network, fit = prepared.learner, prepared.settings
        arguments = {name: getattr(fit, name) for name in fit.given}
        network.fit(*prepared.data, **arguments, callbacks=list(callbacks), verbose=int(self.verbose))
        self.history_ = network.history_
        self.model_ = prepared.make_model(network, {"rows": len(parts.train), "epochs": len(self.history_.epochs)})  # type: ignore[assignment]
        return self

    def _fitted(self, what: str) -> RestorationModel:
        if not hasattr(self, "model_"):
            raise NotFittedError(f"This PictureRestorer has learned nothing yet. Call fit before {what}.")
        return self.model_

    def predict(self, pictures: Any, **reading: Any) -> Any:
        """The restored picture or pictures. Parameters  as of ``RestorationModel.predict``"""
        return self._fitted("predict").predict(pictures, **reading)

    def evaluate(self, pictures: Any, y: Any = None, **reading: Any) -> dict[str, float]:
        """Means of PSNR and others. Parameters  as of ``RestorationModel.evaluate``, such as sigma=25"""
        return self._fitted("evaluate").evaluate(pictures, y, **reading)

    def score(self, pictures: Any, y: Any = None) -> float:
        """The PSNR in decibels."""
        return self._fitted("score").score(pictures, y)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model to one file; ``chainrule.load`` gives its RestorationModel."""
        self._fitted("save").save(path)


def _sources(pictures: Any, name: str) -> list[Any]:
    found = [
        Path(one) if isinstance(one, (str, os.PathLike)) else as_picture(one, f"{name} {i}")
        for i, one in enumerate(pictures)
    ]
    if not found:
        raise DataError("PictureRestorer: there is no picture to learn from.")
    return found
