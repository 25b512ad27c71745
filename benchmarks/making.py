"""``python -m benchmarks.making``: steps of tasks that make pictures, beside PyTorch's.

The parties take turns within one training: after each piece of it, a callback lets PyTorch do as much. So other programs
disturb both alike, and a ratio above 1 says that chainrule is ahead. With ``--threads 1`` the time is the processor's for
this process.

    gan     a round of ``PictureGenerator`` on pictures of 28 × 28 with classes: a step of the critic and one of the
            generator, with spectral normalisation and the moving average of the weights
    style   a step of ``transfer`` on a photo of 256 × 256, seen by SqueezeNet 1.0
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.architectures.squeezenet import squeezenet
from chainrule.tasks.picture_generation.picture_generator import PictureGenerator
from chainrule.tasks.style.bodies import StyleBody
from chainrule.tasks.style.transfer import transfer
from chainrule.training import Callback

_STYLE, _CONTENT = ("conv1", "fire2", "fire3", "fire5", "fire7"), "fire4"
#: Rounds of a GAN between two changes of the party.
_ROUNDS = 10


class InTurn(Callback):
    """After each epoch, or each call, the other party does as much; the times of both are noted."""

    def __init__(self, other: Callable[[], Any], clock: Callable[[], float]) -> None:
        self.other, self.clock = other, clock
        self.own, self.others = list[float](), list[float]()
        other()
        self.begun = clock()

    def __call__(self) -> None:
        end = self.clock()
        self.own.append(end - self.begun)
        self.other()
        self.begun = self.clock()
        self.others.append(self.begun - end)

    def on_epoch_end(self, state: Any, epoch: int, logs: Any) -> None:
        self()

    def report(self, name: str, steps: int) -> None:
        # The first piece holds the making of the plan.
        own, others = ([1e3 * one / steps for one in times[1:]] for times in (self.own, self.others))
        best, median = min(others) / min(own), statistics.median(others) / statistics.median(own)
        print(f"{name}: chainrule {statistics.median(own):.1f} ms, PyTorch {statistics.median(others):.1f} ms a step "
              f"(medians); {best:.2f} times as fast by the best, {median:.2f} by the medians", flush=True)  # fmt: skip


def gan(options: argparse.Namespace, clock: Callable[[], float]) -> None:
    width, noise, batch = options.width, 64, options.batch_size
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (_ROUNDS * batch, 28, 28, 1), np.uint8)
    y = rng.integers(0, 10, len(X))
    turn = InTurn(_torch_gan(width, noise, batch, options.threads), clock)
    model = PictureGenerator(
        width=width, noise=noise, batch_size=batch, epochs=options.pieces, threads=options.threads, random_state=0
    )
    model.fit(X, y, callbacks=turn)
    turn.report(f"gan, batch {batch}, width {width}", _ROUNDS)


def style(options: argparse.Namespace, clock: Callable[[], float]) -> None:
    side = options.side
    network = squeezenet(1000, input_shape=(side, side, 3), random_state=0)
    body = StyleBody(network, (_CONTENT,), _STYLE)
    rng = np.random.default_rng(0)
    photo, painting = (rng.random((side, side, 3)).astype(np.float32) for _ in range(2))
    turn = InTurn(_torch_style(side, options.threads), clock)
    transfer(
        photo, painting, body, steps=3 * options.pieces, every=1, threads=options.threads, on_step=lambda *_: turn()
    )  # fmt: skip
    turn.report(f"style, {side} × {side}", 1)


def _torch_gan(width: int, noise: int, batch: int, threads: int) -> Callable[[], None]:
    """So many rounds of the same networks, with the same objective and optimizers."""
    import torch
    from torch import nn
    from torch.nn.functional import leaky_relu
    from torch.nn.utils.parametrizations import spectral_norm

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    small = 2 * width

    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.label = nn.Embedding(10, 10)
            self.first = nn.Linear(noise + 10, 49 * small, bias=False)
            self.norm1, self.norm2 = nn.BatchNorm2d(small), nn.BatchNorm2d(width)
            self.up1 = nn.ConvTranspose2d(small, width, 4, stride=2, padding=1, bias=False)
            self.up2 = nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1)

        def forward(self, z: Any, y: Any) -> Any:
            h = self.first(torch.cat([z, self.label(y)], 1)).view(-1, small, 7, 7)
            h = torch.relu(self.norm1(h.contiguous(memory_format=torch.channels_last)))
            return torch.tanh(self.up2(torch.relu(self.norm2(self.up1(h)))))

    class Critic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down1 = spectral_norm(nn.Conv2d(1, width, 4, stride=2, padding=1))
            self.down2 = spectral_norm(nn.Conv2d(width, small, 4, stride=2, padding=1))
            self.features, self.score = spectral_norm(nn.Linear(49 * small, 128)), spectral_norm(nn.Linear(128, 1))
            self.label = nn.Embedding(10, 128)

        def forward(self, x: Any, y: Any) -> Any:
            h = leaky_relu(self.down2(leaky_relu(self.down1(x), 0.2)), 0.2)
            h = leaky_relu(self.features(h.flatten(1)), 0.2)
            return self.score(h) + (h * self.label(y)).sum(1, keepdim=True)

    generator, critic = Generator(), Critic()
    of_generator, of_critic = (
        torch.optim.Adam(net.parameters(), 0.002, betas=(0.5, 0.999), fused=True) for net in (generator, critic)
    )
    averages = [p.detach().clone() for p in generator.parameters()]
    x, y = torch.rand(batch, 1, 28, 28) * 2 - 1, torch.randint(0, 10, (batch,))

    def run() -> None:
        for _ in range(_ROUNDS):
            made = generator(torch.randn(batch, noise), y)
            of_critic.zero_grad()
            (torch.relu(1 - critic(x, y)).mean() + torch.relu(1 + critic(made.detach(), y)).mean()).backward()
            of_critic.step()
            of_generator.zero_grad()
            (-critic(made, y).mean()).backward()
            of_generator.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, list(generator.parameters()), 0.002)

    return run


def _torch_style(side: int, threads: int) -> Callable[[], None]:
    """One step of Adam on the pixels, with the features, Gram matrices and total variation of ``transfer``."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)

    class Fire(nn.Module):
        def __init__(self, given: int, few: int, many: int) -> None:
            super().__init__()
            self.squeeze, self.ones = nn.Conv2d(given, few, 1), nn.Conv2d(few, many, 1)
            self.threes = nn.Conv2d(few, many, 3, padding=1)

        def forward(self, x: Any) -> Any:
            h = torch.relu(self.squeeze(x))
            return torch.cat([torch.relu(self.ones(h)), torch.relu(self.threes(h))], 1)

    pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
    first = nn.Conv2d(3, 96, 7, stride=2)
    sizes = ((96, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128), (256, 48, 192), (384, 48, 192))
    fires = [Fire(*size) for size in sizes]
    for part in (first, *fires):
        part.to(memory_format=torch.channels_last)
        for p in part.parameters():
            p.requires_grad_(False)

    def features(picture: Any) -> list[Any]:
        found = [torch.relu(first(picture))]
        h = pool(found[0])
        for number, fire in enumerate(fires, 2):
            h = fire(h)
            found.append(h)
            if number == 4:
                h = pool(h)
        return [found[i] for i in (3, 0, 1, 2, 4, 6)]  # fire4 for the content; conv1, fire2, fire3, fire5, fire7

    def gram(h: Any) -> Any:
        flat = h.permute(0, 2, 3, 1).reshape(-1, h.shape[1])
        return flat.T @ flat / len(flat)

    def seen(picture: Any) -> list[Any]:
        content, *styles = features(picture)
        return [content, *(gram(h) for h in styles)]

    photo, painting = (
        torch.rand(1, 3, side, side).contiguous(memory_format=torch.channels_last) for _ in range(2)
    )  # fmt: skip
    with torch.no_grad():
        targets = [seen(photo)[0], *seen(painting)[1:]]
        factors = [1 / float(t.square().mean()) for t in targets]
    pixels = photo.clone(memory_format=torch.preserve_format).requires_grad_()
    optimizer = torch.optim.Adam([pixels], 0.02, fused=True)

    def run() -> None:
        optimizer.zero_grad()
        loss = sum(f * (a - b).square().mean() for f, a, b in zip(factors, seen(pixels), targets, strict=True))
        across, down = (torch.diff(pixels, dim=axis).abs().mean() for axis in (3, 2))
        (loss + across + down).backward()
        optimizer.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pieces", type=int, default=15, help="how often the parties change")
    parser.add_argument("--width", type=int, default=32, help="channels of the largest level of the GAN")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--side", type=int, default=256, help="of the photo that is painted")
    parser.add_argument("--only", choices=["gan", "style"])
    options = parser.parse_args()
    clock = time.process_time if options.threads == 1 else time.perf_counter
    for part in (gan, style):
        if options.only in (None, part.__name__):
            part(options, clock)


if __name__ == "__main__":
    main()
