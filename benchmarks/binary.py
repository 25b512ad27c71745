"""``python -m benchmarks.binary``: products of signs against float32 products, of a layer, a convolution and a network.

Columns are how many times as fast as the fastest float32 product, by best times / by median times; see ``turns``. The time
of the signs is of bits that are packed already ("bits") and of packing the activations, too ("with packing").
"""

from __future__ import annotations

import argparse

import numpy as np

from chainrule import BatchNorm, BinaryDense, Network, Sign
from chainrule.ops import SignMatrix
from chainrule.ops.sign_matrix import pack_signs

from .turns import dense_conv, dense_product, executable, main, onnx_network, ratios, take_turns

LAYERS = [(n, width) for width in (1024, 2048, 4096) for n in (1, 32, 256)]
CONVOLUTIONS = [(1, 16, 128, 128), (8, 32, 128, 128), (8, 16, 256, 256), (8, 8, 512, 512)]


def layers(options: argparse.Namespace, rng: np.random.Generator) -> None:
    for n, width in LAYERS:
        x = np.where(rng.random((n, width)) < 0.5, -1, 1).astype(np.float32)
        w = np.where(rng.random((width, width)) < 0.5, -1, 1).astype(np.float32)
        signs = SignMatrix.of(w)
        runs = dense_product(x, w, options.threads)
        runs["bits"] = executable(lambda k, a, s=signs: k.binary_matmul(a, s), pack_signs(x), options.threads)
        runs["with packing"] = executable(lambda k, a, s=signs: k.binary_matmul(k.pack_signs(a), s), x, options.threads)
        np.testing.assert_array_equal(runs["dense"](), runs["bits"]())
        times = take_turns(runs, options.seconds, options.threads)
        rate = 2 * n * width * width / min(times["bits"]) / 1e12
        text = ratios(times)
        print(f"{width:5} → {width:5} batch {n:4}: {text}  {rate:.2f} TOP/s", flush=True)


def convolutions(options: argparse.Namespace, rng: np.random.Generator) -> None:
    window = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    for n, size, channels, outputs in CONVOLUTIONS:
        x = np.where(rng.random((n, size, size, channels)) < 0.5, -1, 1).astype(np.float32)
        w = np.where(rng.random((3, 3, channels, outputs)) < 0.5, -1, 1).astype(np.float32)
        signs = SignMatrix.of(w)
        runs = dense_conv(x, w, 1, options.threads)
        runs["bits"] = executable(lambda k, a, s=signs: k.binary_conv(a, s, **window), pack_signs(x), options.threads)
        np.testing.assert_array_equal(runs["dense"](), runs["bits"]())
        times = take_turns(runs, options.seconds, options.threads)
        text = ratios(times)
        print(f"{n} × {size} × {size}, {channels} → {outputs}, 3 × 3: {text}", flush=True)


def network(options: argparse.Namespace, rng: np.random.Generator) -> None:
    """The perceptron of Courbariaux et al., 784 to 3 × 4096 to 10, packed, against its float32 twin by ONNX Runtime."""
    width, parts = 4096, []
    for _ in range(3):
        parts += [BinaryDense(width), BatchNorm(), Sign()]
    net = Network([*parts, BinaryDense(10), BatchNorm()], random_state=0).build((784,))
    packed = net.pack()
    print(f"784-4096-4096-4096-10: {packed!r}")
    stored = [np.asarray(w) for name, w in net.parameters.items() if name.endswith("weight")]
    weights = [np.where(w >= 0, 1, -1).astype(np.float32) for w in stored]
    steps = [step for w in weights[:3] for step in (("Gemm", {}, w), ("Relu", {}, None))]
    for n in (1, 32, 256):
        x = rng.normal(size=(n, 784)).astype(np.float32)
        # The network itself computes with bits that it makes of its weights at every call.
        runs = {"not packed": lambda x=x: net.predict(x), "packed": lambda x=x: packed.predict(x)}
        runs |= onnx_network([*steps, ("Gemm", {}, weights[3])], x, options.threads)
        times = take_turns(runs, 4 * options.seconds, options.threads)
        print(f"    batch {n:4}: {ratios(times)}", flush=True)


if __name__ == "__main__":
    main(__doc__, layers, convolutions, network)
