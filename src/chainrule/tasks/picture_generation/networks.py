"""A generator and a critic of pictures, as convolutional networks that mirror each other."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ...layers import (
    Add,
    BatchNorm,
    Concat,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Embedding,
    Flatten,
    Input,
    LeakyReLU,
    Multiply,
    ReduceSum,
    ReLU,
    Reshape,
    SpectralNorm,
    Tanh,
)
from ...model import Network

__all__ = ["critic_network", "generator_network", "levels_of"]

#: The generator begins with a map of at most so many rows and columns.
_LARGEST_START = 8
_SLOPE = 0.2
#: Numbers that the critic makes of a whole picture before it gives a score.
_FEATURES = 128


def levels_of(height: int, width: int) -> int:
    """How often a picture is halved until it is as small as the map that a generator begins with.

    Raises      ShapeError when a side is odd before it is small enough
    """
    levels = 0
    while max(height, width) > _LARGEST_START or levels == 0:
        if height % 2 or width % 2 or min(height, width) < 4:
            raise ShapeError(
                f"PictureGenerator: the sides of a picture must be halved until they are at most {_LARGEST_START}, as 28, "
                f"32 or 64 can be; {height * 2**levels} × {width * 2**levels} cannot. Resize the pictures."
            )
        height, width, levels = height // 2, width // 2, levels + 1
    return levels


def generator_network(
    shape: tuple[int, int, int], classes: int, *, noise: int, width: int, random_state: Any = None
) -> Network:
    """Makes pictures in [−1, 1] from noise (N, noise), and from class numbers (N,) where there are classes.

    An affine map to a small picture of many channels, then at each level a transposed 4×4 convolution of stride 2 that
    doubles the sides and halves the channels, with batch normalisation and ReLU; at the end tanh. The class joins the
    noise as a learned vector.

    References  Radford, Metz, Chintala, Unsupervised representation learning with deep convolutional generative adversarial
                networks, ICLR 2016 ; Mirza and Osindero, Conditional generative adversarial nets, 2014
    """
    height, across, channels = shape
    levels = levels_of(height, across)
    z = Input((noise,))
    inputs: list[Any] = [z]
    h: Any = z
    if classes:
        label = Input((), dtype="int")
        inputs.append(label)
        h = Concat()(z, Embedding(classes, max(8, classes))(label))
    top = width * 2 ** (levels - 1)
    small = (height // 2**levels, across // 2**levels, top)
    h = Dense(small[0] * small[1] * top, bias=False)(h)
    h = ReLU()(BatchNorm()(Reshape(small)(h)))
    for level in range(levels - 1, 0, -1):
        h = ConvTranspose2D(width * 2 ** (level - 1), 4, stride=2, padding=1, bias=False)(h)
        h = ReLU()(BatchNorm()(h))
    h = Tanh()(ConvTranspose2D(channels, 4, stride=2, padding=1)(h))
    made = Network(inputs=inputs, outputs=h, random_state=random_state)
    made.build((noise,), *([()] if classes else []))
    return made


def critic_network(
    shape: tuple[int, int, int], classes: int, *, width: int, spectral: bool, random_state: Any = None
) -> Network:
    """Gives each picture in [−1, 1] (and its class) a score (N, 1), the higher the more it looks like a real one.

    At each level a 4×4 convolution of stride 2 that halves the sides and doubles the channels, with leaky ReLU; then an
    affine map to features of the whole picture, with leaky ReLU, and one to the score. A class has a part of its own in the
    score, the product of a learned vector with the features (projection).

    Parameters  spectral : whether all weights are divided by their largest singular value
    References  Radford et al., ICLR 2016 ; Miyato and Koyama, cGANs with projection discriminator, ICLR 2018
    """
    height, across, _ = shape

    def bounded(layer: Any) -> Any:
        return SpectralNorm(layer) if spectral else layer

    picture = Input(shape)
    inputs: list[Any] = [picture]
    h: Any = picture
    for level in range(levels_of(height, across)):
        h = LeakyReLU(_SLOPE)(bounded(Conv2D(width * 2**level, 4, stride=2, padding=1))(h))
    features = LeakyReLU(_SLOPE)(bounded(Dense(_FEATURES))(Flatten()(h)))
    score = bounded(Dense(1))(features)
    if classes:
        label = Input((), dtype="int")
        inputs.append(label)
        along = ReduceSum(-1, keepdims=True)(Multiply()(features, Embedding(classes, _FEATURES)(label)))
        score = Add()(score, along)
    made = Network(inputs=inputs, outputs=score, random_state=random_state)
    made.build(shape, *([()] if classes else []))
    return made
