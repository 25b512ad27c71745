"""Architectures by name, for estimators and the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from ..errors import ParameterError, UnknownNameError
from ..model import Network
from .autoencoder import autoencoder
from .efficientnet_lite import efficientnet_lite0
from .lenet5 import lenet5
from .minilm import minilm
from .mobilenet_small import mobilenet_small
from .resnet import resnet, resnet20
from .squeezenet import squeezenet
from .unet import unet
from .vgg_small import vgg_small

#: Every architecture by its name; beside ``resnet20`` there is ``resnet`` with any depth that ``resnet(depth)`` takes.
ARCHITECTURES: dict[str, Callable[..., Network]] = {
    "autoencoder": autoencoder,
    "efficientnet_lite0": efficientnet_lite0,
    "lenet5": lenet5,
    "mobilenet_small": mobilenet_small,
    "resnet20": resnet20,
    "squeezenet": squeezenet,
    "unet": unet,
    "vgg_small": vgg_small,
}

#: Architectures that take the indices of tokens.
TEXT_ARCHITECTURES: dict[str, Callable[..., Network]] = {"minilm": minilm}


def get_architecture(name: str) -> Callable[..., Network]:
    """The function that makes networks of this architecture: its first argument is the number of outputs.

    Parameters  name : one of ARCHITECTURES, or "resnet32", "resnet56", ...
    Raises      UnknownNameError, with the names ; ParameterError for what is no name

    Example
        >>> from chainrule.architectures import get_architecture
        >>> get_architecture("resnet32")(5, input_shape=(32, 32, 3)).output_shapes
        [(5,)]
    """
    if not isinstance(name, str):
        raise ParameterError(f'An architecture is asked for by its name, such as "resnet20". Got {name!r}.')
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if found := re.fullmatch(r"resnet(\d+)", name):
        return partial(resnet, int(found.group(1)))
    raise UnknownNameError("architecture", name, ARCHITECTURES)
