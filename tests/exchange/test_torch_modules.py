"""Typical modules of PyTorch, exported and read again, beside what PyTorch computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import from_torch

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]


class Residual(nn.Module):
    """A block of a residual network."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
        )
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.beside = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Any) -> Any:
        return functional.relu(self.second(self.first(x)) + self.beside(x))


class Squeeze(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool, self.a, self.b = nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x: Any) -> Any:
        return x * functional.hardsigmoid(self.b(functional.relu(self.a(self.pool(x)))))


class Inverted(nn.Module):
    """An inverted residual block of MobileNet."""

    def __init__(self, inputs: int, outputs: int, stride: int, active: type[nn.Module], squeeze: bool) -> None:
        super().__init__()
        wide = inputs * 2
        parts = [nn.Conv2d(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide), active()]
        parts += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), active()]
        parts += [Squeeze(wide)] if squeeze else []
        self.whole = nn.Sequential(*parts, nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.joins = stride == 1 and inputs == outputs

    def forward(self, x: Any) -> Any:
        return x + self.whole(x) if self.joins else self.whole(x)


class UNet(nn.Module):
    """Two levels, with two ways up."""

    def __init__(self) -> None:
        super().__init__()

        def block(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, 1, 1), nn.GroupNorm(2, outputs), nn.SiLU())

        self.high, self.low, self.middle, self.last = block(3, 4), block(4, 8), block(8, 8), block(8, 4)
        self.up, self.end = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(4, 2, 1)
        self.nearest, self.linear = nn.Upsample(scale_factor=2), nn.Upsample(
            scale_factor=2, mode="bilinear", align_corners=True)  # fmt: skip

    def forward(self, x: Any) -> Any:
        high = self.high(x)
        low = self.low(functional.max_pool2d(high, 2))
        middle = self.nearest(self.middle(functional.avg_pool2d(low, 2)))
        return self.end(self.last(torch.cat([self.up(low + middle), high], 1))), self.linear(low)


class Sentences(nn.Module):
    """Embedded tokens through a recurrent layer whose samples stand on the second axis."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.layer = nn.Embedding(20, 6), nn.LSTM(6, 8, num_layers=2, bidirectional=True, dropout=0.1)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Any) -> Any:
        every, (h, _) = self.layer(self.table(x))
        return self.head(torch.cat([h[-2], h[-1]], 1)) + self.head(every[-1])


class Translator(nn.Module):
    """A recurrent encoder that hands its state to a decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder, self.head = (
            nn.GRU(3, 4, batch_first=True),
            nn.GRU(2, 4, batch_first=True),
            nn.Linear(4, 2),
        )

    def forward(self, x: Any, y: Any) -> Any:
        return self.head(self.decoder(y, self.encoder(x)[1])[0])


def encoder(depth: int = 1, **options: Any) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)
    return nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)


class Causal(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.whole = encoder()

    def forward(self, x: Any) -> Any:
        return self.whole(x, mask=nn.Transformer.generate_square_subsequent_mask(x.shape[1]))


class Padded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.whole = nn.Embedding(9, 8), encoder()

    def forward(self, x: Any) -> Any:
        return self.whole(self.table(x), src_key_padding_mask=x == 0)


class Attention(nn.Module):
    def __init__(self, weights: bool) -> None:
        super().__init__()
        self.layer, self.weights = nn.MultiheadAttention(8, 2, batch_first=True), weights

    def forward(self, query: Any, other: Any) -> Any:
        found = self.layer(query, other, other, need_weights=self.weights)
        return found if self.weights else found[0]


class Vision(nn.Module):
    """A vision transformer with a token for the class."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.whole, self.head = nn.Conv2d(3, 8, 4, 4), encoder(2, norm_first=True), nn.Linear(8, 3)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 8)), nn.Parameter(torch.randn(1, 17, 8))

    def forward(self, x: Any) -> Any:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.whole(x)[:, 0])


class Shuffle(nn.Module):
    """A convolution of groups whose channels are mixed."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, 1, 1, groups=4)

    def forward(self, x: Any) -> Any:
        n, c, h, w = x.shape
        x = self.conv(x).view(n, 4, c // 4, h, w).transpose(1, 2).reshape(n, c, h, w)
        first, second = x.chunk(2, 1)
        return torch.cat([first * 2, second], 1)


class Interpolated(nn.Module):
    def forward(self, x: Any) -> Any:
        half = functional.interpolate(x, scale_factor=0.5, mode="bilinear")
        return half, functional.interpolate(x, size=(5, 9), mode="bicubic")


def r(*shape: int) -> Any:
    return torch.randn(*shape)


def states(samples: int) -> Any:
    return (r(1, samples, 4), r(1, samples, 4))


Case = tuple[Callable[[], nn.Module], Callable[[int], tuple[Any, ...]]]
#: Name: (module, examples of so many samples).
QUICK: dict[str, Case] = {
    "lstm": (lambda: nn.LSTM(3, 4, 2, bidirectional=True), lambda n: (r(5, n, 3),)),
    "lstm with states": (lambda: nn.LSTM(3, 4, batch_first=True), lambda n: (r(n, 5, 3), states(n))),
    "transformer": (lambda: encoder(2), lambda n: (r(n, 5, 8),)),
    "residual": (lambda: nn.Sequential(Residual(3, 4, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
                 lambda n: (r(n, 3, 12, 12),)),
}  # fmt: skip
SLOW: dict[str, Case] = {
    **{f"{kind.__name__} {first} {both}": (
        lambda kind=kind, first=first, both=both: kind(3, 4, 2, batch_first=first, bidirectional=both),
        lambda n, first=first: (r(n, 5, 3) if first else r(5, n, 3),))
       for kind in (nn.LSTM, nn.GRU, nn.RNN) for first in (True, False) for both in (True, False)},
    "sentences": (Sentences, lambda n: (torch.randint(0, 20, (7, n)),)),
    "translator": (Translator, lambda n: (r(n, 5, 3), r(n, 4, 2))),
    "norm first": (lambda: encoder(norm_first=True, activation="gelu"), lambda n: (r(n, 5, 8),)),
    "causal": (Causal, lambda n: (r(n, 5, 8),)),
    "padded": (Padded, lambda n: (torch.randint(1, 9, (n, 5)),)),
    "attention": (lambda: Attention(False), lambda n: (r(n, 5, 8), r(n, 7, 8))),
    "attention with weights": (lambda: Attention(True), lambda n: (r(n, 5, 8), r(n, 7, 8))),
    "vision": (Vision, lambda n: (r(n, 3, 16, 16),)),
    "mobile 2": (lambda: nn.Sequential(Inverted(4, 4, 1, nn.ReLU6, False), Inverted(4, 8, 2, nn.ReLU6, False)),
                 lambda n: (r(n, 4, 12, 12),)),
    "mobile 3": (lambda: nn.Sequential(Inverted(4, 4, 1, nn.Hardswish, True), Inverted(4, 8, 2, nn.Hardswish, True)),
                 lambda n: (r(n, 4, 12, 12),)),
    "unet": (UNet, lambda n: (r(n, 3, 16, 16),)),
    "vgg": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(),
                                  nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Dropout(),
                                  nn.Linear(8, 3), nn.Softmax(1)), lambda n: (r(n, 3, 12, 12),)),
    "line": (lambda: nn.Sequential(nn.Conv1d(3, 4, 3, dilation=2, padding=2), nn.BatchNorm1d(4), nn.PReLU(4),
                                   nn.MaxPool1d(2), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2)),
             lambda n: (r(n, 3, 12),)),
    "cube": (lambda: nn.Sequential(nn.Conv3d(2, 4, 3, padding=1), nn.BatchNorm3d(4), nn.LeakyReLU(0.1), nn.MaxPool3d(2),
                                   nn.ConvTranspose3d(4, 2, 2, 2), nn.Upsample(scale_factor=2, mode="trilinear")),
             lambda n: (r(n, 2, 4, 4, 4),)),
    "shuffle": (Shuffle, lambda n: (r(n, 8, 6, 6),)),
    "borders": (lambda: nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2), nn.ReflectionPad2d(2),
                                      nn.InstanceNorm2d(3, affine=True), nn.ReplicationPad2d(1), nn.ELU(), nn.Mish(),
                                      nn.Hardtanh()), lambda n: (r(n, 3, 8, 8),)),
    "interpolated": (Interpolated, lambda n: (r(n, 3, 7, 9),)),
}  # fmt: skip


def flat(values: Any) -> list[Any]:
    return [one for part in values for one in flat(part)] if isinstance(values, tuple) else [values]


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)])
def test_a_module_computes_the_same_here(name: str) -> None:
    torch.manual_seed(0)
    make, examples = (QUICK | SLOW)[name]
    module = make().eval()
    network = from_torch(module, *examples(2))
    with torch.no_grad():
        given = examples(3)  # another number of samples than the example had
        wanted = flat(module(*given))
    xs = []
    for x, shape in zip(flat(given), network.input_shapes, strict=True):
        array = x.numpy()
        turned = [array, *([np.moveaxis(array, 1, -1)] if array.ndim > 2 else []), array.swapaxes(0, 1)]
        fits = [a for a in turned if len(a) == 3 and all(s in (-1, t) for s, t in zip(shape, a.shape[1:], strict=True))]
        xs.append(np.ascontiguousarray(fits[0]))
    found = network.predict(xs if len(xs) > 1 else xs[0])
    for mine, y in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
        other = y.numpy()
        same = [a for a in (other, np.moveaxis(other, 1, -1), other.swapaxes(0, 1)) if a.shape == mine.shape]
        assert min(float(np.abs(mine - a).max()) for a in same) <= 1e-4 * float(np.abs(other).max())
