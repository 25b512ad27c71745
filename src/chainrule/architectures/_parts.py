"""What the architectures have in common: how their arguments are checked, and the blocks they repeat."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from ..constraints import EachOf, Interval
from ..errors import MissingDependencyError, ShapeError
from ..layers import BatchNorm, Conv2D, ReLU
from ..model import Network

#: Channels of one sample's picture, or its whole shape (H, W, C); None leaves it to the first fit.
InputShape = tuple[int, int, int] | None


def check_count(owner: str, **counts: Any) -> None:
    """ParameterError unless each is an int of at least 1."""
    for name, value in counts.items():
        Interval(int, 1).check(owner, name, value)


def check_widths(owner: str, name: str, widths: Any, *, fewest: int = 1) -> tuple[int, ...]:
    """Numbers of channels, one for each level; ParameterError when they are none."""
    channels = EachOf(Interval(int, 1), fewest=fewest, hint="They are the channels of each level.")
    return tuple(channels.check(owner, name, widths))


def check_divides(owner: str, input_shape: InputShape, factor: int, why: str) -> None:
    """ShapeError unless both sides of the picture are multiples of the factor."""
    if input_shape is not None and any(side % factor for side in input_shape[:2]):
        height, width = (-(-side // factor) * factor for side in input_shape[:2])
        raise ShapeError(
            f"{owner}: {why}, so both sides of the picture must be multiples of {factor}. Got input_shape={input_shape}. "
            f"Pad or resize to {height}×{width}, or use fewer levels."
        )


def convolution(channels: int, *, kernel: int = 3, stride: int = 1, init: Any = "he_normal") -> list[Any]:
    """Convolution without a bias, batch normalisation, ReLU. The padding is half the kernel on every side."""
    return [*normalised(channels, kernel=kernel, stride=stride, init=init), ReLU()]


def normalised(channels: int, *, kernel: int = 3, stride: int = 1, init: Any = "he_normal") -> list[Any]:
    """Convolution without a bias, which batch normalisation would take out again, and that."""
    return [Conv2D(channels, kernel, stride=stride, padding=kernel // 2, bias=False, weight_init=init), BatchNorm()]


def package_folder(package: str, folder: str, architecture: str) -> Path:
    """The folder of weights in a package of the registry, whose code is not run.

    Raises      MissingDependencyError where the package is not installed
    """
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise MissingDependencyError(package.replace("_", "-"), f"pretrained=True of {architecture}", extra="pretrained")
    return Path(found.origin).parent / folder


def finished(network: Network, input_shape: InputShape) -> Network:
    """The network, built where the shape of a picture was given."""
    if input_shape is not None:
        network.build(input_shape)
    return network
