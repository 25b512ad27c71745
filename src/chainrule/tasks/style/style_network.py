"""A network that paints any photo in one style, by one pass through it."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...constraints import Constraint, Interval
from ...errors import ModelFileError, NotFittedError, ShapeError
from ...images.writing import as_pixels
from ...layers import (
    Add,
    Conv2D,
    Input,
    InstanceNorm,
    LearnedArray,
    Padding2D,
    ReLU,
    Sigmoid,
    TotalVariation,
    UpSampling2D,
)
from ...model import Network, load
from ...network.files import load as load_with_extra
from ...optimizers import Adam
from ...training import History, Turn, Turns
from ...training.interrupt import sigterm_at_end
from .bodies import StyleBody
from .transfer import Seen, as_picture, with_colours_of

__all__ = ["StyleNetwork"]

Array = NDArray[Any]
Path = str | os.PathLike[str]
#: So many photos say how large the features of the content are.
_MEASURED = 16
#: A photo's sides are halved twice, and what is left needs two rows to be mirrored at its border.
_SMALLEST = 8


class StyleNetwork:
    """Learns one style from a painting and many photos; then each photo takes one pass, without steps of an optimizer.

    The network halves a photo twice, changes it in residual blocks, and doubles it twice, with instance normalisation after
    each convolution. It learns to make pictures whose content is that of the photo and whose style is that of the painting,
    as a body sees them: the objective of ``transfer``, with the network's weights in place of the pixels.

    Parameters
        width : int = 16, channels at full size ; blocks : int = 3, residual blocks
        style_weight, smoothness : as of ``transfer`` ; epochs : int = 4 ; batch_size : int = 4
        learning_rate : number = 0.001 ; random_state : int or None ; verbose : 0, 1 or 2
    Attributes  (after fit)  network_ : the network that paints ; history_
    References  Johnson, Alahi, Fei-Fei, Perceptual losses for real-time style transfer and super-resolution, ECCV 2016 ;
                Ulyanov, Vedaldi, Lempitsky, Instance normalization, 2016
    """

    file_key = "style network"
    _constraints: ClassVar[dict[str, Constraint]] = {
        "width": Interval(int, 1), "blocks": Interval(int, 1), "style_weight": Interval(float, 0),
        "smoothness": Interval(float, 0), "epochs": Interval(int, 1), "batch_size": Interval(int, 1),
        "learning_rate": Interval(float, 0, closed="neither"),
    }  # fmt: skip

    def __init__(
        self,
        *,
        width: int = 16,
        blocks: int = 3,
        style_weight: float = 8.0,
        smoothness: float = 5.0,
        epochs: int = 4,
        batch_size: int = 4,
        learning_rate: float = 0.001,
        random_state: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.width, self.blocks, self.style_weight, self.smoothness = width, blocks, style_weight, smoothness
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.random_state, self.verbose = random_state, verbose

    network_: Network
    history_: History

    @sigterm_at_end()
    def fit(self, photos: Any, style: Any, body: StyleBody, *, callbacks: Any = ()) -> Self:
        """Learns the style of a picture.

        Parameters  photos : (N, H, W, 3) of one size, multiples of 4, bytes or numbers in [0, 1] ; style : a picture ;
                    body : of ``style_body`` ; callbacks : as of ``Network.fit``; the network may paint meanwhile
        Raises      ShapeError, DataError for what is no picture ; ParameterError ; DivergenceError
        """
        for name, constraint in self._constraints.items():
            constraint.check("StyleNetwork", name, getattr(self, name))
        if len({np.shape(one) for one in photos}) != 1 or np.ndim(photos) != 4:
            raise ShapeError(
                f"StyleNetwork: photos must be pictures of one size, (N, H, W, 3). Got "
                f"{sorted({np.shape(one) for one in photos})[:3]}."
            )
        X = np.stack([as_picture(one, f"{i}th") for i, one in enumerate(photos, 1)])
        if X.shape[1] % 4 or X.shape[2] % 4:
            raise ShapeError(f"StyleNetwork: the sides of the photos must be multiples of 4. Got {X.shape[1:3]}.")
        painting, count = as_picture(style, "style"), len(body.content)
        grams = Seen(body, painting.shape)(painting)[count:]
        self.network_ = self._network(X.shape[1:])
        x, seen, plain = Input(X.shape[1:]), Seen(body, X.shape[1:]), Seen(body, X.shape[1:])
        made = self.network_(x)
        outputs, contents = seen.of(made), plain.of(x)[:count]
        constants = [LearnedArray(gram.shape[1:]) for gram in grams]
        features = [plain(one)[:count] for one in X[:_MEASURED]]
        level = [float(np.mean([np.square(one[i]).mean() for one in features])) for i in range(count)]
        weights = [1 / count / max(one, 1e-12) for one in level]
        weights += [self.style_weight / len(grams) / max(float(np.square(g).mean()), 1e-12) for g in grams]
        turn = Turn(
            [*outputs, TotalVariation()(made)],
            [*["squared_error"] * len(outputs), "output"],
            targets=[*contents, *(one(x) for one in constants), None],
            loss_weights=[*weights, self.smoothness],
            learns=self.network_,
            optimizer=Adam(self.learning_rate),
        )
        turns = Turns(turn, inputs=x, random_state=self.random_state)
        turns.network.build(X.shape[1:])
        seen.settle(turns.network)
        plain.settle(turns.network)
        for constant, gram in zip(constants, grams, strict=True):
            (name,) = turns.network.named(constant)
            turns.network.parameters[f"{name}.array"][...] = gram[0]
        turns.fit(
            X, epochs=self.epochs, batch_size=min(self.batch_size, len(X)), verbose=int(self.verbose), callbacks=callbacks
        )
        self.history_ = self.network_.history_ = turns.history_
        return self

    def _network(self, shape: tuple[int, ...]) -> Network:
        def convolution(h: Any, units: int, kernel: int = 3, stride: int = 1) -> Any:
            padded = Padding2D(kernel // 2, mode="reflect")(h)
            return InstanceNorm()(Conv2D(units, kernel, stride=stride, bias=False)(padded))

        x, w = Input(tuple(shape)), self.width
        h = ReLU()(convolution(x, w, 5))
        h = ReLU()(convolution(h, 2 * w, stride=2))
        h = ReLU()(convolution(h, 4 * w, stride=2))
        for _ in range(self.blocks):
            h = Add()(h, convolution(ReLU()(convolution(h, 4 * w)), 4 * w))
        for units in (2 * w, w):
            h = ReLU()(convolution(UpSampling2D(2)(h), units))
        h = Sigmoid()(Conv2D(3, 5)(Padding2D(2, mode="reflect")(h)))
        return Network(inputs=x, outputs=h, random_state=self.random_state).build(tuple(shape))  # type: ignore[return-value]

    def predict(self, photo: Any, *, keep_colours: bool = False) -> Array:
        """A photo of any size (H, W, 3), painted: bytes. Parameters  keep_colours : as of ``transfer``"""
        self._require_fitted("predict")
        picture = as_picture(photo, "content", _SMALLEST)
        height, width = picture.shape[:2]
        padded = np.pad(picture, ((0, -height % 4), (0, -width % 4), (0, 0)), mode="edge")
        made = np.asarray(self._of_size(padded.shape).predict(padded[None])[0, :height, :width], np.float64)
        return as_pixels(with_colours_of(picture, made) if keep_colours else made)

    def _of_size(self, shape: tuple[int, ...]) -> Network:
        """The network for photos of a size; its layers have the same weights for any. That of the last size is kept."""
        if self.network_.input_shapes == [shape]:
            return self.network_
        kept: tuple[Network, Network] | None = getattr(self, "_other_size", None)
        if kept is None or kept[0] is not self.network_ or kept[1].input_shapes != [shape]:
            x = Input(shape)
            made = Network(inputs=x, outputs=self.network_(x))
            made.build(shape)
            kept = self.network_, made
            self._other_size = kept
        return kept[1]

    @property
    def network(self) -> Network:
        """The network that paints. Raises  NotFittedError before a fit"""
        self._require_fitted("network")
        return self.network_

    def _require_fitted(self, what: str) -> None:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"This StyleNetwork has learned nothing yet. Call fit before {what}.")

    def save(self, path: Path) -> None:
        """Writes the network to one file, atomically; ``load`` reads it. Raises  NotFittedError before a fit"""
        self._require_fitted("save")
        self.network_.save(path, extra={self.file_key: {"width": self.width, "blocks": self.blocks}})

    @classmethod
    def load(cls, path: Path) -> StyleNetwork:
        """What ``save`` wrote. Raises  ModelFileError when the file is missing, damaged, foreign, or holds something else"""
        network, state = load(path), load_with_extra(path, Network)[1].get(cls.file_key)
        if not isinstance(state, dict) or len(network.input_shapes or ()) != 1 or network.output_shapes[0][2:] != (3,):
            raise ModelFileError(f"The model file {os.fspath(path)!r} holds no StyleNetwork.")
        try:
            made = cls(width=int(state["width"]), blocks=int(state["blocks"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"The model file {os.fspath(path)!r} is damaged: {error}.") from error
        made.network_ = network
        return made
