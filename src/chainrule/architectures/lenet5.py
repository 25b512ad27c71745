"""LeNet-5."""

from __future__ import annotations

from typing import Any

from ..errors import ParameterError
from ..layers import AveragePool2D, Conv2D, Dense, Flatten, MaxPool2D, get_activation
from ..model import Network
from ._parts import InputShape, check_count, finished

_POOLS = {"average": AveragePool2D, "max": MaxPool2D}


def lenet5(
    classes: int = 10,
    *,
    activation: Any = "tanh",
    pooling: str = "average",
    input_shape: InputShape = None,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """LeNet-5, the network that read handwritten digits: two convolutions with pooling, three fully connected layers.

    ``conv 6@5×5 – pool – conv 16@5×5 – pool – dense 120 – dense 84 – dense classes``, about 61,700 weights for grey pictures
    of 28×28. Where the paper has a trained factor in its pooling, a table of which maps the second convolution sees, and
    radial basis functions at the end, this has what became usual: plain pooling, all maps, and logits. ``activation="relu",
    pooling="max"`` learns faster and is a little more accurate.

    Parameters  classes : int >= 1 = 10, logits ; activation : name or layer = "tanh" ; pooling : "average" or "max"
                input_shape : (H, W, C) of one picture, at least 16×16; None leaves it to the first fit
                random_state, dtype : as in Network
    Shapes      x (N, H, W, C) ; logits (N, classes)
    Start       tanh: uniform within ±√(3 / fan_in) (LeCun et al., Efficient backprop, 1998, by the same authors), where the
                paper has ±2.4 / fan_in for a steeper tanh. Another activation has its own default
    Raises      ParameterError for an argument out of its range ; ShapeError when the picture is too small
    References  LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document recognition, Proc. IEEE 1998

    Example
        >>> from chainrule.architectures import lenet5
        >>> lenet5(input_shape=(28, 28, 1)).parameters.count
        61706
    """
    check_count("lenet5", classes=classes)
    if pooling not in _POOLS:
        raise ParameterError(f'lenet5: pooling must be "average" or "max". Got {pooling!r}.')
    act, pool = get_activation, _POOLS[pooling]
    init = "lecun_uniform" if activation == "tanh" else None
    layers = [
        Conv2D(6, 5, padding=2, weight_init=init), act(activation), pool(2),
        Conv2D(16, 5, weight_init=init), act(activation), pool(2),
        Flatten(),
        Dense(120, weight_init=init), act(activation),
        Dense(84, weight_init=init), act(activation),
        Dense(classes, weight_init=init),
    ]  # fmt: skip
    return finished(Network(layers, random_state=random_state, dtype=dtype), input_shape)
