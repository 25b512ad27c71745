"""The U-Net."""

from __future__ import annotations

from typing import Any

from ..errors import ParameterError
from ..layers import Concat, Conv2D, ConvTranspose2D, Dropout, MaxPool2D, ReLU, Tensor
from ..model import Network
from ._parts import InputShape, check_count, check_divides, check_widths, convolution, finished


def unet(
    classes: int = 1,
    *,
    channels: Any = (16, 32, 64, 128),
    batch_norm: bool = True,
    dropout: float = 0.0,
    shrink: int = 1,
    output_init: Any = "he_normal",
    input_shape: InputShape = None,
    random_state: Any = None,
    dtype: str = "float32",
) -> Network:
    """The U-Net, which gives every pixel its classes: a path down that sees context, a path up that finds places again.

    Each level has two 3×3 convolutions with ReLU. Down: max pooling halves both sides. Up: a 2×2 transposed convolution
    doubles them, and what the same level had on the way down is joined to it. At the end a 1×1 convolution gives the
    logits. The convolutions are padded, so that the mask has the picture's size; in the paper it loses a border of 92
    pixels.

    Parameters
        classes : int >= 1 = 1, logits of each pixel: 1 for foreground against background (BinaryCrossEntropy, DiceLoss), K
            for K classes (SoftmaxCrossEntropy)
        channels : of each level, the last at the bottom; the paper has (64, 128, 256, 512, 1024)
        batch_norm : bool = True, after each 3×3 convolution; the paper has none ; dropout : in [0, 1) = 0, at the bottom
        shrink : 1, 2, 4, ... = 1, how many times smaller the result is on each side than the picture: the path up ends there
        output_init : start weights of the last convolution ; zeros begin with the mean where numbers are learned
        input_shape : (H, W, C) of one picture; None leaves it to the first fit ; random_state, dtype : as in Network
    Shapes      x (N, H, W, C), both sides multiples of 2^(levels − 1) ; logits (N, H / shrink, W / shrink, classes)
    Start       normal with deviation √(2 / fan_in), as in the paper
    Raises      ParameterError for an argument out of its range ; ShapeError when a side cannot be halved so often
    References  Ronneberger, Fischer and Brox, U-Net: convolutional networks for biomedical image segmentation, MICCAI 2015

    Example
        >>> from chainrule.architectures import unet
        >>> unet(classes=3, channels=(8, 16), input_shape=(32, 32, 1)).output_shapes
        [(32, 32, 3)]
    """
    check_count("unet", classes=classes)
    widths = check_widths("unet", "channels", channels, fewest=2)
    top = next((level for level in range(len(widths)) if 2**level == shrink), None)
    if top is None:
        raise ParameterError(f"unet: shrink must be a power of 2 of at most {2 ** (len(widths) - 1)}. Got {shrink!r}.")
    check_divides("unet", input_shape, 2 ** (len(widths) - 1), f"it halves the picture {len(widths) - 1} times")

    def level(x: Tensor, width: int) -> Tensor:
        for _ in range(2):
            layers = convolution(width) if batch_norm else [Conv2D(width, 3, padding=1, weight_init="he_normal"), ReLU()]
            for layer in layers:
                x = layer(x)
        return x

    picture = x = Tensor()
    kept = []
    for width in widths[:-1]:
        x = level(x, width)
        kept.append(x)
        x = MaxPool2D(2)(x)
    x = level(x, widths[-1])
    if dropout:
        x = Dropout(dropout)(x)
    for width, skip in reversed(list(zip(widths[top:-1], kept[top:], strict=True))):
        x = ConvTranspose2D(width, 2, stride=2, weight_init="he_normal")(x)
        x = level(Concat()(skip, x), width)
    mask = Conv2D(classes, 1, weight_init=output_init)(x)
    return finished(Network(inputs=picture, outputs=mask, random_state=random_state, dtype=dtype), input_shape)
