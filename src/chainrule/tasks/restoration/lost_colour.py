"""Grey pictures, for which a network finds colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...architectures import unet
from ...constraints import OneOf
from ...errors import DataError, MissingDependencyError
from ...losses.numeric import softmax
from ...model import Network
from .any_size import AnySize
from .degradation import Degradation, Pair, likeness
from .measures import colourfulness
from .resizing import resized

__all__ = ["LostColour"]

Array = NDArray[Any]
#: The scales of Lab that the network sees: L in [0, 1], and a and b about in [−1, 1].
_LIGHT, _COLOUR = 100.0, 110.0
#: The longer side at which the network looks at a picture; colours are enlarged, as the eye sees little detail in them.
_SIDE = 256
#: The channels of the levels of the U-Net, in units of its width; so it halves pictures three times.
_WIDTHS = (1, 2, 4, 4)
#: Classes of colours: side of the squares of a and b; how much of the weight is even; the deviation of the colours that are
#: drawn around the true one; the temperature of the annealed mean. All are those of the paper.
_GRID, _EVEN, _SPREAD, _TEMPERATURE = 10, 0.5, 5.0, 0.38
_HALF = 12


class LostColour(Degradation):
    """Colours a and b of the Lab space, which a U-Net finds from the lightness L.

    Parameters
        colours : "classes": every pixel gets probabilities of squares of colours, rare ones counting more in training, and
            its colour is their annealed mean ; "mean": a and b are learned by their squared error, so where a thing may
            have several colours it gets their mean, which is paler than any of them
        mean : (a, b) of all pictures that were learned from ; squares : the centres (a, b) of the classes
    References  Zhang, Isola and Efros, Colorful image colorization, ECCV 2016
    """

    task, result, before = "colour", "coloured", "grey"
    patch, step, turns = 96, 2 ** (len(_WIDTHS) - 1), False
    target_shrink, channels = 2, 3

    def __init__(self, *, colours: str = "classes", mean: Sequence[float] = (0.0, 0.0)) -> None:
        self.colours = OneOf("classes", "mean").check("", "colours", colours)
        self.mean = [float(one) for one in mean]
        self.loss = "softmax_cross_entropy" if self.colours == "classes" else "squared_error"

    def network(self, side: int, *, width: int, depth: int, random_state: int, dtype: str) -> Network:
        outputs = len(_squares()[0]) if self.colours == "classes" else 2
        return unet(
            outputs, channels=[width * w for w in _WIDTHS], shrink=self.target_shrink, output_init="zeros",
            input_shape=(side, side, 1), random_state=random_state, dtype=dtype,
        )  # fmt: skip

    # ------------------------------------------------------------ learning

    def pair(self, picture: Array) -> Pair:
        if picture.shape[2] != 3:
            raise DataError("colours are learned from pictures that have some, (H, W, 3). It is grey.")
        small = np.clip(_looked_at(picture.astype(np.float32) / np.float32(255)), 0, 1)
        lab = _lab(small[: small.shape[0] // 2 * 2, : small.shape[1] // 2 * 2])
        halves = lab[..., 1:].reshape(lab.shape[0] // 2, 2, lab.shape[1] // 2, 2, 2).mean(axis=(1, 3))
        return Pair(np.rint(2.55 * lab[..., :1]).astype(np.uint8), np.rint(halves).astype(np.int8))

    def study(self, pairs: Sequence[Pair]) -> None:
        of_pictures = [pair.target.reshape(-1, 2) for pair in pairs]
        self.mean = [float(v) for v in np.mean([one.mean(axis=0) for one in of_pictures], axis=0)]
        if self.colours == "classes":
            squares, _ = _squares()
            count = np.sum([np.bincount(_square_of(one), minlength=len(squares)) for one in of_pictures], axis=0)
            share = count / count.sum()
            weights = 1 / ((1 - _EVEN) * share + _EVEN / len(squares))
            self.class_weight = (weights / (share @ weights)).astype(np.float32)

    def batch(self, sources: Array, targets: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        light = sources.astype(np.float32) / np.float32(255)
        if self.colours == "mean":
            return light, targets.astype(np.float32) / np.float32(_COLOUR)
        # A square drawn near the true colour is on average the target that the paper spreads over five squares.
        drawn = targets + _SPREAD * rng.standard_normal(targets.shape, np.float32)
        return light, _square_of(drawn)

    # ------------------------------------------------------------ using

    def restored(self, picture: Array, network: AnySize) -> Array:
        light = _lab(np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture)[..., :1]
        found = network(_looked_at(light) / np.float32(_LIGHT))
        if self.colours == "classes":
            found = softmax(found.astype(np.float64) / _TEMPERATURE) @ _squares()[0]
        else:
            found = found * _COLOUR
        return _rgb(np.concatenate([light, resized(found, light.shape[:2])], axis=-1))

    def spoilt(self, picture: Array, rng: np.random.Generator) -> tuple[Array, Array]:
        if picture.shape[2] != 3:
            raise DataError("this picture is grey, so nobody knows its colours.")
        return self._with(_lab(picture), (0.0, 0.0)), picture

    def _with(self, lab: Array, colour: Sequence[float]) -> Array:
        """The picture with one colour everywhere."""
        even = lab.copy()
        even[..., 1:] = colour
        return _rgb(even)

    def scores(self, restored: Array, given: Array, truth: Array) -> dict[str, float]:
        def near(picture: Array) -> float:
            return likeness(picture, truth, structure=False)["PSNR"]

        return {
            "PSNR": near(restored),
            "PSNR of grey": near(given),
            "PSNR of mean colour": near(self._with(_lab(given), self.mean)),
            "colourfulness": colourfulness(restored),
            "colourfulness of truth": colourfulness(truth),
        }

    def state(self) -> dict[str, Any]:
        return {"task": self.task, "colours": self.colours, "mean": self.mean}

    def description(self) -> list[tuple[str, str]]:
        how = (
            f"annealed mean of {len(_squares()[0])} classes of a and b"
            if self.colours == "classes"
            else "a and b of Lab by their squared error"
        )
        return [("Colours", how), ("Pictures", f"of any size, seen with at most {_SIDE} pixels a side")]


# ---------------------------------------------------------------- squares of colours


@cache
def _squares() -> tuple[Array, Array]:
    """(the centres (Q, 2) of the squares of a and b that RGB has, the number of the nearest one for each square)."""
    axis = np.linspace(0, 1, 33)
    cube = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(1, -1, 3)
    cells = np.unique(np.rint(_lab(cube)[0, :, 1:] / _GRID).astype(int), axis=0)
    centres = (_GRID * cells).astype(np.float64)
    every = np.stack(np.meshgrid(*[np.arange(-_HALF, _HALF + 1)] * 2, indexing="ij"), axis=-1).reshape(-1, 2) * _GRID
    nearest = np.square(every[:, None] - centres[None]).sum(axis=2).argmin(axis=1)
    return centres, nearest.reshape(2 * _HALF + 1, 2 * _HALF + 1).astype(np.int32)


def _square_of(colours: Array) -> Array:
    """The classes (...) of colours (..., 2)."""
    cells = np.clip(np.rint(np.asarray(colours, np.float32) / _GRID).astype(np.int32), -_HALF, _HALF) + _HALF
    found: Array = _squares()[1][cells[..., 0], cells[..., 1]]
    return found


# ---------------------------------------------------------------- Lab


def _looked_at(picture: Array) -> Array:
    """The picture at the size at which the network looks at it."""
    height, width = picture.shape[:2]
    if max(height, width) <= _SIDE:
        return picture
    scale = _SIDE / max(height, width)
    return resized(picture, (max(1, round(scale * height)), max(1, round(scale * width))))


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
        found: Array = np.clip(_colour_module().lab2rgb(lab), 0, 1).astype(np.float32)
    return found
