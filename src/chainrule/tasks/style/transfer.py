"""A picture that shows what one picture shows, and is made as another one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...constraints import Interval, OneOf
from ...errors import DataError, ShapeError
from ...images.writing import as_pixels
from ...layers import GramMatrix, Input, LearnedArray, TotalVariation
from ...losses import AbsoluteError, SquaredError
from ...model import Network
from ...optimizers import LBFGS, Adam
from ...training import Callback, Turn, Turns
from ...training.session import Session
from .bodies import StyleBody

__all__ = ["STEPS", "Seen", "as_picture", "transfer", "with_colours_of"]

Array = NDArray[Any]
#: The luminance of linear mixtures of red, green and blue (Rec. 601), and what turns them into YIQ.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
#: A body halves a picture four times or so; a smaller one leaves nothing to see.
_SMALLEST = 32
#: Steps of an optimizer that nearly always suffice.
STEPS = 200


class Seen:
    """What a body sees in pictures of one size: features for the content, and Gram matrices for the style.

    Parameters  body ; shape : (H, W, 3) of the pictures, numbers in [0, 1]
    """

    def __init__(self, body: StyleBody, shape: tuple[int, ...]) -> None:
        self.body = body
        x = Input(tuple(shape))
        self.outputs = self.of(x)
        self.network = Network(inputs=x, outputs=self.outputs)
        self.network.build(tuple(shape))
        self.settle(self.network)

    def of(self, picture: Any) -> list[Any]:
        """The tensors of a graph that are compared: the content's first, then the style's."""
        body = self.body
        self.scale, self._factors, self._offsets = body.preprocessing()
        found = body.network.taps(*body.content, *body.style)(self.scale(picture))
        count = len(body.content)
        return [*found[:count], *(GramMatrix()(one) for one in found[count:])]

    def settle(self, network: Any) -> None:
        """Gives the layer of the preprocessing its numbers, in a built network that holds it."""
        (name,) = network.named(self.scale)
        network.parameters[f"{name}.weight"][...] = self._factors
        network.parameters[f"{name}.bias"][...] = self._offsets

    def __call__(self, picture: Array) -> list[Array]:
        """The features and Gram matrices of one picture."""
        return list(self.network.predict(picture[None]))


def transfer(
    content: Any,
    style: Any,
    body: StyleBody,
    *,
    steps: int = STEPS,
    style_weight: float = 8.0,
    smoothness: float = 5.0,
    optimizer: str = "adam",
    learning_rate: float = 0.02,
    start: Any = None,
    keep_colours: bool = False,
    on_step: Callable[[int, Array, float], None] | None = None,
    every: int = 10,
    engine: str = "auto",
    threads: int | None = None,
) -> Array:
    """The picture p that minimises J = C + style_weight · S + smoothness · V by steps on its pixels.

    C is the squared error of the body's features at its content layers against those of the content picture, S that of the
    Gram matrices at its style layers against those of the style picture, the mean over the layers, each divided by the mean
    square of what it is compared with, so that the weights mean the same for any body. V is the total variation.

    Parameters
        content, style : pictures (H, W, 3), bytes or numbers in [0, 1] ; body : of ``style_body``
        steps : int >= 1 ; style_weight, smoothness : numbers >= 0
        optimizer : "adam", or "lbfgs", which comes further in as many steps, each of which takes a little longer
        learning_rate : of a pixel in [0, 1], a step of Adam
        start : the picture to begin with, None for the content
        keep_colours : whether the result takes its colours from the content picture, and its brightness alone from p
        on_step : called with (steps done, picture, J) after every so many steps ; every : how many
        engine, threads : see chainrule.engine.get_engine
    Returns     bytes (H, W, 3)
    Raises      ShapeError, DataError for what is no picture ; ParameterError
    References  Gatys, Ecker, Bethge, Image style transfer using convolutional neural networks, CVPR 2016
    """
    Interval(int, 1).check("transfer", "steps", steps)
    for name, value in (("style_weight", style_weight), ("smoothness", smoothness)):
        Interval(float, 0).check("transfer", name, value)
    OneOf("adam", "lbfgs").check("transfer", "optimizer", optimizer)
    photo, painting = as_picture(content, "content"), as_picture(style, "style")
    count = len(body.content)
    targets = Seen(body, photo.shape)(photo)[:count] + Seen(body, painting.shape)(painting)[count:]
    weights = [1 / count] * count + [style_weight / len(body.style)] * len(body.style)
    factors = [w / max(float(np.square(t).mean()), 1e-12) for w, t in zip(weights, targets, strict=True)]
    begin = photo if start is None else as_picture(start, "start")
    if begin.shape != photo.shape:
        raise ShapeError(f"the start picture is {begin.shape[:2]}, and the content picture {photo.shape[:2]}.")
    search = _by_adam if optimizer == "adam" else _by_lbfgs

    def show(done: int, picture: Array, value: float) -> None:
        if on_step is not None and (done % every == 0 or done == steps):
            on_step(done, picture, value)

    made = search(
        Seen(body, photo.shape), begin, targets, [*factors, smoothness], steps=steps, learning_rate=learning_rate, show=show,
        engine=engine, threads=threads,
    )  # fmt: skip
    found: Array = as_pixels(with_colours_of(photo, made) if keep_colours else made)
    return found


def _by_adam(
    seen: Seen, begin: Array, targets: Sequence[Array], factors: Sequence[float], *, steps: int, learning_rate: float,
    show: Callable[[int, Array, float], None], engine: str, threads: int | None,
) -> Array:  # fmt: skip
    """The picture after so many steps of Adam, which all run in compiled loops: the picture is a parameter."""
    nothing = Input((1,))
    picture = LearnedArray(begin.shape)
    shown = picture(nothing)
    outputs = seen.of(shown)
    given = [Input(one.shape[1:]) for one in targets]
    turn = Turn(
        [*outputs, TotalVariation()(shown)],
        [*(SquaredError() for _ in outputs), "output"],
        targets=[*given, None],
        loss_weights=list(factors),
        learns=picture,
        optimizer=Adam(learning_rate),
    )
    turns = Turns(turn, inputs=[nothing, *given], random_state=0)
    turns.network.build((1,), *(one.shape[1:] for one in targets))
    seen.settle(turns.network)
    (name,) = turns.network.named(picture)
    pixels = turns.network.parameters[f"{name}.array"]
    pixels[...] = begin

    class Steps(Callback):
        def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
            # Pixels that leave the range would be cut in the end, so they are held in it on the way.
            np.clip(pixels, 0, 1, out=pixels)
            show(epoch, np.array(pixels), float(logs["loss"]))

    turns.fit(
        [np.zeros((1, 1), np.float32), *targets], epochs=steps, batch_size=1, callbacks=Steps(), verbose=0, engine=engine,
        threads=threads,
    )  # fmt: skip
    return np.array(pixels, np.float64)


def _by_lbfgs(
    seen: Seen, begin: Array, targets: Sequence[Array], factors: Sequence[float], *, steps: int, learning_rate: float,
    show: Callable[[int, Array, float], None], engine: str, threads: int | None,
) -> Array:  # fmt: skip
    """The picture after so many steps of L-BFGS, for which J is a function of the pixels: the picture is an input."""
    x = Input(begin.shape)
    network = Network(inputs=x, outputs=[*seen.of(x), TotalVariation()(x)])
    network.build(begin.shape)
    seen.settle(network)
    session = Session(network)
    session.use_engine(engine, threads)
    # The total variation is never negative, so it is its absolute difference from 0.
    against = [*targets, np.zeros((1, *network.output_shapes[-1]), np.float32)]
    losses = [*(SquaredError() for _ in targets), AbsoluteError()]

    def objective(flat: Array) -> tuple[float, Array]:
        # Outside of [0, 1] a picture cannot be shown, so J is that of the nearest one that can, plus the squared distance.
        inside = np.clip(flat, 0, 1)
        picture = inside.reshape(1, *begin.shape).astype(np.float32)
        value, (gradient,) = session.loss_and_input_gradient(picture, against, loss=losses, loss_weights=list(factors))
        beyond = flat - inside
        return value + float(beyond @ beyond), np.where(beyond == 0, gradient.ravel(), 2 * beyond)

    def after(result: Any) -> None:
        show(result.iterations, np.clip(result.w, 0, 1).reshape(begin.shape), result.loss)

    found = LBFGS().minimise(
        objective, begin.ravel(), max_iterations=steps, tolerance_change=0.0, tolerance_gradient=0.0, callback=after
    )
    return np.clip(found.w, 0, 1).reshape(begin.shape)


def with_colours_of(photo: Array, made: Array) -> Array:
    """The brightness of one picture with the colours of another, in YIQ; both (H, W, 3) in [0, 1]."""
    colours, light = photo @ _YIQ.T, made @ _YIQ.T
    colours[..., 0] = light[..., 0]
    found: Array = np.clip(colours @ np.linalg.inv(_YIQ).T, 0, 1)
    return found


def as_picture(given: Any, name: str, smallest: int = _SMALLEST) -> Array:
    """A picture (H, W, 3) of numbers in [0, 1]; grey ones get three equal channels.

    Raises  ShapeError, DataError, naming the picture
    """
    array = np.asarray(given)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or array.dtype.kind not in "uif":
        raise ShapeError(f"the {name} picture must be (H, W), (H, W, 3) or (H, W, 4). Got {array.shape}, {array.dtype}.")
    if min(array.shape[:2]) < smallest:
        raise ShapeError(
            f"the {name} picture is {array.shape[0]} × {array.shape[1]}, and its sides must be {smallest} pixels or more. "
            "Take a larger picture, or a larger size for it."
        )
    whole = array.dtype.kind in "ui"
    found = array.astype(np.float64) / (255 if whole else 1)
    if not np.isfinite(found).all() or found.min() < 0 or found.max() > 1:
        raise DataError(f"the {name} picture must hold bytes, or finite numbers in [0, 1].")
    if found.shape[2] == 4:  # what is transparent lies on white
        found = found[..., :3] * found[..., 3:] + 1 - found[..., 3:]
    return np.ascontiguousarray(np.repeat(found, 3, axis=2) if found.shape[2] == 1 else found, np.float32)
