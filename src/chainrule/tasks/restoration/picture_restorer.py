"""A network from pictures to pictures: without their noise, or with colours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...architectures import unet
from ...constraints import Constraint, Interval, Maybe, OneOf
from ...errors import DataError, MissingDependencyError, ModelFileError, NotFittedError, ParameterError, ShapeError
from ...layers import BatchNorm, Conv2D, GaussianNoise, Input, ReLU, Subtract
from ...model import Network, load
from ...network.files import load as load_with_extra
from ...optimizers import Adam, OneCycle
from ...training import History, Turn, Turns
from ...training.interrupt import sigterm_at_end
from .measures import colourfulness, psnr

__all__ = ["PictureRestorer"]

Array = NDArray[Any]
Path = str | os.PathLike[str]
#: The scales of Lab that the network sees: L in [0, 1], and a and b about in [−1, 1].
_LIGHT, _COLOUR = 100.0, 110.0
#: The sides of patches by task, and how many patches an epoch has where none is given.
_PATCH, _PATCHES = {"denoise": 40, "colour": 64}, 8000
#: A U-Net halves pictures so often.
_WIDTHS = (1, 2, 4, 4)
_SEEDS = 2**32


class PictureRestorer:
    """Learns from good pictures to make them again from spoilt ones.

    "denoise": normal noise of a strength that the network is not told is added to patches, anew at every step, inside the
    compiled step. A network of 3×3 convolutions (DnCNN) finds the noise, which is subtracted.
    "colour": a U-Net makes the colours a and b of Lab from the lightness L, by their squared error. Lab is scikit-image's.

    Parameters
        task : "denoise" or "colour" ; sigma : (lowest, highest) = (0, 55), the standard deviation of the noise in bytes
        width : int = 32, channels ; depth : int = 8, convolutions of the network that finds noise
        patch : side of the patches, None for 40 (denoise) or 64 (colour) ; patches : int = 8000 of an epoch
        epochs : int = 10 ; batch_size : int = 32 ; learning_rate : number = 0.001, the peak of one cycle
        random_state : int or None ; verbose : 0, 1 or 2 ; engine, threads : see chainrule.engine.get_engine
    References  Zhang et al., Beyond a Gaussian denoiser, IEEE TIP 2017 ; Zhang, Isola, Efros, Colorful image colorization,
                ECCV 2016 ; Ronneberger et al., U-Net, MICCAI 2015

    Example
        >>> photos = [np.tile(np.linspace(0, 1, 48), (48, 1)) for _ in range(4)]
        >>> model = PictureRestorer(width=4, depth=3, patch=16, patches=32, epochs=1, random_state=0).fit(photos)
        >>> model.predict(photos[0]).shape
        (48, 48, 1)
    """

    file_key = "picture restorer"
    _constraints: ClassVar[dict[str, Constraint]] = {
        "task": OneOf("denoise", "colour"), "width": Interval(int, 1), "depth": Interval(int, 2),
        "patch": Maybe(Interval(int, 8)), "patches": Interval(int, 1), "epochs": Interval(int, 1),
        "batch_size": Interval(int, 1), "learning_rate": Interval(float, 0, closed="neither"),
        "random_state": Maybe(Interval(int, 0)),
    }  # fmt: skip

    def __init__(
        self,
        task: str = "denoise",
        *,
        sigma: Sequence[float] = (0.0, 55.0),
        width: int = 32,
        depth: int = 8,
        patch: int | None = None,
        patches: int = _PATCHES,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 0.001,
        random_state: int | None = None,
        verbose: int = 0,
        engine: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.task, self.sigma, self.width, self.depth = task, tuple(sigma), width, depth
        self.patch, self.patches, self.epochs, self.batch_size = patch, patches, epochs, batch_size
        self.learning_rate, self.random_state, self.verbose = learning_rate, random_state, verbose
        self.engine, self.threads = engine, threads

    network_: Network
    history_: History

    # ------------------------------------------------------------ fitting

    @sigterm_at_end()
    def fit(self, pictures: Any) -> Self:
        """Learns from pictures.

        Parameters  pictures : a list of (H, W), (H, W, 1) or (H, W, 3) of any sizes from that of a patch up, bytes or
                    numbers in [0, 1]; for "colour" they have colours
        Raises      ShapeError, DataError for what is no such picture ; ParameterError ; MissingDependencyError
        """
        for name, constraint in self._constraints.items():
            constraint.check("PictureRestorer", name, getattr(self, name))
        if len(self.sigma) != 2 or not 0 <= self.sigma[0] <= self.sigma[1] <= 255:
            raise ParameterError(f"PictureRestorer: sigma must be (lowest, highest) in bytes. Got {self.sigma!r}.")
        given = [_picture(one, i) for i, one in enumerate(pictures)]
        if not given:
            raise DataError("PictureRestorer: there is no picture to learn from.")
        side = self.patch or _PATCH[self.task]
        if self.task == "colour" and side % 2 ** (len(_WIDTHS) - 1):
            raise ParameterError(f"PictureRestorer: patch must be a multiple of {2 ** (len(_WIDTHS) - 1)}. Got {side}.")
        small = next((i for i, one in enumerate(given) if min(one.shape[:2]) < side), None)
        if small is not None:
            raise ShapeError(
                f"PictureRestorer: picture {small} is {given[small].shape[:2]}, and a patch has {side} pixels a side."
            )
        channels = {one.shape[2] for one in given}
        if self.task == "colour" and channels != {3}:
            raise DataError(
                "PictureRestorer: colours are learned from pictures that have colours, (H, W, 3). Some are grey."
            )
        if len(channels) > 1:
            given = [one if one.shape[2] == 3 else np.repeat(one, 3, axis=2) for one in given]
        rng = np.random.default_rng(self.random_state)
        patches = _patches(given, side, int(self.patches), rng)
        turns = self._turns(patches.shape[1:], int(rng.integers(_SEEDS)))
        data: Any = patches
        if self.task == "colour":
            lab = _lab(patches)
            data = [lab[..., :1] / _LIGHT, lab[..., 1:] / _COLOUR]
            self.mean_colour_ = [float(v) for v in lab[..., 1:].reshape(-1, 2).mean(axis=0)]
        turns.fit(
            data, epochs=self.epochs, batch_size=self.batch_size, verbose=int(self.verbose), engine=self.engine,
            threads=self.threads,
        )  # fmt: skip
        self.history_ = self.network_.history_ = turns.history_
        return self

    mean_colour_: list[float] | None = None

    def _turns(self, shape: tuple[int, ...], seed: int) -> Turns:
        steps = self.epochs * max(1, int(self.patches) // self.batch_size)
        optimizer = Adam(OneCycle(self.learning_rate, total=steps))
        if self.task == "colour":
            widths = [self.width * w for w in _WIDTHS]
            self.network_ = unet(2, channels=widths, input_shape=(shape[0], shape[1], 1), random_state=seed)
            light, colour = Input((*shape[:2], 1)), Input((*shape[:2], 2))
            made = self.network_(light)
            turn = Turn(made, "squared_error", targets=colour, learns=self.network_, optimizer=optimizer)
            return Turns(turn, inputs=[light, colour], random_state=seed)
        layers: list[Any] = [Conv2D(self.width, 3, padding=1), ReLU()]
        for _ in range(self.depth - 2):
            layers += [Conv2D(self.width, 3, padding=1, bias=False), BatchNorm(), ReLU()]
        self.network_ = Network([*layers, Conv2D(shape[2], 3, padding=1, weight_init="zeros")], random_state=seed)
        self.network_.build(shape)
        x = Input(shape)
        low, high = (float(one) / 255 for one in self.sigma)
        noisy = GaussianNoise((low, high))(x)
        clean = Subtract()(noisy, self.network_(noisy))
        turn = Turn(clean, "squared_error", targets=x, learns=self.network_, optimizer=optimizer)
        return Turns(turn, inputs=x, random_state=seed)

    # ------------------------------------------------------------ using

    def predict(self, picture: Any) -> Array:
        """The restored picture, numbers in [0, 1]: (H, W, C) as it came, or (H, W, 3) with colours.

        Parameters  picture : (H, W), (H, W, 1) or (H, W, 3), bytes or numbers in [0, 1]; to be coloured, its lightness is
                    all that is read
        Raises      NotFittedError ; ShapeError, DataError
        """
        self._require_fitted("predict")
        given = _picture(picture, 0)
        if self.task == "colour":
            light = _lab(np.repeat(given, 3, axis=2) if given.shape[2] == 1 else given)[..., :1]
            colours = self._computed(light / _LIGHT) * _COLOUR
            return _rgb(np.concatenate([light, colours], axis=-1))
        channels = self.network_.output_shapes[0][2]
        if channels == 1 and given.shape[2] == 3:
            raise ShapeError("predict: this model was trained on grey pictures. Give it the channels one by one, as (H, W).")
        seen = np.repeat(given, 3, axis=2) if channels > given.shape[2] else given
        clean: Array = np.clip(seen - self._computed(seen), 0, 1)
        if channels > given.shape[2]:
            clean = clean.mean(axis=2, keepdims=True)
        return clean

    def _computed(self, picture: Array) -> Array:
        """The network's output for a picture of any size."""
        height, width = picture.shape[:2]
        step = 2 ** (len(_WIDTHS) - 1) if self.task == "colour" else 1
        padded = np.pad(picture, ((0, -height % step), (0, -width % step), (0, 0)), mode="edge")
        x = Input(padded.shape)
        # The layers have the same weights for any size.
        network = Network(inputs=x, outputs=self.network_(x))
        network.build(padded.shape)
        found: Array = network.predict(np.ascontiguousarray(padded[None], np.float32))[0, :height, :width]
        return found

    def evaluate(self, pictures: Any, *, sigma: float = 25.0, random_state: int = 0) -> dict[str, float]:
        """Means over good pictures that are spoilt first, in decibels.

        "denoise": "psnr" of the restored and "psnr of noisy" of the noisy pictures, with noise of ``sigma`` bytes.
        "colour": "psnr" of the coloured pictures, beside those "of grey" and "of mean colour", and the "colourfulness" of
        the result and "of truth".
        """
        self._require_fitted("evaluate")
        rng, rows = np.random.default_rng(random_state), []
        for i, one in enumerate(pictures):
            truth = _picture(one, i)
            if self.task == "denoise":
                noisy = truth + rng.normal(0, sigma / 255, truth.shape)
                restored = self._denoised(noisy)
                rows.append({"psnr": psnr(restored, truth), "psnr of noisy": psnr(noisy, truth)})
                continue
            lab = _lab(truth)
            plain, mean = lab.copy(), lab.copy()
            plain[..., 1:], mean[..., 1:] = 0, self.mean_colour_ or (0, 0)
            made = self.predict(_rgb(plain))
            rows.append({
                "psnr": psnr(made, truth), "psnr of grey": psnr(_rgb(plain), truth),
                "psnr of mean colour": psnr(_rgb(mean), truth), "colourfulness": colourfulness(made),
                "colourfulness of truth": colourfulness(truth),
            })  # fmt: skip
        if not rows:
            raise DataError("evaluate: there is no picture.")
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _denoised(self, noisy: Array) -> Array:
        found: Array = np.clip(noisy - self._computed(noisy), 0, 1)
        return found

    # ------------------------------------------------------------ files

    @property
    def network(self) -> Network:
        """The network. Raises  NotFittedError before a fit"""
        self._require_fitted("network")
        return self.network_

    def _require_fitted(self, what: str) -> None:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"This PictureRestorer has learned nothing yet. Call fit before {what}.")

    def save(self, path: Path) -> None:
        """Writes the network to one file, atomically; ``load`` reads it."""
        self._require_fitted("save")
        kept = {
            "task": self.task,
            "sigma": list(self.sigma),
            "width": self.width,
            "depth": self.depth,
            "mean": self.mean_colour_,
        }
        self.network_.save(path, extra={self.file_key: kept})

    @classmethod
    def load(cls, path: Path) -> PictureRestorer:
        """What ``save`` wrote. Raises  ModelFileError when the file is missing, damaged, foreign, or holds something else"""
        network, state = load(path), load_with_extra(path, Network)[1].get(cls.file_key)
        where = f"The model file {os.fspath(path)!r}"
        if not isinstance(state, dict):
            raise ModelFileError(f"{where} holds no PictureRestorer.")
        try:
            made = cls(str(state["task"]), sigma=state["sigma"], width=state["width"], depth=state["depth"])
            made._constraints["task"].check("PictureRestorer", "task", made.task)
            made.network_, made.mean_colour_ = network, state["mean"]
            if len(network.output_shapes[0]) != 3:
                raise ModelFileError(f"{where} is damaged: its network makes no pictures.")
        except ModelFileError:
            raise
        except Exception as error:
            raise ModelFileError(f"{where} is damaged: {type(error).__name__}: {error}.") from error
        return made


def _patches(pictures: Sequence[Array], side: int, count: int, rng: np.random.Generator) -> Array:
    """Patches from random places, turned and mirrored at random."""
    found = np.empty((count, side, side, pictures[0].shape[2]), np.float32)
    for i in range(count):
        one = pictures[int(rng.integers(len(pictures)))]
        y, x = (int(rng.integers(one.shape[axis] - side + 1)) for axis in (0, 1))
        part = np.rot90(one[y : y + side, x : x + side], int(rng.integers(4)))
        found[i] = part[:, ::-1] if rng.integers(2) else part
    return found


def _picture(given: Any, number: int) -> Array:
    """A picture as numbers in [0, 1], (H, W, C)."""
    array = np.asarray(given)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3) or array.dtype.kind not in "uif":
        raise ShapeError(f"picture {number} must be (H, W), (H, W, 1) or (H, W, 3). Got {array.shape}, {array.dtype}.")
    found = array.astype(np.float32) / np.float32(255 if array.dtype.kind in "ui" else 1)
    if not np.isfinite(found).all():
        raise DataError(f"picture {number} holds numbers that are not finite.")
    if found.size and (found.min() < -1 or found.max() > 2):
        raise DataError(
            f"picture {number} must hold bytes, or numbers in [0, 1]. Got {found.min():.4g} to {found.max():.4g}."
        )
    return found


def _colour_module() -> Any:
    try:
        from skimage import color
    except ImportError:
        raise MissingDependencyError("scikit-image", "Colours in Lab", extra="colour") from None
    return color


def _lab(pictures: Array) -> Array:
    found: Array = _colour_module().rgb2lab(np.clip(pictures, 0, 1)).astype(np.float32)
    return found


def _rgb(lab: Array) -> Array:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # colours outside RGB are cut, which is what is wanted
        found: Array = np.clip(_colour_module().lab2rgb(lab), 0, 1)
    return found
