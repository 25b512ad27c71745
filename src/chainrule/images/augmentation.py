"""Random changes of training pictures that leave what they show the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..constraints import AnyOf, Boolean, Interval, Maybe, OneOf
from ..errors import ParameterError
from ..registry import Configurable

__all__ = ["Augmentation", "Draw"]

Floats = NDArray[np.float32]
_FLIPS = {None: (False, False), False: (False, False), True: (True, False), "none": (False, False),
          "horizontal": (True, False), "vertical": (False, True), "both": (True, True)}  # fmt: skip
FILLS = ("edge", "reflect", "zero")


@dataclass(frozen=True, eq=False)
class Draw:
    """What was drawn for n pictures.

    Parameters
        matrix : (n, 6) ; row (a, b, c, d, e, f) takes pixel (i, j) of the result from (a i + b j + c, d i + e j + f) ;
            None where no pixel moves
        gain, offset : (n,) ; a value v in [0, 1] becomes gain v + offset ; None where no value changes
        holes : (n, 4) of top, left, bottom, right ; None without
        partner, share : (n,) ; sample i becomes share xᵢ + (1 − share) x_partner ; None without
        fill : what lies outside the picture
    """

    matrix: Floats | None
    gain: Floats | None
    offset: Floats | None
    holes: NDArray[np.int32] | None
    partner: NDArray[np.int64] | None
    share: Floats | None
    fill: str


class Augmentation(Configurable):
    """New random versions of the training pictures in every epoch, so that a network learns what does not depend on them.

    All of flip, crop, shift, rotate and zoom are one affine map of the pixels, ``y(p) = x(A p + t)``, so a picture is
    interpolated once (bilinearly) however many of them are asked for; flips and shifts alone move whole pixels and change
    no value. A mask of classes is moved by the same map and takes the nearest pixel. Colours are changed by
    ``g (x − ½) + ½ + b`` and stay in the range of the picture.

    Parameters
        flip : None, "horizontal" (or True), "vertical" or "both", each with probability ½
        crop : in (0, 1) or None ; a window of at least this share of height and width, at a random place, is enlarged
        shift : int, whole pixels up and down and to the sides ; or a share of height and width in (0, 1) ; = 0
        rotate : degrees to either side = 0 ; zoom : z in [0, 1) = 0, larger or smaller by a factor of up to 1 + z
        brightness : b in [0, 1] = 0, of the whole range ; contrast : in [0, 1] = 0, g in 1 ± contrast
        cutout : in [0, 1) = 0 ; a square of this share of the shorter side is emptied (0 after normalising, the mean)
        mixup : alpha >= 0 = 0 ; mixes samples two by two, pictures and targets alike, with shares drawn from
            Beta(alpha, alpha). Not with masks
        fill : "edge" (the border goes on), "reflect" or "zero" (black), where a picture was moved away from
    Raises      ParameterError when an argument is out of its range
    References  cutout: DeVries and Taylor, Improved regularization of convolutional neural networks with cutout, 2017 ;
                mixup: Zhang et al., mixup: beyond empirical risk minimization, ICLR 2018

    Example
        >>> Augmentation(flip="horizontal", shift=2)
        Augmentation(flip='horizontal', shift=2)
        >>> Augmentation.from_text("flip, rotate=10, mixup=0.2")
        Augmentation(flip=True, rotate=10, mixup=0.2)
    """

    #: What is done when nobody says what: small changes that hardly any kind of picture minds. It mirrors nothing.
    LIGHT: ClassVar[dict[str, float]] = {"shift": 0.08, "rotate": 8, "zoom": 0.1, "brightness": 0.1}
    hyperparameters = {
        "flip": AnyOf(OneOf(None, "horizontal", "vertical", "both", "none"), Boolean()),
        "crop": Maybe(Interval(float, 0, 1, closed="neither")),
        "shift": AnyOf(Interval(int, 0), Interval(float, 0, 1), hint="An int counts pixels, a number below 1 is a share."),
        "rotate": Interval(float, 0, 180, closed="both", hint="It is in degrees."),
        "zoom": Interval(float, 0, 1),
        "cutout": Interval(float, 0, 1),
        "brightness": Interval(float, 0, 1, closed="both"),
        "contrast": Interval(float, 0, 1, closed="both"),
        "mixup": Interval(float, 0),
        "fill": OneOf(*FILLS),
    }

    def __init__(
        self,
        *,
        flip: bool | str | None = None,
        crop: float | None = None,
        shift: float = 0,
        rotate: float = 0,
        zoom: float = 0,
        brightness: float = 0,
        contrast: float = 0,
        cutout: float = 0,
        mixup: float = 0,
        fill: str = "edge",
    ) -> None:
        self.flip, self.crop, self.shift, self.rotate, self.zoom = flip, crop, shift, rotate, zoom
        self.brightness, self.contrast, self.cutout, self.mixup, self.fill = brightness, contrast, cutout, mixup, fill

    @classmethod
    def from_text(cls, text: str) -> Augmentation:
        """As typed on a command line: names with their values, and commas between; "light" is a mild choice of all.

        Raises      ParameterError for an unknown name or a value that is none
        """
        from ..errors import UnknownNameError

        arguments: dict[str, Any] = {}
        for part in filter(None, (p.strip() for p in text.split(","))):
            name, given, value = (t.strip() for t in part.partition("="))
            if name == "light" and not given:
                arguments = {**cls.LIGHT, **arguments}
            elif name not in cls.argument_names():
                raise UnknownNameError("augmentation", name, [*cls.argument_names(), "light", "none"])
            elif name in ("flip", "fill"):
                arguments[name] = value or True
            else:
                try:
                    arguments[name] = int(value) if value.lstrip("+-").isdigit() else float(value)
                except ValueError:
                    raise ParameterError(f"augmentation: {name} needs a number, such as {name}=0.1. Got {part!r}.") from None
        made = cls(**arguments)
        made.validate()
        return made

    def draw(self, n: int, height: int, width: int, rng: np.random.Generator) -> Draw:
        """Random changes for n pictures of this size.

        Parameters  rng : where all of the randomness comes from
        """
        matrix = self._matrices(n, height, width, rng)
        gain = offset = holes = partner = share = None
        if self.brightness or self.contrast:
            gain = _uniform(rng, 1 - self.contrast, 1 + self.contrast, n)
            offset = _uniform(rng, -self.brightness, self.brightness, n) + np.float32(0.5) * (1 - gain)
        if self.cutout:
            side = max(1, round(self.cutout * min(height, width)))
            top = rng.integers(0, height, n) - side // 2
            left = rng.integers(0, width, n) - side // 2
            corners = np.stack([top, left, top + side, left + side], axis=1)
            holes = np.clip(corners, 0, [height, width, height, width]).astype(np.int32)
        if self.mixup:
            drawn = rng.beta(self.mixup, self.mixup, n).astype(np.float32)
            partner, share = rng.permutation(n), np.maximum(drawn, 1 - drawn)
        return Draw(matrix, gain, offset, holes, partner, share, self.fill)

    def _matrices(self, n: int, height: int, width: int, rng: np.random.Generator) -> Floats | None:
        across, down = _FLIPS[self.flip]
        if not (across or down or self.crop or self.shift or self.rotate or self.zoom):
            return None
        scale = np.ones((n, 2))
        move = np.zeros((n, 2))
        if self.crop:
            window = rng.uniform(self.crop, 1, n)
            scale *= window[:, None]
            move += rng.uniform(-0.5, 0.5, (n, 2)) * (1 - window[:, None]) * [height, width]
        if self.zoom:
            scale *= np.exp(rng.uniform(-1, 1, n) * math.log1p(self.zoom))[:, None]
        if self.shift:
            whole = isinstance(self.shift, (int, np.integer))
            far = np.floor(np.full(2, self.shift) if whole else self.shift * np.array([height, width]) + 1e-9)
            move += np.clip(np.rint(rng.uniform(-1, 1, (n, 2)) * (far + 0.5)), -far, far)  # whole pixels blur nothing
        for axis, wanted in enumerate((down, across)):
            if wanted:
                scale[:, axis] *= np.where(rng.random(n) < 0.5, -1.0, 1.0)
        angle = np.deg2rad(rng.uniform(-self.rotate, self.rotate, n)) if self.rotate else np.zeros(n)
        cosine, sine = np.cos(angle), np.sin(angle)
        a, b = cosine * scale[:, 0], -sine * scale[:, 1]
        d, e = sine * scale[:, 0], cosine * scale[:, 1]
        middle = np.array([(height - 1) / 2, (width - 1) / 2])
        c = middle[0] + move[:, 0] - a * middle[0] - b * middle[1]
        f = middle[1] + move[:, 1] - d * middle[0] - e * middle[1]
        return np.stack([a, b, c, d, e, f], axis=1).astype(np.float32)


def _uniform(rng: np.random.Generator, low: float, high: float, n: int) -> Floats:
    return rng.uniform(low, high, n).astype(np.float32)
